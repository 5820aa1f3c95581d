/* cpu/interp/flow.c - near jumps, calls and returns, loops, BOUND and UD.
 *
 * The target is checked before anything changes: a processor that faults on a
 * call's target has not pushed, as far as the handler can see.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/rmw.h"

static void jump_relative(struct cpu *c, const struct insn *i)
{
	near_jump(c, c->rip + (uint64_t)i->imm, i->opsize);
}

void exec_jmp(struct cpu *c, const struct insn *i)
{
	jump_relative(c, i);
}

void exec_jmp_near(struct cpu *c, const struct insn *i)
{
	near_jump(c, operand_read(c, i, 0), i->opsize);
}

void exec_jcc(struct cpu *c, const struct insn *i)
{
	if (condition(c, i->opcode & 15))
		jump_relative(c, i);
}

/* A fault of the push must find rip at the next instruction still. */
static void call(struct cpu *c, uint64_t target, unsigned size)
{
	uint64_t back = c->rip, to;

	near_jump(c, target, size);
	to = c->rip;
	c->rip = back;
	stack_push(c, back, size);
	c->rip = to;
}

void exec_call(struct cpu *c, const struct insn *i)
{
	call(c, c->rip + (uint64_t)i->imm, i->opsize);
}

void exec_call_near(struct cpu *c, const struct insn *i)
{
	call(c, operand_read(c, i, 0), i->opsize);
}

void exec_ret(struct cpu *c, const struct insn *i)
{
	uint16_t arguments = i->op[0].kind == OP_IMM ? (uint16_t)i->imm : 0;

	near_jump(c, stack_peek(c, 0, i->opsize), i->opsize);
	stack_add(c, i->opsize + arguments);
}

/* ---- loops: rCX by the address size ---- */

static void loop(struct cpu *c, const struct insn *i, bool going)
{
	uint64_t count = gpr_read(c, RCX, i->addrsize) - 1;

	if (going && gpr_read(c, RCX, i->addrsize) != 1)
		jump_relative(c, i);
	gpr_write(c, RCX, count, i->addrsize);
}

void exec_loop(struct cpu *c, const struct insn *i)
{
	loop(c, i, true);
}

void exec_loope(struct cpu *c, const struct insn *i)
{
	loop(c, i, c->arith & FLAG_ZF);
}

void exec_loopne(struct cpu *c, const struct insn *i)
{
	loop(c, i, !(c->arith & FLAG_ZF));
}

void exec_jcxz(struct cpu *c, const struct insn *i)
{
	if (!gpr_read(c, RCX, i->addrsize))
		jump_relative(c, i);
}

/* ---- exceptions on request ---- */

/* The two bounds are accesses of their own: between them the address wraps as
 * its size says. */
static uint64_t bound_at(struct cpu *c, const struct insn *i, uint64_t offset)
{
	unsigned size = i->opsize;

	offset = i->addrsize == 2 ? (uint16_t)offset : (uint32_t)offset;
	return mem_read(c, seg_linear(c, (enum sreg)i->seg, offset, size,
				      ACCESS_READ), size);
}

void exec_bound(struct cpu *c, const struct insn *i)
{
	unsigned size = i->opsize, spare = 64 - 8 * size;
	uint64_t at = insn_offset(c, i);
	uint64_t low = bound_at(c, i, at) << spare;
	uint64_t high = bound_at(c, i, at + size) << spare;
	uint64_t index = gpr_read(c, i->op[0].reg, size) << spare;

	if ((int64_t)index < (int64_t)low || (int64_t)index > (int64_t)high)
		fault_raise(c, VEC_BR);
}

void exec_ud(struct cpu *c, const struct insn *i)
{
	fault_ud(c);
}
