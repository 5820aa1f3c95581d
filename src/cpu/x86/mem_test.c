/* cpu/x86/mem_test.c - slow memory paths: page crossings, register windows,
 * ROM, code pages, alignment and watchpoints.
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "cpu/x86/paging.h"
#include "cpu/x86/test_cpu.h"

#define WINDOW	0xfe000000ull
#define ROM	0xfff00000ull

/* A window that writes down what it is asked. */
static char heard[256];

static uint64_t window_read(void *dev, uint64_t off, unsigned size)
{
	size_t at = strlen(heard);

	(void)dev;
	(void)snprintf(heard + at, sizeof(heard) - at, "r%x/%u ",
		       (unsigned)off, size);
	return 0x8877665544332211 >> (off & 7) * 8;
}

static void window_write(void *dev, uint64_t off, uint64_t v, unsigned size)
{
	size_t at = strlen(heard);

	(void)dev;
	(void)snprintf(heard + at, sizeof(heard) - at, "w%x/%u=%llx ",
		       (unsigned)off, size, (unsigned long long)v);
}

static const struct io_ops window_ops = {
	.min_size = 1, .max_size = 8,
	.read = window_read, .write = window_write,
};
static struct window window;

static struct test_cpu *with_window(void)
{
	struct test_cpu *t = test_cpu_new();

	heard[0] = 0;
	window = (struct window){ .name = "window", .ops = &window_ops };
	assert_int_equal(bus_map_mmio(t->bus->bus, &window, WINDOW, 0x2000,
				      NULL), 0);
	tlb_check_generation(t->c);
	return t;
}

/* 32-bit paging: page 0 of RAM at 0x400000 and WINDOW after it, the tables at
 * 0x10000; page 3 of the region is not there. */
static void page_it(struct test_cpu *t)
{
	uint32_t *pd = (uint32_t *)(void *)(t->ram + 0x10000);
	uint32_t *pt = (uint32_t *)(void *)(t->ram + 0x11000);

	pd[1] = 0x11000 | 7;
	pt[0] = 0x5000 | 7;
	pt[1] = (uint32_t)WINDOW | 7;
	pt[2] = 0x6000 | 7;
	t->c->cr3 = 0x10000;
	t->c->cr0 = CR0_PE | CR0_PG | CR0_AM | CR0_WP;
	tlb_flush_all(t->c);
	cpu_derive(t->c);
}

static void windows_are_read_and_written_whole(void **state)
{
	struct test_cpu *t = with_window();

	assert_int_equal(mem_read32(t->c, WINDOW), 0x44332211);
	assert_int_equal(mem_read64(t->c, WINDOW + 8), 0x8877665544332211);
	mem_write16(t->c, WINDOW + 2, 0xabcd);
	assert_string_equal(heard, "r0/4 r8/8 w2/2=abcd ");
	test_cpu_free(t);
}

static void an_access_over_two_kinds_of_page_is_cut_at_the_border(void **state)
{
	struct test_cpu *t = with_window();

	page_it(t);
	store_le32(t->ram + 0x5ffc, 0xa1b2c3d4);
	assert_int_equal(mem_read64(t->c, 0x400ffc), 0x44332211a1b2c3d4);
	assert_string_equal(heard, "r0/4 ");
	heard[0] = 0;
	mem_write64(t->c, 0x400ffb, 0x0807060504030201);
	assert_int_equal(load_le32(t->ram + 0x5ffb), 0x04030201);
	assert_int_equal(t->ram[0x5fff], 5);
	assert_string_equal(heard, "w0/2=706 w2/1=8 ");
	test_cpu_free(t);
}

static void a_crossing_write_stores_nothing_if_its_second_page_faults(
	void **state)
{
	struct test_cpu *t = with_window();
	uint8_t block[64] = { 1 };

	page_it(t);
	memset(t->ram + 0x6000, 0x77, 0x1000);
	ASSERT_FAULT(t, VEC_PF, PF_WRITE, mem_write32(t->c, 0x402ffe, 0));
	assert_int_equal(t->c->cr2, 0x403000);
	ASSERT_FAULT(t, VEC_PF, PF_WRITE,
		     mem_write_block(t->c, 0x402ff0, block, sizeof(block)));
	for (unsigned i = 0; i < 0x1000; i++)
		assert_int_equal(t->ram[0x6000 + i], 0x77);
	test_cpu_free(t);
}

static void addresses_wrap_at_4g_outside_64_bit_code(void **state)
{
	struct test_cpu *t = test_cpu_new();

	t->ram[0] = 0x12;
	assert_int_equal(mem_read16(t->c, 0xffffffff), 0x12ff);
	test_cpu_free(t);
}

static void rom_drops_writes(void **state)
{
	struct test_cpu *t = test_cpu_new();
	static uint8_t rom[4096] __attribute__((aligned(4096)));

	rom[5] = 0x55;
	assert_int_equal(bus_map_ram(t->bus->bus, ROM, sizeof(rom), rom, true,
				     NULL), 0);
	tlb_check_generation(t->c);
	mem_write8(t->c, ROM + 5, 0xff);
	mem_write64(t->c, ROM, ~0ull);
	assert_int_equal(mem_read8(t->c, ROM + 5), 0x55);
	assert_null(mem_rmw_host(t->c, ROM, 4));
	assert_int_equal(t->code_calls, 0);
	test_cpu_free(t);
}

static uint8_t *code_byte(struct test_cpu *t, uint64_t gpa)
{
	struct ram_page page;

	assert_true(bus_ram_page(t->bus->bus, gpa, &page));
	return page.code;
}

static void stores_to_pages_with_code_are_told_after_the_store(void **state)
{
	struct test_cpu *t = test_cpu_new();

	mem_write8(t->c, 0x3000, 1);
	assert_int_equal(mem_read8(t->c, 0x3000), 1);
	assert_int_equal(t->code_calls, 0);
	assert_non_null(mem_hit_write(t->c, 0x3000, 1, t->c->tlb_index));
	*code_byte(t, 0x3000) = 1;
	tlb_protect_page(t->c, t->ram + 0x3000);
	assert_null(mem_hit_write(t->c, 0x3000, 1, t->c->tlb_index));
	assert_non_null(mem_hit_read(t->c, 0x3000, 1, t->c->tlb_index));
	/* An atomic goes to the host's memory all the same, and tells later. */
	assert_ptr_equal(mem_rmw_host(t->c, 0x3000, 4), t->ram + 0x3000);
	assert_true(t->c->port.events & VCPU_SYNC);
	mem_rmw_tell(t->c);
	assert_int_equal(t->code_calls, 1);
	assert_int_equal(t->code_gpa, 0x3000);
	mem_rmw_tell(t->c);
	assert_int_equal(t->code_calls, 1);
	t->code_calls = 0;
	mem_write32(t->c, 0x3010, 0x11223344);
	assert_int_equal(t->code_calls, 1);
	assert_int_equal(t->code_gpa, 0x3010);
	assert_int_equal(t->code_len, 4);
	assert_int_equal(load_le32(t->ram + 0x3010), 0x11223344);
	mem_write32(t->c, 0x2ffe, 0);		/* half of it lies there */
	assert_int_equal(t->code_calls, 2);
	assert_int_equal(t->code_gpa, 0x3000);
	assert_int_equal(t->code_len, 2);
	*code_byte(t, 0x3000) = 0;
	mem_write8(t->c, 0x3000, 1);		/* the tag comes back */
	assert_non_null(mem_hit_write(t->c, 0x3000, 1, t->c->tlb_index));
	test_cpu_free(t);
}

static void a_filled_entry_has_no_write_tag_where_there_is_code(void **state)
{
	struct test_cpu *t = test_cpu_new();
	uint64_t len;

	*code_byte(t, 0x3000) = 1;
	assert_int_equal(mem_read8(t->c, 0x3000), 0);
	assert_null(mem_hit_write(t->c, 0x3000, 1, t->c->tlb_index));
	assert_null(mem_run(t->c, 0x3000, ACCESS_WRITE, &len));
	assert_non_null(mem_run(t->c, 0x3ff0, ACCESS_READ, &len));
	assert_int_equal(len, 16);
	test_cpu_free(t);
}

static void code_hit_inside_a_locked_pair_is_told_at_its_end(void **state)
{
	struct test_cpu *t = test_cpu_new();

	*code_byte(t, 0x3000) = 1;
	mem_rmw_begin(t->c);
	mem_write32(t->c, 0x3020, 1);
	assert_int_equal(t->code_calls, 0);
	mem_rmw_end(t->c);
	assert_int_equal(t->code_calls, 1);
	assert_int_equal(t->code_gpa, 0x3020);
	mem_rmw_begin(t->c);
	mem_rmw_abort(t->c);
	assert_false(t->c->rmw_held);
	mem_rmw_abort(t->c);
	mem_rmw_begin(t->c);
	mem_rmw_end(t->c);
	test_cpu_free(t);
}

static void misaligned_user_accesses_raise_ac_when_asked(void **state)
{
	struct test_cpu *t = with_window();

	page_it(t);
	t->c->cpl = 3;
	t->c->rflags |= FLAG_AC;
	cpu_derive(t->c);
	ASSERT_FAULT(t, VEC_AC, 0, mem_read32(t->c, 0x400002));
	ASSERT_FAULT(t, VEC_AC, 0, mem_write16(t->c, 0x400001, 0));
	ASSERT_FAULT(t, VEC_AC, 0, mem_rmw_host(t->c, 0x400004, 8));
	ASSERT_NO_FAULT(t, mem_write32(t->c, 0x400004, 9));
	ASSERT_NO_FAULT(t, mem_read8(t->c, 0x400003));
	ASSERT_NO_FAULT(t, mem_read_sys(t->c, 0x400001, 8));
	assert_int_equal(t->ram[0x5004], 9);
	test_cpu_free(t);
}

static void watched_pages_take_the_slow_path_and_report_overlaps(void **state)
{
	struct test_cpu *t = test_cpu_new();
	struct debug_points points = {
		.count = 1, .point[0] = { DEBUG_READ, 0x4100, 4 },
	};

	t->c->dr[0] = 0x4008;
	t->c->dr[1] = 0x4010;
	t->c->dr7 |= 1 << 0 | 1u << 16 | 3u << 18	/* write, 4 bytes */
		   | 2 << 2 | 3u << 20 | 0u << 22;	/* access, 1 byte */
	t->c->debug = &points;
	debug_points_changed(t->c);
	mem_write8(t->c, 0x4000, 1);
	assert_int_equal(t->c->pending_dr6, 0);
	mem_write16(t->c, 0x400a, 1);
	assert_int_equal(t->c->pending_dr6, 1);
	(void)mem_read64(t->c, 0x4009);
	assert_int_equal(t->c->pending_dr6, 3);
	assert_null(mem_rmw_host(t->c, 0x4000, 4));
	assert_false(t->c->gdb_hit);
	(void)mem_read8(t->c, 0x4103);
	assert_true(t->c->gdb_hit);
	assert_int_equal(t->c->gdb_hit_at, 0x4100);
	assert_false(t->c->step & STEP_BREAK);
	test_cpu_free(t);
}

static void instruction_and_port_breakpoints_match_by_address(void **state)
{
	struct test_cpu *t = test_cpu_new();

	t->c->dr[2] = 0x1234;
	t->c->dr[3] = 0x3f8;
	t->c->dr7 |= 1 << 4 | 1 << 6 | 2u << 28 | 1u << 30;
	debug_points_changed(t->c);
	assert_true(t->c->step & STEP_BREAK);
	assert_int_equal(debug_check_exec(t->c, 0x1234), 4);
	assert_int_equal(debug_check_exec(t->c, 0x1235), 0);
	debug_check_port(t->c, 0x3f9, 1);
	assert_int_equal(t->c->pending_dr6, 0);
	t->c->cr4 |= CR4_DE;
	debug_check_port(t->c, 0x3f9, 1);
	assert_int_equal(t->c->pending_dr6, 8);
	test_cpu_free(t);
}

static void code_is_fetched_from_ram_and_from_windows(void **state)
{
	struct test_cpu *t = with_window();
	uint64_t gpa;

	t->ram[0x7fff] = 0x90;
	assert_ptr_equal(mem_fetch(t->c, 0x7fff, &gpa), t->ram + 0x7fff);
	assert_int_equal(gpa, 0x7fff);
	assert_int_equal(mem_fetch_byte(t->c, 0x7fff), 0x90);
	assert_null(mem_fetch(t->c, WINDOW + 1, &gpa));
	assert_int_equal(mem_fetch_byte(t->c, WINDOW + 1), 0x22);
	test_cpu_free(t);
}

TEST_MAIN("mem",
	  TEST(windows_are_read_and_written_whole),
	  TEST(an_access_over_two_kinds_of_page_is_cut_at_the_border),
	  TEST(a_crossing_write_stores_nothing_if_its_second_page_faults),
	  TEST(addresses_wrap_at_4g_outside_64_bit_code),
	  TEST(rom_drops_writes),
	  TEST(stores_to_pages_with_code_are_told_after_the_store),
	  TEST(a_filled_entry_has_no_write_tag_where_there_is_code),
	  TEST(code_hit_inside_a_locked_pair_is_told_at_its_end),
	  TEST(misaligned_user_accesses_raise_ac_when_asked),
	  TEST(watched_pages_take_the_slow_path_and_report_overlaps),
	  TEST(instruction_and_port_breakpoints_match_by_address),
	  TEST(code_is_fetched_from_ram_and_from_windows))
