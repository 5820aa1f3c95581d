/* machine/acpi.h - the ACPI tables of the pc board.
 * SPDX-License-Identifier: MIT
 */
#ifndef MACHINE_ACPI_H
#define MACHINE_ACPI_H
#include "machine/memmap.h"
#include "machine/tables.h"

struct acpi_config {
	unsigned cpus;			/* APIC id of processor n is apic_ids[n] */
	const uint32_t *apic_ids;	/* borrowed */
	struct memmap map;
	bool hpet;
	unsigned serials;		/* bit n: COM<n+1> is there */
};

/* Appends all tables; returns the address of the RSDP, or 0 when they do not
 * fit (*e says so). */
gpa_t acpi_build(const struct acpi_config *c, struct tables *t, struct err *e);

/* The DSDT's definition block alone, for tests; *a is the caller's to free. */
struct aml;
void acpi_build_dsdt(const struct acpi_config *c, struct aml *a);
#endif
