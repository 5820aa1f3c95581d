/* cpu/jit/stack.c - PUSH, POP, LEAVE.
 *
 * Of the size that the code mode has by default, on a flat stack.  The stack
 * pointer moves after the access has been checked.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/jit/tr.h"

static bool usual_size(const struct tr *t, const struct insn *i)
{
	return t->flat && i->opsize == (t->mode == CODE64 ? 8 : 4);
}

static bool is_wide(const struct tr *t)
{
	return t->mode == CODE64;
}

static void put_move_sp(struct tr *t, unsigned from, int32_t n)
{
	asm_lea(&t->k, is_wide(t), H_R13, from, H_NONE, 0, n);
}

/* [TR_A + disp]: the place below the stack pointer. */
static struct cold *put_below(struct tr *t, const struct insn *i)
{
	return tr_put_stack(t, i, H_R13, -i->opsize, ACCESS_WRITE);
}

static void put_push_register(struct tr *t, const struct insn *i)
{
	struct cold *x = put_below(t, i);
	unsigned from = tr_get(t, i->op[0].reg, TR_B);

	asm_mem(&t->k, is_wide(t), OP_STORE, from, TR_A,
		t->disp);
	put_move_sp(t, H_R13, -i->opsize);
	tr_cold_back(t, x);
}

static void put_push_immediate(struct tr *t, const struct insn *i)
{
	struct cold *x = put_below(t, i);

	put_rex(&t->k, is_wide(t), 0, 0, TR_A, false);
	put1(&t->k, 0xc7);
	put_address(&t->k, 0, TR_A, H_NONE, 0, t->disp);
	put4(&t->k, (uint32_t)i->imm);
	put_move_sp(t, H_R13, -i->opsize);
	tr_cold_back(t, x);
}

static void put_push_memory(struct tr *t, const struct insn *i)
{
	uint32_t scratch = low32(&t->j->scratch);
	struct cold *x[2];
	unsigned first = t->colds;

	tr_put_operand(t, i, 0, ACCESS_READ, 0);
	asm_mem(&t->k, is_wide(t), OP_LOAD, TR_B, TR_A, 0);
	asm_abs(&t->k, is_wide(t), OP_STORE, TR_B, scratch);
	put_below(t, i);
	asm_abs(&t->k, is_wide(t), OP_LOAD, TR_B, scratch);
	asm_mem(&t->k, is_wide(t), OP_STORE, TR_B, TR_A, t->disp);
	put_move_sp(t, H_R13, -i->opsize);
	x[0] = &t->cold[first];
	x[1] = &t->cold[first + 1];
	tr_cold_back(t, x[0]);
	tr_cold_back(t, x[1]);
}

bool tr_push(struct tr *t, const struct insn *i)
{
	if (!usual_size(t, i))
		return false;
	switch (i->op[0].kind) {
	case OP_GPR:
		put_push_register(t, i);
		return true;
	case OP_IMM:
		put_push_immediate(t, i);
		return true;
	case OP_MEM:
		if (!tr_address_ok(t, i))
			return false;
		put_push_memory(t, i);
		return true;
	default:
		return false;
	}
}

bool tr_pop(struct tr *t, const struct insn *i)
{
	unsigned host = tr_host_of(i->op[0].reg & 15);
	struct cold *x;

	if (!usual_size(t, i) || i->op[0].kind != OP_GPR)
		return false;
	x = tr_put_stack(t, i, H_R13, 0, ACCESS_READ);
	asm_mem(&t->k, is_wide(t), OP_LOAD, host == H_NONE ? TR_B : host, TR_A,
		t->disp);
	if (host == H_NONE)
		asm_abs(&t->k, true, OP_STORE, TR_B,
			tr_gpr_address(t, i->op[0].reg));
	if (host != H_R13)
		put_move_sp(t, H_R13, i->opsize);
	tr_cold_back(t, x);
	return true;
}

bool tr_leave(struct tr *t, const struct insn *i)
{
	struct cold *x;

	if (!usual_size(t, i))
		return false;
	x = tr_put_stack(t, i, H_RBP, 0, ACCESS_READ);
	put_move_sp(t, H_RBP, i->opsize);
	asm_mem(&t->k, is_wide(t), OP_LOAD, H_RBP, TR_A, t->disp);
	tr_cold_back(t, x);
	return true;
}
