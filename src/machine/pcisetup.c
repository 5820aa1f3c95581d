/* machine/pcisetup.c - see pcisetup.h
 *
 * BARs are placed by falling size, ports up from C000h and memory up from the
 * start of the PCI hole; as each size divides the one before, every address
 * comes out aligned and nothing is wasted.  A 64-bit BAR that the hole has no
 * room for goes above RAM.  What fits nowhere stays off, as on a real board.
 *
 * SPDX-License-Identifier: MIT
 */
#include "dev/pci/piix4_pm.h"
#include "machine/pcisetup.h"

#define PORTS_FIRST	0xc000u
#define PORTS_END	0x10000u
#define PIIX3_DEVFN	(1 << 3)
#define PIIX4_PM_DEVFN	((1 << 3) + 3)
#define PIRQRCA		0x60
#define ELCR		0x4d0
#define DEVFNS		256

const uint8_t pcisetup_irqs[PCI_PIRQS] = { 10, 10, 11, 11 };

struct ranges {
	uint64_t port, mem32, mem64;	/* next free */
};

static bool is_64(const struct pci_bar *bar)
{
	return bar->kind == PCI_BAR_MEM64 || bar->kind == PCI_BAR_MEM64_PREFETCH;
}

/* size bytes at *next if they end at or below `end`. */
static bool take(uint64_t *next, uint64_t size, uint64_t end, uint64_t *at)
{
	uint64_t from = (*next + size - 1) & ~(size - 1);

	if (from < *next || from >= end || size > end - from)
		return false;
	*at = from;
	*next = from + size;
	return true;
}

static void place_bar(struct pci_device *d, unsigned n, struct ranges *r)
{
	const struct pci_bar *bar = &d->bars[n];
	unsigned reg = PCI_BAR0 + 4 * n;
	uint64_t at;
	bool ok;

	if (bar->kind == PCI_BAR_IO)
		ok = take(&r->port, bar->size, PORTS_END, &at);
	else
		ok = take(&r->mem32, bar->size, MEMMAP_PCI_END, &at) ||
		     (is_64(bar) &&
		      take(&r->mem64, bar->size, 1ull << 40, &at));
	if (!ok)
		return;
	pci_config_write(d, reg, (uint32_t)at, 4);
	if (is_64(bar))
		pci_config_write(d, reg + 4, (uint32_t)(at >> 32), 4);
}

static void place_bars_of_size(struct pci_bus *p, uint64_t size,
			       struct ranges *r)
{
	for (unsigned devfn = 0; devfn < DEVFNS; devfn++) {
		struct pci_device *d = pci_bus_device(p, (uint8_t)devfn);

		for (unsigned n = 0; d && n < PCI_BARS; n++)
			if (d->bars[n].kind != PCI_BAR_NONE &&
			    d->bars[n].size == size)
				place_bar(d, n, r);
	}
}

static void enable(struct pci_device *d)
{
	uint32_t command = pci_config_read(d, PCI_COMMAND, 2);
	unsigned pin = d->config[PCI_INTERRUPT_PIN];

	for (unsigned n = 0; n < PCI_BARS; n++) {
		if (d->bars[n].kind == PCI_BAR_NONE || !pci_bar_address(d, n))
			continue;
		command |= d->bars[n].kind == PCI_BAR_IO ? PCI_COMMAND_IO :
							   PCI_COMMAND_MEMORY;
	}
	pci_config_write(d, PCI_COMMAND, command, 2);
	if (pin && d->devfn != PIIX4_PM_DEVFN)
		pci_config_write(d, PCI_INTERRUPT_LINE,
				 pcisetup_irqs[pci_pirq_of(d->devfn, pin)], 1);
}

/* PCI and ACPI interrupts are level-triggered in the 8259s too. */
static void route_interrupts(struct pci_bus *p, struct bus *b)
{
	struct pci_device *piix3 = pci_bus_device(p, PIIX3_DEVFN);
	uint32_t level = 1u << PM_SCI_IRQ;

	for (unsigned i = 0; i < PCI_PIRQS; i++) {
		level |= 1u << pcisetup_irqs[i];
		if (piix3)
			pci_config_write(piix3, PIRQRCA + i, pcisetup_irqs[i],
					 1);
	}
	bus_port_write(b, ELCR, level & 0xff, 1);
	bus_port_write(b, ELCR + 1, level >> 8, 1);
}

void pcisetup_run(struct pci_bus *p, struct bus *b, const struct memmap *m)
{
	struct ranges r = { PORTS_FIRST, memmap_pci32(m), memmap_pci64(m) };
	struct pci_device *pm = pci_bus_device(p, PIIX4_PM_DEVFN);

	for (uint64_t size = 1ull << 40; size >= 4; size /= 2)
		place_bars_of_size(p, size, &r);
	for (unsigned devfn = 0; devfn < DEVFNS; devfn++)
		if (pci_bus_device(p, (uint8_t)devfn))
			enable(pci_bus_device(p, (uint8_t)devfn));
	route_interrupts(p, b);
	if (pm) {
		pci_config_write(pm, PM_CONFIG_BASE, PM_IO_BASE | 1, 4);
		pci_config_write(pm, PM_CONFIG_MISC, 1, 1);
	}
}
