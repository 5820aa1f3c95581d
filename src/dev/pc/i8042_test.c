/* dev/pc/i8042_test.c - the keyboard controller as drivers probe it.
 * SPDX-License-Identifier: MIT
 */
#include "base/test.h"
#include "bus/test_bus.h"
#include "dev/core/devices.h"

#define DATA	0x60
#define COMMAND	0x64

struct rig {
	struct test_bus *t;
	struct device *d;
};

static int rig_up(void **state)
{
	struct rig *r = test_calloc(1, sizeof(*r));

	r->t = test_bus_new();
	r->d = device_new(&i8042_class, r->t->bus);
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

/* The answer to a controller command; -1 if there is none. */
static int ask(struct rig *r, uint8_t command)
{
	outb(r->t, COMMAND, command);
	return inb(r->t, COMMAND) & 1 ? inb(r->t, DATA) : -1;
}

static void the_self_tests_pass(void **state)
{
	struct rig *r = *state;

	assert_int_equal(ask(r, 0xaa), 0x55);
	assert_int_equal(ask(r, 0xab), 0x00);
	assert_int_equal(inb(r->t, COMMAND) & 0x05, 0x04);
}

static void the_mode_byte_is_kept(void **state)
{
	struct rig *r = *state;

	outb(r->t, COMMAND, 0x60);
	outb(r->t, DATA, 0x74);
	assert_int_equal(ask(r, 0x20), 0x74);
	outb(r->t, COMMAND, 0x65);
	outb(r->t, DATA, 0x99);
	assert_int_equal(ask(r, 0x25), 0x99);
}

static void there_is_no_auxiliary_port(void **state)
{
	struct rig *r = *state;

	assert_int_equal(ask(r, 0xa9), 0x01);
	outb(r->t, COMMAND, 0xd3);
	outb(r->t, DATA, 0x5a);
	assert_int_equal(inb(r->t, COMMAND) & 0x21, 0x01);
	assert_int_equal(inb(r->t, DATA), 0x5a);
}

static void the_keyboard_answers_reset_and_identify(void **state)
{
	struct rig *r = *state;

	outb(r->t, DATA, 0xff);
	assert_true(r->t->isa[1].level);
	assert_int_equal(inb(r->t, DATA), 0xfa);
	assert_int_equal(inb(r->t, DATA), 0xaa);
	assert_false(r->t->isa[1].level);
	assert_int_equal(r->t->isa[1].rises, 2);
	outb(r->t, DATA, 0xf2);
	assert_int_equal(inb(r->t, DATA), 0xfa);
	assert_int_equal(inb(r->t, DATA), 0xab);
	assert_int_equal(inb(r->t, DATA), 0x41);
	outb(r->t, DATA, 0xed);
	outb(r->t, DATA, 0x02);
	assert_int_equal(inb(r->t, DATA), 0xfa);
	assert_int_equal(inb(r->t, DATA), 0xfa);
	outb(r->t, DATA, 0x00);
	assert_int_equal(inb(r->t, DATA), 0xfe);
	assert_int_equal(inb(r->t, COMMAND) & 1, 0);
}

static void a_flood_of_commands_is_bounded(void **state)
{
	struct rig *r = *state;
	unsigned n = 0;

	for (unsigned i = 0; i < 100; i++)
		outb(r->t, DATA, 0xf2);
	while (inb(r->t, COMMAND) & 1 && n < 1000) {
		(void)inb(r->t, DATA);
		n++;
	}
	assert_int_equal(n, 16);
}

static void the_output_port_moves_a20(void **state)
{
	struct rig *r = *state;

	bus_set_a20(r->t->bus, true);
	assert_int_equal(ask(r, 0xd0) & 0x03, 0x03);
	outb(r->t, COMMAND, 0xd1);
	outb(r->t, DATA, 0xdd);
	assert_int_equal(bus_a20_mask(r->t->bus), ~(1ull << 20));
	assert_int_equal(ask(r, 0xd0) & 0x03, 0x01);
	outb(r->t, COMMAND, 0xd1);
	outb(r->t, DATA, 0xdf);
	assert_int_equal(bus_a20_mask(r->t->bus), ~0ull);
	assert_int_equal(r->t->power_count, 0);
}

static void pulsing_bit_0_resets(void **state)
{
	struct rig *r = *state;

	outb(r->t, COMMAND, 0xff);
	assert_int_equal(r->t->power_count, 0);
	outb(r->t, COMMAND, 0xfe);
	assert_int_equal(r->t->power_count, 1);
	assert_int_equal(r->t->power, POWER_RESET);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, rig_up, rig_down)

TEST_MAIN("i8042",
	T(the_self_tests_pass),
	T(the_mode_byte_is_kept),
	T(there_is_no_auxiliary_port),
	T(the_keyboard_answers_reset_and_identify),
	T(a_flood_of_commands_is_bounded),
	T(the_output_port_moves_a20),
	T(pulsing_bit_0_resets))
