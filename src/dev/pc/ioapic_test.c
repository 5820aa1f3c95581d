/* dev/pc/ioapic_test.c - the I/O APIC from its pins to its messages.
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "base/test.h"
#include "bus/test_bus.h"
#include "dev/pc/ioapic.h"

#define IOAPIC 0xfec00000

struct fixture {
	struct test_bus *t;
	struct device *io;
	struct irq pin[IOAPIC_PINS];
	unsigned messages;
	uint32_t addr, data;	/* the last message */
};

static void note(void *ctx, uint32_t addr, uint32_t data)
{
	struct fixture *f = ctx;

	f->messages++;
	f->addr = addr;
	f->data = data;
}

static struct fixture *set_up(void)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->t = test_bus_new();
	f->io = device_new(&ioapic_class, f->t->bus);
	assert_int_equal(device_attach(f->io, NULL), 0);
	ioapic_set_deliver(f->io, note, f);
	for (unsigned i = 0; i < IOAPIC_PINS; i++)
		irq_connect(&f->pin[i], ioapic_input(f->io, i));
	return f;
}

static void tear_down(struct fixture *f)
{
	device_free(f->io);
	test_bus_free(f->t);
	free(f);
}

static uint32_t get(struct fixture *f, uint8_t reg)
{
	writel(f->t, IOAPIC, reg);
	return readl(f->t, IOAPIC + 0x10);
}

static void put(struct fixture *f, uint8_t reg, uint32_t v)
{
	writel(f->t, IOAPIC, reg);
	writel(f->t, IOAPIC + 0x10, v);
}

static void registers_read_as_the_data_sheet_says(void **state)
{
	struct fixture *f = set_up();

	assert_int_equal(get(f, 1), 0x00170020);
	assert_int_equal(get(f, 0), 0);
	put(f, 0, 0xff000000);
	assert_int_equal(get(f, 0), 0x0f000000);
	assert_int_equal(get(f, 2), 0x0f000000);
	assert_int_equal(get(f, 0x10), 0x10000);
	assert_int_equal(get(f, 0x40), 0);
	put(f, 0x3f, 0xff123456);
	assert_int_equal(get(f, 0x3f), 0xff000000);
	/* Delivery status and remote IRR are read-only. */
	put(f, 0x3e, 0xffffffff);
	assert_int_equal(get(f, 0x3e), 0x0001afff);
	tear_down(f);
}

static void an_edge_is_one_message(void **state)
{
	struct fixture *f = set_up();

	put(f, 0x15, 0x03000000);
	put(f, 0x14, 0x00000831);	/* logical, fixed, 31h */
	irq_set(&f->pin[2], true);
	assert_int_equal(f->messages, 1);
	assert_int_equal(f->addr, 0xfee03004);
	assert_int_equal(f->data, 0x4031);
	irq_set(&f->pin[2], false);
	assert_int_equal(f->messages, 1);
	irq_set(&f->pin[2], true);
	assert_int_equal(f->messages, 2);
	tear_down(f);
}

static void an_edge_on_a_masked_pin_is_lost(void **state)
{
	struct fixture *f = set_up();

	irq_set(&f->pin[2], true);
	put(f, 0x14, 0x31);
	assert_int_equal(f->messages, 0);
	tear_down(f);
}

static void a_level_waits_for_the_eoi_of_its_vector(void **state)
{
	struct fixture *f = set_up();

	put(f, 0x30, 0x8000 | 0x2000 | 0x51);
	irq_set(&f->pin[16], true);
	assert_int_equal(f->messages, 1);
	assert_int_equal(f->data, 0xc051);
	assert_int_equal(get(f, 0x30), 0xe051);
	irq_set(&f->pin[16], false);
	irq_set(&f->pin[16], true);
	assert_int_equal(f->messages, 1);
	ioapic_eoi(f->io, 0x52);
	assert_int_equal(f->messages, 1);
	ioapic_eoi(f->io, 0x51);
	assert_int_equal(f->messages, 2);
	irq_set(&f->pin[16], false);
	ioapic_eoi(f->io, 0x51);
	assert_int_equal(f->messages, 2);
	assert_int_equal(get(f, 0x30), 0xa051);
	tear_down(f);
}

static void the_eoi_register_exists_from_version_20h(void **state)
{
	struct fixture *f = set_up();

	put(f, 0x30, 0x8051);
	irq_set(&f->pin[16], true);
	writel(f->t, IOAPIC + 0x40, 0x51);
	assert_int_equal(f->messages, 2);
	tear_down(f);
}

static void unmasking_a_level_sends_it(void **state)
{
	struct fixture *f = set_up();

	put(f, 0x30, 0x18051);
	irq_set(&f->pin[16], true);
	assert_int_equal(f->messages, 0);
	put(f, 0x30, 0x8051);
	assert_int_equal(f->messages, 1);
	/* A turn to edge and back clears remote IRR. */
	put(f, 0x30, 0x10051);
	assert_int_equal(get(f, 0x30), 0x10051);
	put(f, 0x30, 0x8051);
	assert_int_equal(f->messages, 2);
	tear_down(f);
}

static void other_delivery_modes_have_no_remote_irr(void **state)
{
	struct fixture *f = set_up();

	put(f, 0x10, 0x8700);		/* ExtINT */
	irq_set(&f->pin[0], true);
	assert_int_equal(f->data, 0xc700);
	assert_int_equal(get(f, 0x10), 0x8700);
	put(f, 0x12, 0x0400);		/* NMI */
	irq_set(&f->pin[1], true);
	assert_int_equal(f->data, 0x4400);
	tear_down(f);
}

TEST_MAIN("ioapic",
	TEST(registers_read_as_the_data_sheet_says),
	TEST(an_edge_is_one_message),
	TEST(an_edge_on_a_masked_pin_is_lost),
	TEST(a_level_waits_for_the_eoi_of_its_vector),
	TEST(the_eoi_register_exists_from_version_20h),
	TEST(unmasking_a_level_sends_it),
	TEST(other_delivery_modes_have_no_remote_irr))
