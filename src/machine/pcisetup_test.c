/* machine/pcisetup_test.c - a board set up as firmware would leave it.
 * SPDX-License-Identifier: MIT
 */
#include "dev/core/devices.h"
#include "dev/pci/test_pci.h"
#include "machine/pcisetup.h"

struct rig {
	struct test_pci *p;
	struct device *d[4];
};

static struct device *plug(struct rig *r, unsigned n,
			   const struct device_class *c, const char *addr,
			   const char *membar)
{
	r->d[n] = test_pci_new(r->p, c);
	device_set_prop(r->d[n], "addr", addr, NULL);
	if (membar)
		device_set_prop(r->d[n], "membar", membar, NULL);
	test_pci_attach(r->p, r->d[n]);
	return r->d[n];
}

static void set_up(struct rig *r, uint64_t ram)
{
	struct memmap m = memmap_split(ram);

	bus_lock(r->p->t->bus);
	pcisetup_run(r->p->pci, r->p->t->bus, &m);
	bus_unlock(r->p->t->bus);
}

static int up(void **state)
{
	struct rig *r = test_calloc(1, sizeof(*r));

	r->p = test_pci_up();
	plug(r, 0, &piix3_class, "1", NULL);
	plug(r, 1, &piix4_pm_class, "1.3", NULL);
	plug(r, 2, &pci_testdev_class, "3", NULL);
	plug(r, 3, &pci_testdev_class, "4", "4G");
	*state = r;
	return 0;
}

static int down(void **state)
{
	struct rig *r = *state;

	for (unsigned i = 4; i-- > 0;)
		test_pci_free(r->p, r->d[i]);
	test_pci_down(r->p);
	test_free(r);
	return 0;
}

static void bars_are_apart_and_answer(void **state)
{
	struct rig *r = *state;

	set_up(r, 1 << 30);
	for (unsigned slot = 3; slot <= 4; slot++) {
		uint16_t io = (uint16_t)config_read(r->p, slot << 3, 0x14, 4);
		uint32_t mem = config_read(r->p, slot << 3, 0x10, 4);

		assert_int_equal(mem, 0xc0000000 + 0x1000 * (slot - 3));
		assert_int_equal(io, 0xc001 + 0x100 * (slot - 3));
		outb(r->p->t, (uint16_t)(io - 1), 0);
		assert_int_equal(inb(r->p->t, io), 1);
		bus_mmio_write(r->p->t->bus, mem, 0, 1);
		assert_int_equal(bus_mmio_read(r->p->t->bus, mem + 1, 1), 1);
	}
}

static void a_bar_too_big_for_the_hole_goes_above_ram(void **state)
{
	struct rig *r = *state;

	set_up(r, 6ull << 30);
	assert_int_equal(config_read(r->p, 4 << 3, 0x18, 4), 0xc);
	assert_int_equal(config_read(r->p, 4 << 3, 0x1c, 4), 2);
}

static void the_pm_block_and_the_routing_are_set(void **state)
{
	struct rig *r = *state;

	set_up(r, 1 << 30);
	assert_int_equal(inw(r->p->t, 0x604), 0);
	assert_int_equal(config_read(r->p, 1 << 3, 0x60, 4), 0x0b0b0a0a);
	assert_int_equal(config_read(r->p, (1 << 3) + 3, 0x3c, 1), 9);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)

TEST_MAIN("pcisetup",
	T(bars_are_apart_and_answer),
	T(a_bar_too_big_for_the_hole_goes_above_ram),
	T(the_pm_block_and_the_routing_are_set))
