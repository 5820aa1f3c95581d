/* dev/pc/irq_path_test.c - the interrupt controllers joined as a board does:
 * from a device's line to the vector a processor fetches, and back.
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "base/test.h"
#include "bus/test_bus.h"
#include "dev/pc/apic.h"
#include "dev/pc/hpet.h"
#include "dev/pc/i8254.h"
#include "dev/pc/i8259.h"
#include "dev/pc/ioapic.h"

#define APIC	0xfee00000
#define IOAPIC	0xfec00000

struct fixture {
	struct test_bus *t;
	struct device *pic, *io, *apic, *pit, *hpet;
	struct vcpu_port port;
	struct irq gsi[IOAPIC_PINS];	/* what a device would drive */
};

static void no_wake(struct vcpu_port *p)
{
}

static void isa_0(void *ctx, unsigned pin, bool level)
{
	struct fixture *f = ctx;
	struct irq_sink pic = i8259_input(f->pic, 0);

	pic.changed(pic.ctx, pic.pin, level);
	irq_set(&f->gsi[2], level);
}

static struct device *attach(struct fixture *f, const struct device_class *c)
{
	struct device *d = device_new(c, f->t->bus);

	assert_int_equal(device_attach(d, NULL), 0);
	return d;
}

static struct fixture *set_up(void)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct irq_sink isa[16] = { { isa_0, f, 0 } };

	f->t = test_bus_new();
	f->port.wake = no_wake;
	f->apic = device_new(&apic_class, f->t->bus);
	apic_add_cpu(f->apic, &f->port, 0);
	assert_int_equal(device_attach(f->apic, NULL), 0);
	f->pic = attach(f, &i8259_class);
	f->io = attach(f, &ioapic_class);
	for (unsigned i = 0; i < IOAPIC_PINS; i++)
		irq_connect(&f->gsi[i], ioapic_input(f->io, i));
	i8259_connect(f->pic, apic_lint0(f->apic));
	apic_set_inta(f->apic, i8259_inta, f->pic);
	ioapic_set_deliver(f->io, apic_msi, f->apic);
	apic_add_eoi(f->apic, ioapic_eoi, f->io);
	bus_set_isa_irqs(f->t->bus, isa);
	f->hpet = attach(f, &hpet_class);
	f->pit = attach(f, &i8254_class);
	i8254_connect(f->pit, hpet_i8254_input(f->hpet));
	return f;
}

static void tear_down(struct fixture *f)
{
	device_free(f->pit);
	device_free(f->hpet);
	device_free(f->io);
	device_free(f->pic);
	device_free(f->apic);
	test_bus_free(f->t);
	free(f);
}

static int ack(struct fixture *f)
{
	return apic_intc_ops.ack(apic_intc(f->apic, 0));
}

static void start_pit(struct fixture *f)
{
	outb(f->t, 0x43, 0x34);
	outb(f->t, 0x40, 0x9c);		/* 11932: 100 Hz */
	outb(f->t, 0x40, 0x2e);
	test_bus_run(f->t, 1000);	/* the count is loaded a tick later */
}

static void the_pit_reaches_the_processor_by_virtual_wire(void **state)
{
	struct fixture *f = set_up();

	outb(f->t, 0x20, 0x11);
	outb(f->t, 0x21, 0x20);
	outb(f->t, 0x21, 0x04);
	outb(f->t, 0x21, 0x01);
	start_pit(f);
	for (unsigned i = 0; i < 10; i++) {
		assert_true(f->port.events & VCPU_INTR);
		assert_int_equal(ack(f), 0x20);
		assert_false(f->port.events & VCPU_INTR);
		outb(f->t, 0x20, 0x20);
		assert_int_equal(ack(f), -1);
		test_bus_run(f->t, 10000200);
	}
	/* What the guest masks between raising and fetching is spurious. */
	outb(f->t, 0x21, 0x01);
	assert_int_equal(ack(f), -1);
	tear_down(f);
}

static void the_pit_reaches_the_processor_by_the_io_apic(void **state)
{
	struct fixture *f = set_up();

	writel(f->t, APIC + 0xf0, 0x1ff);
	writel(f->t, APIC + 0x350, 0x10700);
	writel(f->t, IOAPIC, 0x14);
	writel(f->t, IOAPIC + 0x10, 0x30);
	start_pit(f);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(ack(f), 0x30);
		writel(f->t, APIC + 0xb0, 0);
		assert_int_equal(ack(f), -1);
		test_bus_run(f->t, 10000200);
	}
	tear_down(f);
}

static void a_level_comes_again_after_the_processors_eoi(void **state)
{
	struct fixture *f = set_up();

	writel(f->t, APIC + 0xf0, 0x1ff);
	writel(f->t, IOAPIC, 0x26);
	writel(f->t, IOAPIC + 0x10, 0xa051);
	irq_set(&f->gsi[11], true);
	assert_int_equal(ack(f), 0x51);
	assert_int_equal(ack(f), -1);
	writel(f->t, APIC + 0xb0, 0);
	assert_int_equal(ack(f), 0x51);
	irq_set(&f->gsi[11], false);
	writel(f->t, APIC + 0xb0, 0);
	assert_int_equal(ack(f), -1);
	assert_false(f->port.events & VCPU_INTR);
	tear_down(f);
}

TEST_MAIN("irq_path",
	TEST(the_pit_reaches_the_processor_by_virtual_wire),
	TEST(the_pit_reaches_the_processor_by_the_io_apic),
	TEST(a_level_comes_again_after_the_processors_eoi))
