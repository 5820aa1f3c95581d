/* cpu/jit/vectors.h - when the guest's vector registers may be in the host's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_JIT_VECTORS_H
#define CPU_JIT_VECTORS_H
#include "cpu/jit/jit.h"

/* Before the registers are loaded: VEC_ bits, or 0 if they may not be for i. */
uint8_t jit_vectors_for(const struct cpu *c, const struct insn *i);

/* The same after C has run in between, if all that is in `had` holds still. */
uint8_t jit_vectors_again(const struct cpu *c, uint8_t had);

#endif
