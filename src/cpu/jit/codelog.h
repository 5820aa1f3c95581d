/* cpu/jit/codelog.h - what is told of code as it is made: -d in_asm and
 * out_asm, -perfmap, the translator's part of -d op_stats.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_JIT_CODELOG_H
#define CPU_JIT_CODELOG_H
struct cpu;
struct tr;

/* The routines that all blocks share. */
void jit_log_stubs(const struct cpu *c);
/* A block that has just been written. */
void jit_log_block(const struct tr *t);

#endif
