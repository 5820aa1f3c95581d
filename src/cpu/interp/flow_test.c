/* cpu/interp/flow_test.c - near transfers and the stack, where what matters is
 * the order of things.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/test_guest.h"

#define STACK (GUEST_DATA + 0x1000)

static struct guest *with_stack(enum code_mode mode)
{
	struct guest *g = guest_new();

	guest_mode(g, mode);
	g->c->gpr[RSP] = STACK;
	return g;
}

static void a_condition_is_each_of_sixteen(void **state)
{
	/* Per condition, the flags it holds with: among CF ZF SF OF PF. */
	static const uint32_t holds[16] = {
		FLAG_OF, 0, FLAG_CF, 0, FLAG_ZF, 0, FLAG_CF, 0,
		FLAG_SF, 0, FLAG_PF, 0, FLAG_SF, FLAG_SF | FLAG_OF,
		FLAG_ZF, FLAG_SF | FLAG_OF,
	};
	static const uint32_t fails[16] = {
		0, FLAG_OF, 0, FLAG_CF, 0, FLAG_ZF, 0, FLAG_ZF,
		0, FLAG_SF, 0, FLAG_PF, FLAG_SF | FLAG_OF, FLAG_OF,
		FLAG_SF | FLAG_OF, FLAG_ZF,
	};
	struct guest *g = with_stack(CODE64);

	for (unsigned cc = 0; cc < 16; cc++) {
		char jump[] = { (char)(0x70 | cc), 0x10 };

		flags_set(g->c, holds[cc], FLAGS_ARITH);
		assert_true(guest_run(g, jump, 2));
		assert_int_equal(g->c->rip, GUEST_CODE + 0x12);
		flags_set(g->c, fails[cc], FLAGS_ARITH);
		assert_true(guest_run(g, jump, 2));
		assert_int_equal(g->c->rip, GUEST_CODE + 2);
	}
	guest_free(g);
}

static void a_call_pushes_the_next_address_and_a_return_drops_arguments(
	void **state)
{
	struct guest *g = with_stack(CODE64);

	assert_true(GUEST_RUN(g, "\xe8\x00\x01\x00\x00"));
	assert_int_equal(g->c->rip, GUEST_CODE + 0x105);
	assert_int_equal(g->c->gpr[RSP], STACK - 8);
	assert_int_equal(load_le64(g->data + 0xff8), GUEST_CODE + 5);
	assert_true(GUEST_RUN(g, "\xc2\x10\x00"));
	assert_int_equal(g->c->rip, GUEST_CODE + 5);
	assert_int_equal(g->c->gpr[RSP], STACK + 0x10);
	guest_free(g);
}

static void a_16_bit_jump_cuts_ip(void **state)
{
	struct guest *g = with_stack(CODE32);

	assert_true(GUEST_RUN(g, "\x66\xe9\x10\x00"));
	assert_int_equal(g->c->rip, (GUEST_CODE + 0x14) & 0xffff);
	guest_free(g);
}

static void a_call_to_nowhere_pushes_nothing(void **state)
{
	struct guest *g = with_stack(CODE64);

	g->c->gpr[RAX] = 0x800000000000;	/* not canonical */
	assert_false(GUEST_RUN(g, "\xff\xd0"));
	assert_int_equal(g->c->fault.vector, VEC_GP);
	assert_int_equal(g->c->rip, GUEST_CODE);
	assert_int_equal(g->c->gpr[RSP], STACK);
	assert_int_equal(load_le64(g->data + 0xff8), 0);
	guest_free(g);
}

static void a_call_that_cannot_push_stays_where_it_is(void **state)
{
	struct guest *g = with_stack(CODE64);

	g->c->gpr[RSP] = GUEST_DATA;
	assert_false(GUEST_RUN(g, "\xe8\x00\x01\x00\x00"));
	assert_int_equal(g->c->fault.vector, VEC_PF);
	assert_int_equal(g->c->rip, GUEST_CODE);
	assert_int_equal(g->c->gpr[RSP], GUEST_DATA);
	guest_free(g);
}

static void a_return_to_nowhere_leaves_the_stack(void **state)
{
	struct guest *g = with_stack(CODE64);

	store_le64(g->data + 0x1000, 1ull << 63);
	assert_false(GUEST_RUN(g, "\xc3"));
	assert_int_equal(g->c->fault.vector, VEC_GP);
	assert_int_equal(g->c->gpr[RSP], STACK);
	guest_free(g);
}

static void a_jump_past_the_code_segment_faults(void **state)
{
	struct guest *g = with_stack(CODE32);

	g->c->seg[CS].limit = GUEST_CODE + 0xff;
	assert_true(GUEST_RUN(g, "\xe9\xfa\x00\x00\x00"));
	assert_false(GUEST_RUN(g, "\xe9\xfb\x00\x00\x00"));
	assert_int_equal(g->c->fault.vector, VEC_GP);
	guest_free(g);
}

static void loops_count_by_the_address_size(void **state)
{
	struct guest *g = with_stack(CODE64);

	g->c->gpr[RCX] = 0x100000001;
	assert_true(GUEST_RUN(g, "\x67\xe2\x10"));
	assert_int_equal(g->c->rip, GUEST_CODE + 3);
	assert_int_equal(g->c->gpr[RCX], 0);
	assert_true(GUEST_RUN(g, "\xe2\x10"));
	assert_int_equal(g->c->rip, GUEST_CODE + 0x12);
	assert_int_equal(g->c->gpr[RCX], ~0ull);
	flags_set(g->c, FLAG_ZF, FLAG_ZF);
	assert_true(GUEST_RUN(g, "\xe0\x10"));
	assert_int_equal(g->c->rip, GUEST_CODE + 2);
	assert_int_equal(g->c->gpr[RCX], ~0ull - 1);
	g->c->gpr[RCX] = 1ull << 32;
	assert_true(GUEST_RUN(g, "\x67\xe3\x10"));
	assert_int_equal(g->c->rip, GUEST_CODE + 0x13);
	assert_true(GUEST_RUN(g, "\xe3\x10"));
	assert_int_equal(g->c->rip, GUEST_CODE + 2);
	guest_free(g);
}

static void pop_to_memory_uses_rsp_after_the_pop(void **state)
{
	struct guest *g = with_stack(CODE64);

	store_le64(g->data + 0x1000, 0x1122334455667788);
	assert_true(GUEST_RUN(g, "\x8f\x44\x24\x08"));	/* pop [rsp+8] */
	assert_int_equal(load_le64(g->data + 0x1010), 0x1122334455667788);
	assert_int_equal(g->c->gpr[RSP], STACK + 8);
	guest_free(g);
}

static void pop_to_bad_memory_leaves_rsp(void **state)
{
	struct guest *g = with_stack(CODE64);

	g->c->gpr[RAX] = 0x1000;
	assert_false(GUEST_RUN(g, "\x8f\x00"));
	assert_int_equal(g->c->gpr[RSP], STACK);
	assert_int_equal(g->c->cr2, 0x1000);
	guest_free(g);
}

static void a_16_bit_stack_wraps_and_keeps_the_rest_of_esp(void **state)
{
	struct guest *g = with_stack(CODE16);

	for (unsigned s = 0; s < SREG_COUNT; s++)
		if (s != CS)
			g->c->seg[s].base = GUEST_DATA;
	g->c->seg[SS].attr &= ~SEG_DB;
	g->c->seg[SS].limit = 0xffff;
	cpu_derive(g->c);
	g->c->gpr[RSP] = 0x12340004;
	g->c->gpr[RAX] = 0xbeef;
	assert_true(GUEST_RUN(g, "\x50"));
	assert_int_equal(g->c->gpr[RSP], 0x12340002);
	assert_int_equal(load_le16(g->data + 2), 0xbeef);
	assert_true(GUEST_RUN(g, "\x66\x58"));		/* pop eax */
	assert_int_equal(g->c->gpr[RSP], 0x12340006);
	guest_free(g);
}

static void enter_copies_the_display_and_leave_drops_it(void **state)
{
	struct guest *g = with_stack(CODE64);

	g->c->gpr[RBP] = GUEST_DATA + 0x800;
	store_le64(g->data + 0x7f8, 0xaaaa);
	store_le64(g->data + 0x7f0, 0xbbbb);
	assert_true(GUEST_RUN(g, "\xc8\x20\x00\x03"));
	assert_int_equal(g->c->gpr[RBP], STACK - 8);
	assert_int_equal(g->c->gpr[RSP], STACK - 8 - 3 * 8 - 0x20);
	assert_int_equal(load_le64(g->data + 0xff8), GUEST_DATA + 0x800);
	assert_int_equal(load_le64(g->data + 0xff0), 0xaaaa);
	assert_int_equal(load_le64(g->data + 0xfe8), 0xbbbb);
	assert_int_equal(load_le64(g->data + 0xfe0), STACK - 8);
	assert_true(GUEST_RUN(g, "\xc9"));
	assert_int_equal(g->c->gpr[RBP], GUEST_DATA + 0x800);
	assert_int_equal(g->c->gpr[RSP], STACK);
	guest_free(g);
}

static void enter_checks_the_frame_it_makes(void **state)
{
	struct guest *g = with_stack(CODE64);

	assert_false(GUEST_RUN(g, "\xc8\x00\x20\x00"));
	assert_int_equal(g->c->fault.vector, VEC_PF);
	assert_int_equal(g->c->gpr[RSP], STACK);
	guest_free(g);
}

static void pusha_in_real_mode_faults_near_the_end(void **state)
{
	struct guest *g = with_stack(CODE16);

	g->c->cr0 = CR0_ET;
	g->c->efer = 0;
	for (unsigned s = 0; s < SREG_COUNT; s++)
		seg_load_real(g->c, (enum sreg)s, 0);
	tlb_flush_all(g->c);
	cpu_derive(g->c);
	g->c->gpr[RSP] = 9;
	assert_false(GUEST_RUN(g, "\x60"));
	assert_int_equal(g->c->fault.vector, VEC_GP);
	assert_int_equal(g->c->gpr[RSP], 9);
	g->c->gpr[RSP] = 0x800;
	assert_true(GUEST_RUN(g, "\x60"));
	assert_int_equal(g->c->gpr[RSP], 0x7f0);
	guest_free(g);
}

TEST_MAIN("flow",
	TEST(a_condition_is_each_of_sixteen),
	TEST(a_call_pushes_the_next_address_and_a_return_drops_arguments),
	TEST(a_16_bit_jump_cuts_ip),
	TEST(a_call_to_nowhere_pushes_nothing),
	TEST(a_call_that_cannot_push_stays_where_it_is),
	TEST(a_return_to_nowhere_leaves_the_stack),
	TEST(a_jump_past_the_code_segment_faults),
	TEST(loops_count_by_the_address_size),
	TEST(pop_to_memory_uses_rsp_after_the_pop),
	TEST(pop_to_bad_memory_leaves_rsp),
	TEST(a_16_bit_stack_wraps_and_keeps_the_rest_of_esp),
	TEST(enter_copies_the_display_and_leave_drops_it),
	TEST(enter_checks_the_frame_it_makes),
	TEST(pusha_in_real_mode_faults_near_the_end))
