/* cpu/x86/paging_test.c - page walks, their faults and bits, and the TLB.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/paging.h"
#include "cpu/x86/test_cpu.h"

#define P	1ull
#define W	2ull
#define U	4ull
#define A	0x20ull
#define D	0x40ull
#define PS	0x80ull
#define G	0x100ull
#define NX	(1ull << 63)

/* Where the tables are in RAM. */
#define TOP	0x10000ull	/* CR3 */
#define DIR3	0x11000ull
#define DIR2	0x12000ull
#define DIR1	0x13000ull
#define PAGE	0x20000ull	/* the page mapped */
#define VA	0x40201000ull	/* its linear address: 0, 1, 1, 1 */

static uint64_t *slot64(struct test_cpu *t, uint64_t table, unsigned n)
{
	return (uint64_t *)(void *)(t->ram + table + n * 8);
}

static uint32_t *slot32(struct test_cpu *t, uint64_t table, unsigned n)
{
	return (uint32_t *)(void *)(t->ram + table + n * 4);
}

static void at_cpl(struct test_cpu *t, unsigned cpl)
{
	t->c->cpl = (uint8_t)cpl;
	cpu_derive(t->c);
}

/* 4-level paging on, VA mapped for user writes. */
static struct test_cpu *long_mode(void)
{
	struct test_cpu *t = test_cpu_new();
	struct cpu *c = t->c;

	*slot64(t, TOP, 0) = DIR3 | P | W | U;
	*slot64(t, DIR3, 1) = DIR2 | P | W | U;
	*slot64(t, DIR2, 1) = DIR1 | P | W | U;
	*slot64(t, DIR1, 1) = PAGE | P | W | U;
	c->cr0 = CR0_PE | CR0_PG | CR0_WP;
	c->cr3 = TOP;
	c->cr4 = CR4_PAE | CR4_PGE;
	c->efer = EFER_LME | EFER_LMA | EFER_NXE;
	c->seg[CS].attr |= SEG_L;
	c->id.phys_bits = 40;
	cpu_derive(c);
	return t;
}

static struct test_cpu *paging32(void)
{
	struct test_cpu *t = test_cpu_new();
	struct cpu *c = t->c;

	*slot32(t, TOP, VA >> 22) = DIR1 | P | W | U;
	*slot32(t, DIR1, VA >> 12 & 1023) = PAGE | P | W | U;
	c->cr0 = CR0_PE | CR0_PG | CR0_WP;
	c->cr3 = TOP;
	c->cr4 = CR4_PSE;
	c->seg[CS].attr |= SEG_DB;
	c->id.phys_bits = 40;
	cpu_derive(c);
	return t;
}

static struct test_cpu *paging_pae(void)
{
	struct test_cpu *t = test_cpu_new();
	struct cpu *c = t->c;

	*slot64(t, TOP, 1) = DIR2 | P;
	*slot64(t, DIR2, 1) = DIR1 | P | W | U;
	*slot64(t, DIR1, 1) = PAGE | P | W | U;
	c->cr0 = CR0_PE | CR0_PG | CR0_WP;
	c->cr3 = TOP;
	c->cr4 = CR4_PAE;
	c->efer = EFER_NXE;
	c->seg[CS].attr |= SEG_DB;
	c->id.phys_bits = 40;
	assert_true(paging_load_pdptes(c, TOP));
	cpu_derive(c);
	return t;
}

static uint8_t *fetch(struct test_cpu *t, gva_t a)
{
	uint64_t gpa;

	return (uint8_t *)(uintptr_t)mem_fetch(t->c, a, &gpa);
}

static void without_paging_linear_is_physical(void **state)
{
	struct test_cpu *t = test_cpu_new();

	mem_write64(t->c, 0x1ff9, 0x1122334455667788);
	assert_int_equal(load_le64(t->ram + 0x1ff9), 0x1122334455667788);
	assert_int_equal(mem_read64(t->c, 0x1ff9), 0x1122334455667788);
	assert_int_equal(mem_read16(t->c, 0x1fff), 0x1122);
	test_cpu_free(t);
}

static void every_format_maps_a_4k_page_and_sets_its_bits(void **state)
{
	struct test_cpu *(*const make[])(void) = { long_mode, paging32,
						   paging_pae };

	for (unsigned i = 0; i < ARRAY_LEN(make); i++) {
		struct test_cpu *t = make[i]();
		uint32_t *pte = i == 1 ? slot32(t, DIR1, VA >> 12 & 1023)
				       : slot32(t, DIR1, 2);
		uint32_t *pde = i == 1 ? slot32(t, TOP, VA >> 22)
				       : slot32(t, DIR2, 2);

		t->ram[PAGE + 8] = 0x5a;
		assert_int_equal(mem_read8(t->c, VA + 8), 0x5a);
		assert_int_equal(*pte & (A | D), A);
		assert_int_equal(*pde & (A | D), A);
		mem_write8(t->c, VA + 8, 0xa5);
		assert_int_equal(t->ram[PAGE + 8], 0xa5);
		assert_int_equal(*pte & (A | D), A | D);
		assert_int_equal(*pde & (A | D), A);
		test_cpu_free(t);
	}
}

/* What is wrong with the mapping, who does what, and the error code. */
static const struct denial {
	const char *what;
	uint64_t top, dir3, dir2, pte;	/* bits toggled in P | W | U */
	unsigned cpl;
	enum access access;
	uint32_t cr4;
	uint32_t code;
} denials[] = {
	{ "not present, read", 0, 0, 0, P, 0, ACCESS_READ, 0, 0 },
	{ "not present, write", 0, 0, P, 0, 0, ACCESS_WRITE, 0, PF_WRITE },
	{ "not present, user", P, 0, 0, 0, 3, ACCESS_READ, 0, PF_USER },
	{ "not present, user fetch", 0, P, 0, 0, 3, ACCESS_EXEC, 0,
	  PF_USER | PF_FETCH },
	{ "read-only leaf, WP", 0, 0, 0, W, 0, ACCESS_WRITE, 0,
	  PF_PRESENT | PF_WRITE },
	{ "read-only directory, user", 0, 0, W, 0, 3, ACCESS_WRITE, 0,
	  PF_PRESENT | PF_WRITE | PF_USER },
	{ "read-only top", W, 0, 0, 0, 0, ACCESS_RMW, 0,
	  PF_PRESENT | PF_WRITE },
	{ "supervisor page, user read", 0, U, 0, 0, 3, ACCESS_READ, 0,
	  PF_PRESENT | PF_USER },
	{ "supervisor page, user fetch", 0, 0, 0, U, 3, ACCESS_EXEC, 0,
	  PF_PRESENT | PF_USER | PF_FETCH },
	{ "no-execute leaf", 0, 0, 0, NX, 0, ACCESS_EXEC, 0,
	  PF_PRESENT | PF_FETCH },
	{ "no-execute directory", 0, NX, 0, 0, 3, ACCESS_EXEC, 0,
	  PF_PRESENT | PF_USER | PF_FETCH },
	{ "SMEP", 0, 0, 0, 0, 0, ACCESS_EXEC, CR4_SMEP,
	  PF_PRESENT | PF_FETCH },
	{ "SMAP read", 0, 0, 0, 0, 0, ACCESS_READ, CR4_SMAP, PF_PRESENT },
	{ "SMAP write", 0, 0, 0, 0, 0, ACCESS_WRITE, CR4_SMAP,
	  PF_PRESENT | PF_WRITE },
	{ "reserved leaf bit", 0, 0, 0, 1ull << 40, 0, ACCESS_READ, 0,
	  PF_PRESENT | PF_RESERVED },
	{ "reserved top PS", PS, 0, 0, 0, 3, ACCESS_WRITE, 0,
	  PF_PRESENT | PF_RESERVED | PF_WRITE | PF_USER },
	{ "reserved 1G bits", 0, PS | 1 << 13, 0, 0, 0, ACCESS_READ, 0,
	  PF_PRESENT | PF_RESERVED },
	{ "reserved 2M bits", 0, 0, PS | 1 << 14, 0, 0, ACCESS_EXEC, 0,
	  PF_PRESENT | PF_RESERVED | PF_FETCH },
	{ "reserved before denied", 0, U, 0, 1ull << 51, 3, ACCESS_READ, 0,
	  PF_PRESENT | PF_RESERVED | PF_USER },
};

static void faults_have_their_exact_error_code(void **state)
{
	for (unsigned i = 0; i < ARRAY_LEN(denials); i++) {
		const struct denial *d = &denials[i];
		struct test_cpu *t = long_mode();

		*slot64(t, TOP, 0) ^= d->top;
		*slot64(t, DIR3, 1) ^= d->dir3;
		*slot64(t, DIR2, 1) ^= d->dir2;
		*slot64(t, DIR1, 1) ^= d->pte;
		t->c->cr4 |= d->cr4;
		at_cpl(t, d->cpl);
		if (sigsetjmp(t->c->on_fault, 0)) {
			if (t->c->fault.code != d->code)
				TEST_FAIL("%s: code %x, not %x", d->what,
					 t->c->fault.code, d->code);
			assert_int_equal(t->c->fault.vector, VEC_PF);
			assert_int_equal(t->c->cr2, VA + 4);
		} else {
			if (d->access == ACCESS_EXEC)
				(void)fetch(t, VA + 4);
			else
				mem_probe(t->c, VA + 4, 4, d->access);
			TEST_FAIL("%s: nothing raised", d->what);
		}
		assert_false(*slot64(t, DIR1, 1) & (A | D));
		test_cpu_free(t);
	}
}

static void supervisor_writes_read_only_pages_without_wp(void **state)
{
	struct test_cpu *t = long_mode();

	*slot64(t, DIR1, 1) = PAGE | P | U;
	t->c->cr0 &= ~CR0_WP;
	ASSERT_NO_FAULT(t, mem_write8(t->c, VA, 1));
	at_cpl(t, 3);
	ASSERT_FAULT(t, VEC_PF, PF_PRESENT | PF_WRITE | PF_USER,
		     mem_write8(t->c, VA, 1));
	test_cpu_free(t);
}

static void without_nxe_the_nx_bit_is_reserved_and_fetch_untold(void **state)
{
	struct test_cpu *t = long_mode();

	*slot64(t, DIR1, 1) |= NX;
	t->c->efer &= ~EFER_NXE;
	ASSERT_FAULT(t, VEC_PF, PF_PRESENT | PF_RESERVED, fetch(t, VA));
	test_cpu_free(t);
}

static void smap_yields_to_ac_but_not_for_implicit_accesses(void **state)
{
	struct test_cpu *t = long_mode();

	t->c->cr4 |= CR4_SMAP;
	t->c->rflags |= FLAG_AC;
	cpu_derive(t->c);
	ASSERT_NO_FAULT(t, mem_read8(t->c, VA));
	ASSERT_FAULT(t, VEC_PF, PF_PRESENT, mem_read_sys(t->c, VA, 4));
	at_cpl(t, 3);
	ASSERT_NO_FAULT(t, mem_read8(t->c, VA));
	ASSERT_FAULT(t, VEC_PF, PF_PRESENT | PF_WRITE,
		     mem_write_sys(t->c, VA, 0, 2));
	t->c->rflags = 0;
	ASSERT_FAULT(t, VEC_PF, PF_PRESENT, mem_read_as(t->c, VA, 4, 0));
	test_cpu_free(t);
}

static void large_pages_map_and_invlpg_drops_all_of_them(void **state)
{
	struct test_cpu *t = long_mode();

	*slot64(t, DIR2, 1) = 0x200000 | PS | P | W | G;
	t->ram[0x201234] = 1;
	t->ram[0x202234] = 2;
	assert_int_equal(mem_read8(t->c, 0x40201234), 1);
	assert_int_equal(mem_read8(t->c, 0x40202234), 2);
	assert_int_equal(*slot64(t, DIR2, 1) & (A | D), A);
	*slot64(t, DIR2, 1) = PS | P | W;
	assert_int_equal(mem_read8(t->c, 0x40202234), 2);
	tlb_flush_page(t->c, 0x40201234);
	assert_int_equal(mem_read8(t->c, 0x40202234), 0);
	*slot64(t, DIR3, 1) = PS | P | W;
	tlb_flush_all(t->c);
	assert_int_equal(mem_read8(t->c, 0x40202234), 2);
	t->ram[0x3234] = 7;
	assert_int_equal(mem_read8(t->c, 0x40003234), 7);
	test_cpu_free(t);
}

static void pse36_pages_reach_over_4g_and_reserve_the_rest(void **state)
{
	struct test_cpu *t = paging32();
	uint32_t *pde = slot32(t, TOP, VA >> 22);
	uint64_t gpa;

	*pde = 0x400000 | 0x1e000 | PS | P;
	assert_true(mem_debug_translate(t->c, VA, &gpa));
	assert_int_equal(gpa, 0xf00000000 + 0x400000 + (VA & 0x3fffff));
	*pde = PS | P | 1 << 21;
	ASSERT_FAULT(t, VEC_PF, PF_PRESENT | PF_RESERVED,
		     mem_read8(t->c, VA));
	*pde = PS | P | 1 << 20;
	t->c->id.phys_bits = 39;
	ASSERT_FAULT(t, VEC_PF, PF_PRESENT | PF_RESERVED,
		     mem_read8(t->c, VA));
	t->c->cr4 = 0;		/* then PS means nothing */
	*pde = DIR1 | P | PS;
	ASSERT_NO_FAULT(t, mem_read8(t->c, VA));
	test_cpu_free(t);
}

static void pdptes_are_kept_and_checked(void **state)
{
	struct test_cpu *t = paging_pae();

	*slot64(t, TOP, 1) = 0;		/* not seen until the next load */
	ASSERT_NO_FAULT(t, mem_read8(t->c, VA));
	*slot64(t, TOP, 2) = P | W;
	assert_false(paging_load_pdptes(t->c, TOP));
	tlb_flush_all(t->c);
	ASSERT_NO_FAULT(t, mem_read8(t->c, VA));
	*slot64(t, TOP, 2) = W;		/* not present: not checked */
	assert_true(paging_load_pdptes(t->c, TOP));
	tlb_flush_all(t->c);
	ASSERT_FAULT(t, VEC_PF, 0, mem_read8(t->c, VA));
	test_cpu_free(t);
}

static void global_pages_stay_over_cr3(void **state)
{
	struct test_cpu *t = long_mode();

	*slot64(t, DIR1, 2) = (PAGE + 0x1000) | P | W | U | G;
	t->ram[PAGE] = 1;
	t->ram[PAGE + 0x1000] = 2;
	assert_int_equal(mem_read8(t->c, VA), 1);
	assert_int_equal(mem_read8(t->c, VA + 0x1000), 2);
	*slot64(t, DIR1, 1) = 0;
	*slot64(t, DIR1, 2) = 0;
	tlb_flush_nonglobal(t->c);
	ASSERT_FAULT(t, VEC_PF, 0, mem_read8(t->c, VA));
	ASSERT_NO_FAULT(t, mem_read8(t->c, VA + 0x1000));
	tlb_flush_page(t->c, VA + 0x1000);
	ASSERT_FAULT(t, VEC_PF, 0, mem_read8(t->c, VA + 0x1000));
	test_cpu_free(t);
}

static void a_cached_right_needs_no_walk_and_a_missing_one_walks(void **state)
{
	struct test_cpu *t = long_mode();

	*slot64(t, DIR1, 1) = PAGE | P | U;
	ASSERT_NO_FAULT(t, mem_read8(t->c, VA));
	*slot64(t, DIR1, 1) = PAGE | P | U | W;
	ASSERT_NO_FAULT(t, mem_write8(t->c, VA, 1));
	assert_int_equal(*slot64(t, DIR1, 1) & (A | D), A | D);
	test_cpu_free(t);
}

static void noncanonical_addresses_are_gp(void **state)
{
	struct test_cpu *t = long_mode();

	ASSERT_FAULT(t, VEC_GP, 0, mem_read8(t->c, 0x800000000000));
	test_cpu_free(t);
}

static void closed_a20_wraps_the_second_megabyte(void **state)
{
	struct test_cpu *t = test_cpu_new();

	t->ram[0x10] = 1;
	t->ram[0x100010] = 2;
	assert_int_equal(mem_read8(t->c, 0x100010), 2);
	bus_set_a20(t->bus->bus, false);
	tlb_check_generation(t->c);
	assert_int_equal(mem_read8(t->c, 0x100010), 1);
	test_cpu_free(t);
}

static void tables_outside_ram_read_as_ones(void **state)
{
	struct test_cpu *t = long_mode();

	t->c->cr3 = 0x80000000;
	ASSERT_FAULT(t, VEC_PF, PF_PRESENT | PF_RESERVED,
		     mem_read8(t->c, VA));
	test_cpu_free(t);
}

TEST_MAIN("paging",
	  TEST(without_paging_linear_is_physical),
	  TEST(every_format_maps_a_4k_page_and_sets_its_bits),
	  TEST(faults_have_their_exact_error_code),
	  TEST(supervisor_writes_read_only_pages_without_wp),
	  TEST(without_nxe_the_nx_bit_is_reserved_and_fetch_untold),
	  TEST(smap_yields_to_ac_but_not_for_implicit_accesses),
	  TEST(large_pages_map_and_invlpg_drops_all_of_them),
	  TEST(pse36_pages_reach_over_4g_and_reserve_the_rest),
	  TEST(pdptes_are_kept_and_checked),
	  TEST(global_pages_stay_over_cr3),
	  TEST(a_cached_right_needs_no_walk_and_a_missing_one_walks),
	  TEST(noncanonical_addresses_are_gp),
	  TEST(closed_a20_wraps_the_second_megabyte),
	  TEST(tables_outside_ram_read_as_ones))
