/* dev/pc/pctestdev_test.c
 * SPDX-License-Identifier: MIT
 */
#include "base/test.h"
#include "bus/test_bus.h"
#include "dev/core/devices.h"

struct rig {
	struct test_bus *t;
	struct device *d;
};

static int rig_up(void **state)
{
	struct rig *r = test_calloc(1, sizeof(*r));

	r->t = test_bus_new();
	r->d = device_new(&pc_testdev_class, r->t->bus);
	assert_int_equal(device_attach(r->d, NULL), 0);
	*state = r;
	return 0;
}

static int rig_down(void **state)
{
	struct rig *r = *state;

	device_free(r->d);
	test_bus_free(r->t);
	test_free(r);
	return 0;
}

static void both_port_windows_show_the_same_four_bytes(void **state)
{
	struct test_bus *t = ((struct rig *)*state)->t;

	outl(t, 0xe0, 0x44332211);
	assert_int_equal(inb(t, 0xe1), 0x22);
	assert_int_equal(inw(t, 0xe2), 0x4433);
	assert_int_equal(inl(t, 0xe8), 0x44332211);
	outw(t, 0xe9, 0xbbaa);
	assert_int_equal(inl(t, 0xe0), 0x44bbaa11);
}

static void a_byte_at_2000h_drives_a_line(void **state)
{
	struct test_bus *t = ((struct rig *)*state)->t;

	outb(t, 0x2000 + 5, 1);
	outb(t, 0x2000 + 20, 1);
	assert_true(t->isa[5].level);
	assert_true(t->gsi[20].level);
	outb(t, 0x2000 + 5, 0);
	assert_false(t->isa[5].level);
	outb(t, 0x2000 + 23, 1);
	assert_true(t->gsi[23].level);
	assert_int_equal(inb(t, 0x2000 + 24), 0xff);
}

static void memory_is_reached_in_any_width(void **state)
{
	struct test_bus *t = ((struct rig *)*state)->t;

	bus_mmio_write(t->bus, 0xff000000, 0x8877665544332211, 8);
	assert_int_equal(bus_mmio_read(t->bus, 0xff000003, 1), 0x44);
	assert_int_equal(bus_mmio_read(t->bus, 0xff000001, 4), 0x55443322);
	bus_mmio_write(t->bus, 0xff00ffff, 0x5a, 1);
	assert_int_equal(bus_mmio_read(t->bus, 0xff00ffff, 1), 0x5a);
	assert_int_equal(bus_mmio_read(t->bus, 0xff010000, 1), 0xff);
}

static void hooked(void *ctx, gpa_t at, uint64_t len)
{
	*(gpa_t *)ctx = at;
}

static void a_flush_drops_decoded_code(void **state)
{
	struct test_bus *t = ((struct rig *)*state)->t;
	uint8_t *ram = test_bus_ram(t, 0, 0x4000);
	struct ram_page p;
	gpa_t at = 0;

	ram[0x2000] = 0x90;
	assert_true(bus_ram_page(t->bus, 0x2000, &p));
	*p.code = 1;
	bus_set_code_hook(t->bus, hooked, &at);
	outl(t, 0xe4, 0x2345);
	assert_int_equal(at, 0x2000);
	assert_int_equal(ram[0x2000], 0x90);
	outl(t, 0xe4, 0xfffff000);	/* no RAM there */
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, rig_up, rig_down)

TEST_MAIN("pctestdev",
	T(both_port_windows_show_the_same_four_bytes),
	T(a_byte_at_2000h_drives_a_line),
	T(memory_is_reached_in_any_width),
	T(a_flush_drops_decoded_code))
