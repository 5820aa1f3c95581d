/* cpu/jit/disasm.h - host code as text.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_JIT_DISASM_H
#define CPU_JIT_DISASM_H
#include <stdio.h>

#include "cpu/jit/jit.h"

/* Lines "address: bytes  instruction" of c's code from p to end, both as
 * written; the addresses are those it runs at. */
void jit_disassemble(FILE *out, const struct cpu *c, const uint8_t *p,
		     const uint8_t *end);

#endif
