/* cpu/x86/flags_test.c - PUSHF, POPF, CLI and STI by mode and privilege.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/flags.h"
#include "cpu/x86/test_system.h"

#define IOPL(n)	((n) << 12)

enum place { REAL, RING0, RING3, V86 };

static void go(struct test_cpu *t, enum place p, uint32_t flags)
{
	struct cpu *c = t->c;

	c->cr0 |= CR0_PE;
	c->shadow = SHADOW_NONE;
	flags_set(c, 0, ~0u);
	if (p == REAL)
		in_real(t);
	else if (p == V86)
		in_v86(t, 0);
	else
		in_ring(t, p == RING3 ? 3 : 0);
	flags_set(c, flags, ~(uint32_t)FLAG_VM);
	cpu_derive(c);
}

static void popf_changes_what_the_ring_may(void **state)
{
	static const struct {
		enum place place;
		uint32_t before, popped;
		unsigned opsize;
		uint32_t after;
	} cases[] = {
		{ REAL, 0, 0xffff, 2, 0x7fd7 },
		{ REAL, FLAG_AC, 0, 2, FLAG_AC | 2 },
		{ RING0, 0, 0xffffffff, 4, FLAG_ID | FLAG_AC | 0x7fd7 },
		{ RING0, FLAG_VIP | FLAG_VIF, 0, 4, FLAG_VIP | FLAG_VIF | 2 },
		{ RING0, FLAG_RF, FLAG_RF, 4, 2 },
		{ RING3, 0, 0x7fd7, 4, 0x4dd7 },
		{ RING3, FLAG_IF, 0, 4, FLAG_IF | 2 },
		{ RING3, IOPL(3), FLAG_IF, 4, IOPL(3) | FLAG_IF | 2 },
		{ V86, IOPL(3), FLAG_IF | FLAG_ID, 4,
		  FLAG_VM | IOPL(3) | FLAG_IF | FLAG_ID | 2 },
	};
	struct test_cpu *t = system_new();

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		go(t, cases[i].place, cases[i].before);
		ASSERT_NO_FAULT(t, flags_popped(t->c, cases[i].popped,
						cases[i].opsize));
		assert_int_equal(flags_get(t->c), cases[i].after);
	}
	test_cpu_free(t);
}

static void pushf_hides_vm_and_rf(void **state)
{
	struct test_cpu *t = system_new();

	go(t, RING0, FLAG_RF | FLAG_AC | FLAG_CF);
	assert_int_equal(flags_pushed(t->c, 4), FLAG_AC | FLAG_CF | 2);
	assert_int_equal(flags_pushed(t->c, 2), FLAG_CF | 2);
	go(t, V86, IOPL(3));
	assert_int_equal(flags_pushed(t->c, 4), IOPL(3) | 2);
	test_cpu_free(t);
}

static void virtual_8086_programs_see_vif_with_vme(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	go(t, V86, FLAG_IF);
	ASSERT_REFUSED(t, VEC_GP, 0, flags_pushed(c, 2));
	ASSERT_REFUSED(t, VEC_GP, 0, flags_check_pop(c, 2));
	ASSERT_REFUSED(t, VEC_GP, 0, flags_cli(c));
	ASSERT_REFUSED(t, VEC_GP, 0, flags_sti(c));
	c->cr4 |= CR4_VME;
	ASSERT_REFUSED(t, VEC_GP, 0, flags_pushed(c, 4));
	assert_int_equal(flags_pushed(c, 2), IOPL(3) | 2);
	ASSERT_NO_FAULT(t, flags_sti(c));
	assert_int_equal(flags_get(c), FLAG_VM | FLAG_VIF | FLAG_IF | 2);
	assert_int_equal(flags_pushed(c, 2), IOPL(3) | FLAG_IF | 2);
	ASSERT_NO_FAULT(t, flags_popped(c, 0, 2));
	assert_int_equal(flags_get(c), FLAG_VM | FLAG_IF | 2);
	ASSERT_REFUSED(t, VEC_GP, 0, flags_popped(c, FLAG_TF, 2));
	flags_set(c, FLAG_VIP, FLAG_VIP);
	ASSERT_REFUSED(t, VEC_GP, 0, flags_popped(c, FLAG_IF, 2));
	ASSERT_REFUSED(t, VEC_GP, 0, flags_sti(c));
	ASSERT_NO_FAULT(t, flags_cli(c));
	test_cpu_free(t);
}

static void ring_3_uses_vif_with_pvi(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	go(t, RING3, FLAG_IF);
	ASSERT_REFUSED(t, VEC_GP, 0, flags_cli(c));
	c->cr4 |= CR4_PVI;
	ASSERT_NO_FAULT(t, flags_sti(c));
	assert_int_equal(flags_get(c), FLAG_IF | FLAG_VIF | 2);
	assert_int_equal(c->shadow, SHADOW_NONE);
	ASSERT_NO_FAULT(t, flags_cli(c));
	assert_int_equal(flags_get(c), FLAG_IF | 2);
	go(t, RING3, IOPL(3) | FLAG_IF);
	ASSERT_NO_FAULT(t, flags_cli(c));
	assert_int_equal(flags_get(c), IOPL(3) | 2);
	test_cpu_free(t);
}

static void sti_holds_interrupts_off_only_if_they_were_off(void **state)
{
	struct test_cpu *t = system_new();

	go(t, RING0, FLAG_IF);
	flags_sti(t->c);
	assert_int_equal(t->c->shadow, SHADOW_NONE);
	flags_cli(t->c);
	flags_sti(t->c);
	assert_int_equal(t->c->shadow, SHADOW_STI);
	assert_true(t->c->rflags & FLAG_IF);
	test_cpu_free(t);
}

TEST_MAIN("flags", TEST(popf_changes_what_the_ring_may),
	  TEST(pushf_hides_vm_and_rf),
	  TEST(virtual_8086_programs_see_vif_with_vme),
	  TEST(ring_3_uses_vif_with_pvi),
	  TEST(sti_holds_interrupts_off_only_if_they_were_off))
