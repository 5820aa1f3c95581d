/* cpu/x86/farxfer_test.c - far jumps, calls and returns.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/test_system.h"

#define TARGET	(AT_CODE + 0x500)

static void call_gate(struct test_cpu *t, unsigned attr, uint16_t selector,
		      unsigned params)
{
	put_gate(t, AT_GDT + GATE, attr, selector, TARGET, params);
	poke(t, AT_GDT + GATE + 8, 0, 8);
}

static void a_real_mode_jump_sets_the_base_and_keeps_the_limit(void **state)
{
	struct test_cpu *t = system_new();

	in_real(t);
	ASSERT_NO_FAULT(t, far_jmp(t->c, 0xf000, 0x1234, 2));
	ASSERT_AT(t, 0xf000, 0x1234);
	assert_int_equal(t->c->seg[CS].base, 0xf0000);
	ASSERT_REFUSED(t, VEC_GP, 0, far_jmp(t->c, 0xf000, 0x12345, 4));
	test_cpu_free(t);
}

static void jumps_to_code_are_judged(void **state)
{
	static const struct {
		uint8_t ring;
		uint16_t selector;
		uint8_t vector;
		uint16_t code;
	} cases[] = {
		{ 0, 0, VEC_GP, 0 },
		{ 0, 3, VEC_GP, 0 },
		{ 0, GDT_END, VEC_GP, GDT_END },
		{ 0, DATA_0, VEC_GP, DATA_0 },
		{ 0, CODE_3, VEC_GP, CODE_3 },
		{ 3, CODE_0, VEC_GP, CODE_0 },
		{ 0, CODE_0 | 3, VEC_GP, CODE_0 },
		{ 0, ABSENT_CODE, VEC_NP, ABSENT_CODE },
		{ 0, SMALL_CODE, VEC_GP, 0 },	/* past its limit */
		{ 0, LDT_SEL, VEC_GP, LDT_SEL },
	};
	struct test_cpu *t = system_new();

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		in_ring(t, cases[i].ring);
		ASSERT_REFUSED(t, cases[i].vector, cases[i].code,
			       far_jmp(t->c, cases[i].selector, TARGET, 4));
	}
	in_ring(t, 3);
	ASSERT_NO_FAULT(t, far_jmp(t->c, CONFORMING, TARGET, 4));
	ASSERT_AT(t, CONFORMING | 3, TARGET);
	assert_int_equal(t->c->cpl, 3);
	in_ring(t, 0);
	ASSERT_NO_FAULT(t, far_jmp(t->c, CODE16_0, 0x12345678, 2));
	ASSERT_AT(t, CODE16_0, 0x5678);
	assert_int_equal(t->c->mode, CODE16);
	test_cpu_free(t);
}

static void long_mode_goes_to_compatibility_code_and_back(void **state)
{
	struct test_cpu *t = system_new_long();

	ASSERT_NO_FAULT(t, far_jmp(t->c, CODE_0, TARGET, 4));
	assert_int_equal(t->c->mode, CODE32);
	ASSERT_NO_FAULT(t, far_jmp(t->c, CODE64_0, TARGET, 4));
	assert_int_equal(t->c->mode, CODE64);
	ASSERT_REFUSED(t, VEC_GP, LD_CODE, far_jmp(t->c, LD_CODE, 0, 4));
	ASSERT_REFUSED(t, VEC_GP, 0, far_jmp(t->c, CODE64_0, 1ull << 47, 8));
	ASSERT_REFUSED(t, VEC_GP, TSS_B_SEL, far_jmp(t->c, TSS_B_SEL, 0, 4));
	ASSERT_REFUSED(t, VEC_GP, TASK_GATE_SEL,
		       far_jmp(t->c, TASK_GATE_SEL, 0, 4));
	test_cpu_free(t);
}

static void a_jump_through_a_gate_keeps_the_privilege(void **state)
{
	struct test_cpu *t = system_new();

	call_gate(t, 0xec, CODE_0, 0);
	ASSERT_NO_FAULT(t, far_jmp(t->c, GATE, 0x9999, 4));
	ASSERT_AT(t, CODE_0, TARGET);
	in_ring(t, 3);
	ASSERT_REFUSED(t, VEC_GP, CODE_0, far_jmp(t->c, GATE | 3, 0, 4));
	call_gate(t, 0xec, CONFORMING, 0);
	ASSERT_NO_FAULT(t, far_jmp(t->c, GATE | 3, 0, 4));
	ASSERT_AT(t, CONFORMING | 3, TARGET);
	test_cpu_free(t);
}

static void gates_are_judged_before_their_targets(void **state)
{
	static const struct {
		unsigned attr;
		uint16_t target;
		uint8_t ring;
		uint16_t selector;
		uint8_t vector;
		uint16_t code;
	} cases[] = {
		{ 0x8c, CODE_0, 3, GATE | 3, VEC_GP, GATE },
		{ 0xcc, CODE_0, 0, GATE | 3, VEC_GP, GATE },
		{ 0x6c, CODE_0, 3, GATE | 3, VEC_NP, GATE },
		{ 0xec, 0, 3, GATE | 3, VEC_GP, 0 },
		{ 0xec, GDT_END, 3, GATE | 3, VEC_GP, GDT_END },
		{ 0xec, DATA_0, 3, GATE | 3, VEC_GP, DATA_0 },
		{ 0xec, ABSENT_CODE, 3, GATE | 3, VEC_NP, ABSENT_CODE },
		{ 0xec, CODE_3, 0, GATE, VEC_GP, CODE_3 },
		{ 0xec, SMALL_CODE, 0, GATE, VEC_GP, 0 },
		{ 0xec, SMALL_CODE, 3, GATE | 3, VEC_GP, 0 },
		{ 0xee, CODE_0, 0, GATE, VEC_GP, GATE },	/* an IDT gate */
	};
	struct test_cpu *t = system_new();

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		call_gate(t, cases[i].attr, cases[i].target, 0);
		in_ring(t, cases[i].ring);
		ASSERT_REFUSED(t, cases[i].vector, cases[i].code,
			       far_call(t->c, cases[i].selector, 0, 4));
	}
	test_cpu_free(t);
}

static void a_call_within_the_ring_pushes_cs_and_ip(void **state)
{
	struct test_cpu *t = system_new();
	uint64_t sp = t->c->gpr[RSP];

	ASSERT_NO_FAULT(t, far_call(t->c, CODE_0, TARGET, 4));
	ASSERT_AT(t, CODE_0, TARGET);
	assert_int_equal(t->c->gpr[RSP], sp - 8);
	assert_int_equal(peek(t, sp - 8, 4), AT_CODE);
	assert_int_equal(peek(t, sp - 4, 4), CODE_0);
	ASSERT_NO_FAULT(t, far_ret(t->c, 4, 16));
	ASSERT_AT(t, CODE_0, AT_CODE);
	assert_int_equal(t->c->gpr[RSP], sp + 16);
	test_cpu_free(t);
}

static void a_call_without_room_changes_nothing(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	c->seg[SS].limit = 0x100;
	cpu_derive(c);
	ASSERT_REFUSED(t, VEC_SS, 0, far_call(c, CODE_0, TARGET, 4));
	ASSERT_REFUSED(t, VEC_SS, 0, far_ret(c, 4, 0));
	in_ring(t, 0);
	ASSERT_REFUSED(t, VEC_GP, 0, far_call(c, SMALL_CODE, TARGET, 4));
	test_cpu_free(t);
}

static void a_gate_inwards_switches_stacks_and_copies_parameters(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;
	uint64_t sp = AT_STACK0 + 0x400;

	in_ring(t, 3);
	call_gate(t, 0xec, CODE_0, 2);
	poke(t, c->gpr[RSP], 0x1111, 4);
	poke(t, c->gpr[RSP] + 4, 0x2222, 4);
	ASSERT_NO_FAULT(t, far_call(c, GATE | 3, 0, 4));
	ASSERT_AT(t, CODE_0, TARGET);
	assert_int_equal(c->cpl, 0);
	assert_int_equal(c->seg[SS].selector, DATA_0);
	assert_int_equal(c->gpr[RSP], sp - 24);
	assert_int_equal(peek(t, sp - 4, 4), DATA_3 | 3);
	assert_int_equal(peek(t, sp - 8, 4), AT_STACK3 + 0x800);
	assert_int_equal(peek(t, sp - 12, 4), 0x2222);
	assert_int_equal(peek(t, sp - 16, 4), 0x1111);
	assert_int_equal(peek(t, sp - 20, 4), CODE_3 | 3);
	assert_int_equal(peek(t, sp - 24, 4), AT_CODE);
	ASSERT_NO_FAULT(t, far_ret(c, 4, 8));
	ASSERT_AT(t, CODE_3 | 3, AT_CODE);
	assert_int_equal(c->cpl, 3);
	assert_int_equal(c->gpr[RSP], AT_STACK3 + 0x808);
	test_cpu_free(t);
}

static void a_16_bit_gate_pushes_words(void **state)
{
	struct test_cpu *t = system_new();
	uint64_t sp = AT_STACK0 + 0x400;

	in_ring(t, 3);
	put_gate(t, AT_GDT + GATE, 0xe4, CODE_0, 0x500, 1);
	poke(t, t->c->gpr[RSP], 0x3333, 2);
	ASSERT_NO_FAULT(t, far_call(t->c, GATE | 3, 0, 4));
	ASSERT_AT(t, CODE_0, 0x500);
	assert_int_equal(t->c->gpr[RSP], sp - 10);
	assert_int_equal(peek(t, sp - 6, 2), 0x3333);
	assert_int_equal(peek(t, sp - 4, 2), (AT_STACK3 + 0x800) & 0xffff);
	test_cpu_free(t);
}

static void the_inner_stack_is_judged(void **state)
{
	static const struct {
		uint16_t ss;
		uint8_t vector;
		uint16_t code;
	} cases[] = {
		{ 0, VEC_TS, 0 },
		{ GDT_END, VEC_TS, GDT_END },
		{ DATA_0 | 1, VEC_TS, DATA_0 },
		{ DATA_3, VEC_TS, DATA_3 },
		{ CODE_0, VEC_TS, CODE_0 },
		{ READ_ONLY, VEC_TS, READ_ONLY },
		{ ABSENT_DATA, VEC_SS, ABSENT_DATA },
		{ SPARE, VEC_SS, SPARE },	/* no room */
	};
	struct test_cpu *t = system_new();

	put_desc(t, AT_GDT + SPARE, 0, 0xfff, SEG_DB | 0x92);
	in_ring(t, 3);
	call_gate(t, 0xec, CODE_0, 0);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		poke(t, AT_TSS + 8, cases[i].ss, 2);
		ASSERT_REFUSED(t, cases[i].vector, cases[i].code,
			       far_call(t->c, GATE | 3, 0, 4));
	}
	t->c->tr.limit = 8;
	ASSERT_REFUSED(t, VEC_TS, TSS_A, far_call(t->c, GATE | 3, 0, 4));
	test_cpu_free(t);
}

static void a_64_bit_gate_leaves_a_null_stack_segment(void **state)
{
	struct test_cpu *t = system_new_long();
	struct cpu *c = t->c;
	uint64_t sp = AT_STACK0 + 0x408;

	in_ring(t, 3);
	call_gate(t, 0xec, CODE64_0, 0);
	ASSERT_NO_FAULT(t, far_call(c, GATE | 3, 0, 4));
	ASSERT_AT(t, CODE64_0, TARGET);
	assert_int_equal(c->cpl, 0);
	assert_int_equal(c->seg[SS].selector, 0);
	assert_int_equal(c->gpr[RSP], sp - 32);
	assert_int_equal(peek(t, sp - 8, 8), DATA_3 | 3);
	assert_int_equal(peek(t, sp - 32, 8), AT_CODE);
	ASSERT_NO_FAULT(t, far_ret(c, 8, 0));
	ASSERT_AT(t, CODE64_3 | 3, AT_CODE);

	call_gate(t, 0xec, CODE_0, 0);		/* not 64-bit code */
	ASSERT_REFUSED(t, VEC_GP, CODE_0, far_call(c, GATE | 3, 0, 4));
	call_gate(t, 0xec, CODE64_0, 0);
	poke(t, AT_GDT + GATE + 12, 0x100, 4);
	ASSERT_REFUSED(t, VEC_GP, GATE, far_call(c, GATE | 3, 0, 4));
	call_gate(t, 0xec, CODE64_0, 0);
	poke(t, AT_TSS + 4, 1ull << 47 | 0x100, 8);
	ASSERT_REFUSED(t, VEC_SS, 0, far_call(c, GATE | 3, 0, 4));
	poke(t, AT_GDT + GATE + 8, 0x8000, 4);	/* offset not canonical */
	poke(t, AT_TSS + 4, sp, 8);
	ASSERT_REFUSED(t, VEC_GP, 0, far_call(c, GATE | 3, 0, 4));
	test_cpu_free(t);
}

/* Put a frame for a return at the stack pointer. */
static void frame(struct test_cpu *t, uint32_t ip, uint16_t cs, uint32_t sp,
		  uint16_t ss)
{
	uint64_t at = t->c->gpr[RSP];

	poke(t, at, ip, 4);
	poke(t, at + 4, cs, 4);
	poke(t, at + 8, sp, 4);
	poke(t, at + 12, ss, 4);
}

static void returns_are_judged(void **state)
{
	static const struct {
		uint8_t ring;
		uint16_t cs, ss;
		uint8_t vector;
		uint16_t code;
	} cases[] = {
		{ 0, 0, 0, VEC_GP, 0 },
		{ 0, GDT_END, 0, VEC_GP, GDT_END },
		{ 0, DATA_0, 0, VEC_GP, DATA_0 },
		{ 3, CODE_0, 0, VEC_GP, CODE_0 },
		{ 0, CODE_3, 0, VEC_GP, CODE_3 },
		{ 0, ABSENT_CODE, 0, VEC_NP, ABSENT_CODE },
		{ 0, SMALL_CODE, 0, VEC_GP, 0 },
		{ 0, CODE_3 | 3, 3, VEC_GP, 0 },
		{ 0, CODE_3 | 3, DATA_0 | 3, VEC_GP, DATA_0 },
		{ 0, CODE_3 | 3, DATA_3, VEC_GP, DATA_3 },
		{ 0, CODE_3 | 3, READ_ONLY | 3, VEC_GP, READ_ONLY },
		{ 0, CODE_3 | 3, GDT_END | 3, VEC_GP, GDT_END },
	};
	struct test_cpu *t = system_new();

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		in_ring(t, cases[i].ring);
		frame(t, TARGET, cases[i].cs, AT_STACK3, cases[i].ss);
		ASSERT_REFUSED(t, cases[i].vector, cases[i].code,
			       far_ret(t->c, 4, 0));
	}
	put_desc(t, AT_GDT + SPARE, 0, 0xfffff, FLAT32 | 0x72);
	in_ring(t, 0);
	frame(t, TARGET, CODE_3 | 3, AT_STACK3, SPARE | 3);
	ASSERT_REFUSED(t, VEC_SS, SPARE, far_ret(t->c, 4, 0));
	test_cpu_free(t);
}

static void a_return_outwards_drops_inner_data_segments(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	ASSERT_NO_FAULT(t, seg_load(c, FS, DATA_3 | 3));
	ASSERT_NO_FAULT(t, seg_load(c, GS, CONFORMING));
	frame(t, TARGET, CODE_3 | 3, AT_STACK3, DATA_3 | 3);
	ASSERT_NO_FAULT(t, far_ret(c, 4, 0));
	ASSERT_AT(t, CODE_3 | 3, TARGET);
	assert_int_equal(c->cpl, 3);
	assert_int_equal(c->gpr[RSP], AT_STACK3);
	assert_true(c->seg[DS].attr & SEG_UNUSABLE);
	assert_int_equal(c->seg[ES].selector, 0);
	assert_int_equal(c->seg[FS].selector, DATA_3 | 3);
	assert_int_equal(c->seg[GS].selector, CONFORMING);
	test_cpu_free(t);
}

static void a_return_to_a_16_bit_stack_keeps_the_upper_half_of_esp(void **state)
{
	struct test_cpu *t = system_new();

	put_desc(t, AT_GDT + SPARE, 0, 0xffff, 0xf2);
	t->c->gpr[RSP] = 0x123000;
	frame(t, TARGET, CODE_3 | 3, 0x55556666, SPARE | 3);
	ASSERT_NO_FAULT(t, far_ret(t->c, 4, 0));
	assert_int_equal(t->c->gpr[RSP], 0x126666);
	test_cpu_free(t);
}

TEST_MAIN("farxfer",
	  TEST(a_real_mode_jump_sets_the_base_and_keeps_the_limit),
	  TEST(jumps_to_code_are_judged),
	  TEST(long_mode_goes_to_compatibility_code_and_back),
	  TEST(a_jump_through_a_gate_keeps_the_privilege),
	  TEST(gates_are_judged_before_their_targets),
	  TEST(a_call_within_the_ring_pushes_cs_and_ip),
	  TEST(a_call_without_room_changes_nothing),
	  TEST(a_gate_inwards_switches_stacks_and_copies_parameters),
	  TEST(a_16_bit_gate_pushes_words), TEST(the_inner_stack_is_judged),
	  TEST(a_64_bit_gate_leaves_a_null_stack_segment),
	  TEST(returns_are_judged),
	  TEST(a_return_outwards_drops_inner_data_segments),
	  TEST(a_return_to_a_16_bit_stack_keeps_the_upper_half_of_esp))
