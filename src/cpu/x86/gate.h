/* cpu/x86/gate.h - gates, the code they lead to, and the inner stacks that the
 * TSS holds for them.
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_GATE_H
#define CPU_X86_GATE_H
#include "cpu/x86/desc.h"
#include "cpu/x86/stack.h"

struct gate {
	uint64_t offset;
	uint16_t selector;
	uint8_t size;		/* 2, 4 or 8: what it pushes */
	uint8_t params;		/* call gates: words or dwords to copy */
	uint8_t ist;		/* long mode interrupt gates: 1-7, or 0 */
};

struct gate gate_decode(const struct cpu *c, const struct desc *d);

/* Read and judge the code segment a gate leads to; returns the privilege it
 * will run at: the current or, if `inwards` is allowed, a higher one.  #GP or
 * #NP(selector). */
unsigned gate_target(struct cpu *c, const struct gate *g, bool inwards,
		     struct segment *cs);

/* The TSS's stack for this privilege, judged; *s is ready to put.  16- and
 * 32-bit TSS: #TS or #SS(selector). */
void gate_stack(struct cpu *c, unsigned cpl, struct stack *s);
/* 64-bit TSS: RSPn with a null SS, or an IST stack if ist is not 0. */
void gate_stack64(struct cpu *c, unsigned cpl, unsigned ist, struct stack *s);

#endif
