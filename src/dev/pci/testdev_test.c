/* dev/pci/testdev_test.c - pci-testdev's protocol, as a test kernel runs it.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "dev/core/devices.h"
#include "dev/pci/test_pci.h"

#define DEVFN	(4 << 3)
#define MEM	0xfe000000u
#define IO	0xc000

static int up(void **state)
{
	struct test_pci *p = test_pci_up();

	p->d = test_pci_new(p, &pci_testdev_class);
	device_set_prop(p->d, "addr", "4", NULL);
	test_pci_attach(p, p->d);
	config_write(p, DEVFN, 0x10, MEM, 4);
	config_write(p, DEVFN, 0x14, IO, 4);
	config_write(p, DEVFN, 4, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
	*state = p;
	return 0;
}

static int down(void **state)
{
	test_pci_down(*state);
	return 0;
}

static void it_says_who_it_is(void **state)
{
	struct test_pci *p = *state;

	assert_int_equal(config_read(p, DEVFN, 0, 4), 0x00051b36);
	assert_int_equal(config_read(p, DEVFN, 8, 4), 0x00ff0000);
}

static void port_tests_count_matching_writes(void **state)
{
	static const char name[] = "portio-no-eventfd";
	struct test_pci *p = *state;
	uint16_t at;

	outb(p->t, IO, 0);
	for (unsigned i = 0; i < sizeof(name); i++)
		assert_int_equal(inb(p->t, (uint16_t)(IO + 16 + i)), name[i]);
	assert_int_equal(inb(p->t, IO + 1), 1);
	at = (uint16_t)(IO + inl(p->t, IO + 4));
	for (unsigned i = 0; i < 300; i++)
		outb(p->t, at, inb(p->t, IO + 8));
	outb(p->t, at, 0);
	assert_int_equal(inl(p->t, IO + 12), 300);
	outb(p->t, IO, 0);
	assert_int_equal(inl(p->t, IO + 12), 0);
}

static void memory_tests_are_there_too(void **state)
{
	struct test_pci *p = *state;

	bus_mmio_write(p->t->bus, MEM, 1, 1);	/* wildcard: any data */
	assert_int_equal(readl(p->t, MEM + 16), load_le32("mmio"));
	bus_mmio_write(p->t->bus, MEM + readl(p->t, MEM + 4), 0x11, 1);
	bus_mmio_write(p->t->bus, MEM + readl(p->t, MEM + 4), 0x22, 1);
	assert_int_equal(readl(p->t, MEM + 12), 2);
}

static void a_test_that_does_not_exist_reads_zeroes(void **state)
{
	struct test_pci *p = *state;

	outb(p->t, IO, 3);
	assert_int_equal(inb(p->t, IO + 16), 0);
	assert_int_equal(inb(p->t, IO + 1), 0);
}

static void membar_is_a_64_bit_bar_of_that_size(void **state)
{
	struct test_pci *p = *state;
	struct device *d = test_pci_new(p, &pci_testdev_class);
	struct err e;

	device_set_prop(d, "membar", "3M", NULL);
	assert_int_equal(device_attach(d, &e), -EINVAL);
	device_set_prop(d, "membar", "2M", NULL);
	test_pci_attach(p, d);
	config_write(p, 0, 0x18, 0xffffffff, 4);
	assert_int_equal(config_read(p, 0, 0x18, 4), 0xffe0000c);
	test_pci_free(p, d);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)

TEST_MAIN("pci-testdev",
	T(it_says_who_it_is),
	T(port_tests_count_matching_writes),
	T(memory_tests_are_there_too),
	T(a_test_that_does_not_exist_reads_zeroes),
	T(membar_is_a_64_bit_bar_of_that_size))
