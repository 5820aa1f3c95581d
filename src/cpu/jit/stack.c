/* cpu/jit/stack.c - PUSH, POP, LEAVE.
 *
 * Of the size that the code mode has by default, on a flat stack.  The stack
 * pointer moves after the access has been checked.  Where the access belongs
 * to a group that has been (group.c), nothing can leave the block before the
 * next instruction, and what the stack pointer moves by may be added up over
 * several (sp_ahead).
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

void tr_settle_sp(struct tr *t)
{
	if (t->sp_ahead)
		asm_lea(&t->k, is_wide(t), H_R13, H_R13, H_NONE, 0,
			t->sp_ahead);
	t->sp_ahead = 0;
}

static bool in_group(const struct tr *t)
{
	const struct in_group *in = &t->in[t->at];

	return in->group >= 0 && t->group[in->group].head != t->at;
}

static bool names_sp(const struct insn *i)
{
	for (unsigned n = 0; n < 4; n++)
		if (i->op[n].kind == OP_GPR && i->op[n].reg == RSP)
			return true;
	return false;
}

/* Neither needs the stack pointer nor can leave the block. */
static bool does_without_sp(const struct tr *t, const struct insn *i)
{
	switch (kind_of(i)) {
	case KIND_PUSH:
		return in_group(t) && usual_size(t, i) && !names_sp(i) &&
		       i->op[0].kind != OP_MEM;
	case KIND_POP:
		return in_group(t) && !names_sp(i);
	case KIND_RET:
		return in_group(t);
	case KIND_COPY: case KIND_READS: case KIND_BOTH:
		return tr_memory_operand(i) < 0 && !names_sp(i) &&
		       tr_copy_possible(t, i, kind_of(i));
	default:
		return false;
	}
}

void tr_settle_sp_for(struct tr *t, const struct insn *i)
{
	if (t->sp_ahead && !does_without_sp(t, i))
		tr_settle_sp(t);
}

/* x: code that may run the whole instruction elsewhere, or NULL. */
static void move_sp(struct tr *t, const struct cold *x, int32_t n)
{
	t->sp_ahead += n;
	if (x)
		tr_settle_sp(t);
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
	move_sp(t, x, -i->opsize);
	tr_cold_back(t, x);
}

static void put_push_immediate(struct tr *t, const struct insn *i)
{
	struct cold *x = put_below(t, i);

	put_rex(&t->k, is_wide(t), 0, 0, TR_A, false);
	put1(&t->k, 0xc7);
	put_address(&t->k, 0, TR_A, H_NONE, 0, t->disp);
	put4(&t->k, (uint32_t)i->imm);
	move_sp(t, x, -i->opsize);
	tr_cold_back(t, x);
}

static void put_push_memory(struct tr *t, const struct insn *i)
{
	uint32_t scratch = low32(&t->j->scratch);
	struct cold *x[2];
	unsigned first = t->colds;

	tr_forget_scratch(t);
	tr_put_operand(t, i, 0, ACCESS_READ, 0, false);
	asm_mem(&t->k, is_wide(t), OP_LOAD, TR_B, TR_A, 0);
	asm_abs(&t->k, is_wide(t), OP_STORE, TR_B, scratch);
	put_below(t, i);
	asm_abs(&t->k, is_wide(t), OP_LOAD, TR_B, scratch);
	asm_mem(&t->k, is_wide(t), OP_STORE, TR_B, TR_A, t->disp);
	move_sp(t, &t->cold[first], -i->opsize);
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
	unsigned host = t->host[i->op[0].reg & 15];
	struct cold *x;

	if (!usual_size(t, i) || i->op[0].kind != OP_GPR)
		return false;
	x = tr_put_stack(t, i, H_R13, 0, ACCESS_READ);
	asm_mem(&t->k, is_wide(t), OP_LOAD, host == H_NONE ? TR_B : host, TR_A,
		t->disp);
	if (host == H_NONE) {
		asm_abs(&t->k, true, OP_STORE, TR_B,
			tr_gpr_address(t, i->op[0].reg));
		t->loaded_b = -1;
	}
	if (host != H_R13)
		move_sp(t, x, i->opsize);
	tr_cold_back(t, x);
	return true;
}

bool tr_leave(struct tr *t, const struct insn *i)
{
	struct cold *x;

	if (!usual_size(t, i))
		return false;
	x = tr_put_stack(t, i, H_RBP, 0, ACCESS_READ);
	asm_lea(&t->k, is_wide(t), H_R13, H_RBP, H_NONE, 0, i->opsize);
	asm_mem(&t->k, is_wide(t), OP_LOAD, H_RBP, TR_A, t->disp);
	tr_cold_back(t, x);
	return true;
}
