/* dev/pci/pci.c - PCI configuration mechanism #1, type 0 headers, BARs, INTx
 * and MSI.
 *
 * CONFIG_ADDRESS (CF8h) names a register of a function; CONFIG_DATA (CFCh)
 * reaches it:
 *
 *    31  30     24 23   16 15  11 10  8 7      2  1 0
 *   [en |reserved | bus  | slot | fn  | register | 0 0]
 *
 * Each device keeps 256 bytes of config with a mask of what the guest may set
 * and a mask of what it clears by writing ones.  A BAR's mask leaves the low
 * bits zero, which is all that sizing needs.  After each write that touches
 * the command register or a BAR, the windows behind BARs are mapped and
 * unmapped to match.
 *
 * The four interrupt pins of each slot go, rotated, to PIRQA# to PIRQD#; a
 * PIRQ is the wired-or of all devices on it, so it is counted.
 *
 * Limits: one bus, no bridges, no expansion ROMs.
 *
 * Source: PCI Local Bus Specification 3.0, chapters 3.2.2.3, 6.1, 6.2, 6.8.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/num.h"
#include "dev/pci/pci.h"

#define ADDRESS_ENABLE	0x80000000u
#define DEVFNS		256

struct pci_bus {
	struct bus *bus;		/* borrowed */
	struct window address_window, data_window;
	uint32_t address;		/* CONFIG_ADDRESS */
	struct pci_device *devices[DEVFNS];	/* borrowed */
	struct irq pirqs[PCI_PIRQS];
	unsigned asserted[PCI_PIRQS];	/* devices that pull each PIRQ */
	void (*msi)(void *ctx, uint64_t address, uint32_t data);
	void *msi_ctx;
};

const struct prop pci_props[] = {
	PROP(struct pci_device, addr, "addr", PROP_PCI_ADDR, (uint64_t)-1,
	     "Slot and optional function number, example: 06.0 or 06"),
	PROP(struct pci_device, multifunction, "multifunction", PROP_BOOL, 0,
	     "on/off"),
	{ .name = NULL },
};

/* ---- interrupts ---- */

unsigned pci_pirq_of(uint8_t devfn, unsigned pin)
{
	/* Slot 1 is the PIIX3's: its INTA# is PIRQA#. */
	return ((devfn >> 3) + pin - 2u) & 3;
}

static void pirq_change(struct pci_device *d, bool level)
{
	struct pci_bus *p = d->pci;
	unsigned n = pci_pirq_of(d->devfn, d->config[PCI_INTERRUPT_PIN]);

	if (level)
		p->asserted[n]++;
	else
		p->asserted[n]--;
	irq_set(&p->pirqs[n], p->asserted[n] != 0);
}

/* PCI_STATUS_INTX says what the device asks for even while PCI_COMMAND_INTX_OFF
 * keeps it off the wire (6.2.2, 6.2.3). */
static bool on_wire(const struct pci_device *d)
{
	return d->intx &&
	       !(load_le16(d->config + PCI_COMMAND) & PCI_COMMAND_INTX_OFF);
}

void pci_set_intx(struct pci_device *d, bool level)
{
	bool before = on_wire(d);

	d->intx = level;
	d->config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTX;
	if (level)
		d->config[PCI_STATUS] |= PCI_STATUS_INTX;
	if (on_wire(d) != before)
		pirq_change(d, on_wire(d));
}

/* ---- BARs ---- */

static unsigned bar_offset(unsigned n)
{
	return PCI_BAR0 + 4 * n;
}

static bool is_64(enum pci_bar_kind k)
{
	return k == PCI_BAR_MEM64 || k == PCI_BAR_MEM64_PREFETCH;
}

uint64_t pci_bar_address(const struct pci_device *d, unsigned n)
{
	const uint8_t *at = d->config + bar_offset(n);
	enum pci_bar_kind kind = d->bars[n].kind;

	if (kind == PCI_BAR_NONE)
		return 0;
	if (kind == PCI_BAR_IO)
		return load_le32(at) & ~3u;
	return (is_64(kind) ? load_le64(at) : load_le32(at)) & ~15ull;
}

/* True if the BAR decodes, and then where.  An address of 0 or at the very
 * top is a BAR that is unset or being sized. */
static bool bar_decodes(const struct pci_device *d, unsigned n, uint64_t *at)
{
	const struct pci_bar *bar = &d->bars[n];
	uint16_t command = load_le16(d->config + PCI_COMMAND);
	uint64_t last;

	*at = pci_bar_address(d, n);
	last = *at + bar->size - 1;
	if (!*at || last < *at)
		return false;
	if (bar->kind == PCI_BAR_IO)
		return (command & PCI_COMMAND_IO) && last <= 0xffff;
	return (command & PCI_COMMAND_MEMORY) && last != UINT32_MAX &&
	       last != UINT64_MAX;
}

static void unmap_bar(struct pci_device *d, const struct pci_bar *bar)
{
	if (bar->kind == PCI_BAR_IO)
		bus_unmap_ports(d->dev.bus, bar->window);
	else
		bus_unmap_mmio(d->dev.bus, bar->window);
}

static void update_bar(struct pci_device *d, unsigned n)
{
	const struct pci_bar *bar = &d->bars[n];
	struct window *w = bar->window;
	uint64_t at;
	bool decodes;

	if (bar->kind == PCI_BAR_NONE || !w)
		return;
	decodes = bar_decodes(d, n, &at);
	if (w->mapped && (!decodes || w->base != at))
		unmap_bar(d, bar);
	if (!decodes || w->mapped)
		return;
	/* bar_decodes() has checked the range, which is all that can fail. */
	if (bar->kind == PCI_BAR_IO)
		(void)bus_map_ports(d->dev.bus, w, (uint16_t)at,
				    (uint32_t)bar->size, NULL);
	else
		(void)bus_map_mmio(d->dev.bus, w, at, bar->size, NULL);
}

static void update_bars(struct pci_device *d)
{
	for (unsigned n = 0; n < PCI_BARS; n++)
		update_bar(d, n);
}

void pci_set_bar(struct pci_device *d, unsigned n, enum pci_bar_kind kind,
		 uint64_t size, struct window *w)
{
	uint8_t *at = d->config + bar_offset(n);
	uint8_t *mask = d->writable + bar_offset(n);

	assert(n + is_64(kind) < PCI_BARS && is_power_of_2(size));
	assert(size >= (kind == PCI_BAR_IO ? 4 : 16));
	d->bars[n] = (struct pci_bar){ kind, size, w };
	store_le32(mask, (uint32_t)~(size - 1));
	switch (kind) {
	case PCI_BAR_NONE:		break;
	case PCI_BAR_IO:		*at = 1; break;
	case PCI_BAR_MEM32:		*at = 0; break;
	case PCI_BAR_MEM64:		*at = 4; break;
	case PCI_BAR_MEM64_PREFETCH:	*at = 12; break;
	}
	if (is_64(kind))
		store_le32(mask + 4, (uint32_t)(~(size - 1) >> 32));
}

/* ---- configuration space ---- */

uint32_t pci_config_read(const struct pci_device *d, unsigned off, unsigned len)
{
	uint32_t v = 0;

	memcpy(&v, d->config + off, len);
	return v;
}

static bool touches(unsigned off, unsigned len, unsigned first, unsigned end)
{
	return off < end && off + len > first;
}

void pci_config_write(struct pci_device *d, unsigned off, uint32_t v,
		      unsigned len)
{
	bool before = on_wire(d);

	for (unsigned i = off; i < off + len; i++, v >>= 8) {
		uint8_t byte = (uint8_t)v, w = d->writable[i];

		d->config[i] = (uint8_t)((d->config[i] & ~w) | (byte & w));
		d->config[i] &= (uint8_t)~(byte & d->clearable[i]);
	}
	if (on_wire(d) != before)
		pirq_change(d, !before);
	if (touches(off, len, PCI_COMMAND, PCI_COMMAND + 2) ||
	    touches(off, len, PCI_BAR0, bar_offset(PCI_BARS)))
		update_bars(d);
	if (d->config_written)
		d->config_written(d, off, len);
}

/* ---- mechanism #1 ---- */

static uint64_t address_read(void *dev, uint64_t off, unsigned size)
{
	const struct pci_bus *p = dev;

	return size == 4 ? p->address : ~0ull;
}

/* Only a 4-byte access at CF8h is for us; others are ordinary port accesses
 * that nobody answers (3.2.2.3.2). */
static void address_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct pci_bus *p = dev;

	if (size == 4)
		p->address = (uint32_t)val & 0x80fffffc;
}

/* The function that CONFIG_ADDRESS names; buses other than 0 are empty. */
static struct pci_device *addressed(const struct pci_bus *p)
{
	if (!(p->address & ADDRESS_ENABLE) || (p->address >> 16 & 0xff))
		return NULL;
	return p->devices[p->address >> 8 & 0xff];
}

static uint64_t data_read(void *dev, uint64_t off, unsigned size)
{
	const struct pci_bus *p = dev;
	const struct pci_device *d = addressed(p);

	if (!d)
		return ~0ull;
	return pci_config_read(d, (p->address & 0xfc) + (unsigned)off, size);
}

static void data_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct pci_bus *p = dev;
	struct pci_device *d = addressed(p);

	if (d)
		pci_config_write(d, (p->address & 0xfc) + (unsigned)off,
				 (uint32_t)val, size);
}

static const struct io_ops address_io = {
	.min_size = 1, .max_size = 4,
	.read = address_read, .write = address_write,
};
static const struct io_ops data_io = {
	.min_size = 1, .max_size = 4, .read = data_read, .write = data_write,
};

/* ---- the bus ---- */

struct pci_bus *pci_bus_new(struct bus *b, struct err *e)
{
	struct pci_bus *p = xcalloc(1, sizeof(*p));

	p->bus = b;
	p->address_window = (struct window){
		.name = "pci-config-address", .ops = &address_io, .dev = p,
	};
	p->data_window = (struct window){
		.name = "pci-config-data", .ops = &data_io, .dev = p,
	};
	if (bus_map_ports(b, &p->address_window, 0xcf8, 4, e) < 0 ||
	    bus_map_ports(b, &p->data_window, 0xcfc, 4, e) < 0) {
		pci_bus_free(p);
		return NULL;
	}
	return p;
}

void pci_bus_free(struct pci_bus *p)
{
	if (!p)
		return;
	bus_unmap_ports(p->bus, &p->address_window);
	bus_unmap_ports(p->bus, &p->data_window);
	free(p);
}

void pci_bus_reset(struct pci_bus *p)
{
	p->address = 0;
}

void pci_bus_set_pirqs(struct pci_bus *p, const struct irq_sink pirqs[4])
{
	for (unsigned i = 0; i < PCI_PIRQS; i++)
		irq_connect(&p->pirqs[i], pirqs[i]);
}

void pci_bus_set_msi(struct pci_bus *p,
		     void (*send)(void *ctx, uint64_t address, uint32_t data),
		     void *ctx)
{
	p->msi = send;
	p->msi_ctx = ctx;
}

struct pci_device *pci_bus_device(const struct pci_bus *p, uint8_t devfn)
{
	return p->devices[devfn];
}

/* ---- devices ---- */

void pci_join(struct device *d, struct pci_bus *p)
{
	assert(d->class->bus == BUS_PCI);
	container_of(d, struct pci_device, dev)->pci = p;
}

static int find_slot(struct pci_device *d, struct err *e)
{
	const struct pci_bus *p = d->pci;
	const char *name = d->dev.class->name;

	if (d->addr >= 0) {
		const struct pci_device *there = p->devices[d->addr];

		if (there)
			return fail(e, EBUSY, "%s.addr: %02x.%x is taken by"
				    " %s", name, (unsigned)d->addr >> 3,
				    (unsigned)d->addr & 7,
				    there->dev.class->name);
		d->devfn = (uint8_t)d->addr;
		return 0;
	}
	for (unsigned devfn = 0; devfn < DEVFNS; devfn += 8)
		if (!p->devices[devfn]) {
			d->devfn = (uint8_t)devfn;
			return 0;
		}
	return fail(e, ENOSPC, "%s: all 32 slots of the PCI bus are taken",
		    name);
}

static void fill_header(struct pci_device *d, const struct pci_ids *ids)
{
	uint8_t *c = d->config, *w = d->writable;

	store_le16(c + PCI_VENDOR, ids->vendor);
	store_le16(c + PCI_DEVICE, ids->device);
	c[PCI_REVISION] = ids->revision;
	c[PCI_REVISION + 1] = ids->prog_if;
	store_le16(c + PCI_CLASS, ids->class);
	c[PCI_HEADER_TYPE] = d->multifunction ? 0x80 : 0;
	store_le16(c + PCI_SUBSYSTEM_VENDOR, ids->subsystem_vendor);
	store_le16(c + PCI_SUBSYSTEM, ids->subsystem);
	c[PCI_INTERRUPT_PIN] = ids->interrupt_pin;
	store_le16(w + PCI_COMMAND,
		   PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
		   0x0140 | PCI_COMMAND_INTX_OFF);	/* parity, SERR# */
	store_le16(d->clearable + PCI_STATUS, 0xf900);
	w[0x0c] = 0xff;			/* cache line size */
	w[0x0d] = 0xf8;			/* latency timer */
	w[PCI_INTERRUPT_LINE] = 0xff;
	d->caps_end = PCI_HEADER_LEN;
}

int pci_register(struct pci_device *d, const struct pci_ids *ids,
		 struct err *e)
{
	int r = find_slot(d, e);

	if (r < 0)
		return r;
	fill_header(d, ids);
	d->pci->devices[d->devfn] = d;
	d->registered = true;
	return 0;
}

void pci_unregister(struct pci_device *d)
{
	if (!d->registered)
		return;
	pci_set_intx(d, false);
	for (unsigned n = 0; n < PCI_BARS; n++)
		if (d->bars[n].window)
			unmap_bar(d, &d->bars[n]);
	d->pci->devices[d->devfn] = NULL;
	d->registered = false;
}

/* The first reset comes right after attach, and finds in config what attach
 * has put there. */
void pci_device_reset(struct pci_device *d)
{
	pci_set_intx(d, false);
	if (load_le16(d->reset_config + PCI_VENDOR) == 0)
		memcpy(d->reset_config, d->config, sizeof(d->config));
	memcpy(d->config, d->reset_config, sizeof(d->config));
	update_bars(d);
}

unsigned pci_add_capability(struct pci_device *d, uint8_t id, unsigned len)
{
	unsigned at = d->caps_end;

	assert(at + len <= sizeof(d->config));
	d->config[at] = id;
	d->config[at + 1] = d->config[PCI_CAPABILITIES];
	d->config[PCI_CAPABILITIES] = (uint8_t)at;
	d->config[PCI_STATUS] |= PCI_STATUS_CAPS;
	d->caps_end = (uint16_t)((at + len + 3) & ~3u);
	return at;
}

/* ---- MSI: +2 control, +4 address, +8 its high half, +12 data ---- */

#define MSI_ENABLE	0x0001
#define MSI_64		0x0080

void pci_msi_init(struct pci_device *d, unsigned vectors)
{
	unsigned at = pci_add_capability(d, PCI_CAP_MSI, 14);
	unsigned log2 = (unsigned)__builtin_ctz(vectors);

	assert(is_power_of_2(vectors) && vectors <= 32);
	d->msi = (uint8_t)at;
	store_le16(d->config + at + 2, (uint16_t)(MSI_64 | log2 << 1));
	store_le16(d->writable + at + 2, MSI_ENABLE | 7 << 4);
	store_le32(d->writable + at + 4, 0xfffffffc);
	store_le32(d->writable + at + 8, 0xffffffff);
	store_le16(d->writable + at + 12, 0xffff);
}

bool pci_msi_enabled(const struct pci_device *d)
{
	return d->msi && (load_le16(d->config + d->msi + 2) & MSI_ENABLE);
}

void pci_msi_send(struct pci_device *d, unsigned vector)
{
	const uint8_t *cap = d->config + d->msi;
	unsigned offered, granted;

	if (!pci_msi_enabled(d) || !d->pci->msi)
		return;
	offered = load_le16(cap + 2) >> 1 & 7;
	granted = load_le16(cap + 2) >> 4 & 7;
	if (granted > offered)
		granted = offered;	/* a guest's mistake */
	/* The low bits of data count the vectors that were granted. */
	vector &= (1u << granted) - 1;
	d->pci->msi(d->pci->msi_ctx, load_le64(cap + 4),
		    (load_le16(cap + 12) & ~((1u << granted) - 1)) | vector);
}
