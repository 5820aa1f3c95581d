/* bus/bus_test.c - windows, RAM and the lock, as CPUs and devices use them.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>

#include "base/test.h"
#include "bus/test_bus.h"

/* A device that remembers the accesses it was given. */
struct probe {
	struct window w;
	struct { uint64_t off, val; unsigned size; } seen[8];
	unsigned count;
	uint8_t tag;
};

static uint64_t probe_read(void *dev, uint64_t off, unsigned size)
{
	struct probe *p = dev;
	uint64_t v = 0;

	for (unsigned i = size; i-- > 0;)
		v = v << 8 | (uint8_t)(p->tag + off + i);
	return v;
}

static void probe_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct probe *p = dev;

	if (p->count == 8)
		return;
	p->seen[p->count].off = off;
	p->seen[p->count].val = val;
	p->seen[p->count++].size = size;
}

#define PROBE_OPS(min, max, wide)                                             \
	(&(const struct io_ops){ .min_size = (min), .max_size = (max),        \
				 .widen = (wide), .read = probe_read,         \
				 .write = probe_write })

static struct probe probe(const struct io_ops *ops, uint8_t tag)
{
	return (struct probe){ .w = { .name = "probe", .ops = ops },
			       .tag = tag };
}

static void map_ports(struct test_bus *t, struct probe *p, uint16_t first,
		      uint32_t count)
{
	p->w.dev = p;
	assert_int_equal(bus_map_ports(t->bus, &p->w, first, count, NULL), 0);
}

static void map_mmio(struct test_bus *t, struct probe *p, gpa_t base,
		     uint64_t len)
{
	p->w.dev = p;
	assert_int_equal(bus_map_mmio(t->bus, &p->w, base, len, NULL), 0);
}

static void nobody_answers_with_ones(void **state)
{
	struct test_bus *t = test_bus_new();

	assert_int_equal(inb(t, 0x80), 0xff);
	assert_int_equal(inl(t, 0xffff), 0xffffffff);
	assert_int_equal(bus_mmio_read(t->bus, 0xfee00000, 8), ~0ull);
	outb(t, 0x80, 1);
	writel(t, 0xfee00000, 1);
	test_bus_free(t);
}

static void a_wide_access_is_split_low_address_first(void **state)
{
	struct test_bus *t = test_bus_new();
	struct probe p = probe(PROBE_OPS(1, 1, false), 0x10);

	map_ports(t, &p, 0x100, 4);
	assert_int_equal(inl(t, 0x100), 0x13121110);
	outw(t, 0x101, 0xbbaa);
	assert_int_equal(p.count, 2);
	assert_int_equal(p.seen[0].off, 1);
	assert_int_equal(p.seen[0].val, 0xaa);
	assert_int_equal(p.seen[1].off, 2);
	assert_int_equal(p.seen[1].val, 0xbb);
	/* Past the end of the window nobody answers. */
	assert_int_equal(inl(t, 0x102), 0xffff1312);
	test_bus_free(t);
}

static void an_unaligned_access_is_split_at_its_alignment(void **state)
{
	struct test_bus *t = test_bus_new();
	struct probe p = probe(PROBE_OPS(1, 4, false), 0);

	map_mmio(t, &p, 0x1000, 0x100);
	bus_mmio_write(t->bus, 0x1003, 0x44332211, 4);
	assert_int_equal(p.count, 3);
	assert_int_equal(p.seen[0].size, 1);
	assert_int_equal(p.seen[1].size, 2);
	assert_int_equal(p.seen[1].val, 0x3322);
	assert_int_equal(p.seen[2].off, 6);
	assert_int_equal(bus_mmio_read(t->bus, 0x1001, 8),
			 0x0807060504030201ull);
	test_bus_free(t);
}

static void a_narrow_access_is_refused_or_widened(void **state)
{
	struct test_bus *t = test_bus_new();
	struct probe strict = probe(PROBE_OPS(4, 4, false), 0x20);
	struct probe wide = probe(PROBE_OPS(4, 4, true), 0x40);

	map_mmio(t, &strict, 0x1000, 0x100);
	map_mmio(t, &wide, 0x2000, 0x100);
	assert_int_equal(bus_mmio_read(t->bus, 0x1000, 2), 0xffff);
	bus_mmio_write(t->bus, 0x1000, 1, 1);
	assert_int_equal(strict.count, 0);
	assert_int_equal(bus_mmio_read(t->bus, 0x2006, 2), 0x4746);
	bus_mmio_write(t->bus, 0x2006, 0x1234, 2);
	assert_int_equal(wide.count, 1);
	assert_int_equal(wide.seen[0].off, 4);
	assert_int_equal(wide.seen[0].val, 0x12340000);
	test_bus_free(t);
}

static void the_window_mapped_last_answers_until_it_goes(void **state)
{
	struct test_bus *t = test_bus_new();
	struct probe a = probe(PROBE_OPS(1, 4, false), 0x10);
	struct probe b = probe(PROBE_OPS(1, 1, false), 0x80);
	struct probe c = a, d = b;
	uint32_t generation;

	map_ports(t, &a, 0xcf8, 4);
	map_ports(t, &b, 0xcf9, 1);
	assert_int_equal(inb(t, 0xcf9), 0x80);
	assert_int_equal(inl(t, 0xcf8), 0x13121110);
	bus_unmap_ports(t->bus, &b.w);
	assert_int_equal(inb(t, 0xcf9), 0x11);

	map_mmio(t, &c, 0x1000, 0x100);
	map_mmio(t, &d, 0x1010, 0x10);
	assert_int_equal(bus_mmio_read(t->bus, 0x1010, 1), 0x80);
	generation = bus_generation(t->bus);
	bus_unmap_mmio(t->bus, &d.w);
	assert_int_not_equal(bus_generation(t->bus), generation);
	assert_int_equal(bus_mmio_read(t->bus, 0x1010, 1), 0x20);
	test_bus_free(t);
}

static void windows_past_the_end_are_refused(void **state)
{
	struct test_bus *t = test_bus_new();
	struct probe p = probe(PROBE_OPS(1, 1, false), 0);
	struct err e;

	assert_int_equal(bus_map_ports(t->bus, &p.w, 0xfff0, 0x11, &e),
			 -EINVAL);
	assert_string_equal(e.text,
			    "probe: 17 ports from 0xfff0 end past 0xffff");
	assert_int_equal(bus_map_mmio(t->bus, &p.w, ~0ull, 2, &e), -EINVAL);
	test_bus_free(t);
}

static void ram_is_found_read_and_written(void **state)
{
	struct test_bus *t = test_bus_new();
	uint8_t *low = test_bus_ram(t, 0, 0x3000);
	uint8_t *high = test_bus_ram(t, 0x5000, 0x1000);
	struct ram_page page;
	uint8_t buf[0x2010];

	assert_true(bus_ram_page(t->bus, 0x2abc, &page));
	assert_ptr_equal(page.hva, low + 0x2000);
	assert_false(page.readonly);
	assert_false(bus_ram_page(t->bus, 0x3000, &page));
	assert_false(bus_ram_page(t->bus, ~0ull, &page));

	assert_int_equal(bus_write(t->bus, 0x1fff, "ab", 2), 0);
	assert_int_equal(low[0x1fff], 'a');
	assert_int_equal(low[0x2000], 'b');
	high[0] = 7;
	assert_int_equal(bus_read(t->bus, 0x2ff8, buf, 0x2010), -EFAULT);
	assert_int_equal(buf[7], 0);
	assert_int_equal(buf[8], 0xff);
	assert_int_equal(buf[0x2008], 7);
	test_bus_free(t);
}

static void rom_ignores_writes(void **state)
{
	static _Alignas(4096) uint8_t rom[0x1000];
	struct test_bus *t = test_bus_new();
	struct ram_page page;

	assert_int_equal(bus_map_ram(t->bus, 0xf0000, 0x1000, rom, true, NULL),
			 0);
	assert_true(bus_ram_page(t->bus, 0xf0000, &page));
	assert_true(page.readonly);
	assert_int_equal(bus_write(t->bus, 0xf0010, "x", 1), 0);
	assert_int_equal(rom[0x10], 0);
	test_bus_free(t);
}

static void a_later_mapping_replaces_its_part(void **state)
{
	static _Alignas(4096) uint8_t rom[0x2000];
	struct test_bus *t = test_bus_new();
	uint8_t *ram = test_bus_ram(t, 0, 0x10000);
	struct ram_page before, page;
	struct err e;

	assert_true(bus_ram_page(t->bus, 0x4000, &before));
	for (int round = 0; round < 1000; round++) {
		assert_int_equal(bus_map_ram(t->bus, 0x3000, 0x2000, rom, true,
					     &e), 0);
		assert_true(bus_ram_page(t->bus, 0x4000, &page));
		assert_ptr_equal(page.hva, rom + 0x1000);
		assert_true(bus_ram_page(t->bus, 0x5000, &page));
		assert_ptr_equal(page.hva, ram + 0x5000);
		assert_int_equal(bus_map_ram(t->bus, 0x3000, 0x2000,
					     ram + 0x3000, false, &e), 0);
	}
	assert_true(bus_ram_page(t->bus, 0x4000, &page));
	assert_ptr_equal(page.hva, before.hva);
	assert_ptr_equal(page.code, before.code);
	assert_int_equal(bus_unmap_ram(t->bus, 0x4000, 0x1000, &e), 0);
	assert_false(bus_ram_page(t->bus, 0x4000, &page));
	assert_true(bus_ram_page(t->bus, 0x5000, &page));
	assert_int_equal(bus_map_ram(t->bus, 0x10, 0x1000, rom, true, &e),
			 -EINVAL);
	test_bus_free(t);
}

struct hook {
	gpa_t at;
	uint64_t len;
	unsigned calls;
};

static void note_hook(void *ctx, gpa_t at, uint64_t len)
{
	*(struct hook *)ctx = (struct hook){
		at, len, ((struct hook *)ctx)->calls + 1 };
}

static void the_code_hook_hears_of_writes_to_decoded_pages(void **state)
{
	struct test_bus *t = test_bus_new();
	struct hook h = { 0 };
	struct ram_page page;

	test_bus_ram(t, 0, 0x4000);
	bus_set_code_hook(t->bus, note_hook, &h);
	assert_true(bus_ram_page(t->bus, 0x2000, &page));
	*page.code = 1;
	assert_int_equal(bus_write(t->bus, 0x1000, "x", 1), 0);
	assert_int_equal(h.calls, 0);
	assert_int_equal(bus_write(t->bus, 0x1fff, "xy", 2), 0);
	assert_int_equal(h.calls, 1);
	assert_int_equal(h.at, 0x1fff);
	assert_int_equal(h.len, 2);
	test_bus_free(t);
}

static void closing_a20_masks_bit_20_and_tells_caches(void **state)
{
	struct test_bus *t = test_bus_new();
	uint32_t generation = bus_generation(t->bus);

	assert_int_equal(bus_a20_mask(t->bus), ~0ull);
	bus_set_a20(t->bus, true);
	assert_int_equal(bus_generation(t->bus), generation);
	bus_set_a20(t->bus, false);
	assert_int_equal(bus_a20_mask(t->bus), ~0x100000ull);
	assert_int_not_equal(bus_generation(t->bus), generation);
	test_bus_free(t);
}

static void *other_thread_looks(void *arg)
{
	return (void *)(uintptr_t)bus_locked_by_me(arg);
}

static void the_lock_knows_its_owner(void **state)
{
	struct test_bus *t = test_bus_new();
	pthread_t other;
	void *seen;

	assert_false(bus_locked_by_me(t->bus));
	bus_lock(t->bus);
	assert_true(bus_locked_by_me(t->bus));
	/* An access from inside the lock does not wait for itself. */
	assert_int_equal(inb(t, 0x80), 0xff);
	pthread_create(&other, NULL, other_thread_looks, t->bus);
	pthread_join(other, &seen);
	assert_null(seen);
	bus_unlock(t->bus);
	assert_false(bus_locked_by_me(t->bus));
	test_bus_free(t);
}

static void lines_and_power_requests_reach_their_listeners(void **state)
{
	struct test_bus *t = test_bus_new();
	struct irq line = { 0 };

	irq_connect(&line, bus_isa_irq(t->bus, 4));
	irq_set(&line, true);
	assert_true(t->isa[4].level);
	irq_set(&line, false);
	assert_int_equal(t->isa[4].rises, 1);
	assert_null(bus_isa_irq(t->bus, 16).changed);
	assert_null(bus_gsi(t->bus, TEST_GSIS).changed);
	bus_request_power(t->bus, POWER_EXIT, 33);
	assert_int_equal(t->power, POWER_EXIT);
	assert_int_equal(t->power_status, 33);
	test_bus_free(t);
}

TEST_MAIN("bus",
	TEST(nobody_answers_with_ones),
	TEST(a_wide_access_is_split_low_address_first),
	TEST(an_unaligned_access_is_split_at_its_alignment),
	TEST(a_narrow_access_is_refused_or_widened),
	TEST(the_window_mapped_last_answers_until_it_goes),
	TEST(windows_past_the_end_are_refused),
	TEST(ram_is_found_read_and_written),
	TEST(rom_ignores_writes),
	TEST(a_later_mapping_replaces_its_part),
	TEST(the_code_hook_hears_of_writes_to_decoded_pages),
	TEST(closing_a20_masks_bit_20_and_tells_caches),
	TEST(the_lock_knows_its_owner),
	TEST(lines_and_power_requests_reach_their_listeners))
