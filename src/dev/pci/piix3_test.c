/* dev/pci/piix3_test.c - interrupt routing and port CF9h.
 * SPDX-License-Identifier: MIT
 */
#include "dev/core/devices.h"
#include "dev/pci/test_pci.h"

#define DEVFN	(1 << 3)

struct rig {
	struct test_pci *p;
	struct device *card;
};

static int card_attach(struct device *d, struct err *e)
{
	static const struct pci_ids ids = {
		.vendor = 0x1234, .interrupt_pin = 1,
	};

	return pci_register(container_of(d, struct pci_device, dev), &ids, e);
}

static void card_detach(struct device *d)
{
	pci_unregister(container_of(d, struct pci_device, dev));
}

static const struct device_class card_class = {
	.name = "card", .bus = BUS_PCI, .size = sizeof(struct pci_device),
	.bus_props = pci_props, .attach = card_attach, .detach = card_detach,
};

static int up(void **state)
{
	struct rig *r = test_calloc(1, sizeof(*r));

	r->p = test_pci_up();
	r->p->d = test_pci_new(r->p, &piix3_class);
	device_set_prop(r->p->d, "addr", "1", NULL);
	test_pci_attach(r->p, r->p->d);
	r->card = test_pci_new(r->p, &card_class);
	device_set_prop(r->card, "addr", "3", NULL);	/* INTA#: PIRQC# */
	test_pci_attach(r->p, r->card);
	*state = r;
	return 0;
}

static int down(void **state)
{
	struct rig *r = *state;

	test_pci_free(r->p, r->card);
	test_pci_down(r->p);
	test_free(r);
	return 0;
}

static void set_card(struct rig *r, bool level)
{
	pci_set_intx(container_of(r->card, struct pci_device, dev), level);
}

static void it_is_a_multifunction_isa_bridge(void **state)
{
	struct rig *r = *state;

	assert_int_equal(config_read(r->p, DEVFN, 0, 4), 0x70008086);
	assert_int_equal(config_read(r->p, DEVFN, 8, 4), 0x06010000);
	assert_int_equal(config_read(r->p, DEVFN, 0x0e, 1), 0x80);
	assert_int_equal(config_read(r->p, DEVFN, 0x60, 4), 0x80808080);
}

static void pirqs_reach_the_isa_line_they_are_routed_to(void **state)
{
	struct rig *r = *state;
	struct test_bus *t = r->p->t;

	set_card(r, true);
	assert_false(t->isa[11].level);
	config_write(r->p, DEVFN, 0x62, 11, 1);
	assert_true(t->isa[11].level);
	config_write(r->p, DEVFN, 0x62, 10, 1);
	assert_false(t->isa[11].level);
	assert_true(t->isa[10].level);
	set_card(r, false);
	assert_false(t->isa[10].level);
}

static void reserved_lines_reach_nobody(void **state)
{
	static const uint8_t reserved[] = { 0, 1, 2, 8, 13 };
	struct rig *r = *state;

	set_card(r, true);
	for (unsigned i = 0; i < ARRAY_LEN(reserved); i++) {
		config_write(r->p, DEVFN, 0x62, reserved[i], 1);
		assert_false(r->p->t->isa[reserved[i]].level);
	}
}

static void port_cf9h_resets_when_bit_2_rises(void **state)
{
	struct rig *r = *state;
	struct test_bus *t = r->p->t;

	outb(t, 0xcf9, 0x02);
	assert_int_equal(inb(t, 0xcf9), 0x02);
	assert_int_equal(t->power_count, 0);
	outb(t, 0xcf9, 0x06);
	assert_int_equal(t->power_count, 1);
	assert_int_equal(t->power, POWER_RESET);
}

static void config_address_still_takes_a_dword(void **state)
{
	struct rig *r = *state;

	outl(r->p->t, 0xcf8, 0x80000fff);
	assert_int_equal(inl(r->p->t, 0xcf8), 0x80000ffc);
	assert_int_equal(r->p->t->power_count, 0);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)

TEST_MAIN("piix3",
	T(it_is_a_multifunction_isa_bridge),
	T(pirqs_reach_the_isa_line_they_are_routed_to),
	T(reserved_lines_reach_nobody),
	T(port_cf9h_resets_when_bit_2_rises),
	T(config_address_still_takes_a_dword))
