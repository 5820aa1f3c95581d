/* machine/mptable.c - see mptable.h
 *
 * Buses 0 (PCI) and 1 (ISA), one I/O APIC, ISA interrupts on the pins of the
 * same number except irq 0 on pin 2, PCI pins where the PIIX3 routes them.
 *
 * Source: Intel MultiProcessor Specification 1.4, chapter 4.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>

#include "dev/pci/pci.h"
#include "machine/memmap.h"
#include "machine/mptable.h"

#define HEADER_LEN	44
#define BUS_PCI_ID	0
#define BUS_ISA_ID	1
#define IOAPIC_ID	0
#define PCI_SLOTS	32
#define LEVEL_HIGH	0x0d
#define INT		0
#define NMI		1
#define EXTINT		3

struct writer {
	struct tables *t;
	struct err *e;
	bool full;
	unsigned entries;
	uint8_t spare[32];
};

static uint8_t *entry(struct writer *w, uint8_t type, size_t len)
{
	gpa_t at;
	uint8_t *p = tables_take(w->t, len, 1, &at, w->e);

	if (!p) {
		w->full = true;
		p = w->spare;
	}
	p[0] = type;
	w->entries++;
	return p;
}

static void processors(struct writer *w, const struct mptable_config *c)
{
	for (unsigned n = 0; n < c->cpus; n++) {
		uint8_t *p;

		if (c->apic_ids[n] > 254)
			continue;
		p = entry(w, 0, 20);
		p[1] = (uint8_t)c->apic_ids[n];
		p[2] = 0x14;			/* local APIC version */
		p[3] = n ? 1 : 3;		/* enabled; boot processor */
		store_le32(p + 4, 0x0600);	/* family 6 */
		store_le32(p + 8, 0x0201);	/* APIC, FPU */
	}
}

static void buses(struct writer *w)
{
	uint8_t *p = entry(w, 1, 8);

	p[1] = BUS_PCI_ID;
	memcpy(p + 2, "PCI   ", 6);
	p = entry(w, 1, 8);
	p[1] = BUS_ISA_ID;
	memcpy(p + 2, "ISA   ", 6);
}

static void interrupt(struct writer *w, uint16_t flags, uint8_t bus,
		      unsigned source, unsigned pin)
{
	uint8_t *p = entry(w, 3, 8);

	p[1] = INT;
	store_le16(p + 2, flags);
	p[4] = bus;
	p[5] = (uint8_t)source;
	p[6] = IOAPIC_ID;
	p[7] = (uint8_t)pin;
}

static bool is_pci_irq(const struct mptable_config *c, unsigned irq)
{
	for (unsigned i = 0; i < PCI_PIRQS; i++)
		if (c->pirq_irqs[i] == irq)
			return true;
	return false;
}

static void interrupts(struct writer *w, const struct mptable_config *c)
{
	for (unsigned irq = 0; irq < 16; irq++)
		if (irq != 2 && !is_pci_irq(c, irq))
			interrupt(w, 0, BUS_ISA_ID, irq, irq ? irq : 2);
	for (unsigned slot = 1; slot < PCI_SLOTS; slot++)
		for (unsigned pin = 1; pin <= 4; pin++)
			interrupt(w, LEVEL_HIGH, BUS_PCI_ID,
				  slot << 2 | (pin - 1),
				  c->pirq_irqs[pci_pirq_of(
					  (uint8_t)(slot << 3), pin)]);
}

static void local_interrupt(struct writer *w, uint8_t type, uint8_t lint)
{
	uint8_t *p = entry(w, 4, 8);

	p[1] = type;
	p[4] = BUS_ISA_ID;
	p[6] = 0xff;			/* all local APICs */
	p[7] = lint;
}

static void io_apic(struct writer *w)
{
	uint8_t *p = entry(w, 2, 8);

	p[1] = IOAPIC_ID;
	p[2] = 0x11;
	p[3] = 1;
	store_le32(p + 4, MEMMAP_IOAPIC);
}

static void fill_header(uint8_t *p, const struct writer *w, size_t len)
{
	memcpy(p, "PCMP", 4);
	store_le16(p + 4, (uint16_t)len);
	p[6] = 4;			/* specification 1.4 */
	memcpy(p + 8, "HUSK    PC          ", 20);
	store_le16(p + 34, (uint16_t)w->entries);
	store_le32(p + 36, MEMMAP_LAPIC);
	p[7] = tables_checksum(p, len);
}

gpa_t mptable_build(const struct mptable_config *c, struct tables *t,
		    struct err *e)
{
	struct writer w = { .t = t, .e = e };
	gpa_t table, at;
	uint8_t *header = tables_take(t, HEADER_LEN, 16, &table, e), *p;

	if (!header)
		return 0;
	processors(&w, c);
	buses(&w);
	io_apic(&w);
	interrupts(&w, c);
	local_interrupt(&w, EXTINT, 0);
	local_interrupt(&w, NMI, 1);
	if (w.full)
		return 0;
	fill_header(header, &w, (size_t)(t->bytes + t->len - header));
	p = tables_take(t, 16, 16, &at, e);
	if (!p)
		return 0;
	memcpy(p, "_MP_", 4);
	store_le32(p + 4, (uint32_t)table);
	p[8] = 1;			/* length in 16 bytes */
	p[9] = 4;
	p[10] = tables_checksum(p, 16);
	return at;
}
