/* dev/pc/i8259_test.c - the 8259A pair as a kernel and a processor see it.
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "base/test.h"
#include "bus/test_bus.h"
#include "dev/pc/i8259.h"

struct fixture {
	struct test_bus *t;
	struct device *pic;
	struct irq line[16];
	bool intr;
};

static void note_intr(void *ctx, unsigned pin, bool level)
{
	((struct fixture *)ctx)->intr = level;
}

/* As PC firmware does: bases 08h and 70h; icw4 as given, all unmasked. */
static void program(struct fixture *f, uint8_t icw1, uint8_t icw4)
{
	outb(f->t, 0x20, icw1);
	outb(f->t, 0x21, 0x08);
	outb(f->t, 0x21, 0x04);
	outb(f->t, 0x21, icw4);
	outb(f->t, 0xa0, icw1);
	outb(f->t, 0xa1, 0x70);
	outb(f->t, 0xa1, 0x02);
	outb(f->t, 0xa1, icw4);
}

static struct fixture *set_up(void)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->t = test_bus_new();
	f->pic = device_new(&i8259_class, f->t->bus);
	assert_int_equal(device_attach(f->pic, NULL), 0);
	i8259_connect(f->pic, (struct irq_sink){ note_intr, f, 0 });
	for (unsigned i = 0; i < 16; i++)
		irq_connect(&f->line[i], i8259_input(f->pic, i));
	program(f, 0x11, 0x01);
	return f;
}

static void tear_down(struct fixture *f)
{
	device_free(f->pic);
	test_bus_free(f->t);
	free(f);
}

static int inta(struct fixture *f)
{
	int vector;

	bus_lock(f->t->bus);
	vector = i8259_inta(f->pic);
	bus_unlock(f->t->bus);
	return vector;
}

static void set(struct fixture *f, unsigned n, bool level)
{
	irq_set(&f->line[n], level);
}

static uint8_t isr_of(struct fixture *f, uint16_t port)
{
	outb(f->t, port, 0x0b);
	return inb(f->t, port);
}

static uint8_t irr_of(struct fixture *f, uint16_t port)
{
	outb(f->t, port, 0x0a);
	return inb(f->t, port);
}

static void nothing_interrupts_before_initialization(void **state)
{
	struct fixture *f = set_up();

	f->pic->class->reset(f->pic);
	set(f, 0, true);
	assert_false(f->intr);
	tear_down(f);
}

static void an_edge_is_delivered_once(void **state)
{
	struct fixture *f = set_up();

	set(f, 1, true);
	assert_true(f->intr);
	assert_int_equal(irr_of(f, 0x20), 0x02);
	assert_int_equal(inta(f), 0x09);
	assert_false(f->intr);
	assert_int_equal(irr_of(f, 0x20), 0);
	assert_int_equal(isr_of(f, 0x20), 0x02);
	outb(f->t, 0x20, 0x20);
	assert_int_equal(isr_of(f, 0x20), 0);
	assert_false(f->intr);
	set(f, 1, false);
	set(f, 1, true);
	assert_true(f->intr);
	tear_down(f);
}

static void higher_priorities_nest_and_lower_ones_wait(void **state)
{
	struct fixture *f = set_up();

	set(f, 4, true);
	assert_int_equal(inta(f), 0x0c);
	set(f, 6, true);
	assert_false(f->intr);
	set(f, 3, true);
	assert_true(f->intr);
	assert_int_equal(inta(f), 0x0b);
	outb(f->t, 0x20, 0x20);		/* ends 3 */
	assert_false(f->intr);
	outb(f->t, 0x20, 0x20);		/* ends 4 */
	assert_int_equal(inta(f), 0x0e);
	tear_down(f);
}

static void the_slave_comes_through_input_2(void **state)
{
	struct fixture *f = set_up();

	set(f, 12, true);
	assert_int_equal(inta(f), 0x74);
	assert_int_equal(isr_of(f, 0x20), 0x04);
	assert_int_equal(isr_of(f, 0xa0), 0x10);
	/* A higher input of the slave waits for the master's EOI of 2. */
	set(f, 8, true);
	assert_false(f->intr);
	outb(f->t, 0x20, 0x62);
	assert_true(f->intr);
	assert_int_equal(inta(f), 0x70);
	tear_down(f);
}

static void special_fully_nested_mode_lets_the_slave_nest(void **state)
{
	struct fixture *f = set_up();

	program(f, 0x11, 0x11);
	set(f, 12, true);
	assert_int_equal(inta(f), 0x74);
	set(f, 8, true);
	assert_true(f->intr);
	assert_int_equal(inta(f), 0x70);
	set(f, 3, true);
	assert_false(f->intr);
	tear_down(f);
}

static void a_mask_holds_a_request_back(void **state)
{
	struct fixture *f = set_up();

	outb(f->t, 0x21, 0xff);
	assert_int_equal(inb(f->t, 0x21), 0xff);
	set(f, 5, true);
	assert_false(f->intr);
	outb(f->t, 0x21, 0xdf);
	assert_true(f->intr);
	tear_down(f);
}

static void a_vanished_level_is_spurious(void **state)
{
	struct fixture *f = set_up();

	outb(f->t, 0x4d0, 0xff);
	assert_int_equal(inb(f->t, 0x4d0), 0xf8);
	outb(f->t, 0x4d1, 0xff);
	assert_int_equal(inb(f->t, 0x4d1), 0xde);
	set(f, 5, true);
	assert_true(f->intr);
	set(f, 5, false);
	assert_false(f->intr);
	assert_int_equal(inta(f), 0x0f);
	assert_int_equal(isr_of(f, 0x20), 0);
	/* On the slave: IR7 of the slave, with 2 in service. */
	set(f, 10, true);
	set(f, 10, false);
	assert_int_equal(inta(f), 0x77);
	assert_int_equal(isr_of(f, 0x20), 0x04);
	assert_int_equal(isr_of(f, 0xa0), 0);
	tear_down(f);
}

static void a_level_that_stays_interrupts_again_after_eoi(void **state)
{
	struct fixture *f = set_up();

	outb(f->t, 0x4d1, 0x04);
	set(f, 10, true);
	assert_int_equal(inta(f), 0x72);
	assert_false(f->intr);
	outb(f->t, 0xa0, 0x20);
	outb(f->t, 0x20, 0x20);
	assert_true(f->intr);
	tear_down(f);
}

static void automatic_eoi_leaves_nothing_in_service(void **state)
{
	struct fixture *f = set_up();

	program(f, 0x11, 0x03);
	set(f, 0, true);
	assert_int_equal(inta(f), 0x08);
	assert_int_equal(isr_of(f, 0x20), 0);
	/* Rotating: what was served becomes the lowest. */
	outb(f->t, 0x20, 0x80);
	set(f, 0, false);
	set(f, 0, true);
	assert_int_equal(inta(f), 0x08);
	set(f, 0, false);
	set(f, 0, true);
	set(f, 7, true);
	assert_int_equal(inta(f), 0x0f);
	tear_down(f);
}

static void rotation_and_set_priority_move_the_lowest(void **state)
{
	struct fixture *f = set_up();

	outb(f->t, 0x20, 0xc4);		/* 4 lowest: 5 highest */
	set(f, 0, true);
	set(f, 5, true);
	assert_int_equal(inta(f), 0x0d);
	outb(f->t, 0x20, 0xa0);		/* rotate on non-specific: 5 lowest */
	set(f, 5, false);
	set(f, 5, true);
	assert_int_equal(inta(f), 0x08);
	outb(f->t, 0x20, 0xe0);		/* rotate on specific: 0 lowest */
	assert_int_equal(isr_of(f, 0x20), 0);
	tear_down(f);
}

static void special_mask_mode_frees_the_others(void **state)
{
	struct fixture *f = set_up();

	set(f, 1, true);
	assert_int_equal(inta(f), 0x09);
	outb(f->t, 0x21, 0x02);
	outb(f->t, 0x20, 0x68);
	set(f, 6, true);
	assert_true(f->intr);
	assert_int_equal(inta(f), 0x0e);
	outb(f->t, 0x20, 0x20);		/* 1 is masked: this ends 6 */
	assert_int_equal(isr_of(f, 0x20), 0x02);
	outb(f->t, 0x20, 0x48);
	set(f, 7, true);
	assert_false(f->intr);
	tear_down(f);
}

static void a_poll_acknowledges(void **state)
{
	struct fixture *f = set_up();

	outb(f->t, 0x20, 0x0c);
	assert_int_equal(inb(f->t, 0x20), 0);
	set(f, 3, true);
	outb(f->t, 0x20, 0x0c);
	assert_int_equal(inb(f->t, 0x20), 0x83);
	assert_int_equal(isr_of(f, 0x20), 0x08);
	assert_false(f->intr);
	tear_down(f);
}

static void icw1_forgets_masks_and_edges(void **state)
{
	struct fixture *f = set_up();

	outb(f->t, 0x21, 0xff);
	set(f, 1, true);
	program(f, 0x11, 0x01);
	assert_int_equal(inb(f->t, 0x21), 0);
	assert_false(f->intr);
	/* LTIM sees the line as a level. */
	program(f, 0x19, 0x01);
	assert_true(f->intr);
	assert_int_equal(inta(f), 0x09);
	tear_down(f);
}

TEST_MAIN("i8259",
	TEST(nothing_interrupts_before_initialization),
	TEST(an_edge_is_delivered_once),
	TEST(higher_priorities_nest_and_lower_ones_wait),
	TEST(the_slave_comes_through_input_2),
	TEST(special_fully_nested_mode_lets_the_slave_nest),
	TEST(a_mask_holds_a_request_back),
	TEST(a_vanished_level_is_spurious),
	TEST(a_level_that_stays_interrupts_again_after_eoi),
	TEST(automatic_eoi_leaves_nothing_in_service),
	TEST(rotation_and_set_priority_move_the_lowest),
	TEST(special_mask_mode_frees_the_others),
	TEST(a_poll_acknowledges),
	TEST(icw1_forgets_masks_and_edges))
