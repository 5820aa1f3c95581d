/* dev/pc/ports_test.c - the devices that are one port: 80h, 92h, debugcon,
 * debug-exit and pvpanic.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "base/test.h"
#include "bus/test_bus.h"
#include "char/stream.h"
#include "dev/core/devices.h"

static struct device *plug(struct test_bus *t, const struct device_class *c)
{
	struct device *d = device_new(c, t->bus);

	assert_int_equal(device_attach(d, NULL), 0);
	return d;
}

static void unplug(struct test_bus *t, struct device *d)
{
	device_free(d);
	test_bus_free(t);
}

static void the_post_code_reads_back(void **state)
{
	struct test_bus *t = test_bus_new();
	struct device *d = plug(t, &port80_class);

	outb(t, 0x80, 0x42);
	assert_int_equal(inb(t, 0x80), 0x42);
	unplug(t, d);
}

static void port_92h_moves_a20(void **state)
{
	struct test_bus *t = test_bus_new();
	struct device *d = plug(t, &port92_class);

	assert_int_equal(inb(t, 0x92), 0x02);
	outb(t, 0x92, 0x00);
	assert_int_equal(bus_a20_mask(t->bus), ~(1ull << 20));
	assert_int_equal(inb(t, 0x92), 0x00);
	outb(t, 0x92, 0x02);
	assert_int_equal(bus_a20_mask(t->bus), ~0ull);
	assert_int_equal(t->power_count, 0);
	unplug(t, d);
}

static void port_92h_resets_on_the_rising_edge(void **state)
{
	struct test_bus *t = test_bus_new();
	struct device *d = plug(t, &port92_class);

	outb(t, 0x92, 0x03);
	assert_int_equal(t->power_count, 1);
	assert_int_equal(t->power, POWER_RESET);
	outb(t, 0x92, 0x03);
	assert_int_equal(t->power_count, 1);
	unplug(t, d);
}

static void debug_exit_status_is_odd(void **state)
{
	struct test_bus *t = test_bus_new();
	struct device *d = device_new(&isa_debug_exit_class, t->bus);

	device_set_prop(d, "iobase", "0xf4", NULL);
	device_set_prop(d, "iosize", "4", NULL);
	assert_int_equal(device_attach(d, NULL), 0);
	outl(t, 0xf4, 0x10);
	assert_int_equal(t->power_count, 1);
	assert_int_equal(t->power, POWER_EXIT);
	assert_int_equal(t->power_status, 0x21);
	outb(t, 0xf4, 0);
	assert_int_equal(t->power_status, 1);
	unplug(t, d);
}

static void debug_exit_refuses_a_range_past_the_last_port(void **state)
{
	struct test_bus *t = test_bus_new();
	struct device *d = device_new(&isa_debug_exit_class, t->bus);

	device_set_prop(d, "iobase", "0xffff", NULL);
	assert_true(device_attach(d, NULL) < 0);
	device_set_prop(d, "iobase", "0x10000", NULL);
	assert_int_equal(device_attach(d, NULL), -EINVAL);
	unplug(t, d);
}

static void pvpanic_tells_of_a_panic(void **state)
{
	struct test_bus *t = test_bus_new();
	struct device *d = plug(t, &pvpanic_class);

	assert_int_equal(inb(t, 0x505), 0x03);
	outb(t, 0x505, 0x02);
	assert_int_equal(t->power_count, 0);
	outb(t, 0x505, 0x01);
	assert_int_equal(t->power_count, 1);
	assert_int_equal(t->power, POWER_PANICKED);
	unplug(t, d);
}

static uint8_t said;

static void hear(struct stream *s, const uint8_t *buf, size_t len)
{
	said = buf[len - 1];
}

static void debugcon_sends_and_reads_back(void **state)
{
	struct stream s = { .id = "d", .put = hear };
	struct test_bus *t = test_bus_new();
	struct device *d = device_new(&isa_debugcon_class, t->bus);
	struct err e;

	assert_int_equal(device_attach(d, &e), -EINVAL);
	assert_string_equal(e.text, "isa-debugcon needs a chardev");
	device_set_stream(d, "chardev", &s, NULL);
	assert_int_equal(device_attach(d, NULL), 0);
	assert_int_equal(inb(t, 0xe9), 0xe9);
	outb(t, 0xe9, 'h');
	assert_int_equal(said, 'h');
	assert_int_equal(s.guest->room(s.dev), 0);
	unplug(t, d);
	assert_null(s.guest);
}

TEST_MAIN("ports",
	TEST(the_post_code_reads_back),
	TEST(port_92h_moves_a20),
	TEST(port_92h_resets_on_the_rising_edge),
	TEST(debug_exit_status_is_odd),
	TEST(debug_exit_refuses_a_range_past_the_last_port),
	TEST(pvpanic_tells_of_a_panic),
	TEST(debugcon_sends_and_reads_back))
