/* cpu/jit/check_state.c - what of a vCPU is put back and compared.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/jit/check.h"

void check_save(const struct cpu *c, struct check_regs *r)
{
	memcpy(r->gpr, c->gpr, sizeof(r->gpr));
	r->rip = c->rip;
	r->cr2 = c->cr2;
	r->pending_dr6 = c->pending_dr6;
	r->fs_base = c->seg[FS].base;
	r->gs_base = c->seg[GS].base;
	r->kernel_gs_base = c->kernel_gs_base;
	r->rflags = c->rflags;
	r->arith = flags_get(c) & FLAGS_ARITH;
	r->mode = c->mode;
	r->cpl = c->cpl;
	r->stack_size = c->stack_size;
	r->tlb_index = c->tlb_index;
	r->step = c->step;
	r->shadow = c->shadow;
	r->halted = c->halted;
	r->gdb_hit = c->gdb_hit;
	r->fcs = c->fcs;
	r->fds = c->fds;
	r->x87 = c->x87;
	memcpy(r->v, c->v, sizeof(r->v));
}

void check_load(struct cpu *c, const struct check_regs *r)
{
	memcpy(c->gpr, r->gpr, sizeof(r->gpr));
	c->rip = r->rip;
	c->cr2 = r->cr2;
	c->pending_dr6 = r->pending_dr6;
	c->seg[FS].base = r->fs_base;
	c->seg[GS].base = r->gs_base;
	c->kernel_gs_base = r->kernel_gs_base;
	c->rflags = r->rflags;
	c->arith = (uint8_t)(r->arith & FLAGS_LAHF) | FLAG_ONE;
	c->of = !!(r->arith & FLAG_OF);
	c->mode = r->mode;
	c->cpl = r->cpl;
	c->stack_size = r->stack_size;
	c->tlb_index = r->tlb_index;
	c->step = r->step;
	c->shadow = r->shadow;
	c->halted = r->halted;
	c->gdb_hit = r->gdb_hit;
	c->fcs = r->fcs;
	c->fds = r->fds;
	c->x87 = r->x87;
	memcpy(c->v, r->v, sizeof(r->v));
	c->stop_block = 0;
	c->insn = NULL;
}

static uint64_t truncate_rip(const struct cpu *c, uint64_t rip)
{
	return c->mode == CODE64 ? rip : (uint32_t)rip;
}

void check_save_outcome(const struct cpu *c, bool faulted,
			struct check_outcome *o)
{
	check_save(c, &o->regs);
	o->faulted = faulted;
	if (!faulted)
		return;
	o->fault = c->fault;
	if (c->insn)
		o->regs.rip = truncate_rip(c, c->rip - c->insn->len);
}

static bool same_regs(const struct check_regs *a, const struct check_regs *b)
{
	return !memcmp(a->gpr, b->gpr, sizeof(a->gpr)) && a->rip == b->rip &&
	       a->cr2 == b->cr2 && a->pending_dr6 == b->pending_dr6 &&
	       a->fs_base == b->fs_base && a->gs_base == b->gs_base &&
	       a->kernel_gs_base == b->kernel_gs_base &&
	       a->rflags == b->rflags && a->mode == b->mode &&
	       a->cpl == b->cpl && a->stack_size == b->stack_size &&
	       a->tlb_index == b->tlb_index && a->step == b->step &&
	       a->shadow == b->shadow && a->halted == b->halted &&
	       a->gdb_hit == b->gdb_hit && a->fcs == b->fcs &&
	       a->fds == b->fds && !memcmp(&a->x87, &b->x87, sizeof(a->x87)) &&
	       !memcmp(a->v, b->v, sizeof(a->v));
}

static bool same_fault(const struct check_outcome *a,
		       const struct check_outcome *b)
{
	if (a->faulted != b->faulted)
		return false;
	return !a->faulted || (a->fault.vector == b->fault.vector &&
			       a->fault.has_code == b->fault.has_code &&
			       (!a->fault.has_code ||
				a->fault.code == b->fault.code));
}

bool check_same(const struct check_outcome *a, const struct check_outcome *b)
{
	return same_regs(&a->regs, &b->regs) && same_fault(a, b);
}
