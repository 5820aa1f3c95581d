/* dev/pc/apic.h - the local APICs of all processors, as one device.
 *
 * Wiring, by the board:
 *   struct device *apic = device_new(&apic_class, bus);
 *   apic_add_cpu(apic, port, id)            for each vCPU, then device_attach()
 *   i8259_connect(pic, apic_lint0(apic))    the 8259's INTR
 *   apic_set_inta(apic, i8259_inta, pic)    and its vector
 *   ioapic_set_deliver(io, apic_msi, apic)
 *   apic_add_eoi(apic, ioapic_eoi, io)
 *   vCPU n gets apic_intc_ops and apic_intc(apic, n)
 * PCI devices send their MSIs by bus_mmio_write() to FEE00000h-FEEFFFFFh.
 *
 * Locks: bus lock, then the APIC lock of this device.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DEV_PC_APIC_H
#define DEV_PC_APIC_H
#include "bus/intc.h"
#include "bus/vcpu_port.h"
#include "dev/core/device.h"

#define APIC_CPUS_MAX 255	/* ids 0-254; 255 is the broadcast */

extern const struct device_class apic_class;
extern const struct intc_ops apic_intc_ops;

/* The processor at `port` (borrowed) gets a local APIC; call in the order of
 * port->index, from 0.  apic_id below APIC_CPUS_MAX, one each. */
void apic_add_cpu(struct device *apic, struct vcpu_port *port,
		  uint32_t apic_id);

/* What the vCPU passes to apic_intc_ops. */
void *apic_intc(struct device *apic, unsigned index);

/* An interrupt message (SDM 3A 10.11).  `apic` is the struct device *; any
 * thread, with or without the bus lock. */
void apic_msi(void *apic, uint32_t addr, uint32_t data);

/* The pins LINT0 (INTR of the 8259) and LINT1 (NMI) of all processors.
 * Caller holds the bus lock. */
struct irq_sink apic_lint0(struct device *apic);
struct irq_sink apic_lint1(struct device *apic);

/* Who gives the vector of an ExtINT; called with the bus lock held. */
void apic_set_inta(struct device *apic, int (*inta)(void *ctx), void *ctx);

/* Who hears the EOI broadcasts of level-triggered vectors; called with the bus
 * lock held.  At most 4 I/O APICs. */
void apic_add_eoi(struct device *apic,
		  void (*eoi)(void *ctx, uint8_t vector), void *ctx);
#endif
