/* cpu/x86/iret_test.c - IRET in every mode.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/test_system.h"

#define TARGET	(AT_CODE + 0x500)
#define IOPL(n)	((n) << 12)

static void words(struct test_cpu *t, unsigned size, unsigned n,
		  const uint64_t *v)
{
	uint64_t at = t->c->gpr[RSP] + t->c->seg[SS].base;

	for (unsigned i = 0; i < n; i++)
		poke(t, at + i * size, v[i], size);
}

#define FRAME(t, size, ...)                                                   \
	do {                                                                  \
		const uint64_t v_[] = { __VA_ARGS__ };                        \
									      \
		words(t, size, ARRAY_LEN(v_), v_);                            \
	} while (0)

static void real_mode_takes_all_but_the_virtual_flags(void **state)
{
	struct test_cpu *t = system_new();

	in_real(t);
	t->c->nmi_blocked = true;
	FRAME(t, 2, 0x1234, 0x2000, 0x7fd7);
	ASSERT_NO_FAULT(t, far_iret(t->c, 2));
	ASSERT_AT(t, 0x2000, 0x1234);
	assert_int_equal(flags_get(t->c), 0x7fd7);
	assert_int_equal(t->c->gpr[RSP], 0x8006);
	assert_false(t->c->nmi_blocked);

	FRAME(t, 4, 0x1234, 0x2000, 0x3f0002);
	ASSERT_NO_FAULT(t, far_iret(t->c, 4));
	assert_int_equal(flags_get(t->c), FLAG_ID | FLAG_AC | FLAG_RF | 2);
	FRAME(t, 4, 0x12345, 0x2000, 0);
	ASSERT_REFUSED(t, VEC_GP, 0, far_iret(t->c, 4));
	test_cpu_free(t);
}

static void rings_outside_iopl_cannot_change_if_or_iopl(void **state)
{
	static const struct {
		uint8_t ring;
		uint32_t before, popped, after;
	} cases[] = {
		{ 0, 0, 0x3200, 0x3202 },
		{ 3, 0, 0x3200, 0x0002 },
		{ 3, FLAG_IF, 0, FLAG_IF | 2 },
		{ 3, IOPL(3), FLAG_IF, IOPL(3) | FLAG_IF | 2 },
		{ 1, IOPL(1), FLAG_IF | IOPL(3), IOPL(1) | FLAG_IF | 2 },
		{ 0, 0, FLAG_VIF | FLAG_VIP, FLAG_VIF | FLAG_VIP | 2 },
		{ 1, 0, FLAG_VIF | FLAG_VIP, 2 },
		{ 1, 0, FLAG_VM, 2 },
	};
	static const uint16_t code[] = { CODE_0, CODE_1 | 1, 0, CODE_3 | 3 };
	struct test_cpu *t = system_new();

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		in_ring(t, cases[i].ring);
		flags_set(t->c, cases[i].before, ~0u);
		FRAME(t, 4, TARGET, code[cases[i].ring], cases[i].popped);
		ASSERT_NO_FAULT(t, far_iret(t->c, 4));
		ASSERT_AT(t, code[cases[i].ring], TARGET);
		assert_int_equal(flags_get(t->c), cases[i].after);
	}
	test_cpu_free(t);
}

static void a_return_outwards_uses_the_inner_rings_rights_to_flags(void **state)
{
	struct test_cpu *t = system_new();

	FRAME(t, 4, TARGET, CODE_3 | 3, FLAG_IF | IOPL(3), AT_STACK3,
	      DATA_3 | 3);
	ASSERT_NO_FAULT(t, far_iret(t->c, 4));
	ASSERT_AT(t, CODE_3 | 3, TARGET);
	assert_int_equal(flags_get(t->c), FLAG_IF | IOPL(3) | 2);
	assert_int_equal(t->c->gpr[RSP], AT_STACK3);
	assert_true(t->c->seg[DS].attr & SEG_UNUSABLE);
	test_cpu_free(t);
}

static void a_set_vm_flag_enters_virtual_8086_mode_from_ring_0(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	FRAME(t, 4, 0x100, 0x1000, FLAG_VM | FLAG_IF, 0xfff0, 0x2000, 0x3000,
	      0x4000, 0x5000, 0x6000);
	ASSERT_NO_FAULT(t, far_iret(c, 4));
	ASSERT_AT(t, 0x1000, 0x100);
	assert_int_equal(flags_get(c), FLAG_VM | FLAG_IF | 2);
	assert_int_equal(c->cpl, 3);
	assert_int_equal(c->mode, CODE16);
	assert_int_equal(c->seg[SS].base, 0x20000);
	assert_int_equal(c->seg[ES].base, 0x30000);
	assert_int_equal(c->seg[GS].base, 0x60000);
	assert_int_equal(c->seg[GS].limit, 0xffff);
	assert_int_equal(c->gpr[RSP], 0xfff0);
	test_cpu_free(t);

	t = system_new();
	FRAME(t, 4, 0x10000, 0x1000, FLAG_VM, 0, 0, 0, 0, 0, 0);
	ASSERT_REFUSED(t, VEC_GP, 0, far_iret(t->c, 4));
	test_cpu_free(t);
}

static void virtual_8086_programs_need_iopl_3_or_vme(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	in_v86(t, 3);
	FRAME(t, 2, 0x200, 0x1100, FLAG_IF | FLAG_CF);
	ASSERT_NO_FAULT(t, far_iret(c, 2));
	ASSERT_AT(t, 0x1100, 0x200);
	assert_int_equal(flags_get(c),
			 FLAG_VM | IOPL(3) | FLAG_IF | FLAG_CF | 2);

	in_v86(t, 0);
	flags_set(c, 0, FLAG_IF);
	ASSERT_REFUSED(t, VEC_GP, 0, far_iret(c, 2));
	c->cr4 |= CR4_VME;
	FRAME(t, 2, 0x200, 0x1100, FLAG_IF | IOPL(3));
	ASSERT_NO_FAULT(t, far_iret(c, 2));
	assert_int_equal(flags_get(c), FLAG_VM | FLAG_VIF | 2);
	FRAME(t, 2, 0x200, 0x1100, FLAG_TF);
	ASSERT_REFUSED(t, VEC_GP, 0, far_iret(c, 2));
	FRAME(t, 2, 0x200, 0x1100, 0);
	ASSERT_REFUSED(t, VEC_GP, 0, far_iret(c, 4));
	flags_set(c, FLAG_VIP, FLAG_VIP);
	FRAME(t, 2, 0x200, 0x1100, FLAG_IF);
	ASSERT_REFUSED(t, VEC_GP, 0, far_iret(c, 2));
	test_cpu_free(t);
}

static void code_of_64_bits_always_pops_the_stack(void **state)
{
	struct test_cpu *t = system_new_long();
	struct cpu *c = t->c;

	FRAME(t, 8, TARGET, CODE64_0, FLAG_RF, AT_STACK1, 0);
	ASSERT_NO_FAULT(t, far_iret(c, 8));
	ASSERT_AT(t, CODE64_0, TARGET);
	assert_int_equal(c->gpr[RSP], AT_STACK1);
	assert_true(c->seg[SS].attr & SEG_UNUSABLE);
	assert_true(c->rflags & FLAG_RF);

	FRAME(t, 8, TARGET, CODE_3 | 3, 0, AT_STACK3, DATA_3 | 3);
	ASSERT_NO_FAULT(t, far_iret(c, 8));
	ASSERT_AT(t, CODE_3 | 3, TARGET);
	assert_int_equal(c->mode, CODE32);
	assert_int_equal(c->stack_size, 4);
	test_cpu_free(t);
}

static void bad_64_bit_frames_change_nothing(void **state)
{
	static const struct {
		uint64_t ip;
		uint16_t cs, ss;
		uint8_t vector;
		uint16_t code;
	} cases[] = {
		{ 1ull << 47, CODE64_3 | 3, DATA_3 | 3, VEC_GP, 0 },
		{ TARGET, CODE64_3 | 3, 3, VEC_GP, 0 },
		{ TARGET, CODE64_0, 1, VEC_GP, 0 },
		{ TARGET, CODE_0, 0, VEC_GP, 0 },	/* not 64-bit */
		{ TARGET, LD_CODE, 0, VEC_GP, LD_CODE },
		{ TARGET, CODE64_3 | 3, DATA_0 | 3, VEC_GP, DATA_0 },
		{ TARGET, 0, 0, VEC_GP, 0 },
	};
	struct test_cpu *t = system_new_long();

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		in_ring(t, 0);
		FRAME(t, 8, cases[i].ip, cases[i].cs, 0, AT_STACK3,
		      cases[i].ss);
		ASSERT_REFUSED(t, cases[i].vector, cases[i].code,
			       far_iret(t->c, 8));
	}
	FRAME(t, 8, TARGET, CODE64_0, 0, AT_STACK1, 0);
	flags_set(t->c, FLAG_NT, FLAG_NT);
	ASSERT_REFUSED(t, VEC_GP, 0, far_iret(t->c, 8));
	test_cpu_free(t);
}

TEST_MAIN("iret", TEST(real_mode_takes_all_but_the_virtual_flags),
	  TEST(rings_outside_iopl_cannot_change_if_or_iopl),
	  TEST(a_return_outwards_uses_the_inner_rings_rights_to_flags),
	  TEST(a_set_vm_flag_enters_virtual_8086_mode_from_ring_0),
	  TEST(virtual_8086_programs_need_iopl_3_or_vme),
	  TEST(code_of_64_bits_always_pops_the_stack),
	  TEST(bad_64_bit_frames_change_nothing))
