/* cpu/x86/gate.c - what call gates and interrupt gates have in common.
 *
 * Source: SDM 3A 5.8.3-5.8.5 and 7.2.1 (16 and 32-bit), 5.8.3.1, 6.14 and 7.7
 * (long mode).
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/gate.h"
#include "cpu/x86/seg.h"

struct gate gate_decode(const struct cpu *c, const struct desc *d)
{
	struct gate g = {
		.selector = d->lo >> 16,
		.offset = d->lo & 0xffff,
		.params = d->hi & 31,
		.size = 2,
	};

	if (!(desc_type(d) & SYS_32))
		return g;
	g.offset |= (d->hi & 0xffff0000) | (uint64_t)d->top << 32;
	g.size = 4;
	if (cpu_long_mode(c)) {
		g.size = 8;
		g.params = 0;
		g.ist = d->hi & 7;
	}
	return g;
}

unsigned gate_target(struct cpu *c, const struct gate *g, bool inwards,
		     struct segment *cs)
{
	struct desc d;

	if (selector_null(g->selector))
		fault_gp0(c);
	if (!desc_read(c, g->selector, &d) || !desc_code(&d) ||
	    desc_dpl(&d) > c->cpl ||
	    (!inwards && !desc_conforming(&d) && desc_dpl(&d) != c->cpl))
		fault_selector(c, VEC_GP, g->selector);
	if (cpu_long_mode(c) && (d.hi >> 8 & (SEG_L | SEG_DB)) != SEG_L)
		fault_selector(c, VEC_GP, g->selector);
	if (!desc_present(&d))
		fault_selector(c, VEC_NP, g->selector);
	desc_touch(c, &d);
	*cs = desc_segment(&d, g->selector);
	return desc_conforming(&d) ? c->cpl : desc_dpl(&d);
}

/* #TS with the TSS's own selector unless these bytes are inside it. */
static void check_room(struct cpu *c, uint32_t offset, uint32_t bytes)
{
	if (offset + bytes - 1 > c->tr.limit)
		fault_selector(c, VEC_TS, c->tr.selector);
}

void gate_stack(struct cpu *c, unsigned cpl, struct stack *s)
{
	unsigned size = c->tr.attr & SYS_32 ? 4 : 2;
	uint32_t at = (cpl * 2 + 1) * size;
	uint16_t selector;

	check_room(c, at, size + 2);
	*s = (struct stack){.cpl = cpl};
	s->sp = mem_read_sys(c, table_linear(c, c->tr.base, at), size);
	selector = mem_read_sys(c, table_linear(c, c->tr.base, at + size), 2);
	if (selector_null(selector))
		fault_raise_code(c, VEC_TS, 0);
	seg_check_stack(c, selector, cpl, VEC_TS, &s->ss);
	s->width = s->ss.attr & SEG_DB ? 4 : 2;
	s->blame = selector & 0xfffc;
}

void gate_stack64(struct cpu *c, unsigned cpl, unsigned ist, struct stack *s)
{
	uint32_t at = ist ? 28 + ist * 8 : 4 + cpl * 8;

	check_room(c, at, 8);
	*s = (struct stack){.cpl = cpl, .width = 8};
	s->sp = mem_read_sys(c, c->tr.base + at, 8);
	s->ss = segment_null(cpl, cpl);
}
