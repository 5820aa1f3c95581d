/* cpu/x86/farxfer.c - far JMP, CALL and RET.
 *
 * In all of them the order is: find and judge the code, write or read the
 * stack, judge the instruction pointer, and only then change registers.
 *
 * Source: SDM 2 "CALL", "JMP", "RET"; SDM 3A 5.8.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/farxfer.h"
#include "cpu/x86/gate.h"
#include "cpu/x86/seg.h"

static void jump_real(struct cpu *c, uint16_t selector, uint64_t ip)
{
	if (ip > c->seg[CS].limit)
		fault_gp0(c);
	seg_load_real(c, CS, selector);
	c->rip = ip;
	c->stop_block = 1;
}

/* A code segment named by the instruction itself: no change of privilege. */
static void direct_code(struct cpu *c, uint16_t selector, struct desc *d,
			struct segment *cs)
{
	unsigned dpl = desc_dpl(d);

	if (!desc_code(d) ||
	    (desc_conforming(d) ? dpl > c->cpl
				: (selector & 3) > c->cpl || dpl != c->cpl))
		fault_selector(c, VEC_GP, selector);
	code_check_size(c, d, selector);
	if (!desc_present(d))
		fault_selector(c, VEC_NP, selector);
	desc_touch(c, d);
	*cs = desc_segment(d, selector);
}

/* Gates and TSSs must be at the caller's and the selector's level or above. */
static void check_gate(struct cpu *c, uint16_t selector, const struct desc *d)
{
	if (desc_dpl(d) < c->cpl || desc_dpl(d) < (selector & 3))
		fault_selector(c, VEC_GP, selector);
}

/* For a system descriptor: true if it was a task and has been switched to;
 * false and the gate, if it is a call gate; else raises. */
static bool enter_system(struct cpu *c, uint16_t selector, struct desc *d,
			 enum task_switch how, struct gate *g)
{
	unsigned type = desc_type(d);
	bool lma = cpu_long_mode(c);

	switch (type) {
	case SYS_CALL32:
		break;
	case SYS_CALL16:
	case SYS_TASK_GATE:
	case SYS_TSS16:
	case SYS_TSS32:
		if (!lma)
			break;
		/* fall through */
	default:
		fault_selector(c, VEC_GP, selector);
	}
	check_gate(c, selector, d);
	if (type == SYS_TSS16 || type == SYS_TSS32) {
		task_switch(c, selector, how, false, 0);
		return true;
	}
	if (!desc_widen(c, selector, d))
		fault_selector(c, VEC_GP, selector);
	if (!desc_present(d))
		fault_selector(c, VEC_NP, selector);
	*g = gate_decode(c, d);
	if (type == SYS_TASK_GATE) {
		task_switch(c, g->selector, how, false, 0);
		return true;
	}
	return false;
}

void far_jmp(struct cpu *c, uint16_t selector, uint64_t offset, unsigned opsize)
{
	struct segment cs;
	struct gate g;
	struct desc d;

	offset = narrow(offset, opsize);
	if (cpu_paragraph_mode(c)) {
		jump_real(c, selector, offset);
		return;
	}
	if (selector_null(selector))
		fault_gp0(c);
	if (!desc_read(c, selector, &d))
		fault_selector(c, VEC_GP, selector);
	if (desc_memory(&d)) {
		direct_code(c, selector, &d, &cs);
	} else {
		if (enter_system(c, selector, &d, TASK_JMP, &g))
			return;
		gate_target(c, &g, false, &cs);
		offset = g.offset;
	}
	code_check_ip(c, &cs, offset);
	code_enter(c, &cs, c->cpl, offset);
}

/* ---- CALL ---- */

static void call_real(struct cpu *c, uint16_t selector, uint64_t ip,
		      unsigned opsize)
{
	struct stack s;

	stack_current(c, &s);
	stack_put(c, &s, c->seg[CS].selector, opsize);
	stack_put(c, &s, narrow(c->rip, opsize), opsize);
	jump_real(c, selector, ip);
	stack_set_pointer(c, &s);
}

/* CALL to code of the same privilege. */
static void call_same(struct cpu *c, const struct segment *cs, uint64_t ip,
		      unsigned size)
{
	struct stack s;

	stack_current(c, &s);
	if (size == 8 && segment_code64(c, cs))
		s.width = 8;
	stack_put(c, &s, c->seg[CS].selector, size);
	stack_put(c, &s, narrow(c->rip, size), size);
	code_check_ip(c, cs, ip);
	stack_set_pointer(c, &s);
	code_enter(c, cs, c->cpl, ip);
}

/* Copy a gate's parameters from the caller's stack, last one first. */
static void copy_params(struct cpu *c, struct stack *to, const struct gate *g)
{
	struct stack from;

	for (unsigned n = g->params; n-- > 0;) {
		stack_current(c, &from);
		stack_skip(&from, n * g->size);
		stack_put(c, to, stack_take(c, &from, g->size), g->size);
	}
}

/* CALL through a gate to a more privileged ring. */
static void call_inner(struct cpu *c, const struct gate *g,
		       const struct segment *cs, unsigned cpl)
{
	struct stack s;

	if (g->size == 8)
		gate_stack64(c, cpl, 0, &s);
	else
		gate_stack(c, cpl, &s);
	stack_put(c, &s, c->seg[SS].selector, g->size);
	stack_put(c, &s, narrow(c->gpr[RSP], g->size), g->size);
	copy_params(c, &s, g);
	stack_put(c, &s, c->seg[CS].selector, g->size);
	stack_put(c, &s, narrow(c->rip, g->size), g->size);
	code_check_ip(c, cs, g->offset);
	c->seg[SS] = s.ss;
	stack_set_pointer(c, &s);
	code_enter(c, cs, cpl, g->offset);
}

void far_call(struct cpu *c, uint16_t selector, uint64_t offset,
	      unsigned opsize)
{
	struct segment cs;
	struct gate g;
	struct desc d;
	unsigned cpl;

	offset = narrow(offset, opsize);
	if (cpu_paragraph_mode(c)) {
		call_real(c, selector, offset, opsize);
		return;
	}
	if (selector_null(selector))
		fault_gp0(c);
	if (!desc_read(c, selector, &d))
		fault_selector(c, VEC_GP, selector);
	if (desc_memory(&d)) {
		direct_code(c, selector, &d, &cs);
		call_same(c, &cs, offset, opsize);
		return;
	}
	if (enter_system(c, selector, &d, TASK_CALL, &g))
		return;
	cpl = gate_target(c, &g, true, &cs);
	if (cpl < c->cpl)
		call_inner(c, &g, &cs, cpl);
	else
		call_same(c, &cs, g.offset, g.size);
}

/* ---- RET ---- */

void far_return_code(struct cpu *c, uint16_t selector, struct segment *cs)
{
	unsigned rpl = selector & 3;
	struct desc d;

	if (selector_null(selector))
		fault_gp0(c);
	if (!desc_read(c, selector, &d) || !desc_code(&d) || rpl < c->cpl ||
	    (desc_conforming(&d) ? desc_dpl(&d) > rpl : desc_dpl(&d) != rpl))
		fault_selector(c, VEC_GP, selector);
	code_check_size(c, &d, selector);
	if (!desc_present(&d))
		fault_selector(c, VEC_NP, selector);
	desc_touch(c, &d);
	*cs = desc_segment(&d, selector);
}

void far_return_stack(struct cpu *c, uint16_t selector, uint64_t sp,
		      const struct segment *cs, struct stack *s)
{
	unsigned rpl = cs->selector & 3;
	bool flat = segment_code64(c, cs);

	*s = (struct stack){.sp = sp, .cpl = rpl};
	if (!selector_null(selector)) {
		seg_check_stack(c, selector, rpl, VEC_GP, &s->ss);
	} else {
		if (!flat || rpl == 3 || selector != rpl)
			fault_gp0(c);
		s->ss = segment_null(selector, rpl);
	}
	s->width = flat ? 8 : s->ss.attr & SEG_DB ? 4 : 2;
}

void far_return_enter(struct cpu *c, const struct segment *cs, uint64_t ip,
		      const struct stack *s, bool with_ss)
{
	bool outwards = (cs->selector & 3) > c->cpl;

	if (with_ss)
		c->seg[SS] = s->ss;
	stack_set_pointer(c, s);
	code_enter(c, cs, cs->selector & 3, ip);
	if (outwards)
		seg_drop_privileged(c);
}

static void ret_real(struct cpu *c, unsigned opsize, uint16_t pop_bytes)
{
	struct stack s;
	uint16_t selector;
	uint64_t ip;

	stack_current(c, &s);
	ip = stack_take(c, &s, opsize);
	selector = (uint16_t)stack_take(c, &s, opsize);
	stack_skip(&s, pop_bytes);
	jump_real(c, selector, ip);
	stack_set_pointer(c, &s);
}

void far_ret(struct cpu *c, unsigned opsize, uint16_t pop_bytes)
{
	struct stack s;
	struct segment cs;
	uint16_t selector;
	uint64_t ip;
	bool outer;

	if (cpu_paragraph_mode(c)) {
		ret_real(c, opsize, pop_bytes);
		return;
	}
	stack_current(c, &s);
	ip = stack_take(c, &s, opsize);
	selector = (uint16_t)stack_take(c, &s, opsize);
	far_return_code(c, selector, &cs);
	stack_skip(&s, pop_bytes);
	outer = (selector & 3) > c->cpl;
	if (outer) {
		uint64_t sp = stack_take(c, &s, opsize);
		uint16_t ss = (uint16_t)stack_take(c, &s, opsize);

		far_return_stack(c, ss, sp, &cs, &s);
		stack_skip(&s, pop_bytes);
	}
	code_check_ip(c, &cs, ip);
	far_return_enter(c, &cs, ip, &s, outer);
}
