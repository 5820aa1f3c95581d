/* cpu/x86/stack.h - a stack that is not the vCPU's yet, or that may have to be
 * left as it was.
 *
 * Far transfers and events put their frame on a copy of the stack registers
 * and make the copy current (stack_use) when nothing can fail any more.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_STACK_H
#define CPU_X86_STACK_H
#include "cpu/x86/state.h"

struct stack {
	struct segment ss;
	uint64_t sp;
	uint8_t width;		/* bytes of the stack pointer; 8: flat */
	uint8_t cpl;		/* whose rights its accesses have */
	uint16_t blame;		/* #SS's error code past its limit */
};

/* The current one, seen by code of the current mode. */
void stack_current(const struct cpu *c, struct stack *s);
/* Size is 2, 4 or 8.  Raise #SS(blame) past the limit, and #PF. */
void stack_put(struct cpu *c, struct stack *s, uint64_t v, unsigned size);
uint64_t stack_take(struct cpu *c, struct stack *s, unsigned size);
static inline void stack_skip(struct stack *s, unsigned n)
{
	s->sp += n;
}
/* RSP becomes s->sp within the width of the stack. */
void stack_set_pointer(struct cpu *c, const struct stack *s);

#endif
