/* cpu/interp/system_test.c - segment, table and flag instructions, decoded and
 * run one at a time.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/exec.h"
#include "cpu/x86/test_system.h"

#define DATA	0x30000		/* operands in memory */

static void run_bytes(struct test_cpu *t, const char *bytes, unsigned n)
{
	static struct insn i;

	assert_int_equal(insn_decode(&i, (const uint8_t *)bytes, n, t->c->mode,
				     &t->c->features),
			 DECODE_OK);
	assert_int_equal(i.len, n);
	exec_rows[i.row](t->c, &i);
}

#define RUN(t, bytes) ASSERT_NO_FAULT(t, run_bytes(t, bytes, sizeof(bytes) - 1))
#define REFUSES(t, vec, code, bytes)                                          \
	ASSERT_REFUSED(t, vec, code, run_bytes(t, bytes, sizeof(bytes) - 1))

static void loading_ss_holds_off_interrupts(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	c->gpr[RAX] = DATA16_0;
	RUN(t, "\x8e\xd0");			/* mov ss, ax */
	assert_int_equal(c->shadow, SHADOW_MOV_SS);
	assert_int_equal(c->stack_size, 2);
	c->shadow = SHADOW_NONE;
	RUN(t, "\x8e\xd8");			/* mov ds, ax */
	assert_int_equal(c->shadow, SHADOW_NONE);
	c->gpr[RAX] = CODE_0;
	REFUSES(t, VEC_GP, CODE_0, "\x8e\xd0");
	in_ring(t, 0);
	poke(t, c->gpr[RSP], DATA_0, 4);
	RUN(t, "\x17");				/* pop ss */
	assert_int_equal(c->shadow, SHADOW_MOV_SS);
	test_cpu_free(t);
}

static void a_pop_that_is_refused_leaves_the_stack(void **state)
{
	struct test_cpu *t = system_new();
	uint64_t sp = t->c->gpr[RSP];

	poke(t, sp, ABSENT_DATA, 4);
	REFUSES(t, VEC_NP, ABSENT_DATA, "\x1f");	/* pop ds */
	poke(t, sp, DATA_3 | 3, 4);
	RUN(t, "\x1f");
	assert_int_equal(t->c->gpr[RSP], sp + 4);
	RUN(t, "\x66\x1e");				/* push ds, 16 bits */
	assert_int_equal(t->c->gpr[RSP], sp + 2);
	assert_int_equal(peek(t, sp + 2, 2), DATA_3 | 3);
	test_cpu_free(t);
}

static void a_far_pointer_loads_all_or_nothing(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	c->gpr[RBX] = DATA;
	poke(t, DATA, 0x12345678, 4);
	poke(t, DATA + 4, DATA_3, 2);
	RUN(t, "\x0f\xb4\x03");			/* lfs eax, [ebx] */
	assert_int_equal(c->gpr[RAX], 0x12345678);
	assert_int_equal(c->seg[FS].selector, DATA_3);
	poke(t, DATA, 0, 4);
	poke(t, DATA + 4, GDT_END, 2);
	REFUSES(t, VEC_GP, GDT_END, "\xc4\x03");	/* les */
	assert_int_equal(c->gpr[RAX], 0x12345678);
	test_cpu_free(t);
}

static void selectors_are_stored_in_16_bits_or_a_register(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	c->gpr[RAX] = 0xffffffff;
	c->gpr[RBX] = DATA;
	poke(t, DATA, 0xffffffff, 4);
	RUN(t, "\x8c\xd8");			/* mov eax, ds */
	assert_int_equal(c->gpr[RAX], DATA_0);
	RUN(t, "\x8c\x1b");			/* mov [ebx], ds */
	assert_int_equal(peek(t, DATA, 4), 0xffff0000 | DATA_0);
	RUN(t, "\x0f\x00\xc8");			/* str eax */
	assert_int_equal(c->gpr[RAX], TSS_A);
	RUN(t, "\x0f\x00\xc0");			/* sldt eax */
	assert_int_equal(c->gpr[RAX], LDT_SEL);
	test_cpu_free(t);
}

static void table_registers_have_the_sizes_of_the_mode(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	c->gpr[RBX] = DATA;
	poke(t, DATA, 0x1ff, 2);
	poke(t, DATA + 2, 0x12345678, 8);
	RUN(t, "\x0f\x01\x13");			/* lgdt [ebx] */
	assert_int_equal(c->gdtr.base, 0x12345678);
	assert_int_equal(c->gdtr.limit, 0x1ff);
	RUN(t, "\x66\x0f\x01\x1b");		/* o16 lidt: 24 bits */
	assert_int_equal(c->idtr.base, 0x345678);
	RUN(t, "\x0f\x01\x0b");			/* sidt */
	assert_int_equal(peek(t, DATA + 2, 4), 0x345678);
	test_cpu_free(t);

	t = system_new_long();
	c = t->c;
	c->gpr[RBX] = DATA;
	poke(t, DATA, 0x1ff, 2);
	poke(t, DATA + 2, 0xffff800000000000, 8);
	RUN(t, "\x0f\x01\x13");
	assert_int_equal(c->gdtr.base, 0xffff800000000000);
	RUN(t, "\x0f\x01\x03");			/* sgdt */
	assert_int_equal(peek(t, DATA + 2, 8), 0xffff800000000000);
	poke(t, DATA + 2, 0x0000800000000000, 8);
	REFUSES(t, VEC_GP, 0, "\x0f\x01\x13");
	test_cpu_free(t);
}

static void umip_hides_tables_from_ring_3(void **state)
{
	struct test_cpu *t = system_new();

	t->c->gpr[RBX] = DATA;
	in_ring(t, 3);
	RUN(t, "\x0f\x01\x03");			/* sgdt [ebx] */
	t->c->cr4 |= CR4_UMIP;
	REFUSES(t, VEC_GP, 0, "\x0f\x01\x03");
	REFUSES(t, VEC_GP, 0, "\x0f\x01\x0b");	/* sidt */
	REFUSES(t, VEC_GP, 0, "\x0f\x00\xc0");	/* sldt */
	REFUSES(t, VEC_GP, 0, "\x0f\x00\xc8");	/* str */
	REFUSES(t, VEC_GP, 0, "\x0f\x01\xe0");	/* smsw */
	in_ring(t, 0);
	RUN(t, "\x0f\x01\x03");
	test_cpu_free(t);
}

static void lmsw_sets_pe_but_cannot_clear_it(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	c->gpr[RAX] = 0xfff0 | CR0_TS;
	RUN(t, "\x0f\x01\xf0");			/* lmsw ax */
	assert_int_equal(c->cr0 & 15, CR0_PE | CR0_TS);
	in_real(t);
	c->gpr[RAX] = CR0_PE;
	RUN(t, "\x0f\x01\xf0");
	assert_int_equal(c->cr0 & 15, CR0_PE);
	test_cpu_free(t);
}

static void lar_and_friends_set_zf(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;

	c->gpr[RCX] = DATA_0;
	RUN(t, "\x0f\x02\xc1");			/* lar eax, ecx */
	assert_true(flags_get(c) & FLAG_ZF);
	assert_int_equal(c->gpr[RAX] & 0xf0ff00, 0xc09300);
	c->gpr[RCX] = GDT_END;
	RUN(t, "\x0f\x03\xc1");			/* lsl eax, ecx */
	assert_false(flags_get(c) & FLAG_ZF);
	assert_int_equal(c->gpr[RAX] & 0xf0ff00, 0xc09300);
	c->gpr[RCX] = READ_ONLY;
	RUN(t, "\x0f\x00\xe1");			/* verr cx */
	assert_true(flags_get(c) & FLAG_ZF);
	RUN(t, "\x0f\x00\xe9");			/* verw cx */
	assert_false(flags_get(c) & FLAG_ZF);
	c->gpr[RAX] = 3;
	RUN(t, "\x63\xc1");			/* arpl cx, ax */
	assert_true(flags_get(c) & FLAG_ZF);
	assert_int_equal(c->gpr[RCX], READ_ONLY | 3);
	RUN(t, "\x63\xc1");
	assert_false(flags_get(c) & FLAG_ZF);
	test_cpu_free(t);
}

static void clac_and_stac_are_for_ring_0(void **state)
{
	struct test_cpu *t = system_new();

	t->c->cr4 |= CR4_SMAP;
	cpu_derive(t->c);
	RUN(t, "\x0f\x01\xcb");			/* stac */
	assert_int_equal(t->c->tlb_index, TLB_SUPERVISOR);
	RUN(t, "\x0f\x01\xca");			/* clac */
	assert_int_equal(t->c->tlb_index, TLB_SMAP);
	in_ring(t, 3);
	REFUSES(t, VEC_UD, 0, "\x0f\x01\xcb");
	test_cpu_free(t);
}

static void popf_reads_before_it_moves_the_stack(void **state)
{
	struct test_cpu *t = system_new();
	struct cpu *c = t->c;
	uint64_t sp = c->gpr[RSP];

	poke(t, sp, FLAG_CF | FLAG_IF, 4);
	RUN(t, "\x9d");
	assert_int_equal(flags_get(c), FLAG_CF | FLAG_IF | 2);
	assert_int_equal(c->gpr[RSP], sp + 4);
	RUN(t, "\x9c");
	assert_int_equal(peek(t, sp, 4), FLAG_CF | FLAG_IF | 2);
	c->seg[SS].limit = 0x100;
	cpu_derive(c);
	REFUSES(t, VEC_SS, 0, "\x9d");
	test_cpu_free(t);
}

static void swapgs_and_far_jumps_in_64_bit_code(void **state)
{
	struct test_cpu *t = system_new_long();
	struct cpu *c = t->c;

	c->kernel_gs_base = 0x1234;
	RUN(t, "\x0f\x01\xf8");
	assert_int_equal(c->seg[GS].base, 0x1234);
	c->gpr[RBX] = DATA;
	poke(t, DATA, 0xfedc1234, 4);
	poke(t, DATA + 4, CODE_0, 2);
	RUN(t, "\xff\x2b");			/* jmp far dword [rbx] */
	ASSERT_AT(t, CODE_0, 0xfedc1234);
	assert_int_equal(c->mode, CODE32);
	RUN(t, "\xea\x00\x10\x00\x00\x38\x00");	/* jmp 38h:1000h */
	ASSERT_AT(t, CODE64_0, 0x1000);
	test_cpu_free(t);
}

TEST_MAIN("system", TEST(loading_ss_holds_off_interrupts),
	  TEST(a_pop_that_is_refused_leaves_the_stack),
	  TEST(a_far_pointer_loads_all_or_nothing),
	  TEST(selectors_are_stored_in_16_bits_or_a_register),
	  TEST(table_registers_have_the_sizes_of_the_mode),
	  TEST(umip_hides_tables_from_ring_3),
	  TEST(lmsw_sets_pe_but_cannot_clear_it),
	  TEST(lar_and_friends_set_zf), TEST(clac_and_stac_are_for_ring_0),
	  TEST(popf_reads_before_it_moves_the_stack),
	  TEST(swapgs_and_far_jumps_in_64_bit_code))
