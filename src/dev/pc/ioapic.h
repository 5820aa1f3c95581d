/* dev/pc/ioapic.h - the 82093AA I/O APIC.
 *
 * Wiring, by the board, after device_attach():
 *   pin n (0-23)            ioapic_input(io, n) is the sink for GSI n
 *   its messages            ioapic_set_deliver(io, apic_msi, apic)
 *   EOI of level vectors    apic_add_eoi(apic, ioapic_eoi, io)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DEV_PC_IOAPIC_H
#define DEV_PC_IOAPIC_H
#include "dev/core/device.h"

#define IOAPIC_PINS 24

extern const struct device_class ioapic_class;

struct irq_sink ioapic_input(struct device *io, unsigned pin);

/* Messages have the form of an MSI write (SDM 3A 10.11). */
void ioapic_set_deliver(struct device *io,
			void (*deliver)(void *ctx, uint32_t addr,
					uint32_t data),
			void *ctx);

/* A processor has ended a level-triggered interrupt.  `io` is the struct
 * device *; caller holds the bus lock. */
void ioapic_eoi(void *io, uint8_t vector);
#endif
