/* cpu/x86/ivt.h - the real-mode interrupt vector table, and software
 * interrupts of virtual-8086 programs, which may use one too.
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_IVT_H
#define CPU_X86_IVT_H
#include "cpu/x86/state.h"

/* Push FLAGS (as given), CS and IP, and go to an entry of the table at linear
 * address `table`.  The caller changes the flags afterwards. */
void ivt_enter(struct cpu *c, uint8_t vector, uint64_t table, uint16_t flags);

/* INT n in virtual-8086 mode.  True: it has been taken to the program's own
 * handler (CR4.VME and its redirection bit); false: deliver it through the
 * IDT; raises #GP(0) where IOPL forbids that. */
bool ivt_int_v86(struct cpu *c, uint8_t vector);

#endif
