/* cpu/jit/intflag.c - CLI, STI, PUSHF and SWAPGS, which kernels run all the
 * time.
 *
 * CLI, STI and SWAPGS at privilege 0 only; else they are the interpreter's.
 * STI lets interrupts in after the next instruction: events are looked at
 * there.  A jump or an instruction that ends the block after it is left to the
 * main loop (shadow).
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/jit/tr.h"

/* Only privilege 0 is known not to ask IOPL. */
static struct cold *put_check_cpl(struct tr *t, const struct insn *i)
{
	struct cold *x;

	tr_clobber_flags(t, tr_live_before(t));
	asm_cmp8_abs(&t->k, low32(&t->c->cpl), 0);
	x = tr_cold(t, COLD_EXEC, asm_jcc(&t->k, CC_NE, NULL));
	x->insn = i;
	tr_forget_scratch(t);
	return x;
}

/* and (digit 4) or or (1) with c->rflags */
static void put_change_flags(struct tr *t, unsigned digit, uint32_t mask)
{
	put1(&t->k, 0x81);
	put_absolute(&t->k, digit, low32(&t->c->rflags));
	put4(&t->k, mask);
}

bool tr_cli(struct tr *t, const struct insn *i)
{
	struct cold *x;

	if (!tr_in_kernel(t))
		return false;
	x = put_check_cpl(t, i);
	put_change_flags(t, 4, ~FLAG_IF);
	tr_cold_back(t, x);
	return true;
}

bool tr_sti(struct tr *t, const struct insn *i)
{
	struct cold *x;

	if (!tr_in_kernel(t) || t->at + 1 >= t->count ||
	    insn_how(&t->insn[t->at + 1]) & HOW_END)
		return false;
	x = put_check_cpl(t, i);
	put_change_flags(t, 1, FLAG_IF);
	tr_cold_back(t, x);
	t->poll_after = t->at + 1;
	return true;
}

bool tr_pushf(struct tr *t, const struct insn *i)
{
	struct code *k = &t->k;
	struct cold *x;
	uint8_t *skip;

	if (!t->flat || i->opsize != (t->mode == CODE64 ? 8 : 4))
		return false;
	tr_flags_to_cpu(t, FLAGS_ARITH);
	x = tr_put_stack(t, i, H_R13, -i->opsize, ACCESS_WRITE);
	PUT(k, 0x44, 0x0f, 0xb6);			/* movzx r15d */
	put_absolute(k, TR_B, low32(&t->c->arith));
	asm_abs(k, false, 0x0b, TR_B, low32(&t->c->rflags));	/* or */
	t->host_ok = false;
	asm_cmp8_abs(k, low32(&t->c->of), 0);
	skip = asm_skip(k, CC_E);
	asm_imm(k, false, 1, TR_B, FLAG_OF);
	asm_skip_to_here(k, skip);
	asm_mem(k, t->mode == CODE64, OP_STORE, TR_B, TR_A, t->disp);
	asm_lea(k, t->mode == CODE64, H_R13, H_R13, H_NONE, 0, -i->opsize);
	tr_cold_back(t, x);
	return true;
}

bool tr_swapgs(struct tr *t, const struct insn *i)
{
	struct code *k = &t->k;
	struct cold *x;

	if (!tr_in_kernel(t) || t->mode != CODE64)
		return false;
	x = put_check_cpl(t, i);
	asm_abs(k, true, OP_LOAD, TR_A, low32(&t->c->seg[GS].base));
	asm_abs(k, true, OP_LOAD, TR_B, low32(&t->c->kernel_gs_base));
	asm_abs(k, true, OP_STORE, TR_A, low32(&t->c->kernel_gs_base));
	asm_abs(k, true, OP_STORE, TR_B, low32(&t->c->seg[GS].base));
	tr_cold_back(t, x);
	return true;
}
