/* cpu/x86/tlb_test.c - both levels of the TLB: tags, what each flush drops and
 * what it keeps (SDM 3A 4.10.4), and the epochs of address spaces.
 *
 * A page's translation is changed in its tables without a flush; what a read
 * then finds tells whether the TLB still has the old one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/paging.h"
#include "cpu/x86/sysreg.h"
#include "cpu/x86/test_cpu.h"

#define P	1ull
#define W	2ull
#define U	4ull
#define PS	0x80ull
#define G	0x100ull

#define KEEP	(1ull << 63)	/* in CR3: no flush */

/* Four tables for each PCID: top, then one per level. */
#define PCIDS	3
#define TOP(pcid)	(0x10000ull + (pcid) * 0x4000ull)
#define DIR3(pcid)	(TOP(pcid) + 0x1000)
#define DIR2(pcid)	(TOP(pcid) + 0x2000)
#define DIR1(pcid)	(TOP(pcid) + 0x3000)

/* Pages are PAGE(n), with n in the first byte; VA(n) is mapped to PAGE(n), once
 * more at FAR(n), which takes the same slot of the first level. */
#define PAGES	8
#define PAGE(n)	(0x100000ull + (n) * 0x1000ull)
#define VA(n)	(0x40200000ull + (n) * 0x1000ull)
#define FAR(n)	(VA(n) + TLB_SIZE * PAGE_SIZE)

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

static uint64_t *slot64(struct test_cpu *t, uint64_t table, unsigned n)
{
	return (uint64_t *)(void *)(t->ram + table + n * 8);
}

static uint64_t *pte(struct test_cpu *t, unsigned pcid, unsigned n)
{
	return slot64(t, DIR1(pcid), n);
}

static void make_tables(struct test_cpu *t, unsigned pcid)
{
	*slot64(t, TOP(pcid), 0) = DIR3(pcid) | P | W | U;
	*slot64(t, DIR3(pcid), 1) = DIR2(pcid) | P | W | U;
	*slot64(t, DIR2(pcid), 1) = DIR1(pcid) | P | W | U;
	*slot64(t, DIR2(pcid), 1 + TLB_SIZE / 512) = DIR1(pcid) | P | W | U;
	for (unsigned n = 0; n < PAGES; n++)
		*pte(t, pcid, n) = PAGE(n) | P | W | U;
}

/* In 64-bit mode with PCIDs, in PCID 0. */
static struct test_cpu *with_pcids(void)
{
	struct test_cpu *t = test_cpu_new();
	struct cpu *c = t->c;

	for (unsigned pcid = 0; pcid < PCIDS; pcid++)
		make_tables(t, pcid);
	for (unsigned n = 0; n < PAGES; n++)
		t->ram[PAGE(n)] = (uint8_t)n;
	c->cr0 = CR0_PE | CR0_PG | CR0_WP;
	c->cr3 = TOP(0);
	c->cr4 = CR4_PAE | CR4_PGE | CR4_PCIDE;
	c->efer = EFER_LME | EFER_LMA | EFER_NXE;
	c->seg[CS].attr |= SEG_L;
	c->id.phys_bits = 40;
	cpu_derive(c);
	tlb_flush_all(c);
	return t;
}

static void go(struct test_cpu *t, unsigned pcid, uint64_t keep)
{
	cr_write(t->c, 3, TOP(pcid) | pcid | keep);
}

/* Read VA(n) in all address spaces, then map PAGE(n + 1) there. */
static void cache_and_change(struct test_cpu *t, unsigned n, uint64_t flags)
{
	for (unsigned pcid = 0; pcid < PCIDS; pcid++) {
		*pte(t, pcid, n) = PAGE(n) | P | W | U | flags;
		go(t, pcid, KEEP);
		assert_int_equal(mem_read8(t->c, VA(n)), n);
	}
	for (unsigned pcid = 0; pcid < PCIDS; pcid++)
		*pte(t, pcid, n) = PAGE(n + 1) | P | W | U | flags;
	go(t, 1, KEEP);
}

/* Is the old translation of VA(n), by cache_and_change(), still there? */
static bool is_cached(struct test_cpu *t, unsigned pcid, unsigned n)
{
	go(t, pcid, KEEP);
	return mem_read8(t->c, VA(n)) == n;
}

/* Pages of flushes[]: */
enum { SAME, OTHER, GLOBAL };

static void flush_cr3(struct cpu *c)
{
	cr_write(c, 3, TOP(1) | 1);
}

static void flush_cr3_without_pcids(struct cpu *c)
{
	c->cr4 &= ~(uint64_t)CR4_PCIDE;
	c->cr3 = TOP(0);
	tlb_flush_nonglobal(c);
	c->cr4 |= CR4_PCIDE;
}

static void flush_pge(struct cpu *c)
{
	cr_write(c, 4, c->cr4 & ~(uint64_t)CR4_PGE);
	cr_write(c, 4, c->cr4 | CR4_PGE);
}

static void flush_pcide(struct cpu *c)
{
	cr_write(c, 3, TOP(0) | KEEP);
	cr_write(c, 4, c->cr4 & ~(uint64_t)CR4_PCIDE);
	cr_write(c, 4, c->cr4 | CR4_PCIDE);
}

static void flush_invlpg(struct cpu *c)
{
	tlb_flush_page(c, VA(SAME));
}

static void flush_invlpg_global(struct cpu *c)
{
	tlb_flush_page(c, VA(GLOBAL));
}

static void flush_address(struct cpu *c)
{
	invpcid(c, 0, 2, VA(SAME));
}

static void flush_address_of_this(struct cpu *c)
{
	invpcid(c, 0, 1, VA(SAME));
}

static void flush_address_global(struct cpu *c)
{
	invpcid(c, 0, 1, VA(GLOBAL));
}

static void flush_context(struct cpu *c)
{
	invpcid(c, 1, 2, 0);
}

static void flush_context_of_this(struct cpu *c)
{
	invpcid(c, 1, 1, 0);
}

static void flush_everything(struct cpu *c)
{
	invpcid(c, 2, 0, 0);
}

static void flush_all_nonglobal(struct cpu *c)
{
	invpcid(c, 3, 0, 0);
}

/* Done in PCID 1; a digit per PCID: 1 where the page is still cached. */
static const struct {
	const char *name;
	void (*flush)(struct cpu *c);
	const char *same, *other, *global;
} flushes[] = {
	{ "MOV CR3", flush_cr3, "101", "101", "111" },
	{ "no PCIDs", flush_cr3_without_pcids, "000", "000", "111" },
	{ "CR4.PGE", flush_pge, "000", "000", "000" },
	{ "CR4.PCIDE", flush_pcide, "000", "000", "000" },
	{ "INVLPG", flush_invlpg, "101", "111", "111" },
	{ "INVLPG of a global page", flush_invlpg_global, "111", "111",
	  "000" },
	{ "INVPCID 0", flush_address, "110", "111", "111" },
	{ "INVPCID 0 of this", flush_address_of_this, "101", "111", "111" },
	{ "INVPCID 0 of a global page", flush_address_global, "111", "111",
	  "111" },
	{ "INVPCID 1", flush_context, "110", "110", "111" },
	{ "INVPCID 1 of this", flush_context_of_this, "101", "101", "111" },
	{ "INVPCID 2", flush_everything, "000", "000", "000" },
	{ "INVPCID 3", flush_all_nonglobal, "000", "000", "111" },
};

static void check_cached(struct test_cpu *t, const char *name, unsigned n,
			 const char *wanted)
{
	for (unsigned pcid = 0; pcid < PCIDS; pcid++)
		if (is_cached(t, pcid, n) != (wanted[pcid] == '1'))
			TEST_FAIL("%s: page %u in PCID %u", name, n, pcid);
}

static void each_flush_drops_what_the_manual_says_and_no_more(void **state)
{
	for (unsigned i = 0; i < ARRAY_LEN(flushes); i++) {
		struct test_cpu *t = with_pcids();

		cache_and_change(t, SAME, 0);
		cache_and_change(t, OTHER, 0);
		cache_and_change(t, GLOBAL, G);
		assert_true(is_cached(t, 1, SAME));
		flushes[i].flush(t->c);
		check_cached(t, flushes[i].name, SAME, flushes[i].same);
		check_cached(t, flushes[i].name, OTHER, flushes[i].other);
		check_cached(t, flushes[i].name, GLOBAL, flushes[i].global);
		test_cpu_free(t);
	}
}

static void a_page_pushed_out_of_its_slot_comes_back_unwalked(void **state)
{
	struct test_cpu *t = with_pcids();

	assert_int_equal(tlb_slot(VA(1)), tlb_slot(FAR(1)));
	assert_int_equal(mem_read8(t->c, VA(1)), 1);
	*pte(t, 0, 1) = PAGE(2) | P | W | U;
	assert_int_equal(mem_read8(t->c, FAR(1)), 2);
	assert_int_equal(mem_read8(t->c, VA(1)), 1);
	assert_int_equal(mem_read8(t->c, FAR(1)), 2);
	tlb_flush_page(t->c, VA(1));
	assert_int_equal(mem_read8(t->c, VA(1)), 2);
	test_cpu_free(t);
}

static void one_walk_serves_all_privileges_by_their_rights(void **state)
{
	struct test_cpu *t = with_pcids();
	struct cpu *c = t->c;

	mem_write8(c, VA(1), 7);
	mem_write8(c, VA(2), 8);
	*pte(t, 0, 1) = 0;
	*pte(t, 0, 2) = PAGE(2) | P | U;
	assert_int_equal(mem_read_as(c, VA(1), 1, 3), 7);
	ASSERT_NO_FAULT(t, mem_write_as(c, VA(1), 9, 1, 3));
	c->tlb_index = TLB_SMAP;	/* refuses, walks, and finds nothing */
	ASSERT_FAULT(t, VEC_PF, 0, mem_read8(c, VA(1)));
	test_cpu_free(t);
}

static void a_clean_page_is_walked_for_the_first_write(void **state)
{
	struct test_cpu *t = with_pcids();
	const uint64_t dirty = 0x40;

	(void)mem_read8(t->c, VA(1));
	(void)mem_read8(t->c, FAR(1));
	(void)mem_read8(t->c, VA(1));
	assert_false(*pte(t, 0, 1) & dirty);
	mem_write8(t->c, VA(1), 1);
	assert_true(*pte(t, 0, 1) & dirty);
	test_cpu_free(t);
}

static void a_refill_sees_code_that_was_decoded_meanwhile(void **state)
{
	struct test_cpu *t = with_pcids();
	struct ram_page page;

	mem_write8(t->c, VA(1), 1);
	assert_non_null(mem_hit_write(t->c, VA(1), 1, t->c->tlb_index));
	go(t, 1, KEEP);
	assert_true(bus_ram_page(t->bus->bus, PAGE(1), &page));
	*page.code = 1;
	tlb_protect_page(t->c, page.hva);
	go(t, 0, KEEP);
	assert_int_equal(mem_read8(t->c, VA(1)), 1);
	assert_null(mem_hit_write(t->c, VA(1), 1, t->c->tlb_index));
	mem_write8(t->c, VA(1), 2);
	assert_int_equal(t->code_calls, 1);
	*page.code = 0;
	test_cpu_free(t);
}

/* Only the tables for stores have tags for them. */
static void decoded_code_leaves_addends_alone(void **state)
{
	struct test_cpu *t = with_pcids();
	struct ram_page page;
	const struct tlb_entry *e;

	(void)mem_read8(t->c, VA(1));
	e = &t->c->tlb.entry[t->c->tlb_index][tlb_slot(VA(1))];
	assert_true(bus_ram_page(t->bus->bus, PAGE(1), &page));
	assert_int_equal(VA(1) + e->addend, (uintptr_t)page.hva);
	*page.code = 1;
	tlb_protect_page(t->c, page.hva);
	assert_int_equal(VA(1) + e->addend, (uintptr_t)page.hva);
	*page.code = 0;
	test_cpu_free(t);
}

static void invlpg_drops_all_pieces_of_a_large_page(void **state)
{
	struct test_cpu *t = with_pcids();
	uint64_t *pde = slot64(t, DIR2(1), 2);
	gva_t low = 0x40400000, high = 0x405ff000;

	t->ram[0x200000] = 1;
	t->ram[0x3ff000] = 2;
	go(t, 1, KEEP);
	*pde = 0x200000 | P | W | PS;
	assert_int_equal(mem_read8(t->c, low), 1);
	assert_int_equal(mem_read8(t->c, high), 2);
	*pde = P | W | PS;
	go(t, 0, KEEP);
	tlb_flush_page(t->c, low + 0x5000);	/* of another PCID */
	go(t, 1, KEEP);
	assert_int_equal(mem_read8(t->c, low + 0x1ff000), 2);
	tlb_flush_page(t->c, low + 0x5000);
	assert_int_equal(mem_read8(t->c, low), t->ram[0]);
	assert_int_equal(mem_read8(t->c, high), t->ram[0x1ff000]);
	*pde = 0x200000 | P | W | PS;
	invpcid(t->c, 0, 1, high);
	assert_int_equal(mem_read8(t->c, low), 1);
	test_cpu_free(t);
}

static void invlpg_drops_a_gibibyte(void **state)
{
	struct test_cpu *t = with_pcids();
	uint64_t *pdpte = slot64(t, DIR3(0), 2);

	t->ram[0x200000] = 1;
	*pdpte = P | W | PS | G;
	assert_int_equal(mem_read8(t->c, 0x80200000), 1);
	assert_int_equal(mem_read8(t->c, 0x80000000), t->ram[0]);
	*pdpte = 0;
	assert_int_equal(mem_read8(t->c, 0x80200000), 1);
	tlb_flush_page(t->c, 0xbffff000);
	ASSERT_FAULT(t, VEC_PF, 0, mem_read8(t->c, 0x80200000));
	ASSERT_FAULT(t, VEC_PF, 0, mem_read8(t->c, 0x80000000));
	test_cpu_free(t);
}

static void a_new_bus_map_drops_both_levels(void **state)
{
	static _Alignas(4096) uint8_t rom[0x1000] = { 77 };
	struct test_cpu *t = with_pcids();

	tlb_check_generation(t->c);
	(void)mem_read8(t->c, VA(1));
	go(t, 1, KEEP);
	assert_int_equal(bus_map_ram(t->bus->bus, PAGE(1), 0x1000, rom, true,
				     NULL), 0);
	tlb_check_generation(t->c);
	go(t, 0, KEEP);
	assert_int_equal(mem_read8(t->c, VA(1)), 77);
	mem_write8(t->c, VA(1), 1);
	assert_int_equal(rom[0], 77);
	test_cpu_free(t);
}

/* ---- epochs ---- */

static uint32_t epoch_in(struct test_cpu *t, unsigned pcid)
{
	go(t, pcid, KEEP);
	return t->c->map_epoch;
}

static void an_address_space_not_flushed_keeps_its_epoch(void **state)
{
	struct test_cpu *t = with_pcids();
	uint32_t e0 = epoch_in(t, 0), e1 = epoch_in(t, 1), again;

	assert_int_not_equal(e0, e1);
	assert_int_equal(epoch_in(t, 0), e0);
	assert_int_equal(epoch_in(t, 1), e1);
	go(t, 1, 0);
	again = t->c->map_epoch;
	assert_true(again != e0 && again != e1);
	assert_int_equal(epoch_in(t, 0), e0);
	assert_int_equal(epoch_in(t, 1), again);
	invpcid(t->c, 1, 0, 0);
	assert_int_equal(t->c->map_epoch, again);
	assert_int_not_equal(epoch_in(t, 0), e0);
	test_cpu_free(t);
}

static void invlpg_renews_the_epochs_that_knew_the_page(void **state)
{
	struct test_cpu *t = with_pcids();
	uint32_t e0 = epoch_in(t, 0), e1 = epoch_in(t, 1);

	tlb_flush_page(t->c, VA(1));
	assert_int_not_equal(t->c->map_epoch, e1);
	assert_int_equal(epoch_in(t, 0), e0);
	*pte(t, 0, 1) |= G;
	(void)mem_read8(t->c, VA(1));
	go(t, 1, KEEP);
	tlb_flush_page(t->c, VA(1));
	assert_int_not_equal(epoch_in(t, 0), e0);
	test_cpu_free(t);
}

static void each_flush_of_everything_renews_all_epochs(void **state)
{
	struct test_cpu *t = with_pcids();
	uint32_t e0 = epoch_in(t, 0), e1 = epoch_in(t, 1);

	for (unsigned type = 2; type <= 3; type++) {
		invpcid(t->c, type, 0, 0);
		assert_int_not_equal(t->c->map_epoch, e1);
		e1 = t->c->map_epoch;
		assert_int_not_equal(epoch_in(t, 0), e0);
		e0 = t->c->map_epoch;
		assert_int_equal(epoch_in(t, 1), e1);
	}
	test_cpu_free(t);
}

static void numbers_start_again_with_an_empty_tlb(void **state)
{
	struct test_cpu *t = with_pcids();
	uint32_t code_epoch = t->c->code_epoch;

	(void)mem_read8(t->c, VA(1));
	*pte(t, 0, 1) = PAGE(2) | P | W | U;
	t->c->stlb.last = UINT32_MAX - 1;
	go(t, 1, 0);
	assert_int_not_equal(t->c->code_epoch, code_epoch);
	assert_true(t->c->stlb.last < 10);
	assert_int_equal(mem_read8(t->c, VA(1)), 1);
	go(t, 0, KEEP);
	assert_int_equal(mem_read8(t->c, VA(1)), 2);
	test_cpu_free(t);
}

/* ---- at random, against a model ---- */

/* What a read may find: a bit per page that the table has had since the last
 * flush of it. */
struct model {
	struct test_cpu *t;
	unsigned pcid;			/* current */
	uint8_t may[PCIDS][PAGES];
	uint64_t seed;
};

static unsigned draw(struct model *m, unsigned n)
{
	m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(m->seed >> 33) % n;
}

static unsigned mapped(struct model *m, unsigned pcid, unsigned n)
{
	return (unsigned)((*pte(m->t, pcid, n) - PAGE(0)) >> PAGE_BITS);
}

static void forget_page(struct model *m, unsigned pcid, unsigned n)
{
	m->may[pcid][n] = (uint8_t)(1u << mapped(m, pcid, n));
}

static void forget(struct model *m, unsigned pcid)
{
	for (unsigned n = 0; n < PAGES; n++)
		forget_page(m, pcid, n);
}

static void map_at_random(struct model *m, unsigned pcid, unsigned n)
{
	unsigned to = draw(m, PAGES);

	*pte(m->t, pcid, n) = PAGE(to) | P | W | U;
	m->may[pcid][n] |= (uint8_t)(1u << to);
}

static void flush_at_random(struct model *m, unsigned pcid, unsigned n)
{
	struct cpu *c = m->t->c;

	switch (draw(m, 6)) {
	case 0:
		go(m->t, m->pcid, 0);
		forget(m, m->pcid);
		break;
	case 1:		/* both addresses have one entry in the tables */
		tlb_flush_page(c, VA(n));
		tlb_flush_page(c, FAR(n));
		forget_page(m, m->pcid, n);
		break;
	case 2:
		invpcid(c, 0, pcid, VA(n));
		invpcid(c, 0, pcid, FAR(n));
		forget_page(m, pcid, n);
		break;
	case 3:
		invpcid(c, 1, pcid, 0);
		forget(m, pcid);
		break;
	case 4:
	case 5:
		invpcid(c, 2 + draw(m, 2), 0, 0);
		for (unsigned i = 0; i < PCIDS; i++)
			forget(m, i);
		break;
	}
}

static void read_at_random(struct model *m, unsigned n)
{
	gva_t a = draw(m, 2) ? VA(n) : FAR(n);
	unsigned cpl = draw(m, 2) ? 3 : 0;
	unsigned found = (unsigned)mem_read_as(m->t->c, a, 1, cpl);

	if (!(m->may[m->pcid][n] >> found & 1))
		TEST_FAIL("page %u in PCID %u is stale", n, m->pcid);
}

static void nothing_flushed_is_found_again(void **state)
{
	struct model m = { .t = with_pcids(), .seed = 1 };

	for (unsigned i = 0; i < PCIDS; i++)
		forget(&m, i);
	for (unsigned i = 0; i < 100000; i++) {
		unsigned pcid = draw(&m, PCIDS), n = draw(&m, PAGES);
		unsigned what = draw(&m, 20);

		if (what < 12) {
			read_at_random(&m, n);
		} else if (what < 16) {
			map_at_random(&m, pcid, n);
		} else if (what < 19) {
			go(m.t, pcid, KEEP);
			m.pcid = pcid;
		} else {
			flush_at_random(&m, pcid, n);
		}
	}
	test_cpu_free(m.t);
}

TEST_MAIN("tlb",
	  TEST(no_address_of_a_slot_hits_its_empty_tag),
	  TEST(an_access_leaves_the_host_page_in_its_entry),
	  TEST(each_flush_drops_what_the_manual_says_and_no_more),
	  TEST(a_page_pushed_out_of_its_slot_comes_back_unwalked),
	  TEST(one_walk_serves_all_privileges_by_their_rights),
	  TEST(a_clean_page_is_walked_for_the_first_write),
	  TEST(a_refill_sees_code_that_was_decoded_meanwhile),
	  TEST(decoded_code_leaves_addends_alone),
	  TEST(invlpg_drops_all_pieces_of_a_large_page),
	  TEST(invlpg_drops_a_gibibyte),
	  TEST(a_new_bus_map_drops_both_levels),
	  TEST(an_address_space_not_flushed_keeps_its_epoch),
	  TEST(invlpg_renews_the_epochs_that_knew_the_page),
	  TEST(each_flush_of_everything_renews_all_epochs),
	  TEST(numbers_start_again_with_an_empty_tlb),
	  TEST(nothing_flushed_is_found_again))
