/* cpu/x86/stack.c - pushing and popping, on the current stack and on others.
 *
 * Source: SDM 1 6.2; SDM 2 "PUSH", "POP".
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/stack.h"
#include "cpu/x86/seg.h"

static uint64_t pointer_mask(unsigned width)
{
	return width == 8 ? ~0ull : width == 4 ? 0xffffffff : 0xffff;
}

void stack_push(struct cpu *c, uint64_t v, unsigned size)
{
	uint64_t sp = (c->gpr[RSP] - size) & pointer_mask(c->stack_size);

	mem_write(c, seg_linear(c, SS, sp, size, ACCESS_WRITE), v, size);
	stack_add(c, -(int64_t)size);
}

uint64_t stack_peek(struct cpu *c, uint64_t offset, unsigned size)
{
	uint64_t sp = (c->gpr[RSP] + offset) & pointer_mask(c->stack_size);

	return mem_read(c, seg_linear(c, SS, sp, size, ACCESS_READ), size);
}

uint64_t stack_pop(struct cpu *c, unsigned size)
{
	uint64_t v = stack_peek(c, 0, size);

	stack_add(c, size);
	return v;
}

void stack_current(const struct cpu *c, struct stack *s)
{
	*s = (struct stack){
		.ss = c->seg[SS],
		.sp = c->gpr[RSP],
		.width = c->stack_size,
		.cpl = c->cpl,
	};
}

static gva_t stack_linear(struct cpu *c, const struct stack *s, unsigned size)
{
	uint64_t sp = s->sp & pointer_mask(s->width);

	if (s->width == 8) {
		if (!gva_canonical(c, sp))
			fault_raise_code(c, VEC_SS, s->blame);
		return sp;
	}
	if (!segment_holds(&s->ss, sp, size))
		fault_raise_code(c, VEC_SS, s->blame);
	return (uint32_t)(s->ss.base + sp);
}

void stack_put(struct cpu *c, struct stack *s, uint64_t v, unsigned size)
{
	s->sp -= size;
	mem_write_as(c, stack_linear(c, s, size), v, size, s->cpl);
}

uint64_t stack_take(struct cpu *c, struct stack *s, unsigned size)
{
	uint64_t v = mem_read_as(c, stack_linear(c, s, size), size, s->cpl);

	s->sp += size;
	return v;
}

void stack_set_pointer(struct cpu *c, const struct stack *s)
{
	uint64_t mask = pointer_mask(s->width);

	if (s->width == 2)
		c->gpr[RSP] = (c->gpr[RSP] & ~mask) | (s->sp & mask);
	else
		c->gpr[RSP] = s->sp & mask;
}
