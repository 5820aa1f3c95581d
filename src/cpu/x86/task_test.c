/* cpu/x86/task_test.c - hardware task switches.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/insn.h"
#include "cpu/x86/test_system.h"

#define ENTRY	(AT_CODE + 0x700)

/* A 32-bit task ready to run in ring 0. */
static void make_task(struct test_cpu *t)
{
	poke(t, AT_TSS_B + 0x20, ENTRY, 4);
	poke(t, AT_TSS_B + 0x24, FLAG_CF, 4);
	for (unsigned i = 0; i < 8; i++)
		poke(t, AT_TSS_B + 0x28 + i * 4, 0x1000 + i, 4);
	poke(t, AT_TSS_B + 0x38, AT_STACK_B + 0x400, 4);
	for (unsigned i = 0; i < SREG_COUNT; i++)
		poke(t, AT_TSS_B + 0x48 + i * 4, DATA_0, 4);
	poke(t, AT_TSS_B + 0x4c, CODE_0, 4);
	poke(t, AT_TSS_B + 0x60, LDT_SEL, 4);
}

static uint8_t tss_type(struct test_cpu *t, uint16_t selector)
{
	return peek(t, AT_GDT + selector + 5, 1) & 15;
}

static void a_jump_saves_the_old_task_and_loads_the_new(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	make_task(t);
	c->gpr[RBX] = 0xb0b0;
	c->dr7 |= 0x155;
	c->ldtr.attr = SEG_UNUSABLE;
	ASSERT_NO_FAULT(t, far_jmp(c, TSS_B_SEL, 0x9999, 4));
	ASSERT_AT(t, CODE_0, ENTRY);
	assert_int_equal(peek(t, AT_TSS + 0x20, 4), AT_CODE);
	assert_int_equal(peek(t, AT_TSS + 0x34, 4), 0xb0b0);
	assert_int_equal(peek(t, AT_TSS + 0x4c, 2), CODE_0);
	assert_int_equal(c->gpr[RDI], 0x1007);
	assert_int_equal(c->gpr[RSP], AT_STACK_B + 0x400);
	assert_int_equal(flags_get(c), FLAG_CF | 2);
	assert_int_equal(c->ldtr.base, AT_LDT);
	assert_true(c->cr0 & CR0_TS);
	assert_int_equal(c->dr7 & 0x155, 0);
	assert_int_equal(tss_type(t, TSS_A), SYS_TSS32);
	assert_int_equal(tss_type(t, TSS_B_SEL), SYS_TSS32_BUSY);
	test_cpu_free(t);
}

static void a_call_nests_and_iret_goes_back(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	make_task(t);
	flags_set(c, FLAG_ZF, ~0u);
	ASSERT_NO_FAULT(t, far_call(c, TASK_GATE_SEL | 3, 0, 4));
	ASSERT_AT(t, CODE_0, ENTRY);
	assert_int_equal(peek(t, AT_TSS_B, 2), TSS_A);
	assert_true(c->rflags & FLAG_NT);
	assert_int_equal(tss_type(t, TSS_A), SYS_TSS32_BUSY);
	ASSERT_NO_FAULT(t, far_iret(c, 4));
	ASSERT_AT(t, CODE_0, AT_CODE);
	assert_int_equal(c->tr.selector, TSS_A);
	assert_int_equal(flags_get(c), FLAG_ZF | 2);
	assert_int_equal(tss_type(t, TSS_B_SEL), SYS_TSS32);
	assert_int_equal(peek(t, AT_TSS_B + 0x24, 4), FLAG_CF | 2);
	test_cpu_free(t);
}

static void a_16_bit_task_has_words(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	poke(t, AT_TSS_16 + 0x0e, 0x700, 2);
	poke(t, AT_TSS_16 + 0x12, 0xaaaa, 2);
	poke(t, AT_TSS_16 + 0x24, CODE16_0, 2);
	poke(t, AT_TSS_16 + 0x26, DATA16_0, 2);
	c->seg[FS].selector = 0;
	ASSERT_NO_FAULT(t, far_jmp(c, TSS_16_SEL, 0, 4));
	ASSERT_AT(t, CODE16_0, 0x700);
	assert_int_equal(c->mode, CODE16);
	assert_int_equal(c->gpr[RAX] & 0xffff, 0xaaaa);
	assert_true(c->seg[FS].attr & SEG_UNUSABLE);
	assert_int_equal(tss_type(t, TSS_16_SEL), SYS_TSS16_BUSY);
	test_cpu_free(t);
}

static void bad_tasks_are_refused_in_the_old_one(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	make_task(t);
	ASSERT_REFUSED(t, VEC_GP, TSS_A, far_jmp(c, TSS_A, 0, 4));
	in_ring(t, 3);
	ASSERT_REFUSED(t, VEC_GP, TSS_B_SEL, far_jmp(c, TSS_B_SEL | 3, 0, 4));
	in_ring(t, 0);
	poke(t, AT_GDT + TSS_B_SEL + 5, 0x09, 1);
	ASSERT_REFUSED(t, VEC_NP, TSS_B_SEL, far_jmp(c, TSS_B_SEL, 0, 4));
	poke(t, AT_GDT + TSS_B_SEL + 5, 0x89, 1);
	poke(t, AT_GDT + TSS_B_SEL, 0x66, 2);
	ASSERT_REFUSED(t, VEC_TS, TSS_B_SEL, far_jmp(c, TSS_B_SEL, 0, 4));
	flags_set(c, FLAG_NT, FLAG_NT);
	poke(t, AT_TSS, TSS_B_SEL, 2);		/* back to one not busy */
	ASSERT_REFUSED(t, VEC_TS, TSS_B_SEL, far_iret(c, 4));
	poke(t, AT_TSS, LOCAL_DATA, 2);
	ASSERT_REFUSED(t, VEC_TS, LOCAL_DATA, far_iret(c, 4));
	test_cpu_free(t);
}

static void bad_registers_fault_in_the_new_task(void **state)
{
	static const struct {
		unsigned at;
		uint32_t value;
		uint8_t vector;
		uint16_t code;
	} cases[] = {
		{ 0x60, DATA_0, VEC_TS, DATA_0 },	/* LDT */
		{ 0x60, ABSENT_LDT, VEC_TS, ABSENT_LDT },
		{ 0x4c, 0, VEC_TS, 0 },			/* CS */
		{ 0x4c, DATA_0, VEC_TS, DATA_0 },
		{ 0x4c, CODE_3, VEC_TS, CODE_3 },
		{ 0x4c, ABSENT_CODE, VEC_NP, ABSENT_CODE },
		{ 0x4c, SMALL_CODE, VEC_GP, 0 },
		{ 0x50, 0, VEC_TS, 0 },			/* SS */
		{ 0x50, DATA_3, VEC_TS, DATA_3 },
		{ 0x50, CODE_0, VEC_TS, CODE_0 },
		{ 0x50, ABSENT_DATA, VEC_SS, ABSENT_DATA },
		{ 0x54, EXEC_ONLY, VEC_TS, EXEC_ONLY },	/* DS */
		{ 0x58, DATA_0 | 3, VEC_TS, DATA_0 },	/* FS */
		{ 0x5c, ABSENT_DATA, VEC_NP, ABSENT_DATA },	/* GS */
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct test_cpu *t = system_new();
		struct insn insn = { .len = 7 };

		make_task(t);
		poke(t, AT_TSS_B + cases[i].at, cases[i].value, 4);
		t->c->insn = &insn;
		ASSERT_FAULT(t, cases[i].vector, cases[i].code,
			     far_jmp(t->c, TSS_B_SEL, 0, 4));
		assert_int_equal(t->c->tr.selector, TSS_B_SEL);
		assert_int_equal(t->c->rip, ENTRY);
		assert_null(t->c->insn);	/* rip is not moved back */
		test_cpu_free(t);
	}
}

static void a_task_may_be_a_virtual_8086_program(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	make_task(t);
	poke(t, AT_TSS_B + 0x20, 0x100, 4);
	poke(t, AT_TSS_B + 0x24, FLAG_VM, 4);
	poke(t, AT_TSS_B + 0x4c, 0x1000, 4);
	poke(t, AT_TSS_B + 0x50, 0x2000, 4);
	ASSERT_NO_FAULT(t, far_jmp(c, TSS_B_SEL, 0, 4));
	ASSERT_AT(t, 0x1000, 0x100);
	assert_true(cpu_v86(c));
	assert_int_equal(c->cpl, 3);
	assert_int_equal(c->seg[SS].base, 0x20000);
	test_cpu_free(t);
}

static void the_trap_bit_asks_for_a_debug_exception(void **state)
{
	struct test_cpu *t = system_new();

	make_task(t);
	poke(t, AT_TSS_B + 0x64, 1, 2);
	ASSERT_NO_FAULT(t, far_jmp(t->c, TSS_B_SEL, 0, 4));
	assert_int_equal(t->c->pending_dr6, 1 << 15);
	test_cpu_free(t);
}

static void a_paged_switch_loads_cr3_only_with_paging_on(void **state)
{
	struct test_cpu *t = system_new();

	make_task(t);
	poke(t, AT_TSS_B + 0x1c, 0x5000, 4);
	ASSERT_NO_FAULT(t, far_jmp(t->c, TSS_B_SEL, 0, 4));
	assert_int_equal(t->c->cr3, 0);
	test_cpu_free(t);
}

/* The handler of #GP starts from what is left: privilege and TLB must already
 * be the new task's. */
static void a_refused_cr3_faults_in_the_new_task(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	make_task(t);
	poke(t, AT_TSS_B + 0x1c, 0x32000, 4);
	poke(t, AT_TSS_B + 0x24, FLAG_VM, 4);
	poke(t, 0x30000, 0x31001, 8);	/* PAE: 2 MiB map to themselves */
	poke(t, 0x31000, 0x87, 8);
	poke(t, 0x32000, 0x31007, 8);	/* reserved bits */
	cr_write(c, 4, CR4_PAE);
	cr_write(c, 3, 0x30000);
	cr_write(c, 0, c->cr0 | CR0_PG);
	ASSERT_FAULT(t, VEC_GP, 0, far_jmp(c, TSS_B_SEL, 0, 4));
	assert_int_equal(c->tr.selector, TSS_B_SEL);
	assert_int_equal(c->rip, ENTRY);
	assert_int_equal(c->cpl, 3);
	assert_int_equal(c->tlb_index, TLB_USER);
	test_cpu_free(t);
}

TEST_MAIN("task", TEST(a_jump_saves_the_old_task_and_loads_the_new),
	  TEST(a_call_nests_and_iret_goes_back), TEST(a_16_bit_task_has_words),
	  TEST(bad_tasks_are_refused_in_the_old_one),
	  TEST(bad_registers_fault_in_the_new_task),
	  TEST(a_task_may_be_a_virtual_8086_program),
	  TEST(the_trap_bit_asks_for_a_debug_exception),
	  TEST(a_paged_switch_loads_cr3_only_with_paging_on),
	  TEST(a_refused_cr3_faults_in_the_new_task))
