/* cpu/jit/vectors.h - when the guest's vector registers may be in the host's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_JIT_VECTORS_H
#define CPU_JIT_VECTORS_H
#include "cpu/jit/jit.h"

/* VEC_ bits: which instructions would run now without #UD or #NM, and with all
 * SIMD exceptions masked. */
uint8_t jit_vectors_allowed(const struct cpu *c);

/* The same, or 0 if they are not enough for i. */
uint8_t jit_vectors_for(const struct cpu *c, const struct insn *i);

#endif
