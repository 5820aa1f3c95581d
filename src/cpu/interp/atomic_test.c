/* cpu/interp/atomic_test.c - locked instructions: atomic between vCPUs, and
 * checked before they change anything.
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>

#include "cpu/interp/test_guest.h"

#define ROUNDS 100000

/* Another vCPU of the same guest. */
static struct cpu *second_cpu(struct guest *g)
{
	struct cpu *c = aligned_alloc(64, (sizeof(*c) + 63) & ~63ull);

	assert_non_null(c);
	memcpy(c, g->c, sizeof(*c));
	return c;
}

struct worker {
	struct cpu *c;
	struct insn insn;
	bool faulted;
};

static void *run_rounds(void *arg)
{
	struct worker *w = arg;

	w->c->insn = &w->insn;
	if (sigsetjmp(w->c->on_fault, 0)) {
		w->faulted = true;
		return NULL;
	}
	for (unsigned n = 0; n < ROUNDS; n++)
		exec_rows[w->insn.row](w->c, &w->insn);
	return NULL;
}

/* The instruction, ROUNDS times on each of two vCPUs at once. */
static void run_on_two(struct guest *g, const char *bytes, unsigned n)
{
	struct worker w[2] = { { .c = g->c }, { .c = second_cpu(g) } };
	pthread_t other;

	assert_int_equal(insn_decode(&w[0].insn, (const uint8_t *)bytes, n,
				     CODE64, &g->c->features), DECODE_OK);
	w[1].insn = w[0].insn;
	assert_int_equal(pthread_create(&other, NULL, run_rounds, &w[1]), 0);
	run_rounds(&w[0]);
	pthread_join(other, NULL);
	assert_false(w[0].faulted || w[1].faulted);
	free(w[1].c);
}

static void locked_additions_are_not_lost(void **state)
{
	struct guest *g = guest_new();

	g->c->gpr[RSI] = GUEST_DATA + 0x100;
	run_on_two(g, "\xf0\x48\xff\x06", 4);		/* lock inc [rsi] */
	assert_int_equal(load_le64(g->data + 0x100), 2 * ROUNDS);
	guest_free(g);
}

static void nor_are_those_over_two_pages(void **state)
{
	struct guest *g = guest_new();

	g->c->gpr[RSI] = GUEST_DATA + PAGE_SIZE - 2;
	run_on_two(g, "\xf0\xff\x06", 3);
	assert_int_equal(load_le32(g->data + PAGE_SIZE - 2), 2 * ROUNDS);
	guest_free(g);
}

/* ---- what is checked, and when ---- */

static struct guest *with_read_only_data(void)
{
	struct guest *g = guest_new();

	store_le64(g->tables + 0x3000, GUEST_DATA | 5);
	g->c->gpr[RSI] = GUEST_DATA + 0x100;
	store_le64(g->data + 0x100, 7);
	return g;
}

static void a_comparison_that_fails_still_needs_the_right_to_write(void **state)
{
	struct guest *g = with_read_only_data();

	g->c->gpr[RAX] = 1;
	flags_set(g->c, FLAG_ZF, FLAGS_ARITH);
	assert_false(GUEST_RUN(g, "\x48\x0f\xb1\x0e"));
	assert_int_equal(g->c->fault.vector, VEC_PF);
	assert_int_equal(g->c->fault.code, 7);
	assert_int_equal(g->c->gpr[RAX], 1);
	assert_int_equal(flags_get(g->c) & FLAGS_ARITH, FLAG_ZF);
	guest_free(g);
}

static void a_refused_addition_leaves_the_flags(void **state)
{
	struct guest *g = with_read_only_data();

	flags_set(g->c, FLAG_CF | FLAG_OF, FLAGS_ARITH);
	assert_false(GUEST_RUN(g, "\xf0\x48\x01\x06"));
	assert_false(GUEST_RUN(g, "\x48\x01\x06"));
	assert_false(GUEST_RUN(g, "\x48\xd1\x26"));
	assert_int_equal(flags_get(g->c) & FLAGS_ARITH, FLAG_CF | FLAG_OF);
	assert_int_equal(load_le64(g->data + 0x100), 7);
	guest_free(g);
}

static void a_refused_exchange_leaves_the_register(void **state)
{
	struct guest *g = with_read_only_data();

	g->c->gpr[RCX] = 0x55;
	assert_false(GUEST_RUN(g, "\x48\x87\x0e"));
	assert_false(GUEST_RUN(g, "\xf0\x48\x0f\xc1\x0e"));
	assert_int_equal(g->c->gpr[RCX], 0x55);
	guest_free(g);
}

static void sixteen_bytes_must_be_aligned(void **state)
{
	struct guest *g = guest_new();

	g->c->gpr[RSI] = GUEST_DATA + 0x108;
	assert_false(GUEST_RUN(g, "\xf0\x48\x0f\xc7\x0e"));
	assert_int_equal(g->c->fault.vector, VEC_GP);
	g->c->gpr[RSI] = GUEST_DATA + 0x100;
	g->c->gpr[RBX] = 1;
	g->c->gpr[RCX] = 2;
	assert_true(GUEST_RUN(g, "\xf0\x48\x0f\xc7\x0e"));
	assert_int_equal(load_le64(g->data + 0x100), 1);
	assert_int_equal(load_le64(g->data + 0x108), 2);
	guest_free(g);
}

TEST_MAIN("atomic",
	TEST(locked_additions_are_not_lost),
	TEST(nor_are_those_over_two_pages),
	TEST(a_comparison_that_fails_still_needs_the_right_to_write),
	TEST(a_refused_addition_leaves_the_flags),
	TEST(a_refused_exchange_leaves_the_register),
	TEST(sixteen_bytes_must_be_aligned))
