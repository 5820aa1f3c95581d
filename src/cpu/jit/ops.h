/* cpu/jit/ops.h - what the translator leaves to the interpreter, counted by row
 * of the instruction table: -d op_stats.
 *
 * Counters are per vCPU, its thread's.  An instruction kept for its exec
 * function gets one that counts and calls the other; without -d op_stats
 * nothing is different.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_JIT_OPS_H
#define CPU_JIT_OPS_H
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct insn;
struct jit;
struct jit_ops;
struct vcpus;

/* Why the interpreter's function runs. */
enum op_why {
	OP_UNTRANSLATED,	/* there is no translation of that form */
	OP_SLOW,		/* memory not in the TLB or not RAM; a divisor
				 * that may fault; vectors not yet enabled */
	OP_JUMP,		/* a jump's target is not known yet */
	OP_WHYS,
};

/* With room for so many kept instructions. */
struct jit_ops *jit_ops_new(size_t insns);
void jit_ops_free(struct jit_ops *o);		/* o may be NULL */

/* kept, one of j->insns, runs by the interpreter for this reason. */
void jit_ops_count(struct jit *j, struct insn *kept, enum op_why why);
/* These are now part of a block. */
void jit_ops_translated(struct jit_ops *o, const struct insn *i,
			unsigned count);

/* The rows that the interpreter ran most, of all vCPUs, at most `max`;
 * nothing without -d op_stats.  The vCPUs are parked. */
void jit_ops_print(struct vcpus *v, FILE *out, unsigned max);
/* All that were in a block, to the log. */
void jit_ops_log(struct vcpus *v);

#endif
