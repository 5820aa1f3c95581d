/* cpu/interp/step.h - one instruction by itself, wherever it is: across pages,
 * outside RAM, at a limit.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_INTERP_STEP_H
#define CPU_INTERP_STEP_H
struct cpu;
struct insn;

/* Decode the instruction at c->rip into *out, uncached, with its function;
 * raises what fetching and decoding it raise. */
void step_decode(struct cpu *c, struct insn *out);

#endif
