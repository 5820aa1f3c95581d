/* dev/pci/i440fx.c - the 82441FX host bridge: an identity, and the registers
 * that switch C0000h-FFFFFh between ROM and RAM (PAM).
 *
 * Each segment of 16 KiB (64 KiB for the top one) has a nibble:
 *
 *     3 2   1    0
 *   [ - - | WE | RE ]   RE: reads come from RAM; WE: writes go to RAM
 *
 * A direction that is not enabled goes to the ROM, where writes vanish.  A
 * segment that has only WE would need two memories behind one page.  It is
 * mapped as RAM that was filled from the ROM first, which comes to the same
 * for firmware that copies itself into its own shadow, and that is its use.
 *
 * Limits: DRAM timing and row registers are kept and mean nothing; SMRAM is
 * kept and never opens, as there is no system management mode.
 *
 * Source: Intel 82441FX data sheet (290549), 3.2.18 PAM, 3.2.23 SMRAM.
 *
 * SPDX-License-Identifier: MIT
 */
#include "dev/core/devices.h"
#include "dev/pci/i440fx.h"
#include "dev/pci/pci.h"

#define PAM0		0x59
#define PAM_LEN		7
#define SMRAM		0x72
#define SMRAM_LOCKED	0x10
#define SEGMENTS	13

enum mode { ROM = 0, RE = 1, WE = 2, UNKNOWN = 4 };

struct i440fx {
	struct pci_device pci;
	uint8_t *ram, *rom;		/* borrowed; both NULL without a ROM */
	uint8_t mode[SEGMENTS];		/* what is mapped; follows the PAMs */
};

void i440fx_set_shadow(struct device *d, uint8_t *ram, uint8_t *rom)
{
	struct i440fx *x = container_of(d, struct i440fx, pci.dev);

	x->ram = ram;
	x->rom = rom;
}

/* Segment 0 is F0000h with the high nibble of PAM0; then two to a register,
 * low nibble first, from C0000h up. */
static uint8_t segment_mode(const struct i440fx *x, unsigned i)
{
	uint8_t v = x->pci.config[PAM0 + (i + 1) / 2];

	return (i % 2 ? v : v >> 4) & (RE | WE);
}

static uint32_t segment_offset(unsigned i)
{
	return i ? (i - 1) * 0x4000 : 0x30000;
}

static void map_segment(struct i440fx *x, unsigned i, uint8_t mode)
{
	struct bus *b = x->pci.dev.bus;
	uint32_t off = segment_offset(i), len = i ? 0x4000 : 0x10000;
	bool from_rom = mode == WE && x->mode[i] == ROM;

	/* The map holds these few pieces whatever the guest does. */
	if (mode == ROM)
		(void)bus_map_ram(b, SHADOW_BASE + off, len, x->rom + off,
				  true, NULL);
	else
		(void)bus_map_ram(b, SHADOW_BASE + off, len, x->ram + off,
				  !(mode & WE), NULL);
	if (from_rom)
		(void)bus_write(b, SHADOW_BASE + off, x->rom + off, len);
	x->mode[i] = mode;
}

static void update_shadow(struct i440fx *x)
{
	for (unsigned i = 0; x->rom && i < SEGMENTS; i++)
		if (segment_mode(x, i) != x->mode[i])
			map_segment(x, i, segment_mode(x, i));
}

static void i440fx_config_written(struct pci_device *d, unsigned off,
				  unsigned len)
{
	struct i440fx *x = container_of(d, struct i440fx, pci);

	if (off < PAM0 + PAM_LEN && off + len > PAM0)
		update_shadow(x);
	if (d->config[SMRAM] & SMRAM_LOCKED)
		d->writable[SMRAM] = 0;
}

static int i440fx_attach(struct device *d, struct err *e)
{
	struct i440fx *x = container_of(d, struct i440fx, pci.dev);
	static const struct pci_ids ids = {
		.vendor = 0x8086, .device = 0x1237, .revision = 2,
		.class = 0x0600,
		.subsystem_vendor = 0x1af4, .subsystem = 0x1100,
	};
	int r = pci_register(&x->pci, &ids, e);

	if (r < 0)
		return r;
	x->pci.config_written = i440fx_config_written;
	store_le16(x->pci.config + PCI_COMMAND,
		   PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	store_le16(x->pci.writable + PCI_COMMAND, 0x0100);
	store_le16(x->pci.config + PCI_STATUS, 0x0200);	/* medium DEVSEL */
	memset(x->pci.writable + 0x50, 0xff, 0x50);
	x->pci.config[SMRAM] = 0x02;
	memset(x->mode, UNKNOWN, sizeof(x->mode));
	return 0;
}

static void i440fx_reset(struct device *d)
{
	struct i440fx *x = container_of(d, struct i440fx, pci.dev);

	pci_device_reset(&x->pci);
	x->pci.writable[SMRAM] = 0x7f;
	update_shadow(x);
}

static void i440fx_detach(struct device *d)
{
	pci_unregister(container_of(d, struct pci_device, dev));
}

static const struct field i440fx_state[] = { PCI_STATE, { .name = NULL } };

const struct device_class i440fx_class = {
	.name = "i440FX",
	.summary = "Host bridge",
	.category = DEVICE_BRIDGE,
	.bus = BUS_PCI,
	.size = sizeof(struct i440fx),
	.bus_props = pci_props,
	.state = i440fx_state,
	.attach = i440fx_attach,
	.reset = i440fx_reset,
	.detach = i440fx_detach,
};
