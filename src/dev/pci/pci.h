/* dev/pci/pci.h - PCI: one bus, its configuration space, and what every device
 * on it has in common.
 *
 * A PCI device starts its struct with struct pci_device, names pci_props in
 * its class, and calls pci_register() in attach and pci_unregister() in
 * detach.  Whoever creates a device joins it to its bus (pci_join) between
 * device_new() and device_attach().  Everything runs under the bus lock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DEV_PCI_PCI_H
#define DEV_PCI_PCI_H
#include "dev/core/device.h"

#define PCI_BARS	6
#define PCI_PIRQS	4

/* Registers of the type 0 header (PCI 3.0, 6.1). */
enum {
	PCI_VENDOR = 0x00,
	PCI_DEVICE = 0x02,
	PCI_COMMAND = 0x04,
	PCI_STATUS = 0x06,
	PCI_REVISION = 0x08,
	PCI_CLASS = 0x0a,
	PCI_HEADER_TYPE = 0x0e,
	PCI_BAR0 = 0x10,
	PCI_SUBSYSTEM_VENDOR = 0x2c,
	PCI_SUBSYSTEM = 0x2e,
	PCI_CAPABILITIES = 0x34,
	PCI_INTERRUPT_LINE = 0x3c,
	PCI_INTERRUPT_PIN = 0x3d,
	PCI_HEADER_LEN = 0x40,
};

#define PCI_COMMAND_IO		0x0001
#define PCI_COMMAND_MEMORY	0x0002
#define PCI_COMMAND_MASTER	0x0004
#define PCI_COMMAND_INTX_OFF	0x0400
#define PCI_STATUS_INTX		0x0008
#define PCI_STATUS_CAPS		0x0010

#define PCI_CAP_MSI		0x05

struct pci_bus;
struct pci_device;

enum pci_bar_kind {
	PCI_BAR_NONE,
	PCI_BAR_IO,
	PCI_BAR_MEM32,
	PCI_BAR_MEM64,			/* takes the next BAR too */
	PCI_BAR_MEM64_PREFETCH,
};

struct pci_bar {
	enum pci_bar_kind kind;
	uint64_t size;			/* a power of 2 */
	struct window *window;		/* borrowed; NULL: nothing behind it */
};

struct pci_ids {
	uint16_t vendor, device;
	uint8_t revision;
	uint16_t class;			/* base class << 8 | subclass */
	uint8_t prog_if;
	uint16_t subsystem_vendor, subsystem;
	uint8_t interrupt_pin;		/* 1 is INTA#, 0 none */
};

struct pci_device {
	struct device dev;
	struct pci_bus *pci;		/* borrowed, set by pci_join() */
	int32_t addr;			/* property: slot << 3 | fn, or -1 */
	bool multifunction;		/* property */
	bool registered;
	uint8_t devfn;
	uint8_t config[256];
	uint8_t writable[256];		/* bits of config the guest sets */
	uint8_t clearable[256];		/* bits it clears by writing 1 */
	uint8_t reset_config[256];	/* config as attach left it */
	uint16_t caps_end;		/* first byte no capability uses */
	uint8_t msi;			/* offset of the capability, 0 none */
	bool intx;			/* what the device asks for */
	struct pci_bar bars[PCI_BARS];
	/* Told after the guest wrote config[off .. off + len); may be NULL. */
	void (*config_written)(struct pci_device *d, unsigned off,
			       unsigned len);
};

/* Properties of every PCI device: addr=, multifunction=. */
extern const struct prop pci_props[];
#define PCI_STATE                                                             \
	FIELD(struct pci_device, config), FIELD(struct pci_device, intx)

/* ---- for the board ---- */

/* Maps the ports CF8h-CFFh; b is borrowed. */
struct pci_bus *pci_bus_new(struct bus *b, struct err *e);
void pci_bus_free(struct pci_bus *p);	/* after its devices */
void pci_bus_reset(struct pci_bus *p);
/* Where the wired-or of PIRQ n (0 is PIRQA#) goes; the PIIX3 sets it. */
void pci_bus_set_pirqs(struct pci_bus *p, const struct irq_sink pirqs[4]);
/* Who takes message-signalled interrupts. */
void pci_bus_set_msi(struct pci_bus *p,
		     void (*send)(void *ctx, uint64_t address, uint32_t data),
		     void *ctx);
/* NULL if nobody is there. */
struct pci_device *pci_bus_device(const struct pci_bus *p, uint8_t devfn);
/* The PIRQ that pin (1-4) of a slot is wired to. */
unsigned pci_pirq_of(uint8_t devfn, unsigned pin);

/* ---- for devices ---- */

/* d's class has bus BUS_PCI. */
void pci_join(struct device *d, struct pci_bus *p);
/* Takes a slot and fills the header.  BARs and capabilities come after. */
int pci_register(struct pci_device *d, const struct pci_ids *ids,
		 struct err *e);
void pci_unregister(struct pci_device *d);
/* The registers as attach left them, interrupts down: call it from reset. */
void pci_device_reset(struct pci_device *d);
/* w is borrowed and may be NULL. */
void pci_set_bar(struct pci_device *d, unsigned n, enum pci_bar_kind kind,
		 uint64_t size, struct window *w);
/* Where the guest has put BAR n, whether enabled or not. */
uint64_t pci_bar_address(const struct pci_device *d, unsigned n);
/* Reserve config space for a capability and link it; returns its offset. */
unsigned pci_add_capability(struct pci_device *d, uint8_t id, unsigned len);
void pci_set_intx(struct pci_device *d, bool level);

/* MSI with `vectors` (1 to 32, a power of 2) messages, 64-bit, no masking. */
void pci_msi_init(struct pci_device *d, unsigned vectors);
bool pci_msi_enabled(const struct pci_device *d);
void pci_msi_send(struct pci_device *d, unsigned vector);

/* As the guest's config accesses: len 1, 2 or 4, not crossing 4 bytes. */
uint32_t pci_config_read(const struct pci_device *d, unsigned off,
			 unsigned len);
void pci_config_write(struct pci_device *d, unsigned off, uint32_t v,
		      unsigned len);
#endif
