/* machine/memmap.h - where the pc board puts RAM, tables and devices.
 *
 *   0            RAM, with the VGA hole at A0000h and tables from F0000h
 *   below_4g     PCI memory, up to
 *   FEC00000h    I/O APIC, HPET (FED00000h), local APICs (FEE00000h)
 *   FFFC0000h    firmware
 *   100000000h   the rest of RAM, then 64-bit PCI memory
 *
 * RAM below 4 GiB ends at E0000000h, or at C0000000h if there is more, so that
 * what is left starts at a whole GiB.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MACHINE_MEMMAP_H
#define MACHINE_MEMMAP_H
#include <stdint.h>

#include "machine/boot.h"

#define MEMMAP_EBDA		0x9fc00ull
#define MEMMAP_VGA		0xa0000ull
#define MEMMAP_TABLES		0xf0000ull	/* ACPI, SMBIOS, MP */
#define MEMMAP_TABLES_LEN	0x10000ull
#define MEMMAP_LOW_MAX		0xe0000000ull
#define MEMMAP_LOW_SPLIT	0xc0000000ull
#define MEMMAP_PCI_END		0xfec00000ull
#define MEMMAP_IOAPIC		0xfec00000ull
#define MEMMAP_HPET		0xfed00000ull
#define MEMMAP_LAPIC		0xfee00000ull
#define MEMMAP_FIRMWARE		0xfffc0000ull
#define MEMMAP_HIGH		0x100000000ull
#define MEMMAP_E820_MAX		8

struct memmap {
	uint64_t below_4g, above_4g;	/* bytes of RAM */
};

struct memmap memmap_split(uint64_t ram_size);
/* What firmware tells the system; returns the number of entries. */
unsigned memmap_e820(const struct memmap *m,
		     struct e820_entry out[MEMMAP_E820_MAX]);

/* 32-bit PCI memory: from here to MEMMAP_PCI_END. */
static inline uint64_t memmap_pci32(const struct memmap *m)
{
	return m->below_4g > MEMMAP_LOW_SPLIT ? MEMMAP_LOW_MAX :
						MEMMAP_LOW_SPLIT;
}

/* First address past the RAM above 4 GiB, on a whole GiB: 64-bit PCI. */
static inline uint64_t memmap_pci64(const struct memmap *m)
{
	return (MEMMAP_HIGH + m->above_4g + 0x3fffffff) & ~0x3fffffffull;
}
#endif
