/* dev/pc/i8259.h - the pair of 8259A interrupt controllers, with the ELCR.
 *
 * Wiring, by the board, after device_attach():
 *   sinks of ISA lines 0-15     i8259_input(pic, n)
 *   output to the processor     i8259_connect(pic, apic_lint0(apic))
 *   INTA cycle                  apic_set_inta(apic, i8259_inta, pic)
 * Input 2 is the cascade and is not there to be connected.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DEV_PC_I8259_H
#define DEV_PC_I8259_H
#include "dev/core/device.h"

extern const struct device_class i8259_class;

struct irq_sink i8259_input(struct device *pic, unsigned n);

/* Where INTR goes. */
void i8259_connect(struct device *pic, struct irq_sink intr);

/* The INTA cycle: the vector, spurious (IR7) if nothing is pending any more.
 * `pic` is the struct device *; caller holds the bus lock. */
int i8259_inta(void *pic);
#endif
