/* cpu/x86/syscall_test.c - the fast system calls and their returns.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/test_system.h"

#define ENTRY	0xffffffff80001000ull

static struct test_cpu *with_msrs(bool long_mode, const char *vendor)
{
	struct test_cpu *t = long_mode ? system_new_long() : system_new();
	struct cpu *c = t->c;

	c->efer |= EFER_SCE;
	c->star = 0x0023000800000000ull | 0x5000;
	c->lstar = ENTRY;
	c->cstar = ENTRY + 0x100;
	c->fmask = FLAG_IF | FLAG_TF;
	c->sysenter_cs = 0x08;
	c->sysenter_esp = 0xffff800000001000ull;
	c->sysenter_eip = ENTRY;
	(void)snprintf(c->id.vendor, sizeof(c->id.vendor), "%s", vendor);
	in_ring(t, 3);
	return t;
}

static void syscall_enters_ring_0_and_masks_flags(void **state)
{
	struct test_cpu *t = with_msrs(true, "GenuineIntel");
	struct cpu *c = t->c;

	flags_set(c, FLAG_IF | FLAG_CF | FLAG_RF, ~0u);
	ASSERT_NO_FAULT(t, sys_syscall(c));
	ASSERT_AT(t, 0x08, ENTRY);
	assert_int_equal(c->seg[SS].selector, 0x10);
	assert_int_equal(c->cpl, 0);
	assert_int_equal(c->gpr[RCX], AT_CODE);
	assert_int_equal(c->gpr[R11], FLAG_IF | FLAG_CF | 2);
	assert_int_equal(flags_get(c), FLAG_CF | 2);
	ASSERT_NO_FAULT(t, sys_sysret(c, 8));
	ASSERT_AT(t, 0x33, AT_CODE);
	assert_int_equal(c->seg[SS].selector, 0x2b);
	assert_int_equal(c->cpl, 3);
	assert_int_equal(c->mode, CODE64);
	assert_int_equal(flags_get(c), FLAG_IF | FLAG_CF | 2);
	test_cpu_free(t);
}

static void sysret_goes_to_compatibility_code_with_32_bits(void **state)
{
	struct test_cpu *t = with_msrs(true, "GenuineIntel");

	in_ring(t, 0);
	t->c->gpr[RCX] = 0xffffffff00001234ull;
	t->c->gpr[R11] = FLAG_VM | FLAG_RF | FLAG_ID;
	ASSERT_NO_FAULT(t, sys_sysret(t->c, 4));
	ASSERT_AT(t, 0x23, 0x1234);
	assert_int_equal(t->c->mode, CODE32);
	assert_int_equal(flags_get(t->c), FLAG_ID | 2);
	test_cpu_free(t);
}

static void system_calls_that_are_off_do_not_exist(void **state)
{
	struct test_cpu *t = with_msrs(true, "GenuineIntel");
	struct cpu *c = t->c;

	c->efer &= ~EFER_SCE;
	ASSERT_REFUSED(t, VEC_UD, 0, sys_syscall(c));
	in_ring(t, 0);
	ASSERT_REFUSED(t, VEC_UD, 0, sys_sysret(c, 8));
	c->efer |= EFER_SCE;
	c->gpr[RCX] = 1ull << 47;
	ASSERT_REFUSED(t, VEC_GP, 0, sys_sysret(c, 8));
	in_ring(t, 3);
	ASSERT_REFUSED(t, VEC_GP, 0, sys_sysret(c, 8));
	c->sysenter_cs = 3;
	ASSERT_REFUSED(t, VEC_GP, 0, sys_sysenter(c));
	in_ring(t, 0);
	ASSERT_REFUSED(t, VEC_GP, 0, sys_sysexit(c, 8));
	test_cpu_free(t);
}

static void the_makers_differ_in_compatibility_mode(void **state)
{
	struct test_cpu *t = with_msrs(true, "GenuineIntel");

	in_segments(t, CODE_3, DATA_3, 3);
	ASSERT_REFUSED(t, VEC_UD, 0, sys_syscall(t->c));
	ASSERT_NO_FAULT(t, sys_sysenter(t->c));
	assert_int_equal(t->c->mode, CODE64);
	test_cpu_free(t);

	t = with_msrs(true, "AuthenticAMD");
	in_segments(t, CODE_3, DATA_3, 3);
	ASSERT_REFUSED(t, VEC_UD, 0, sys_sysenter(t->c));
	ASSERT_NO_FAULT(t, sys_syscall(t->c));
	ASSERT_AT(t, 0x08, ENTRY + 0x100);
	test_cpu_free(t);
}

static void amd_has_syscall_without_long_mode(void **state)
{
	struct test_cpu *t = with_msrs(false, "AuthenticAMD");
	struct cpu *c = t->c;

	flags_set(c, FLAG_IF, FLAG_IF);
	ASSERT_NO_FAULT(t, sys_syscall(c));
	ASSERT_AT(t, 0x08, 0x5000);
	assert_int_equal(c->gpr[RCX], AT_CODE);
	assert_int_equal(c->mode, CODE32);
	assert_int_equal(c->rflags & FLAG_IF, 0);
	ASSERT_NO_FAULT(t, sys_sysret(c, 4));
	ASSERT_AT(t, 0x23, AT_CODE);
	assert_true(c->rflags & FLAG_IF);
	test_cpu_free(t);
}

static void sysenter_and_sysexit_take_addresses_from_msrs_and_back(void **state)
{
	struct test_cpu *t = with_msrs(true, "GenuineIntel");
	struct cpu *c = t->c;

	flags_set(c, FLAG_IF, FLAG_IF);
	ASSERT_NO_FAULT(t, sys_sysenter(c));
	ASSERT_AT(t, 0x08, ENTRY);
	assert_int_equal(c->gpr[RSP], 0xffff800000001000ull);
	assert_int_equal(c->seg[SS].selector, 0x10);
	assert_int_equal(c->rflags & FLAG_IF, 0);
	c->gpr[RDX] = 0x1122;
	c->gpr[RCX] = 0x3344;
	ASSERT_NO_FAULT(t, sys_sysexit(c, 8));
	ASSERT_AT(t, 0x2b, 0x1122);
	assert_int_equal(c->gpr[RSP], 0x3344);
	assert_int_equal(c->seg[SS].selector, 0x33);
	assert_int_equal(c->mode, CODE64);
	ASSERT_REFUSED(t, VEC_GP, 0, sys_sysexit(c, 8));	/* ring 3 */
	in_ring(t, 0);
	c->gpr[RDX] = 0x1122;
	ASSERT_NO_FAULT(t, sys_sysexit(c, 4));
	ASSERT_AT(t, 0x1b, 0x1122);
	assert_int_equal(c->mode, CODE32);
	in_ring(t, 0);
	c->gpr[RDX] = 1ull << 47;
	ASSERT_REFUSED(t, VEC_GP, 0, sys_sysexit(c, 8));
	test_cpu_free(t);

	t = with_msrs(false, "GenuineIntel");
	ASSERT_NO_FAULT(t, sys_sysenter(t->c));
	ASSERT_AT(t, 0x08, (uint32_t)ENTRY);
	assert_int_equal(t->c->gpr[RSP], 0x1000);
	in_real(t);
	ASSERT_REFUSED(t, VEC_GP, 0, sys_sysenter(t->c));
	test_cpu_free(t);
}

TEST_MAIN("syscall", TEST(syscall_enters_ring_0_and_masks_flags),
	  TEST(sysret_goes_to_compatibility_code_with_32_bits),
	  TEST(system_calls_that_are_off_do_not_exist),
	  TEST(the_makers_differ_in_compatibility_mode),
	  TEST(amd_has_syscall_without_long_mode),
	  TEST(sysenter_and_sysexit_take_addresses_from_msrs_and_back))
