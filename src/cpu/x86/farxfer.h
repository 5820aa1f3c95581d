/* cpu/x86/farxfer.h - checks that RET and IRET share.
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_FARXFER_H
#define CPU_X86_FARXFER_H
#include "cpu/x86/stack.h"
#include "cpu/x86/state.h"

/* Judge the code segment that is returned to, same or outer privilege: #GP,
 * #NP(selector). */
void far_return_code(struct cpu *c, uint16_t selector, struct segment *cs);
/* Judge the outer stack of a return to *cs; null only for 64-bit code above
 * ring 3.  Fills all of *s. */
void far_return_stack(struct cpu *c, uint16_t selector, uint64_t sp,
		  const struct segment *cs, struct stack *s);
/* Make stack and code current, and drop what the outer ring may not have. */
void far_return_enter(struct cpu *c, const struct segment *cs, uint64_t ip,
		  const struct stack *s, bool with_ss);

#endif
