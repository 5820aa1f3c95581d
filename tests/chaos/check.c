/* check.c - what must hold of a processor between instructions, whatever it has
 * executed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "bus/bus.h"
#include "chaos.h"
#include "cpu/x86/state.h"

/* What is kept beside the registers that it follows from; NULL if right. */
static const char *check_derived(struct cpu *c)
{
	uint8_t mode = c->mode, stack = c->stack_size, tlb = c->tlb_index;
	uint8_t step = c->step;
	static char text[128];

	cpu_derive(c);
	if (mode == c->mode && stack == c->stack_size && tlb == c->tlb_index &&
	    step == c->step)
		return NULL;
	snprintf(text, sizeof(text), "stale: mode %u is %u, stack size %u is"
		 " %u, TLB %u is %u, step %x is %x", mode, c->mode, stack,
		 c->stack_size, tlb, c->tlb_index, step, c->step);
	return text;
}

const char *check_cpu(struct cpu *c)
{
	bool paged = c->cr0 & CR0_PG;

	const char *wrong = check_derived(c);

	if (wrong)
		return wrong;
	if (c->mode != CODE64 && c->rip >> 32)
		return "RIP is over 4 GiB outside 64-bit code";
	if (paged && !(c->cr0 & CR0_PE))
		return "paging without protection";
	if (cpu_long_mode(c) != (paged && (c->efer & EFER_LME)))
		return "EFER.LMA is wrong";
	if (cpu_long_mode(c) && (!(c->cr4 & CR4_PAE) || cpu_v86(c)))
		return "long mode without PAE or with VM";
	if (cpu_v86(c) && c->cpl != 3)
		return "virtual-8086 mode outside ring 3";
	if (cpu_real_mode(c) && c->cpl)
		return "real mode outside ring 0";
	if (c->cpl > 3 || c->insn || c->rmw_held || bus_locked_by_me(c->bus))
		return "an instruction is not over";
	if (c->delivering >= 0)
		return "an exception is not over";
	if (!(c->x87.mxcsr_mask | ~c->x87.mxcsr))
		return "MXCSR has reserved bits";
	return NULL;
}
