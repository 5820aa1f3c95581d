/* cpu/x86/event.c - raising exceptions, and delivering exceptions and
 * interrupts to their handlers.
 *
 * A delivery reads the gate, judges the code segment, chooses the stack, pushes
 * the frame there and only then changes registers.  So a fault on the way
 * leaves the state of the interrupted program as it was, and the main loop can
 * deliver the fault (or #DF) instead.
 *
 * c->delivering tells event_merge() what was under way.  c->delivering_ext is
 * the EXT bit of error codes: set for all but INT n, INT3 and INTO (SDM 3A
 * 6.13), and added in fault_raise_code() wherever the fault is found.
 *
 * RF in the pushed flags is set for faults, except for an instruction
 * breakpoint (SDM 3B 17.3.1.1).  Not done: RF for an interrupt that arrives
 * between two iterations of a REP string instruction.
 *
 * Source: SDM 2 "INT n"; SDM 3A 6.8-6.15; SDM 3B 20.1.4, 20.2.1, 20.3.
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"
#include "cpu/x86/debug.h"
#include "cpu/x86/gate.h"
#include "cpu/x86/ivt.h"
#include "cpu/x86/seg.h"

#define DR7_GD (1u << 13)

/* ---- raising ---- */

_Noreturn void fault_raise(struct cpu *c, enum vector v)
{
	c->fault = (struct fault){.vector = (uint8_t)v};
	siglongjmp(c->on_fault, 1);
}

_Noreturn void fault_raise_code(struct cpu *c, enum vector v, uint32_t code)
{
	if (v >= VEC_TS && v <= VEC_GP && c->delivering_ext)
		code |= 1;
	c->fault = (struct fault){
		.vector = (uint8_t)v, .has_code = true, .code = code};
	siglongjmp(c->on_fault, 1);
}

_Noreturn void fault_raise_pf(struct cpu *c, uint64_t gva, uint32_t code)
{
	c->cr2 = gva;
	fault_raise_code(c, VEC_PF, code);
}

_Noreturn void fault_raise_db(struct cpu *c, uint64_t dr6)
{
	c->dr6 = (c->dr6 & ~DR6_POINTS) | dr6;
	fault_raise(c, VEC_DB);
}

static bool contributory(int vector)
{
	return vector == VEC_DE || (vector >= VEC_TS && vector <= VEC_GP);
}

bool event_merge(int first, struct fault *second)
{
	int v = second->vector;
	bool serious = contributory(v) || v == VEC_PF;

	if (first == VEC_DF && serious)
		return false;
	if ((contributory(first) && contributory(v)) ||
	    (first == VEC_PF && serious))
		*second = (struct fault){.vector = VEC_DF, .has_code = true};
	return true;
}

/* ---- delivering ---- */

struct event {
	uint8_t vector;
	enum event_kind kind;
	bool has_code;
	uint32_t code;
};

static void log_event(const struct cpu *c, const struct event *e)
{
	uint64_t ip = c->rip;
	uint64_t pc = ip + (c->mode == CODE64 ? 0 : c->seg[CS].base);
	bool pf = e->vector == VEC_PF && e->kind == EVENT_FAULT;

	log_write(LOG_INT,
		  "%6u: v=%02x e=%04x i=%d cpl=%u IP=%04x:%016llx "
		  "pc=%016llx SP=%04x:%016llx %s=%016llx",
		  c->index, e->vector, e->code, e->kind == EVENT_SOFTWARE,
		  c->cpl, c->seg[CS].selector, (unsigned long long)ip,
		  (unsigned long long)pc, c->seg[SS].selector,
		  (unsigned long long)c->gpr[RSP], pf ? "CR2" : "RAX",
		  (unsigned long long)(pf ? c->cr2 : c->gpr[RAX]));
}

static void deliver_real(struct cpu *c, const struct event *e)
{
	if (e->vector * 4u + 3 > c->idtr.limit)
		fault_raise_code(c, VEC_GP, e->vector * 8u + 2);
	ivt_enter(c, e->vector, c->idtr.base, (uint16_t)flags_get(c));
	flags_set(c, 0, FLAG_IF | FLAG_TF | FLAG_AC | FLAG_RF);
	cpu_derive(c);
}

/* The flags as the handler finds them on its stack. */
static uint32_t pushed_flags(const struct cpu *c, const struct event *e)
{
	uint32_t f = flags_get(c);

	if (e->kind == EVENT_FAULT && (e->vector != VEC_DB || c->dr6 & DR6_BD))
		f |= FLAG_RF;
	return f;
}

static bool gate_type_good(const struct cpu *c, const struct desc *d)
{
	switch (desc_type(d)) {
	case SYS_INT32:
	case SYS_TRAP32:
		return !desc_memory(d);
	case SYS_INT16:
	case SYS_TRAP16:
	case SYS_TASK_GATE:
		return !desc_memory(d) && !cpu_long_mode(c);
	default:
		return false;
	}
}

static void read_gate(struct cpu *c, const struct event *e, struct desc *d)
{
	unsigned size = cpu_long_mode(c) ? 16 : 8;
	uint32_t offset = e->vector * size;
	uint32_t code = e->vector * 8u + 2;
	uint64_t raw;

	if (offset + size - 1 > c->idtr.limit)
		fault_raise_code(c, VEC_GP, code);
	d->at = table_linear(c, c->idtr.base, offset);
	raw = mem_read_sys(c, d->at, 8);
	d->lo = (uint32_t)raw;
	d->hi = raw >> 32;
	d->top = size == 16 ? (uint32_t)mem_read_sys(c, d->at + 8, 4) : 0;
	if (!gate_type_good(c, d) ||
	    (e->kind == EVENT_SOFTWARE && desc_dpl(d) < c->cpl))
		fault_raise_code(c, VEC_GP, code);
	if (!desc_present(d))
		fault_raise_code(c, VEC_NP, code);
}

/* The handler's stack; true if the old one is another and must be pushed. */
static bool choose_stack(struct cpu *c, const struct gate *g, unsigned cpl,
			 struct stack *s)
{
	if (g->size == 8) {
		if (cpl < c->cpl || g->ist) {
			gate_stack64(c, cpl, g->ist, s);
		} else {
			stack_current(c, s);
			s->width = 8;
		}
		s->sp &= ~15ull;
		return true;
	}
	if (cpl < c->cpl) {
		gate_stack(c, cpl, s);
		return true;
	}
	stack_current(c, s);
	return false;
}

static void push_frame(struct cpu *c, const struct event *e,
		       const struct gate *g, struct stack *s, bool with_ss)
{
	static const enum sreg v86_order[] = {GS, FS, DS, ES};
	unsigned size = g->size;

	for (unsigned i = 0; i < ARRAY_LEN(v86_order) && cpu_v86(c); i++)
		stack_put(c, s, c->seg[v86_order[i]].selector, size);
	if (with_ss) {
		stack_put(c, s, c->seg[SS].selector, size);
		stack_put(c, s, narrow(c->gpr[RSP], size), size);
	}
	stack_put(c, s, narrow(pushed_flags(c, e), size), size);
	stack_put(c, s, c->seg[CS].selector, size);
	stack_put(c, s, narrow(c->rip, size), size);
	if (e->has_code)
		stack_put(c, s, narrow(e->code, size), size);
}

static void drop_v86_segments(struct cpu *c)
{
	static const enum sreg data[] = {ES, DS, FS, GS};

	for (unsigned i = 0; i < ARRAY_LEN(data); i++)
		c->seg[data[i]] = segment_null(0, 0);
}

static void enter_gate(struct cpu *c, const struct event *e,
		       const struct desc *d)
{
	struct gate g = gate_decode(c, d);
	bool trap_gate = desc_type(d) & 1;
	struct segment cs;
	struct stack s;
	unsigned cpl = gate_target(c, &g, true, &cs);
	bool with_ss, v86 = cpu_v86(c);

	if (v86 && cpl != 0)
		fault_selector(c, VEC_GP, g.selector);
	with_ss = choose_stack(c, &g, cpl, &s);
	push_frame(c, e, &g, &s, with_ss);
	code_check_ip(c, &cs, g.offset);

	if (cpl < c->cpl)
		c->seg[SS] = s.ss;
	stack_set_pointer(c, &s);
	if (v86)
		drop_v86_segments(c);
	flags_set(c, 0,
		  FLAG_TF | FLAG_NT | FLAG_VM | FLAG_RF |
			  (trap_gate ? 0 : FLAG_IF));
	code_enter(c, &cs, cpl, g.offset);
}

static void deliver_protected(struct cpu *c, const struct event *e)
{
	struct desc d;

	read_gate(c, e, &d);
	if (desc_type(&d) != SYS_TASK_GATE) {
		enter_gate(c, e, &d);
		return;
	}
	/* The outgoing TSS gets the flags that a gate would push. */
	c->rflags |= pushed_flags(c, e) & FLAG_RF;
	task_switch(c, d.lo >> 16, TASK_GATE, e->has_code, e->code);
}

void event_deliver(struct cpu *c, uint8_t vector, enum event_kind kind,
		   bool has_code, uint32_t code)
{
	struct event e = {vector, kind, has_code, code};
	bool exception = kind == EVENT_FAULT || kind == EVENT_TRAP;

	if (log_on(LOG_INT))
		log_event(c, &e);
	c->delivering = exception		 ? vector
			: kind == EVENT_EXTERNAL ? DELIVERING_INTERRUPT
						 : -1;
	c->delivering_ext = kind != EVENT_SOFTWARE;
	if (cpu_real_mode(c))
		deliver_real(c, &e);
	else
		deliver_protected(c, &e);
	if (vector == VEC_DB && (exception || kind == EVENT_ICEBP))
		c->dr7 &= ~(uint64_t)DR7_GD;
	c->delivering = -1;
	c->delivering_ext = false;
	c->halted = false;
	c->shadow = SHADOW_NONE;
	c->tf_trap = false;
}
