/* cpu/x86/tlb_test.c - the software TLB: empty tags and what flushes drop.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/paging.h"
#include "cpu/x86/test_cpu.h"

static void no_address_of_a_slot_hits_its_empty_tag(void **state)
{
	static const uint64_t high[] = { 0, 1, 0x7fff, 0x8000, ~0ull };

	for (unsigned s = 0; s < TLB_SIZE; s++)
		for (unsigned i = 0; i < ARRAY_LEN(high); i++) {
			gva_t a = high[i] << (PAGE_BITS + TLB_BITS) |
				  (gva_t)s << PAGE_BITS;

			assert_int_equal(tlb_slot(a), s);
			assert_true((a ^ tlb_no_tag(s)) >= PAGE_SIZE);
			a |= PAGE_SIZE - 1;
			assert_true((a ^ tlb_no_tag(s)) >= PAGE_SIZE);
		}
}

static void an_access_leaves_the_host_page_in_its_entry(void **state)
{
	struct test_cpu *t = test_cpu_new();
	const struct tlb_entry *e =
		&t->c->tlb.entry[t->c->tlb_index][tlb_slot(0x3456)];

	tlb_flush_all(t->c);
	assert_int_equal(e->read, tlb_no_tag(3));
	(void)mem_read8(t->c, 0x3456);
	assert_int_equal(e->read, 0x3000);
	assert_ptr_equal((uint8_t *)e->host, t->ram + 0x3000);
	t->ram[0x3ffd] = 9;
	assert_ptr_equal(mem_hit_read(t->c, 0x3ffd, 3, t->c->tlb_index),
			 t->ram + 0x3ffd);
	assert_null(mem_hit_read(t->c, 0x3ffd, 4, t->c->tlb_index));
	test_cpu_free(t);
}

static void every_flush_moves_the_map_epoch(void **state)
{
	struct test_cpu *t = test_cpu_new();
	uint32_t epoch = t->c->map_epoch;

	tlb_flush_all(t->c);
	assert_int_not_equal(t->c->map_epoch, epoch);
	epoch = t->c->map_epoch;
	tlb_flush_nonglobal(t->c);
	assert_int_not_equal(t->c->map_epoch, epoch);
	epoch = t->c->map_epoch;
	tlb_flush_page(t->c, 0x1000);
	assert_int_not_equal(t->c->map_epoch, epoch);
	test_cpu_free(t);
}

TEST_MAIN("tlb",
	  TEST(no_address_of_a_slot_hits_its_empty_tag),
	  TEST(an_access_leaves_the_host_page_in_its_entry),
	  TEST(every_flush_moves_the_map_epoch))
