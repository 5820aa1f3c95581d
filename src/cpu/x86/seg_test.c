/* cpu/x86/seg_test.c - addresses through segments, and loading registers.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/stack.h"
#include "cpu/x86/test_system.h"

static void use_segment(struct test_cpu *t, uint16_t selector)
{
	seg_load(t->c, DS, selector);
}

static void limits_hold_to_the_last_byte(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	put_desc(t, AT_GDT + SPARE, AT_CODE, 0xfff, SEG_DB | 0x92);
	ASSERT_NO_FAULT(t, use_segment(t, SPARE));
	assert_int_equal(seg_linear(c, DS, 0xffc, 4, ACCESS_READ),
			 AT_CODE + 0xffc);
	ASSERT_FAULT(t, VEC_GP, 0, seg_linear(c, DS, 0xffd, 4, ACCESS_READ));
	ASSERT_FAULT(t, VEC_GP, 0,
		     seg_linear(c, DS, 0xffffffff, 1, ACCESS_READ));
	c->seg[SS] = c->seg[DS];
	cpu_derive(c);
	ASSERT_FAULT(t, VEC_SS, 0, seg_linear(c, SS, 0xffd, 4, ACCESS_READ));
	test_cpu_free(t);
}

static void expand_down_segments_are_valid_above_their_limit(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	ASSERT_NO_FAULT(t, use_segment(t, DOWN));
	ASSERT_FAULT(t, VEC_GP, 0, seg_linear(c, DS, 0xfff, 1, ACCESS_READ));
	assert_int_equal(seg_linear(c, DS, 0x1000, 4, ACCESS_WRITE),
			 AT_CODE + 0x1000);
	assert_int_equal(seg_linear(c, DS, 0x20000, 4, ACCESS_WRITE),
			 AT_CODE + 0x20000);
	c->seg[DS].attr &= ~SEG_DB;
	cpu_derive(c);
	ASSERT_FAULT(t, VEC_GP, 0, seg_linear(c, DS, 0xffff, 2, ACCESS_READ));
	ASSERT_FAULT(t, VEC_GP, 0, seg_linear(c, DS, 0x20000, 1, ACCESS_READ));
	test_cpu_free(t);
}

static void types_forbid_accesses(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	ASSERT_NO_FAULT(t, use_segment(t, READ_ONLY));
	ASSERT_NO_FAULT(t, seg_linear(c, DS, 0, 4, ACCESS_READ));
	ASSERT_FAULT(t, VEC_GP, 0, seg_linear(c, DS, 0, 4, ACCESS_WRITE));
	ASSERT_FAULT(t, VEC_GP, 0, seg_linear(c, DS, 0, 4, ACCESS_RMW));
	ASSERT_FAULT(t, VEC_GP, 0, seg_linear(c, CS, 0, 4, ACCESS_WRITE));
	ASSERT_NO_FAULT(t, seg_linear(c, CS, 0, 4, ACCESS_READ));
	c->seg[CS].attr &= ~SEG_WRITABLE;
	cpu_derive(c);
	ASSERT_FAULT(t, VEC_GP, 0, seg_linear(c, CS, 0, 4, ACCESS_READ));
	ASSERT_NO_FAULT(t, seg_linear(c, CS, 0, 4, ACCESS_EXEC));
	test_cpu_free(t);
}

static void a_null_segment_cannot_be_used(void **state)
{
	struct test_cpu *t = system_new();

	ASSERT_NO_FAULT(t, use_segment(t, 3));
	assert_int_equal(t->c->seg[DS].selector, 3);
	ASSERT_FAULT(t, VEC_GP, 0, seg_linear(t->c, DS, 0, 1, ACCESS_READ));
	test_cpu_free(t);
}

static void real_mode_segments_end_at_64k_unless_unreal(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	in_real(t);
	ASSERT_FAULT(t, VEC_GP, 0, seg_linear(c, DS, 0xffff, 2, ACCESS_READ));
	ASSERT_FAULT(t, VEC_SS, 0, seg_linear(c, SS, 0xffff, 2, ACCESS_READ));
	ASSERT_NO_FAULT(t, seg_linear(c, CS, 0, 2, ACCESS_WRITE));
	c->seg[DS].limit = 0xffffffff;
	cpu_derive(c);
	assert_int_equal(seg_linear(c, DS, 0x100000, 4, ACCESS_WRITE),
			 0x110000);
	seg_load(c, DS, 0x2000);
	assert_int_equal(c->seg[DS].limit, 0xffffffff);
	assert_int_equal(seg_linear(c, DS, 0x100000, 4, ACCESS_WRITE),
			 0x120000);
	test_cpu_free(t);
}

static void addresses_in_64_bit_code_must_be_canonical(void **state)
{
	struct test_cpu *t = system_new_long();
	struct cpu *c = t->c;

	c->seg[FS].base = 0x1000;
	c->seg[DS].base = 0x5000;
	assert_int_equal(seg_linear(c, DS, 0x10, 8, ACCESS_READ), 0x10);
	assert_int_equal(seg_linear(c, FS, 0x10, 8, ACCESS_READ), 0x1010);
	ASSERT_FAULT(t, VEC_GP, 0,
		     seg_linear(c, DS, 1ull << 47, 8, ACCESS_READ));
	ASSERT_FAULT(t, VEC_SS, 0,
		     seg_linear(c, SS, 1ull << 47, 8, ACCESS_READ));
	test_cpu_free(t);
}

static void loading_data_segments_is_judged(void **state)
{
	static const struct {
		uint8_t ring;
		uint16_t selector;
		uint8_t vector;
		uint16_t code;
	} cases[] = {
		{ 0, EXEC_ONLY, VEC_GP, EXEC_ONLY },
		{ 0, TSS_A, VEC_GP, TSS_A },
		{ 0, ABSENT_DATA, VEC_NP, ABSENT_DATA },
		{ 0, GDT_END, VEC_GP, GDT_END },
		{ 0, 0x104, VEC_GP, 0x104 },	/* past the LDT's limit */
		{ 3, DATA_0, VEC_GP, DATA_0 },
		{ 3, DATA_0 | 3, VEC_GP, DATA_0 },
		{ 0, DATA_0 | 3, VEC_GP, DATA_0 },
		{ 3, CODE_0, VEC_GP, CODE_0 },
	};
	struct test_cpu *t = system_new();

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		in_ring(t, cases[i].ring);
		ASSERT_REFUSED(t, cases[i].vector, cases[i].code,
			       seg_load(t->c, ES, cases[i].selector));
	}
	in_ring(t, 3);
	ASSERT_NO_FAULT(t, seg_load(t->c, ES, CONFORMING | 3));
	ASSERT_NO_FAULT(t, seg_load(t->c, ES, DATA_3));
	in_ring(t, 0);
	ASSERT_NO_FAULT(t, seg_load(t->c, ES, LOCAL_DATA));
	t->c->ldtr.attr = SEG_UNUSABLE;
	ASSERT_REFUSED(t, VEC_GP, LOCAL_DATA,
		       seg_load(t->c, ES, LOCAL_DATA));
	test_cpu_free(t);
}

static void loading_sets_the_accessed_bit_once_judged(void **state)
{
	struct test_cpu *t = system_new();

	put_desc(t, AT_GDT + SPARE, 0, 0xfff, 0x92);
	ASSERT_NO_FAULT(t, use_segment(t, SPARE));
	assert_int_equal(peek(t, AT_GDT + SPARE + 5, 1), 0x93);
	ASSERT_FAULT(t, VEC_NP, ABSENT_DATA, use_segment(t, ABSENT_DATA));
	assert_int_equal(peek(t, AT_GDT + ABSENT_DATA + 5, 1), 0x12);
	test_cpu_free(t);
}

static void loading_the_stack_segment_is_judged(void **state)
{
	static const struct {
		uint8_t ring;
		uint16_t selector;
		uint8_t vector;
		uint16_t code;
	} cases[] = {
		{ 0, 0, VEC_GP, 0 },
		{ 3, 3, VEC_GP, 0 },
		{ 0, DATA_0 | 1, VEC_GP, DATA_0 },
		{ 0, DATA_3, VEC_GP, DATA_3 },
		{ 3, DATA_0 | 3, VEC_GP, DATA_0 },
		{ 0, READ_ONLY, VEC_GP, READ_ONLY },
		{ 0, CODE_0, VEC_GP, CODE_0 },
		{ 0, ABSENT_DATA, VEC_SS, ABSENT_DATA },
		{ 0, GDT_END, VEC_GP, GDT_END },
	};
	struct test_cpu *t = system_new();

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		in_ring(t, cases[i].ring);
		ASSERT_REFUSED(t, cases[i].vector, cases[i].code,
			       seg_load(t->c, SS, cases[i].selector));
	}
	in_ring(t, 0);
	ASSERT_NO_FAULT(t, seg_load(t->c, SS, DATA16_0));
	assert_int_equal(t->c->stack_size, 2);
	test_cpu_free(t);
}

static void a_null_stack_segment_is_for_64_bit_code_above_ring_3(void **state)
{
	struct test_cpu *t = system_new_long();

	ASSERT_NO_FAULT(t, seg_load(t->c, SS, 0));
	assert_int_equal(t->c->cpl, 0);
	ASSERT_REFUSED(t, VEC_GP, 0, seg_load(t->c, SS, 1));
	in_segments(t, CODE_0, DATA_0, 0);	/* compatibility mode */
	ASSERT_REFUSED(t, VEC_GP, 0, seg_load(t->c, SS, 0));
	in_ring(t, 3);
	ASSERT_REFUSED(t, VEC_GP, 0, seg_load(t->c, SS, 3));
	test_cpu_free(t);
}

static void ltr_takes_an_available_tss_and_marks_it_busy(void **state)
{
	struct test_cpu *t = system_new();

	ASSERT_REFUSED(t, VEC_GP, 0, seg_load_tr(t->c, 0));
	ASSERT_REFUSED(t, VEC_GP, TSS_A, seg_load_tr(t->c, TSS_A));
	ASSERT_REFUSED(t, VEC_GP, LOCAL_DATA, seg_load_tr(t->c, LOCAL_DATA));
	ASSERT_REFUSED(t, VEC_GP, DATA_0, seg_load_tr(t->c, DATA_0));
	ASSERT_NO_FAULT(t, seg_load_tr(t->c, TSS_B_SEL));
	assert_int_equal(t->c->tr.base, AT_TSS_B);
	assert_int_equal(t->c->tr.attr, 0x8b);
	assert_int_equal(peek(t, AT_GDT + TSS_B_SEL + 5, 1), 0x8b);
	poke(t, AT_GDT + SPARE + 5, 0x09, 1);
	ASSERT_REFUSED(t, VEC_NP, SPARE, seg_load_tr(t->c, SPARE));
	test_cpu_free(t);
}

static void system_descriptors_are_16_bytes_in_long_mode(void **state)
{
	struct test_cpu *t = system_new_long();

	poke(t, AT_GDT + LDT_SEL + 8, 0xffff8000, 4);
	ASSERT_NO_FAULT(t, seg_load_ldtr(t->c, LDT_SEL));
	assert_int_equal(t->c->ldtr.base, 0xffff800000000000 | AT_LDT);
	poke(t, AT_GDT + LDT_SEL + 12, 0x100, 4);	/* type is not 0 */
	ASSERT_REFUSED(t, VEC_GP, LDT_SEL, seg_load_ldtr(t->c, LDT_SEL));
	ASSERT_REFUSED(t, VEC_GP, TSS_16_SEL, seg_load_tr(t->c, TSS_16_SEL));
	t->c->gdtr.limit = LDT_SEL + 11;
	ASSERT_REFUSED(t, VEC_GP, LDT_SEL, seg_load_ldtr(t->c, LDT_SEL));
	test_cpu_free(t);
}

static void lldt_is_judged(void **state)
{
	struct test_cpu *t = system_new();

	ASSERT_NO_FAULT(t, seg_load_ldtr(t->c, 0));
	assert_true(t->c->ldtr.attr & SEG_UNUSABLE);
	ASSERT_NO_FAULT(t, seg_load_ldtr(t->c, LDT_SEL));
	assert_int_equal(t->c->ldtr.base, AT_LDT);
	ASSERT_REFUSED(t, VEC_GP, TSS_A, seg_load_ldtr(t->c, TSS_A));
	ASSERT_REFUSED(t, VEC_GP, 4, seg_load_ldtr(t->c, 4));
	ASSERT_REFUSED(t, VEC_NP, ABSENT_LDT, seg_load_ldtr(t->c, ABSENT_LDT));
	test_cpu_free(t);
}

static void lar_lsl_verr_verw_answer_by_privilege_and_type(void **state)
{
	static const struct {
		uint8_t ring;
		uint16_t selector;
		bool lar, lsl, verr, verw;
	} cases[] = {
		{ 0, 0, false, false, false, false },
		{ 0, CODE_0, true, true, true, false },
		{ 0, DATA_0, true, true, true, true },
		{ 0, EXEC_ONLY, true, true, false, false },
		{ 0, READ_ONLY, true, true, true, false },
		{ 0, TSS_A, true, true, false, false },
		{ 0, LDT_SEL, true, true, false, false },
		{ 0, TASK_GATE_SEL, true, false, false, false },
		{ 0, GDT_END, false, false, false, false },
		{ 3, DATA_0, false, false, false, false },
		{ 3, CONFORMING, true, true, true, false },
		{ 0, DATA_0 | 3, false, false, false, false },
		{ 0, ABSENT_DATA, true, true, true, true },
	};
	struct test_cpu *t = system_new();
	uint32_t v;

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		uint16_t s = cases[i].selector;

		in_ring(t, cases[i].ring);
		assert_int_equal(seg_lar(t->c, s, &v), cases[i].lar);
		assert_int_equal(seg_lsl(t->c, s, &v), cases[i].lsl);
		assert_int_equal(seg_verify(t->c, s, false), cases[i].verr);
		assert_int_equal(seg_verify(t->c, s, true), cases[i].verw);
	}
	in_ring(t, 0);
	assert_true(seg_lar(t->c, READ_ONLY, &v));
	assert_int_equal(v & 0xf0ff00, 0x40f000);
	assert_true(seg_lsl(t->c, DATA_0, &v));
	assert_int_equal(v, 0xffffffff);
	assert_true(seg_lsl(t->c, READ_ONLY, &v));
	assert_int_equal(v, 0xfff);
	t->c->efer |= EFER_LMA;
	assert_false(seg_lar(t->c, TASK_GATE_SEL, &v));
	assert_false(seg_lsl(t->c, TSS_16_SEL, &v));
	test_cpu_free(t);
}

static void pushes_wrap_within_the_stack_size_and_respect_limits(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	ASSERT_NO_FAULT(t, seg_load(c, SS, DATA16_0));
	c->gpr[RSP] = 0xabcd0000;
	ASSERT_NO_FAULT(t, stack_push(c, 0x11223344, 4));
	assert_int_equal(c->gpr[RSP], 0xabcdfffc);
	assert_int_equal(peek(t, AT_STACK0 + 0xfffc, 4), 0x11223344);
	assert_int_equal(stack_pop(c, 4), 0x11223344);
	assert_int_equal(c->gpr[RSP], 0xabcd0000);
	c->seg[SS].limit = 0xfff;
	cpu_derive(c);
	ASSERT_REFUSED(t, VEC_SS, 0, stack_push(c, 0, 4));
	test_cpu_free(t);
}

static void deriving_follows_mode_privilege_and_ac(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	assert_int_equal(c->mode, CODE32);
	assert_int_equal(c->tlb_index, TLB_SUPERVISOR);
	c->cr4 |= CR4_SMAP;
	cpu_derive(c);
	assert_int_equal(c->tlb_index, TLB_SMAP);
	c->rflags |= FLAG_AC;
	cpu_derive(c);
	assert_int_equal(c->tlb_index, TLB_SUPERVISOR);
	in_ring(t, 3);
	assert_int_equal(c->tlb_index, TLB_USER);
	c->cr0 |= CR0_AM;
	cpu_derive(c);
	assert_int_equal(c->tlb_index, TLB_ALIGN);
	in_segments(t, CODE16_0, DATA16_0, 0);
	assert_int_equal(c->mode, CODE16);
	assert_int_equal(c->stack_size, 2);
	c->efer |= EFER_LMA;
	in_ring(t, 0);
	assert_int_equal(c->mode, CODE64);
	assert_int_equal(c->stack_size, 8);
	c->efer = 0;
	in_v86(t, 0);
	assert_int_equal(c->cpl, 3);
	assert_int_equal(c->mode, CODE16);
	test_cpu_free(t);
}

TEST_MAIN("seg", TEST(limits_hold_to_the_last_byte),
	  TEST(expand_down_segments_are_valid_above_their_limit),
	  TEST(types_forbid_accesses), TEST(a_null_segment_cannot_be_used),
	  TEST(real_mode_segments_end_at_64k_unless_unreal),
	  TEST(addresses_in_64_bit_code_must_be_canonical),
	  TEST(loading_data_segments_is_judged),
	  TEST(loading_sets_the_accessed_bit_once_judged),
	  TEST(loading_the_stack_segment_is_judged),
	  TEST(a_null_stack_segment_is_for_64_bit_code_above_ring_3),
	  TEST(ltr_takes_an_available_tss_and_marks_it_busy),
	  TEST(system_descriptors_are_16_bytes_in_long_mode),
	  TEST(lldt_is_judged),
	  TEST(lar_lsl_verr_verw_answer_by_privilege_and_type),
	  TEST(pushes_wrap_within_the_stack_size_and_respect_limits),
	  TEST(deriving_follows_mode_privilege_and_ac))
