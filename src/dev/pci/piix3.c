/* dev/pci/piix3.c - the PIIX3's ISA bridge: PCI interrupt routing and the
 * reset control register.
 *
 * PIRQRC[A:D] (60h-63h) say which ISA interrupt each PIRQ drives:
 *
 *    7   6 5 4   3   0
 *   [off|  0   | irq  ]   3-7, 9-12, 14 and 15 exist; others reach nobody
 *
 * An ISA line is the wired-or of the PIRQs routed to it.  The level/edge
 * register (ELCR) belongs to the 8259s.
 *
 * RCR is port CF9h, inside CONFIG_ADDRESS, and told apart by being one byte:
 * bit 2 going from 0 to 1 resets, bit 1 says how hard.
 *
 * Limits: the DMA, bus timing and system management registers are kept and
 * mean nothing.
 *
 * Source: Intel 82371FB/SB PIIX/PIIX3 data sheet (290550), 2.2 and 2.5.4.1.
 *
 * SPDX-License-Identifier: MIT
 */
#include "dev/core/devices.h"
#include "dev/pci/pci.h"

#define PIRQRCA		0x60
#define PIRQRC_OFF	0x80
#define ROUTABLE	0xdef8	/* a bit for each ISA irq that exists here */
#define RCR_PORT	0xcf9
#define RCR_HARD	0x02
#define RCR_RESET	0x04

struct piix3 {
	struct pci_device pci;
	struct window rcr_window;
	struct irq isa[16];		/* derived from pirq and PIRQRC */
	bool pirq[PCI_PIRQS];		/* derived: the PCI bus's levels */
	uint8_t rcr;
};

static void route(struct piix3 *x)
{
	bool level[16] = { false };

	for (unsigned i = 0; i < PCI_PIRQS; i++) {
		uint8_t v = x->pci.config[PIRQRCA + i];

		if (!(v & PIRQRC_OFF))
			level[v & 15] |= x->pirq[i];
	}
	for (unsigned n = 0; n < 16; n++)
		if (ROUTABLE >> n & 1)
			irq_set(&x->isa[n], level[n]);
}

static void pirq_changed(void *ctx, unsigned pin, bool level)
{
	struct piix3 *x = ctx;

	x->pirq[pin] = level;
	route(x);
}

static void piix3_config_written(struct pci_device *d, unsigned off,
				 unsigned len)
{
	if (off < PIRQRCA + PCI_PIRQS && off + len > PIRQRCA)
		route(container_of(d, struct piix3, pci));
}

static uint64_t rcr_read(void *dev, uint64_t off, unsigned size)
{
	const struct piix3 *x = dev;

	return x->rcr;
}

static void rcr_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct piix3 *x = dev;

	x->rcr = val & RCR_HARD;
	if (val & RCR_RESET)
		bus_request_power(x->pci.dev.bus, POWER_RESET, 0);
}

static const struct io_ops rcr_io = {
	.min_size = 1, .max_size = 1, .read = rcr_read, .write = rcr_write,
};

/* Defaults that differ from 0, from the register descriptions. */
static const struct {
	uint8_t off, val;
} presets[] = {
	{ 0x4c, 0x4d }, { 0x4e, 0x03 }, { 0x60, 0x80 }, { 0x61, 0x80 },
	{ 0x62, 0x80 }, { 0x63, 0x80 }, { 0x69, 0x02 }, { 0x70, 0x80 },
	{ 0x76, 0x0c }, { 0x77, 0x0c }, { 0x78, 0x02 }, { 0xa0, 0x08 },
};

static void set_registers(struct pci_device *d)
{
	store_le16(d->config + PCI_COMMAND, PCI_COMMAND_IO |
		   PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	store_le16(d->writable + PCI_COMMAND, 0);
	store_le16(d->config + PCI_STATUS, 0x0200);	/* medium DEVSEL */
	memset(d->writable + 0x4c, 0xff, 0xb0 - 0x4c);
	for (unsigned i = 0; i < PCI_PIRQS; i++)
		d->writable[PIRQRCA + i] = 0x8f;
	for (unsigned i = 0; i < ARRAY_LEN(presets); i++)
		d->config[presets[i].off] = presets[i].val;
}

static void piix3_detach(struct device *d)
{
	struct piix3 *x = container_of(d, struct piix3, pci.dev);
	static const struct irq_sink nobody[PCI_PIRQS];

	pci_bus_set_pirqs(x->pci.pci, nobody);
	bus_unmap_ports(d->bus, &x->rcr_window);
	pci_unregister(&x->pci);
}

static int piix3_attach(struct device *d, struct err *e)
{
	struct piix3 *x = container_of(d, struct piix3, pci.dev);
	static const struct pci_ids ids = {
		.vendor = 0x8086, .device = 0x7000, .class = 0x0601,
		.subsystem_vendor = 0x1af4, .subsystem = 0x1100,
	};
	struct irq_sink pirqs[PCI_PIRQS];
	int r;

	x->pci.multifunction = true;
	r = pci_register(&x->pci, &ids, e);
	if (r < 0)
		return r;
	set_registers(&x->pci);
	x->pci.config_written = piix3_config_written;
	for (unsigned n = 0; n < 16; n++)
		irq_connect(&x->isa[n], bus_isa_irq(d->bus, n));
	for (unsigned i = 0; i < PCI_PIRQS; i++)
		pirqs[i] = (struct irq_sink){ pirq_changed, x, i };
	pci_bus_set_pirqs(x->pci.pci, pirqs);
	x->rcr_window = (struct window){
		.name = "reset-control", .ops = &rcr_io, .dev = x,
	};
	/* Above CONFIG_ADDRESS: the one mapped last answers single bytes. */
	r = bus_map_ports(d->bus, &x->rcr_window, RCR_PORT, 1, e);
	if (r < 0)
		piix3_detach(d);
	return r;
}

static void piix3_reset(struct device *d)
{
	struct piix3 *x = container_of(d, struct piix3, pci.dev);

	pci_device_reset(&x->pci);
	x->rcr = 0;
	route(x);
}

static const struct field piix3_state[] = {
	PCI_STATE, FIELD(struct piix3, rcr),
	{ .name = NULL },
};

const struct device_class piix3_class = {
	.name = "PIIX3",
	.category = DEVICE_BRIDGE,
	.bus = BUS_PCI,
	.size = sizeof(struct piix3),
	.bus_props = pci_props,
	.state = piix3_state,
	.attach = piix3_attach,
	.reset = piix3_reset,
	.detach = piix3_detach,
};
