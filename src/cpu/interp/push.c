/* cpu/interp/push.c - the stack by PUSH, POP, PUSHA, POPA, ENTER, LEAVE.
 *
 * RSP moves last, so that a fault leaves it alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/rmw.h"

/* A stack pointer within the stack's size. */
static uint64_t stack_wrap(const struct cpu *c, uint64_t sp)
{
	if (c->stack_size == 8)
		return sp;
	return c->stack_size == 4 ? (uint32_t)sp : (uint16_t)sp;
}

static gva_t stack_linear(struct cpu *c, uint64_t sp, unsigned size,
			  enum access access)
{
	return seg_linear(c, SS, stack_wrap(c, sp), size, access);
}

/* PUSH RSP stores the value before the push. */
void exec_push(struct cpu *c, const struct insn *i)
{
	stack_push(c, operand_read(c, i, 0), i->opsize);
}

/* A destination addressed by RSP uses its value after the pop. */
static void pop_memory(struct cpu *c, const struct insn *i)
{
	uint64_t v = stack_peek(c, 0, i->opsize);
	uint64_t rsp = c->gpr[RSP], offset;
	gva_t at;

	stack_add(c, i->opsize);
	offset = insn_offset(c, i);
	c->gpr[RSP] = rsp;
	at = seg_linear(c, (enum sreg)i->seg, offset, i->opsize, ACCESS_WRITE);
	mem_write(c, at, v, i->opsize);
	stack_add(c, i->opsize);
}

void exec_pop(struct cpu *c, const struct insn *i)
{
	uint64_t v;

	if (i->op[0].kind != OP_GPR) {
		pop_memory(c, i);
		return;
	}
	v = stack_pop(c, i->opsize);
	gpr_write(c, i->op[0].reg, v, i->opsize);
}

void exec_pusha(struct cpu *c, const struct insn *i)
{
	unsigned size = i->opsize;
	uint64_t sp = stack_wrap(c, c->gpr[RSP]);

	/* SDM 2 "PUSHA": the real-address mode exceptions. */
	if (cpu_paragraph_mode(c) && sp >= 7 && sp <= 15 && (sp & 1))
		fault_gp0(c);
	for (unsigned n = 0; n < 8; n++)
		mem_write(c, stack_linear(c, sp - (n + 1) * size, size,
					  ACCESS_WRITE), c->gpr[n], size);
	stack_add(c, -8 * (int)size);
}

void exec_popa(struct cpu *c, const struct insn *i)
{
	unsigned size = i->opsize;
	uint64_t v[8];

	for (unsigned n = 0; n < 8; n++)
		v[7 - n] = stack_peek(c, n * size, size);
	for (unsigned n = 0; n < 8; n++)
		if (n != RSP)
			gpr_write(c, n, v[n], size);
	stack_add(c, 8 * size);
}

/* Copy the enclosing frames' pointers and add our own (SDM 2 "ENTER"). */
static uint64_t enter_frames(struct cpu *c, unsigned level, unsigned size,
			     uint64_t sp, uint64_t frame)
{
	uint64_t bp = c->gpr[RBP], v;

	for (unsigned n = 1; n < level; n++) {
		bp -= size;
		sp -= size;
		v = mem_read(c, stack_linear(c, bp, size, ACCESS_READ), size);
		mem_write(c, stack_linear(c, sp, size, ACCESS_WRITE), v, size);
	}
	sp -= size;
	mem_write(c, stack_linear(c, sp, size, ACCESS_WRITE), frame, size);
	return sp;
}

void exec_enter(struct cpu *c, const struct insn *i)
{
	unsigned size = i->opsize, level = i->disp & 31;
	uint64_t sp = c->gpr[RSP] - size, frame = stack_wrap(c, sp);

	if (c->stack_size == 2)		/* EBP gets all of ESP */
		frame |= c->gpr[RSP] & 0xffff0000;
	mem_write(c, stack_linear(c, sp, size, ACCESS_WRITE), c->gpr[RBP],
		  size);
	if (level)
		sp = enter_frames(c, level, size, sp, frame);
	sp -= (uint16_t)i->imm;
	mem_probe(c, stack_linear(c, sp, size, ACCESS_WRITE), size,
		  ACCESS_WRITE);
	gpr_write(c, RBP, frame, size);
	stack_add(c, (int64_t)(sp - c->gpr[RSP]));
}

void exec_leave(struct cpu *c, const struct insn *i)
{
	uint64_t bp = c->gpr[RBP];
	uint64_t v = mem_read(c, stack_linear(c, bp, i->opsize, ACCESS_READ),
			      i->opsize);

	stack_add(c, (int64_t)(bp + i->opsize - c->gpr[RSP]));
	gpr_write(c, RBP, v, i->opsize);
}
