/* cpu/x86/iret.c - IRET: back from handlers, into virtual-8086 mode, and to
 * the task that a nested task interrupted.
 *
 * NMIs are unblocked even when IRET itself faults (SDM 3A 6.7.1).  RF is taken
 * from the popped image with 32 and 64-bit operand size and cleared else.
 *
 * Source: SDM 2 "IRET"; SDM 3B 20.2.7, 20.3.3 (virtual interrupts).
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/desc.h"
#include "cpu/x86/farxfer.h"
#include "cpu/x86/seg.h"

#define ALWAYS_POPPED (FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT | FLAG_RF)
#define WIDE_ONLY     (FLAG_AC | FLAG_ID)

struct iret_frame {
	uint64_t ip;
	uint16_t cs;
	uint32_t flags;
};

static void take_frame(struct cpu *c, struct stack *s, unsigned opsize,
		       struct iret_frame *f)
{
	stack_current(c, s);
	f->ip = stack_take(c, s, opsize);
	f->cs = (uint16_t)stack_take(c, s, opsize);
	f->flags = (uint32_t)stack_take(c, s, opsize);
}

/* Which flags IRET changes from here, before the CPL changes. */
static uint32_t popped_flags(const struct cpu *c, unsigned opsize)
{
	uint32_t mask = ALWAYS_POPPED | (opsize == 2 ? 0 : WIDE_ONLY);

	if (c->cpl <= cpu_iopl(c))
		mask |= FLAG_IF;
	if (c->cpl == 0)
		mask |= FLAG_IOPL;
	if (c->cpl == 0 && opsize != 2 && !cpu_real_mode(c))
		mask |= FLAG_VIF | FLAG_VIP;
	return mask;
}

static void return_paragraph(struct cpu *c, const struct iret_frame *f,
			     const struct stack *s, uint32_t mask)
{
	if (f->ip > c->seg[CS].limit)
		fault_gp0(c);
	seg_load_real(c, CS, f->cs);
	c->rip = f->ip;
	stack_set_pointer(c, s);
	flags_set(c, f->flags, mask);
	cpu_derive(c);
}

static void iret_v86(struct cpu *c, unsigned opsize)
{
	uint32_t mask = ALWAYS_POPPED | (opsize == 2 ? 0 : WIDE_ONLY);
	struct iret_frame f;
	struct stack s;

	if (cpu_iopl(c) == 3) {
		take_frame(c, &s, opsize, &f);
		return_paragraph(c, &f, &s, mask | FLAG_IF);
		return;
	}
	if (!(c->cr4 & CR4_VME) || opsize != 2)
		fault_gp0(c);
	take_frame(c, &s, opsize, &f);
	if (f.flags & FLAG_TF || (f.flags & FLAG_IF && c->rflags & FLAG_VIP))
		fault_gp0(c);
	if (f.flags & FLAG_IF)
		f.flags |= FLAG_VIF;
	return_paragraph(c, &f, &s, mask | FLAG_VIF);
}

/* The frame goes on with ESP SS ES DS FS GS of the virtual-8086 program. */
static void iret_to_v86(struct cpu *c, struct stack *s,
			const struct iret_frame *f)
{
	static const enum sreg order[] = {SS, ES, DS, FS, GS};
	uint32_t sp = (uint32_t)stack_take(c, s, 4);
	uint16_t selector[ARRAY_LEN(order)];

	for (unsigned i = 0; i < ARRAY_LEN(order); i++)
		selector[i] = (uint16_t)stack_take(c, s, 4);
	if (f->ip > 0xffff)
		fault_gp0(c);
	flags_set(c, f->flags,
		  ALWAYS_POPPED | WIDE_ONLY | FLAG_IF | FLAG_IOPL | FLAG_VM |
			  FLAG_VIF | FLAG_VIP);
	for (unsigned i = 0; i < ARRAY_LEN(order); i++)
		seg_load_real(c, order[i], selector[i]);
	seg_load_real(c, CS, f->cs);
	c->gpr[RSP] = sp;
	c->rip = f->ip;
	cpu_derive(c);
}

static void iret_protected(struct cpu *c, unsigned opsize)
{
	struct iret_frame f;
	struct segment cs;
	struct stack s;
	uint32_t mask;
	bool with_ss;

	take_frame(c, &s, opsize, &f);
	if (opsize == 4 && f.flags & FLAG_VM && c->cpl == 0 &&
	    !cpu_long_mode(c)) {
		iret_to_v86(c, &s, &f);
		return;
	}
	far_return_code(c, f.cs, &cs);
	with_ss = c->mode == CODE64 || (f.cs & 3) > c->cpl;
	if (with_ss) {
		uint64_t sp = stack_take(c, &s, opsize);
		uint16_t ss = (uint16_t)stack_take(c, &s, opsize);

		far_return_stack(c, ss, sp, &cs, &s);
	}
	code_check_ip(c, &cs, f.ip);
	mask = popped_flags(c, opsize);
	flags_set(c, f.flags, mask);
	far_return_enter(c, &cs, f.ip, &s, with_ss);
}

void far_iret(struct cpu *c, unsigned opsize)
{
	/* Of those that came meanwhile, one has been kept. */
	if (c->nmi_blocked)
		vcpu_lower(&c->port, VCPU_NMI2);
	c->nmi_blocked = false;
	c->stop_block = 1;
	if (cpu_real_mode(c)) {
		struct iret_frame f;
		struct stack s;

		take_frame(c, &s, opsize, &f);
		return_paragraph(c, &f, &s, popped_flags(c, opsize));
	} else if (cpu_v86(c)) {
		iret_v86(c, opsize);
	} else if (!(c->rflags & FLAG_NT)) {
		iret_protected(c, opsize);
	} else if (cpu_long_mode(c)) {
		fault_gp0(c);
	} else {
		task_switch(c, mem_read_sys(c, c->tr.base, 2), TASK_IRET, false,
			    0);
	}
}
