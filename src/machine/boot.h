/* machine/boot.h - putting a kernel into guest memory without firmware.
 *
 * boot_open() reads and checks the files, decides where everything goes and
 * keeps the files open; boot_load() copies it all into guest RAM and is called
 * again at every reset; boot_start() then sets the boot processor's registers
 * as the protocol says.
 *
 * Which protocol is read off the kernel file, in this order:
 *   multiboot 1   magic 1BADB002h in the first 8 KiB
 *   PVH           ELF with a Xen note PHYS32_ENTRY
 *   Linux         "HdrS" at 202h: 64-bit entry if the kernel has one and the
 *                 CPU long mode, else the 32-bit entry
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MACHINE_BOOT_H
#define MACHINE_BOOT_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "bus/bus.h"

struct cpu;

/* e820 types (ACPI 6 section 15). */
enum { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3, E820_NVS = 4 };

struct e820_entry {
	uint64_t base, len;
	uint32_t type;
};

struct boot_config {
	const char *kernel, *initrd, *append;	/* initrd, append may be NULL */
	uint64_t low_ram;	/* bytes of RAM from 0 up, below 4 GiB */
	uint64_t high_ram;	/* bytes of RAM from 4 GiB up */
	const struct e820_entry *e820;	/* borrowed until boot_free() */
	unsigned e820_count;
	gpa_t rsdp;		/* 0: none */
	bool long_mode;		/* the vCPUs have LM */
};

struct boot;

struct boot *boot_open(const struct boot_config *cfg, struct err *e);
int boot_load(struct boot *b, struct bus *bus, struct err *e);
void boot_start(const struct boot *b, struct cpu *c);
void boot_free(struct boot *b);

#endif
