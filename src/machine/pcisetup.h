/* machine/pcisetup.h - what firmware would do to PCI, for kernels loaded
 * without any.
 * SPDX-License-Identifier: MIT
 */
#ifndef MACHINE_PCISETUP_H
#define MACHINE_PCISETUP_H
#include "dev/pci/pci.h"
#include "machine/memmap.h"

/* The ISA interrupts of PIRQA# to PIRQD#. */
extern const uint8_t pcisetup_irqs[PCI_PIRQS];

/* Gives every BAR an address, enables decoding, routes interrupts, and places
 * the power management block.  Bus lock held; after every reset. */
void pcisetup_run(struct pci_bus *p, struct bus *b, const struct memmap *m);
#endif
