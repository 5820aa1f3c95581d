/* bus/intc.h - what a vCPU asks of its local interrupt controller.
 *
 * Implemented by dev/pc/apic.c (the local APIC, with the 8259 pair behind its
 * LINT0), handed to each vCPU by the machine.  Called on vCPU threads without
 * the bus lock; the controller does its own locking.  ack, msr_* and init may
 * take the bus lock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BUS_INTC_H
#define BUS_INTC_H
#include <stdbool.h>
#include <stdint.h>

struct intc_ops {
	/* INTA cycle: the vector, or -1 if nothing is deliverable (then
	 * VCPU_INTR has been lowered).  The vCPU calls it when VCPU_INTR is
	 * set, RFLAGS.IF is 1 and no interrupt shadow holds. */
	int (*ack)(void *intc);
	/* CR8 is bits 7:4 of the task priority register (SDM 3A 10.8.6). */
	uint8_t (*cr8_read)(void *intc);
	void (*cr8_write)(void *intc, uint8_t v);
	/* IA32_APIC_BASE (1Bh), IA32_TSC_DEADLINE (6E0h) and the x2APIC range
	 * 800h-8FFh.  False: the guest gets #GP(0). */
	bool (*msr_read)(void *intc, uint32_t msr, uint64_t *value);
	bool (*msr_write)(void *intc, uint32_t msr, uint64_t value);
	/* The vCPU has been through INIT (SDM 3A table 10-1 state). */
	void (*init)(void *intc);
	/* Initial APIC id, for CPUID leaves 1 and 0Bh. */
	uint32_t (*id)(void *intc);
	/* The guest's TSC is now clock_tsc() + offset (writes to the TSC or
	 * to IA32_TSC_ADJUST): moves the TSC deadline. */
	void (*tsc_offset)(void *intc, uint64_t offset);
};
#endif
