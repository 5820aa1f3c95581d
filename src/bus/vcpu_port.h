/* bus/vcpu_port.h - the pins of a processor: how the rest reaches a vCPU.
 *
 * Interrupt controllers and the machine set event bits from any thread; the
 * vCPU's own thread looks at `events` between blocks of instructions and acts.
 * vcpu_raise() also wakes a halted vCPU.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BUS_VCPU_PORT_H
#define BUS_VCPU_PORT_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum vcpu_event {
	VCPU_INTR = 1 << 0,	/* level: intc_ops.ack would give a vector */
	VCPU_NMI = 1 << 1,	/* edge: the vCPU clears it when it takes it */
	VCPU_INIT = 1 << 2,	/* edge */
	VCPU_SIPI = 1 << 3,	/* edge, with sipi_vector */
	VCPU_SMI = 1 << 4,	/* edge */
	VCPU_PAUSE = 1 << 5,	/* level: park until cleared (stop, reset) */
	VCPU_SYNC = 1 << 6,	/* edge: requests of other vCPUs wait */
	VCPU_QUIT = 1 << 7,	/* level: the thread ends */
	VCPU_NMI2 = 1 << 8,	/* with NMI: a second one waits behind it */
	VCPU_TURN = 1 << 9,	/* level: look here after each block */
};

/* Translated code compares `events` and `tag` as one word with what it
 * remembers of a jump, whose events are 0: so it looks for both changed
 * mappings and events at once. */
struct vcpu_port {
	_Alignas(8) _Atomic uint32_t events;
	uint32_t tag;		/* the engine's own */
	_Atomic uint8_t sipi_vector;
	unsigned index;		/* 0 is the boot processor */
	void (*wake)(struct vcpu_port *p);
};

/* Which vCPU this thread runs: each vCPU thread says so once, before its first
 * access to the bus.  The bus does not carry it, and the local APICs all
 * answer at one address.  Threads that are no vCPU count as number 0. */
void vcpu_set_current(unsigned index);
unsigned vcpu_current(void);

static inline void vcpu_raise(struct vcpu_port *p, uint32_t event)
{
	if (!(atomic_fetch_or(&p->events, event) & event))
		p->wake(p);
}

/* An NMI.  A vCPU looks less often than a processor, which would have begun to
 * handle the first of two before the second came, and keeps one pending
 * meanwhile (SDM 3A 6.7.1): so up to two are remembered. */
static inline void vcpu_raise_nmi(struct vcpu_port *p)
{
	uint32_t old = atomic_load(&p->events), bit;

	do
		bit = old & VCPU_NMI ? VCPU_NMI2 : VCPU_NMI;
	while (!atomic_compare_exchange_weak(&p->events, &old, old | bit));
	if (!(old & VCPU_NMI))
		p->wake(p);
}

/* The vCPU takes one. */
static inline void vcpu_take_nmi(struct vcpu_port *p)
{
	const uint32_t both = VCPU_NMI | VCPU_NMI2;

	if (atomic_fetch_and(&p->events, ~both) & VCPU_NMI2)
		atomic_fetch_or(&p->events, VCPU_NMI);
}

static inline void vcpu_lower(struct vcpu_port *p, uint32_t event)
{
	atomic_fetch_and(&p->events, ~event);
}
#endif
