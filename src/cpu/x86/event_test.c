/* cpu/x86/event_test.c - interrupts and exceptions on their way to handlers.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/ivt.h"
#include "cpu/x86/test_system.h"

#define HANDLER	(AT_CODE + 0x500)
#define IDT(v)	((v) * 8u + 2)
#define IOPL(n)	((n) << 12)

static void fault_with(struct test_cpu *t, uint8_t vector, uint32_t code)
{
	event_deliver(t->c, vector, EVENT_FAULT, true, code);
}

static void interrupt(struct test_cpu *t, uint8_t vector)
{
	event_deliver(t->c, vector, EVENT_EXTERNAL, false, 0);
}

static void int_n(struct test_cpu *t, uint8_t vector)
{
	if (!cpu_v86(t->c) || !ivt_int_v86(t->c, vector))
		event_deliver(t->c, vector, EVENT_SOFTWARE, false, 0);
}

/* The nth value of a frame of `size`-byte values at the stack pointer. */
static uint64_t slot(struct test_cpu *t, unsigned n, unsigned size)
{
	return peek(t, t->c->gpr[RSP] + t->c->seg[SS].base + n * size, size);
}

static void real_mode_goes_through_the_vector_table(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	in_real(t);
	poke(t, AT_IVT + 0x21 * 4, 0xf0001234, 4);
	flags_set(c, FLAG_IF | FLAG_TF | FLAG_CF | FLAG_AC, ~0u);
	c->halted = true;
	ASSERT_NO_FAULT(t, interrupt(t, 0x21));
	ASSERT_AT(t, 0xf000, 0x1234);
	assert_int_equal(c->gpr[RSP], 0x8000 - 6);
	assert_int_equal(slot(t, 0, 2), 0x100);
	assert_int_equal(slot(t, 1, 2), 0x1000);
	assert_int_equal(slot(t, 2, 2), FLAG_IF | FLAG_TF | FLAG_CF | 2);
	assert_int_equal(flags_get(c), FLAG_CF | 2);
	assert_false(c->halted);
	c->idtr.limit = 0x21 * 4 + 2;
	ASSERT_FAULT(t, VEC_GP, IDT(0x21) | 1, interrupt(t, 0x21));
	test_cpu_free(t);
}

static void a_handler_in_the_same_ring_keeps_the_stack(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	put_idt(t, VEC_GP, 0x8e, CODE_0, HANDLER, 0);
	put_idt(t, VEC_BP, 0xef, CODE_0, HANDLER, 0);
	flags_set(c, FLAG_IF | FLAG_TF | FLAG_NT, ~0u);
	ASSERT_NO_FAULT(t, fault_with(t, VEC_GP, 0x1238));
	ASSERT_AT(t, CODE_0, HANDLER);
	assert_int_equal(slot(t, 0, 4), 0x1238);
	assert_int_equal(slot(t, 1, 4), AT_CODE);
	assert_int_equal(slot(t, 2, 4), CODE_0);
	assert_int_equal(slot(t, 3, 4),
			 FLAG_IF | FLAG_TF | FLAG_NT | FLAG_RF | 2);
	assert_int_equal(c->gpr[RSP], AT_STACK0 + 0x800 - 16);
	assert_int_equal(flags_get(c), 2);
	assert_int_equal(c->delivering, -1);

	in_ring(t, 0);
	flags_set(c, FLAG_IF, ~0u);
	ASSERT_NO_FAULT(t, int_n(t, VEC_BP));
	assert_int_equal(slot(t, 2, 4), FLAG_IF | 2);	/* no RF */
	assert_int_equal(flags_get(c), FLAG_IF | 2);	/* a trap gate */
	test_cpu_free(t);
}

static void a_handler_further_in_gets_the_tss_stack(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	put_idt(t, 0x80, 0xee, CODE_0, HANDLER, 0);
	put_idt(t, 0x81, 0xe6, CODE_0, 0x500, 0);
	in_ring(t, 3);
	ASSERT_NO_FAULT(t, int_n(t, 0x80));
	ASSERT_AT(t, CODE_0, HANDLER);
	assert_int_equal(c->cpl, 0);
	assert_int_equal(c->gpr[RSP], AT_STACK0 + 0x400 - 20);
	assert_int_equal(slot(t, 0, 4), AT_CODE);
	assert_int_equal(slot(t, 1, 4), CODE_3 | 3);
	assert_int_equal(slot(t, 3, 4), AT_STACK3 + 0x800);
	assert_int_equal(slot(t, 4, 4), DATA_3 | 3);
	in_ring(t, 3);
	ASSERT_NO_FAULT(t, int_n(t, 0x81));		/* 16-bit gate */
	ASSERT_AT(t, CODE_0, 0x500);
	assert_int_equal(c->gpr[RSP], AT_STACK0 + 0x400 - 10);
	test_cpu_free(t);
}

static void gates_and_targets_are_judged(void **state)
{
	static const struct {
		unsigned attr;
		uint16_t target;
		uint8_t ring, vector;
		uint16_t code;
	} cases[] = {
		{ 0x85 | 0x80, CODE_0, 0, VEC_GP, CODE_0 },	/* no TSS */
		{ 0x8c, CODE_0, 0, VEC_GP, IDT(0x30) },	/* call gate */
		{ 0x9e, CODE_0, 0, VEC_GP, IDT(0x30) },	/* S set */
		{ 0x0e, CODE_0, 0, VEC_NP, IDT(0x30) },
		{ 0x8e, 0, 0, VEC_GP, 0 },
		{ 0x8e, GDT_END, 0, VEC_GP, GDT_END },
		{ 0x8e, DATA_0, 0, VEC_GP, DATA_0 },
		{ 0x8e, CODE_3, 0, VEC_GP, CODE_3 },
		{ 0x8e, ABSENT_CODE, 0, VEC_NP, ABSENT_CODE },
		{ 0x8e, SMALL_CODE, 0, VEC_GP, 0 },
	};
	struct test_cpu *t = system_new();

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		put_idt(t, 0x30, cases[i].attr, cases[i].target, HANDLER, 0);
		in_ring(t, cases[i].ring);
		ASSERT_REFUSED(t, cases[i].vector, cases[i].code,
			       int_n(t, 0x30));
		assert_int_equal(t->c->delivering, -1);
		ASSERT_REFUSED(t, cases[i].vector, cases[i].code | 1,
			       interrupt(t, 0x30));
		assert_int_equal(t->c->delivering, DELIVERING_INTERRUPT);
		ASSERT_REFUSED(t, cases[i].vector, cases[i].code | 1,
			       event_deliver(t->c, 0x30, EVENT_ICEBP, false,
					     0));
	}
	t->c->idtr.limit = 0x30 * 8 + 6;
	ASSERT_REFUSED(t, VEC_GP, IDT(0x30), int_n(t, 0x30));
	test_cpu_free(t);
}

static void software_interrupts_need_the_gates_privilege(void **state)
{
	struct test_cpu *t = system_new();

	put_idt(t, 0x30, 0x8e, CODE_0, HANDLER, 0);
	in_ring(t, 3);
	ASSERT_REFUSED(t, VEC_GP, IDT(0x30), int_n(t, 0x30));
	ASSERT_NO_FAULT(t, interrupt(t, 0x30));
	in_ring(t, 3);
	ASSERT_NO_FAULT(t, event_deliver(t->c, 0x30, EVENT_ICEBP, false, 0));
	test_cpu_free(t);
}

static void a_bad_inner_stack_is_a_tss_fault_with_ext(void **state)
{
	struct test_cpu *t = system_new();

	put_idt(t, 0x30, 0xee, CODE_0, HANDLER, 0);
	in_ring(t, 3);
	poke(t, AT_TSS + 8, 0, 2);
	ASSERT_REFUSED(t, VEC_TS, 1, interrupt(t, 0x30));
	poke(t, AT_TSS + 8, DATA_3, 2);
	ASSERT_REFUSED(t, VEC_TS, DATA_3, int_n(t, 0x30));
	poke(t, AT_TSS + 8, ABSENT_DATA, 2);
	ASSERT_REFUSED(t, VEC_SS, ABSENT_DATA | 1, interrupt(t, 0x30));
	in_ring(t, 0);
	t->c->seg[SS].limit = 0x100;
	cpu_derive(t->c);
	ASSERT_REFUSED(t, VEC_SS, 1, interrupt(t, 0x30));
	ASSERT_REFUSED(t, VEC_SS, 0, int_n(t, 0x30));
	test_cpu_free(t);
}

static void long_mode_aligns_the_stack_and_pushes_it_always(void **state)
{
	struct test_cpu *t = system_new_long();
	struct cpu *c = t->c;

	put_idt(t, VEC_GP, 0x8e, CODE64_0, HANDLER, 0);
	c->gpr[RSP] = AT_STACK0 + 0x807;
	ASSERT_NO_FAULT(t, fault_with(t, VEC_GP, 8));
	ASSERT_AT(t, CODE64_0, HANDLER);
	assert_int_equal(c->gpr[RSP], AT_STACK0 + 0x800 - 48);
	assert_int_equal(slot(t, 0, 8), 8);
	assert_int_equal(slot(t, 4, 8), AT_STACK0 + 0x807);
	assert_int_equal(slot(t, 5, 8), DATA_0);
	assert_int_equal(c->seg[SS].selector, DATA_0);

	in_ring(t, 3);
	ASSERT_NO_FAULT(t, fault_with(t, VEC_GP, 8));
	assert_int_equal(c->gpr[RSP], AT_STACK0 + 0x400 - 48);
	assert_int_equal(c->seg[SS].selector, 0);
	assert_true(c->seg[SS].attr & SEG_UNUSABLE);
	assert_int_equal(slot(t, 5, 8), DATA_3 | 3);

	in_ring(t, 0);
	put_idt(t, VEC_GP, 0x8e, CODE64_0, HANDLER, 1);		/* IST1 */
	ASSERT_NO_FAULT(t, fault_with(t, VEC_GP, 8));
	assert_int_equal(c->gpr[RSP], AT_IST + 0x400 - 48);
	test_cpu_free(t);
}

static void long_mode_refuses_old_gates_and_old_code(void **state)
{
	struct test_cpu *t = system_new_long();

	put_idt(t, 0x30, 0x86, CODE64_0, HANDLER, 0);
	ASSERT_REFUSED(t, VEC_GP, IDT(0x30), int_n(t, 0x30));
	put_idt(t, 0x30, 0x85, TSS_B_SEL, 0, 0);
	ASSERT_REFUSED(t, VEC_GP, IDT(0x30), int_n(t, 0x30));
	put_idt(t, 0x30, 0x8e, CODE_0, HANDLER, 0);
	ASSERT_REFUSED(t, VEC_GP, CODE_0, int_n(t, 0x30));
	put_idt(t, 0x30, 0x8e, CODE64_0, 1ull << 47, 0);
	ASSERT_REFUSED(t, VEC_GP, 0, int_n(t, 0x30));
	put_idt(t, 0x30, 0x8e, CODE64_0, HANDLER, 0);
	poke(t, AT_TSS + 4, 1ull << 47 | 0x100, 8);
	in_ring(t, 3);
	ASSERT_REFUSED(t, VEC_SS, 1, interrupt(t, 0x30));
	t->c->tr.limit = 10;
	ASSERT_REFUSED(t, VEC_TS, TSS_A | 1, interrupt(t, 0x30));
	test_cpu_free(t);
}

static void leaving_virtual_8086_mode_saves_and_drops_its_segments(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	put_idt(t, 0x30, 0xee, CODE_0, HANDLER, 0);
	in_v86(t, 3);
	ASSERT_NO_FAULT(t, int_n(t, 0x30));
	ASSERT_AT(t, CODE_0, HANDLER);
	assert_int_equal(c->cpl, 0);
	assert_int_equal(c->gpr[RSP], AT_STACK0 + 0x400 - 36);
	assert_int_equal(slot(t, 0, 4), 0x100);
	assert_int_equal(slot(t, 1, 4), 0x1000);
	assert_int_equal(slot(t, 2, 4), FLAG_VM | IOPL(3) | 2);
	assert_int_equal(slot(t, 3, 4), 0x800);
	assert_int_equal(slot(t, 4, 4), 0x2200);
	assert_int_equal(slot(t, 5, 4), 0x1111);
	assert_int_equal(slot(t, 6, 4), 0x2222);
	assert_int_equal(slot(t, 7, 4), 0x3333);
	assert_int_equal(slot(t, 8, 4), 0x4444);
	assert_int_equal(c->seg[DS].selector, 0);
	assert_true(c->seg[GS].attr & SEG_UNUSABLE);
	assert_int_equal(c->rflags & FLAG_VM, 0);
	test_cpu_free(t);
}

static void virtual_8086_handlers_must_be_ring_0_and_not_conforming(void **state)
{
	static const uint16_t bad[] = { CODE_1, CONFORMING, CODE_3 };
	struct test_cpu *t = system_new();

	in_v86(t, 3);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		put_idt(t, 0x30, 0xee, bad[i], HANDLER, 0);
		ASSERT_REFUSED(t, VEC_GP, bad[i], int_n(t, 0x30));
	}
	test_cpu_free(t);
}

static void int_n_in_virtual_8086_mode_obeys_iopl_and_redirection(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	put_idt(t, 0x21, 0xee, CODE_0, HANDLER, 0);
	poke(t, AT_IVT + 0x21 * 4, 0x12340010, 4);
	in_v86(t, 0);
	ASSERT_REFUSED(t, VEC_GP, 0, int_n(t, 0x21));
	c->cr4 |= CR4_VME;
	c->tr.limit = 0x1ff;
	poke(t, AT_TSS + 0x100 - 32 + 0x21 / 8, 1 << (0x21 & 7), 1);
	ASSERT_REFUSED(t, VEC_GP, 0, int_n(t, 0x21));
	poke(t, AT_TSS + 0x100 - 32 + 0x21 / 8, 0, 1);
	flags_set(c, FLAG_VIF, FLAG_VIF);
	ASSERT_NO_FAULT(t, int_n(t, 0x21));
	ASSERT_AT(t, 0x1234, 0x10);
	assert_true(cpu_v86(c));
	assert_int_equal(slot(t, 0, 2), 0x100);
	assert_int_equal(slot(t, 2, 2), IOPL(3) | FLAG_IF | 2);
	assert_int_equal(c->rflags & FLAG_VIF, 0);

	in_v86(t, 3);
	flags_set(c, FLAG_IF, FLAG_IF);
	ASSERT_NO_FAULT(t, int_n(t, 0x21));
	assert_int_equal(slot(t, 2, 2), IOPL(3) | FLAG_IF | 2);
	assert_int_equal(c->rflags & FLAG_IF, 0);
	in_v86(t, 3);
	poke(t, AT_TSS + 0x100 - 32 + 0x21 / 8, 1 << (0x21 & 7), 1);
	ASSERT_NO_FAULT(t, int_n(t, 0x21));
	ASSERT_AT(t, CODE_0, HANDLER);
	in_v86(t, 3);
	c->tr.limit = 0x65;
	ASSERT_REFUSED(t, VEC_GP, 0, int_n(t, 0x21));
	test_cpu_free(t);
}

static void an_interrupt_task_gate_switches_and_pushes_the_code(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	poke(t, AT_TSS_B + 0x20, HANDLER, 4);
	poke(t, AT_TSS_B + 0x38, AT_STACK_B + 0x400, 4);
	poke(t, AT_TSS_B + 0x4c, CODE_0, 2);
	poke(t, AT_TSS_B + 0x50, DATA_0, 2);
	put_idt(t, VEC_DF, 0x85, TSS_B_SEL, 0, 0);
	ASSERT_NO_FAULT(t, fault_with(t, VEC_DF, 0));
	ASSERT_AT(t, CODE_0, HANDLER);
	assert_int_equal(c->tr.selector, TSS_B_SEL);
	assert_int_equal(c->gpr[RSP], AT_STACK_B + 0x400 - 4);
	assert_int_equal(peek(t, AT_TSS_B, 2), TSS_A);
	assert_int_equal(peek(t, AT_TSS + 0x20, 4), AT_CODE);
	assert_int_equal(peek(t, AT_TSS + 0x24, 4), FLAG_RF | 2);
	assert_true(c->rflags & FLAG_NT);
	/* The task is busy now. */
	ASSERT_FAULT(t, VEC_GP, TSS_B_SEL | 1, fault_with(t, VEC_DF, 0));
	test_cpu_free(t);
}

static void debug_exceptions_clear_gd_and_push_rf_by_kind(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	put_idt(t, VEC_DB, 0x8e, CODE_0, HANDLER, 0);
	c->dr7 |= 1 << 13;
	c->dr6 = 0xffff0ff0;
	ASSERT_FAULT(t, VEC_DB, 0, fault_raise_db(c, 1 << 13));
	assert_int_equal(c->dr6, 0xffff2ff0);
	ASSERT_NO_FAULT(t, event_deliver(c, VEC_DB, EVENT_FAULT, false, 0));
	assert_int_equal(slot(t, 2, 4) & FLAG_RF, FLAG_RF);
	assert_int_equal(c->dr7 & 1 << 13, 0);
	c->dr6 = 0xffff0ff1;			/* a breakpoint */
	ASSERT_NO_FAULT(t, event_deliver(c, VEC_DB, EVENT_FAULT, false, 0));
	assert_int_equal(slot(t, 2, 4) & FLAG_RF, 0);
	ASSERT_NO_FAULT(t, event_deliver(c, VEC_DB, EVENT_TRAP, false, 0));
	assert_int_equal(slot(t, 2, 4) & FLAG_RF, 0);
	test_cpu_free(t);
}

static void faults_in_delivery_merge_by_class(void **state)
{
	static const struct {
		int first;
		uint8_t second;
		int result;	/* -1: shutdown */
	} cases[] = {
		{ VEC_UD, VEC_GP, VEC_GP },
		{ VEC_GP, VEC_NP, VEC_DF },
		{ VEC_GP, VEC_PF, VEC_PF },
		{ VEC_DE, VEC_TS, VEC_DF },
		{ VEC_PF, VEC_PF, VEC_DF },
		{ VEC_PF, VEC_SS, VEC_DF },
		{ VEC_PF, VEC_DB, VEC_DB },
		{ VEC_GP, VEC_UD, VEC_UD },
		{ VEC_DF, VEC_GP, -1 },
		{ VEC_DF, VEC_PF, -1 },
		{ VEC_DF, VEC_DB, VEC_DB },
		{ DELIVERING_INTERRUPT, VEC_GP, VEC_GP },
		{ VEC_NMI, VEC_PF, VEC_PF },
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct fault f = { cases[i].second, true, 0x55 };
		bool go_on = event_merge(cases[i].first, &f);

		assert_int_equal(go_on, cases[i].result >= 0);
		if (!go_on)
			continue;
		assert_int_equal(f.vector, cases[i].result);
		if (f.vector == VEC_DF)
			assert_int_equal(f.code, 0);
	}
}

TEST_MAIN("event", TEST(real_mode_goes_through_the_vector_table),
	  TEST(a_handler_in_the_same_ring_keeps_the_stack),
	  TEST(a_handler_further_in_gets_the_tss_stack),
	  TEST(gates_and_targets_are_judged),
	  TEST(software_interrupts_need_the_gates_privilege),
	  TEST(a_bad_inner_stack_is_a_tss_fault_with_ext),
	  TEST(long_mode_aligns_the_stack_and_pushes_it_always),
	  TEST(long_mode_refuses_old_gates_and_old_code),
	  TEST(leaving_virtual_8086_mode_saves_and_drops_its_segments),
	  TEST(virtual_8086_handlers_must_be_ring_0_and_not_conforming),
	  TEST(int_n_in_virtual_8086_mode_obeys_iopl_and_redirection),
	  TEST(an_interrupt_task_gate_switches_and_pushes_the_code),
	  TEST(debug_exceptions_clear_gd_and_push_rf_by_kind),
	  TEST(faults_in_delivery_merge_by_class))
