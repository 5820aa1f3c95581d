/* dev/pci/pci_test.c - a made-up card, driven through CF8h and CFCh.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "dev/pci/test_pci.h"

struct card {
	struct pci_device pci;
	struct window io, mem, big;
};

static uint64_t card_read(void *dev, uint64_t off, unsigned size)
{
	return 0xc0 + off;
}

static void card_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
}

static const struct io_ops card_io = {
	.min_size = 1, .max_size = 1, .read = card_read, .write = card_write,
};

static int card_attach(struct device *d, struct err *e)
{
	struct card *c = container_of(d, struct card, pci.dev);
	static const struct pci_ids ids = {
		.vendor = 0x1234, .device = 0x5678, .revision = 9,
		.class = 0x0200, .subsystem_vendor = 0x1111,
		.subsystem = 0x2222, .interrupt_pin = 1,
	};
	int r = pci_register(&c->pci, &ids, e);

	if (r < 0)
		return r;
	c->io = (struct window){ .name = "io", .ops = &card_io };
	c->mem = (struct window){ .name = "mem", .ops = &card_io };
	c->big = (struct window){ .name = "big", .ops = &card_io };
	pci_set_bar(&c->pci, 0, PCI_BAR_IO, 0x20, &c->io);
	pci_set_bar(&c->pci, 1, PCI_BAR_MEM32, 0x1000, &c->mem);
	pci_set_bar(&c->pci, 2, PCI_BAR_MEM64_PREFETCH, 1ull << 33, &c->big);
	pci_msi_init(&c->pci, 4);
	return 0;
}

static void card_reset(struct device *d)
{
	pci_device_reset(container_of(d, struct pci_device, dev));
}

static void card_detach(struct device *d)
{
	pci_unregister(container_of(d, struct pci_device, dev));
}

static const struct device_class card_class = {
	.name = "card", .bus = BUS_PCI, .size = sizeof(struct card),
	.bus_props = pci_props, .attach = card_attach, .reset = card_reset,
	.detach = card_detach,
};

#define DEVFN	(5 << 3)

static int up(void **state)
{
	struct test_pci *p = test_pci_up();

	p->d = test_pci_new(p, &card_class);
	device_set_prop(p->d, "addr", "5", NULL);
	test_pci_attach(p, p->d);
	*state = p;
	return 0;
}

static int down(void **state)
{
	test_pci_down(*state);
	return 0;
}

static struct pci_device *card(struct test_pci *p)
{
	return container_of(p->d, struct pci_device, dev);
}

static void the_header_says_who_it_is(void **state)
{
	struct test_pci *p = *state;

	assert_int_equal(config_read(p, DEVFN, 0, 4), 0x56781234);
	assert_int_equal(config_read(p, DEVFN, 2, 2), 0x5678);
	assert_int_equal(config_read(p, DEVFN, 3, 1), 0x56);
	assert_int_equal(config_read(p, DEVFN, 8, 4), 0x02000009);
	assert_int_equal(config_read(p, DEVFN, 0x2c, 4), 0x22221111);
	assert_int_equal(config_read(p, DEVFN, 0x3d, 1), 1);
	config_write(p, DEVFN, 0, 0, 4);
	assert_int_equal(config_read(p, DEVFN, 0, 4), 0x56781234);
}

static void nobody_elsewhere_reads_ones(void **state)
{
	struct test_pci *p = *state;

	assert_int_equal(config_read(p, 6 << 3, 0, 4), 0xffffffff);
	assert_int_equal(config_read(p, DEVFN + 1, 0, 2), 0xffff);
	outl(p->t, 0xcf8, 0x80010000 | DEVFN << 8);	/* bus 1 */
	assert_int_equal(inl(p->t, 0xcfc), 0xffffffff);
	outl(p->t, 0xcf8, DEVFN << 8);			/* not enabled */
	assert_int_equal(inl(p->t, 0xcfc), 0xffffffff);
}

static void config_address_takes_only_four_bytes_at_once(void **state)
{
	struct test_pci *p = *state;

	outl(p->t, 0xcf8, 0xffffffff);
	assert_int_equal(inl(p->t, 0xcf8), 0x80fffffc);
	outb(p->t, 0xcf8, 0);
	outw(p->t, 0xcfa, 0);
	assert_int_equal(inl(p->t, 0xcf8), 0x80fffffc);
}

static void bars_are_sized_by_writing_ones(void **state)
{
	struct test_pci *p = *state;

	for (unsigned n = 0; n < PCI_BARS; n++)
		config_write(p, DEVFN, 0x10 + 4 * n, 0xffffffff, 4);
	assert_int_equal(config_read(p, DEVFN, 0x10, 4), 0xffffffe1);
	assert_int_equal(config_read(p, DEVFN, 0x14, 4), 0xfffff000);
	assert_int_equal(config_read(p, DEVFN, 0x18, 4), 0x0000000c);
	assert_int_equal(config_read(p, DEVFN, 0x1c, 4), 0xfffffffe);
	assert_int_equal(config_read(p, DEVFN, 0x20, 4), 0);
}

static void bars_decode_as_the_command_register_says(void **state)
{
	struct test_pci *p = *state;

	config_write(p, DEVFN, 0x10, 0xc000, 4);
	config_write(p, DEVFN, 0x14, 0xfe000000, 4);
	assert_int_equal(inb(p->t, 0xc003), 0xff);
	config_write(p, DEVFN, 4, PCI_COMMAND_IO, 2);
	assert_int_equal(inb(p->t, 0xc003), 0xc3);
	assert_int_equal(bus_mmio_read(p->t->bus, 0xfe000001, 1), 0xff);
	config_write(p, DEVFN, 4, PCI_COMMAND_MEMORY, 2);
	assert_int_equal(inb(p->t, 0xc003), 0xff);
	assert_int_equal(bus_mmio_read(p->t->bus, 0xfe000001, 1), 0xc1);
	config_write(p, DEVFN, 0x14, 0xfd000000, 4);
	assert_int_equal(bus_mmio_read(p->t->bus, 0xfe000001, 1), 0xff);
	assert_int_equal(bus_mmio_read(p->t->bus, 0xfd000001, 1), 0xc1);
	config_write(p, DEVFN, 0x14, 0xffffffff, 4);
	assert_int_equal(bus_mmio_read(p->t->bus, 0xfffff001, 1), 0xff);
}

static void a_64_bit_bar_lies_above_4_gib(void **state)
{
	struct test_pci *p = *state;

	config_write(p, DEVFN, 4, PCI_COMMAND_MEMORY, 2);
	config_write(p, DEVFN, 0x18, 0, 4);
	config_write(p, DEVFN, 0x1c, 0x80, 4);
	assert_int_equal(bus_mmio_read(p->t->bus, 0x8000000002, 1), 0xc2);
}

static void a_bar_past_the_last_port_does_not_decode(void **state)
{
	struct test_pci *p = *state;

	config_write(p, DEVFN, 4, PCI_COMMAND_IO, 2);
	config_write(p, DEVFN, 0x10, 0x12340000, 4);
	assert_int_equal(inb(p->t, 0), 0xff);
	config_write(p, DEVFN, 0x10, 0xffe0, 4);
	assert_int_equal(inb(p->t, 0xffe0), 0xc0);
}

static void reset_unmaps_and_forgets(void **state)
{
	struct test_pci *p = *state;

	config_write(p, DEVFN, 0x10, 0xc000, 4);
	config_write(p, DEVFN, 4, PCI_COMMAND_IO, 2);
	card_reset(p->d);
	assert_int_equal(inb(p->t, 0xc003), 0xff);
	assert_int_equal(config_read(p, DEVFN, 0x10, 4), 1);
	assert_int_equal(config_read(p, DEVFN, 4, 2), 0);
}

static void an_empty_slot_is_found_and_a_taken_one_refused(void **state)
{
	struct test_pci *p = *state;
	struct device *a = test_pci_new(p, &card_class);
	struct device *b = test_pci_new(p, &card_class);
	struct err e;

	test_pci_attach(p, a);
	assert_int_equal(config_read(p, 0, 0, 2), 0x1234);
	device_set_prop(b, "addr", "5.0", NULL);
	assert_int_equal(device_attach(b, &e), -EBUSY);
	assert_string_equal(e.text, "card.addr: 05.0 is taken by card");
	test_pci_free(p, a);
	test_pci_free(p, b);
	assert_int_equal(config_read(p, 0, 0, 2), 0xffff);
	assert_int_equal(config_read(p, DEVFN, 0, 2), 0x1234);
}

static void pins_of_all_cards_meet_in_four_pirqs(void **state)
{
	struct test_pci *p = *state;
	struct irq_sink pirqs[4];
	struct device *a = test_pci_new(p, &card_class);

	for (unsigned i = 0; i < 4; i++)
		pirqs[i] = bus_gsi(p->t->bus, 16 + i);
	pci_bus_set_pirqs(p->pci, pirqs);
	device_set_prop(a, "addr", "9", NULL);	/* same PIRQ as slot 5 */
	test_pci_attach(p, a);
	assert_int_equal(pci_pirq_of(DEVFN, 1), 0);
	assert_int_equal(pci_pirq_of(1 << 3, 4), 3);
	pci_set_intx(card(p), true);
	assert_true(p->t->gsi[16].level);
	assert_int_equal(config_read(p, DEVFN, 6, 2) & 8, 8);
	pci_set_intx(container_of(a, struct pci_device, dev), true);
	pci_set_intx(card(p), false);
	assert_true(p->t->gsi[16].level);
	test_pci_free(p, a);
	assert_false(p->t->gsi[16].level);
}

static void the_command_register_silences_intx(void **state)
{
	struct test_pci *p = *state;
	struct irq_sink pirqs[4] = { bus_gsi(p->t->bus, 16) };

	pci_bus_set_pirqs(p->pci, pirqs);
	pci_set_intx(card(p), true);
	config_write(p, DEVFN, 4, PCI_COMMAND_INTX_OFF, 2);
	assert_false(p->t->gsi[16].level);
	assert_int_equal(config_read(p, DEVFN, 6, 2) & 8, 8);
	config_write(p, DEVFN, 4, 0, 2);
	assert_true(p->t->gsi[16].level);
	config_write(p, DEVFN, 4, PCI_COMMAND_INTX_OFF, 2);
	pci_set_intx(card(p), false);
	config_write(p, DEVFN, 4, 0, 2);
	assert_false(p->t->gsi[16].level);
}

struct message {
	uint64_t address;
	uint32_t data;
	unsigned count;
};

static void take_message(void *ctx, uint64_t address, uint32_t data)
{
	struct message *m = ctx;

	*m = (struct message){ address, data, m->count + 1 };
}

static void msi_sends_what_the_capability_says(void **state)
{
	struct test_pci *p = *state;
	struct message m = { 0 };
	unsigned cap = config_read(p, DEVFN, PCI_CAPABILITIES, 1);

	pci_bus_set_msi(p->pci, take_message, &m);
	assert_int_equal(config_read(p, DEVFN, cap, 4), 0x00840005);
	config_write(p, DEVFN, cap + 4, 0xfee01000, 4);
	config_write(p, DEVFN, cap + 12, 0x4047, 2);
	pci_msi_send(card(p), 1);
	assert_int_equal(m.count, 0);
	config_write(p, DEVFN, cap + 2, 0x0001, 2);	/* one vector */
	assert_true(pci_msi_enabled(card(p)));
	pci_msi_send(card(p), 1);
	assert_int_equal(m.count, 1);
	assert_int_equal(m.address, 0xfee01000);
	assert_int_equal(m.data, 0x4047);
	config_write(p, DEVFN, cap + 2, 0x0021, 2);	/* four */
	pci_msi_send(card(p), 1);
	assert_int_equal(m.data, 0x4045);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)

TEST_MAIN("pci",
	T(the_header_says_who_it_is),
	T(nobody_elsewhere_reads_ones),
	T(config_address_takes_only_four_bytes_at_once),
	T(bars_are_sized_by_writing_ones),
	T(bars_decode_as_the_command_register_says),
	T(a_64_bit_bar_lies_above_4_gib),
	T(a_bar_past_the_last_port_does_not_decode),
	T(reset_unmaps_and_forgets),
	T(an_empty_slot_is_found_and_a_taken_one_refused),
	T(pins_of_all_cards_meet_in_four_pirqs),
	T(the_command_register_silences_intx),
	T(msi_sends_what_the_capability_says))
