/* machine/inside.h - a machine as the files of this folder see it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MACHINE_INSIDE_H
#define MACHINE_INSIDE_H
#include <stdatomic.h>

#include "bus/bus.h"
#include "cpu/vcpu.h"
#include "dev/core/device.h"
#include "dev/pci/pci.h"
#include "host/os.h"
#include "machine/boot.h"
#include "machine/config.h"
#include "machine/machine.h"
#include "machine/memmap.h"
#include "machine/smbios.h"

#define MACHINE_DEVICES_MAX 64

/* An ISA interrupt line ends at both controllers. */
struct isa_line {
	struct irq_sink pic, ioapic;
};

/* Owner: the loop thread, but for the two marked below. */
struct machine {
	const struct machine_config *cfg;	/* borrowed */
	struct loop *loop;
	struct clock *clock;
	struct bus *bus;
	struct os_ram ram;
	struct memmap map;
	struct e820_entry e820[MEMMAP_E820_MAX];
	unsigned e820_count;

	struct vcpus *vcpus;
	uint32_t apic_ids[MACHINE_MAX_CPUS];
	struct chardev_set *chardevs;
	struct pci_bus *pci;
	struct device *devices[MACHINE_DEVICES_MAX];	/* in order of reset */
	unsigned device_count;
	unsigned serials;	/* bit n: COM<n+1> is there */
	/* Borrowed, among devices[]; hpet may be NULL. */
	struct device *pic, *ioapic, *apic, *pit, *rtc, *hpet, *pm;
	struct isa_line isa[16];

	uint8_t *rom;		/* NULL without -bios; see rom.c */
	struct smbios_config smbios;
	uint8_t *tables;	/* MEMMAP_TABLES_LEN; NULL with -bios */
	gpa_t rsdp;
	struct boot *boot;	/* NULL with -bios */

	bool running;
	/* Bus lock: what the guest has asked for; the first request stands
	 * until it has been seen to. */
	bool power_pending;
	enum power_request power;
	int power_status;
	/* Set by vCPU threads; pairs with debug_stopped(). */
	_Atomic(struct cpu *) debug_cpu;

	void (*on_debug)(void *ctx, struct cpu *c);
	void *on_debug_ctx;
};

/* ---- pc.c: the board ---- */

/* Maps RAM and makes the board's own devices; bus lock held. */
int pc_build(struct machine *m, struct err *e);
/* The firmware tables, once all devices are there. */
int pc_build_tables(struct machine *m, struct err *e);
/* After devices and processors were reset: what firmware would do. */
int pc_after_reset(struct machine *m, struct err *e);

/* ---- plug.c: devices from text ---- */

/* Made, with -global properties; not attached. */
struct device *plug_new(struct machine *m, const struct device_class *c,
			struct err *e);
/* Takes d: attaches it and keeps it until the machine goes, or frees it. */
int plug_attach(struct machine *m, struct device *d, struct err *e);
/* -serial, -debugcon and -device, in that order. */
int plug_configured(struct machine *m, struct err *e);

/* ---- rom.c ---- */

/* Reads cfg->bios and maps it below 4 GiB; m->rom is what C0000h-FFFFFh shows
 * of it. */
int rom_load(struct machine *m, struct err *e);
#endif
