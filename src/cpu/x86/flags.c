/* cpu/x86/flags.c - PUSHF, POPF, CLI and STI: who may see and change IF.
 *
 * Virtual-8086 programs below IOPL 3 work on VIF if CR4.VME is set, ring 3
 * programs below IOPL 3 if CR4.PVI is (CLI and STI only).  A virtual interrupt
 * that is pending (VIP) when they would set VIF is reported by #GP(0).
 *
 * Source: SDM 2 "CLI", "STI", "PUSHF", "POPF" (table of effects); SDM 3B 20.3,
 * 20.4.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/flags.h"
#include "cpu/x86/fault.h"

/* Where an instruction that works on IF finds it. */
enum if_place { IN_IF, IN_VIF, NOWHERE };

static enum if_place if_place(const struct cpu *c)
{
	if (cpu_real_mode(c) || c->cpl <= cpu_iopl(c))
		return IN_IF;
	if (cpu_v86(c))
		return c->cr4 & CR4_VME ? IN_VIF : NOWHERE;
	return c->cpl == 3 && c->cr4 & CR4_PVI ? IN_VIF : NOWHERE;
}

/* PUSHF and POPF of a virtual-8086 program without IOPL: true with VME. */
static bool virtual_if(struct cpu *c, unsigned opsize)
{
	if (!cpu_v86(c) || cpu_iopl(c) == 3)
		return false;
	if (!(c->cr4 & CR4_VME) || opsize != 2)
		fault_gp0(c);
	return true;
}

uint64_t flags_pushed(struct cpu *c, unsigned opsize)
{
	uint32_t f = flags_get(c) & ~(FLAG_VM | FLAG_RF);

	if (virtual_if(c, opsize)) {
		f = (f & ~FLAG_IF) | (f & FLAG_VIF ? FLAG_IF : 0);
		f |= FLAG_IOPL;
	}
	return opsize == 2 ? (uint16_t)f : f;
}

void flags_check_pop(struct cpu *c, unsigned opsize)
{
	virtual_if(c, opsize);
}

void flags_popped(struct cpu *c, uint64_t value, unsigned opsize)
{
	uint32_t f = (uint32_t)value & ~FLAG_RF;
	uint32_t mask = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT | FLAG_RF;

	if (opsize != 2)
		mask |= FLAG_AC | FLAG_ID;
	if (virtual_if(c, opsize)) {
		if (f & FLAG_TF || (f & FLAG_IF && c->rflags & FLAG_VIP))
			fault_gp0(c);
		mask |= FLAG_VIF;
		f = f & FLAG_IF ? f | FLAG_VIF : f & ~FLAG_VIF;
	} else if (if_place(c) == IN_IF) {
		mask |= FLAG_IF;
	}
	if (c->cpl == 0)
		mask |= FLAG_IOPL;
	flags_set(c, f, mask);
	cpu_derive(c);
	c->stop_block = 1;
}

void flags_cli(struct cpu *c)
{
	switch (if_place(c)) {
	case IN_IF:
		c->rflags &= ~FLAG_IF;
		break;
	case IN_VIF:
		c->rflags &= ~FLAG_VIF;
		break;
	case NOWHERE:
		fault_gp0(c);
	}
}

void flags_sti(struct cpu *c)
{
	switch (if_place(c)) {
	case IN_IF:
		if (c->rflags & FLAG_IF)
			break;
		c->rflags |= FLAG_IF;
		c->shadow = SHADOW_STI;
		c->stop_block = 1;
		break;
	case IN_VIF:
		if (c->rflags & FLAG_VIP)
			fault_gp0(c);
		c->rflags |= FLAG_VIF;
		break;
	case NOWHERE:
		fault_gp0(c);
	}
}
