/* cpu/x86/flags.h - instructions that move RFLAGS, in every mode.
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_FLAGS_H
#define CPU_X86_FLAGS_H
#include "cpu/x86/state.h"

/* What PUSHF pushes; #GP(0) in virtual-8086 mode below IOPL 3. */
uint64_t flags_pushed(struct cpu *c, unsigned opsize);
/* POPF's effect of a popped value, after the checks; the caller moves RSP. */
void flags_popped(struct cpu *c, uint64_t value, unsigned opsize);
/* Raise what POPF raises before it reads the stack. */
void flags_check_pop(struct cpu *c, unsigned opsize);
void flags_cli(struct cpu *c);
void flags_sti(struct cpu *c);

#endif
