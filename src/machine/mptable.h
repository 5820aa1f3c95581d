/* machine/mptable.h - the MP table, for kernels without ACPI.
 * SPDX-License-Identifier: MIT
 */
#ifndef MACHINE_MPTABLE_H
#define MACHINE_MPTABLE_H
#include "machine/tables.h"

struct mptable_config {
	unsigned cpus;
	const uint32_t *apic_ids;	/* borrowed; ids over 254 are left out */
	const uint8_t *pirq_irqs;	/* ISA irq of PIRQA-D, as programmed */
};

/* Appends the table and its floating pointer, which must lie from F0000h up;
 * returns the pointer's address, 0 when they do not fit. */
gpa_t mptable_build(const struct mptable_config *c, struct tables *t,
		    struct err *e);
#endif
