/* dev/pci/test_pci.h - a test bus with PCI on it, for unit tests.
 * SPDX-License-Identifier: MIT
 */
#ifndef DEV_PCI_TEST_PCI_H
#define DEV_PCI_TEST_PCI_H
#include "base/test.h"
#include "bus/test_bus.h"
#include "dev/pci/pci.h"

struct test_pci {
	struct test_bus *t;
	struct pci_bus *pci;
	struct device *d;	/* freed by test_pci_down */
};

static inline struct test_pci *test_pci_up(void)
{
	struct test_pci *p = test_calloc(1, sizeof(*p));

	p->t = test_bus_new();
	p->pci = pci_bus_new(p->t->bus, NULL);
	assert_non_null(p->pci);
	return p;
}

static inline struct device *test_pci_new(struct test_pci *p,
					  const struct device_class *c)
{
	struct device *d = device_new(c, p->t->bus);

	pci_join(d, p->pci);
	return d;
}

static inline void test_pci_attach(struct test_pci *p, struct device *d)
{
	bus_lock(p->t->bus);
	assert_int_equal(device_attach(d, NULL), 0);
	bus_unlock(p->t->bus);
}

static inline void test_pci_free(struct test_pci *p, struct device *d)
{
	bus_lock(p->t->bus);
	device_free(d);
	bus_unlock(p->t->bus);
}

static inline void test_pci_down(struct test_pci *p)
{
	test_pci_free(p, p->d);
	pci_bus_free(p->pci);
	test_bus_free(p->t);
	test_free(p);
}

/* Configuration mechanism #1, as a guest does it. */
static inline void select_config(struct test_pci *p, unsigned devfn,
				 unsigned reg)
{
	outl(p->t, 0xcf8, 0x80000000u | devfn << 8 | (reg & 0xfc));
}

static inline uint32_t config_read(struct test_pci *p, unsigned devfn,
				   unsigned reg, unsigned size)
{
	select_config(p, devfn, reg);
	return bus_port_read(p->t->bus, (uint16_t)(0xcfc + (reg & 3)), size);
}

static inline void config_write(struct test_pci *p, unsigned devfn,
				unsigned reg, uint32_t v, unsigned size)
{
	select_config(p, devfn, reg);
	bus_port_write(p->t->bus, (uint16_t)(0xcfc + (reg & 3)), v, size);
}
#endif
