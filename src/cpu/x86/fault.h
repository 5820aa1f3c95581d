/* cpu/x86/fault.h - exceptions: raising them, and delivering events.
 *
 * Any function that runs on behalf of a guest instruction may raise.  Raising
 * records the fault and jumps to the main loop, which puts rip back to the
 * start of the instruction and calls event_deliver().  So: a handler does all
 * its memory accesses and checks first and changes registers last; what it has
 * changed when it raises stays changed (REP string progress does so on
 * purpose).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_FAULT_H
#define CPU_X86_FAULT_H
#include <stdbool.h>
#include <stdint.h>

struct cpu;
struct fault;

/* Vectors (SDM 3A table 6-1). */
enum vector {
	VEC_DE = 0, VEC_DB = 1, VEC_NMI = 2, VEC_BP = 3, VEC_OF = 4,
	VEC_BR = 5, VEC_UD = 6, VEC_NM = 7, VEC_DF = 8, VEC_TS = 10,
	VEC_NP = 11, VEC_SS = 12, VEC_GP = 13, VEC_PF = 14, VEC_MF = 16,
	VEC_AC = 17, VEC_MC = 18, VEC_XM = 19,
};

/* While an event from outside the program is being delivered the error codes
 * that name a selector get their EXT bit. */
_Noreturn void fault_raise(struct cpu *c, enum vector v);
_Noreturn void fault_raise_code(struct cpu *c, enum vector v, uint32_t code);
/* Sets CR2. */
_Noreturn void fault_raise_pf(struct cpu *c, uint64_t gva, uint32_t code);

static inline _Noreturn void fault_gp0(struct cpu *c)
{
	fault_raise_code(c, VEC_GP, 0);
}

static inline _Noreturn void fault_ud(struct cpu *c)
{
	fault_raise(c, VEC_UD);
}

/* #DB of the fault kind: bits of DR6 to set (B0-B3 are replaced). */
_Noreturn void fault_raise_db(struct cpu *c, uint64_t dr6);

enum event_kind {
	/* rip is the faulting instruction's.  #DB: with DR6.BD it is a
	 * general detect fault (RF is pushed set), else a breakpoint. */
	EVENT_FAULT,
	EVENT_TRAP,		/* #DB after an instruction: rip is the next */
	EVENT_SOFTWARE,		/* INT n, INT3, INTO: gate DPL is checked */
	EVENT_ICEBP,		/* INT1: as a trap, no DPL check */
	EVENT_EXTERNAL,		/* INTR, NMI */
};

/* c->delivering of an interrupt, which no fault makes a double fault with. */
#define DELIVERING_INTERRUPT	0x100

/* Deliver through the IVT or IDT, in every mode, as the processor would: gates,
 * stack switch, error code, task gates, RF handling.  Faults met on the way
 * are raised with c->delivering set, and the main loop calls again with the
 * new fault (or #DF, or shutdown), as event_merge() says.  Software interrupts
 * leave c->delivering at -1: a fault then is their instruction's own.  On
 * return rip is the handler's and the vCPU is no longer halted. */
void event_deliver(struct cpu *c, uint8_t vector, enum event_kind kind,
		   bool has_code, uint32_t code);

/* Delivering `first` met `second` (SDM 3A table 6-5): what is to be delivered
 * now.  False: shutdown (triple fault). */
bool event_merge(int first, struct fault *second);

#endif
