/* cpu/x86/journal_test.c - trial runs: stores that are undone.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/journal.h"
#include "cpu/x86/mem.h"
#include "cpu/x86/test_cpu.h"

static struct journal journal;

static struct test_cpu *cpu_with_journal(void)
{
	struct test_cpu *t = test_cpu_new();

	memset(&journal, 0, sizeof(journal));
	t->c->journal = &journal;
	return t;
}

/* Stores that hit the TLB as well as ones that miss. */
static void stores_are_undone_and_remembered(void **state)
{
	struct test_cpu *t = cpu_with_journal();
	uint8_t vector[32] = { 1 };

	mem_write32(t->c, 0x1000, 0x11111111);
	journal_begin(t->c);
	mem_write32(t->c, 0x1000, 0x22222222);
	mem_write8(t->c, 0x1001, 0x33);
	mem_write64(t->c, 0x1ffc, ~0ull);	/* crosses into the next page */
	mem_write_block(t->c, 0x3000, vector, sizeof(vector));
	memset(mem_rmw_host(t->c, 0x4000, 4), 4, 4);
	assert_int_equal(mem_read32(t->c, 0x1000), 0x22223322);
	journal_end(t->c);
	assert_int_equal(load_le32(t->ram + 0x1000), 0x11111111);
	assert_int_equal(load_le64(t->ram + 0x1ffc), 0);
	assert_int_equal(t->ram[0x3000] | t->ram[0x4000], 0);
	assert_false(journal_matches(&journal));
	mem_write32(t->c, 0x1000, 0x22223322);
	mem_write64(t->c, 0x1ffc, ~0ull);
	mem_write_block(t->c, 0x3000, vector, sizeof(vector));
	mem_write32(t->c, 0x4000, 0x04040404);
	assert_true(journal_matches(&journal));
	test_cpu_free(t);
}

static void stores_go_straight_to_memory_between_trials(void **state)
{
	struct test_cpu *t = cpu_with_journal();
	unsigned table = t->c->tlb_index;

	journal_begin(t->c);
	mem_write32(t->c, 0x1000, 1);
	mem_write32(t->c, 0x1000, 2);
	assert_null(mem_hit_write(t->c, 0x1000, 4, table));
	journal_end(t->c);
	assert_non_null(mem_hit_write(t->c, 0x1000, 4, table));
	assert_int_equal(journal.stores, 2);
	test_cpu_free(t);
}

static void at_most_so_many_pages_have_a_write_tag(void **state)
{
	struct test_cpu *t = cpu_with_journal();
	unsigned hits = 0;

	for (unsigned n = 0; n < 2 * JOURNAL_TAGS; n++)
		mem_write8(t->c, n * PAGE_SIZE, 1);
	for (unsigned n = 0; n < 2 * JOURNAL_TAGS; n++)
		hits += !!mem_hit_write(t->c, n * PAGE_SIZE, 1,
					t->c->tlb_index);
	assert_int_equal(hits, JOURNAL_TAGS);
	journal_begin(t->c);
	for (unsigned n = 0; n < 2 * JOURNAL_TAGS; n++)
		assert_null(mem_hit_write(t->c, n * PAGE_SIZE, 1,
					  t->c->tlb_index));
	journal_end(t->c);
	test_cpu_free(t);
}

static void a_register_window_refuses_a_trial(void **state)
{
	struct test_cpu *t = cpu_with_journal();

	journal_begin(t->c);
	mem_write8(t->c, 0x1000, 1);
	if (!sigsetjmp(t->c->on_fault, 0)) {
		(void)mem_read32(t->c, TEST_RAM_BYTES + 0x1000);
		TEST_FAIL("not refused");
	}
	assert_int_equal(journal.refused, REFUSED_WINDOW);
	journal_end(t->c);
	assert_int_equal(t->ram[0x1000], 0);
	test_cpu_free(t);
}

static void too_many_stores_refuse_a_trial(void **state)
{
	struct test_cpu *t = cpu_with_journal();
	volatile unsigned n = 0;

	journal_begin(t->c);
	if (!sigsetjmp(t->c->on_fault, 0))
		for (;; n++)
			mem_write8(t->c, 0x1000 + n, 1);
	assert_int_equal(journal.refused, REFUSED_FULL);
	assert_int_equal(n, JOURNAL_STORES);
	journal_end(t->c);
	assert_int_equal(t->ram[0x1000 + n - 1], 0);
	test_cpu_free(t);
}

TEST_MAIN("journal", TEST(stores_are_undone_and_remembered),
	  TEST(stores_go_straight_to_memory_between_trials),
	  TEST(at_most_so_many_pages_have_a_write_tag),
	  TEST(a_register_window_refuses_a_trial),
	  TEST(too_many_stores_refuse_a_trial))
