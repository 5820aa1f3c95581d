/* cpu/jit/string.c - REP MOVS and REP STOS within a page.
 *
 * In 64-bit code, upwards, where the source and the destination each end in the
 * page they begin in: the host's own instruction on the host's addresses.  All
 * else, and the longer ones, are the interpreter's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/jit/tr.h"

static unsigned scale_of(unsigned size)
{
	return size == 8 ? 3 : size >> 1;
}

/* MOVS's operands are of one size; STOS's second is the accumulator. */
static bool possible(const struct tr *t, const struct insn *i)
{
	return t->flat && t->mode == CODE64 && i->addrsize == 8 &&
	       i->prefix & (PREFIX_REP | PREFIX_REPNE) && i->seg < FS;
}

static void put_rep(struct code *k, const struct insn *i, unsigned size)
{
	if (size == 2)
		put1(k, 0x66);
	put1(k, 0xf3);
	put_rex(k, size == 8, 0, 0, 0, false);
	put1(k, i->opcode);
}

/* Upwards, and not more than a page. */
static void put_checks(struct tr *t, const struct insn *i, unsigned size)
{
	struct code *k = &t->k;

	asm_test8_abs(k, low32(&t->c->rflags) + 1, FLAG_DF >> 8);
	tr_cold(t, COLD_EXEC, asm_jcc(k, CC_NE, NULL))->insn = i;
	asm_imm(k, true, 7, H_RCX, (int32_t)(PAGE_SIZE / size));
	tr_cold(t, COLD_EXEC, asm_jcc(k, CC_A, NULL))->insn = i;
}

static void put_movs(struct tr *t, const struct insn *i, unsigned size)
{
	struct code *k = &t->k;
	unsigned scale = scale_of(size);

	tr_put_stretch(t, i, H_RDI, scale, ACCESS_WRITE);
	asm_abs(k, true, OP_STORE, TR_B, low32(&t->j->scratch));
	tr_put_stretch(t, i, H_RSI, scale, ACCESS_READ);
	asm_lea(k, true, TR_A, H_RDI, H_RCX, scale, 0);
	asm_abs(k, true, OP_LOAD, H_RDI, low32(&t->j->scratch));
	asm_lea(k, true, H_RSI, H_RSI, H_RCX, scale, 0);
	PUT(k, 0x49, 0x87, 0xf7);			/* xchg r15, rsi */
	put_rep(k, i, size);
	asm_mov(k, H_RDI, TR_A);
	asm_mov(k, H_RSI, TR_B);
}

static void put_stos(struct tr *t, const struct insn *i, unsigned size)
{
	struct code *k = &t->k;

	tr_put_stretch(t, i, H_RDI, scale_of(size), ACCESS_WRITE);
	asm_lea(k, true, TR_A, H_RDI, H_RCX, scale_of(size), 0);
	asm_mov(k, H_RDI, TR_B);
	put_rep(k, i, size);
	asm_mov(k, H_RDI, TR_A);
}

bool tr_string(struct tr *t, const struct insn *i)
{
	unsigned first = t->colds, size = i->op[0].size;

	if (!possible(t, i))
		return false;
	tr_clobber_flags(t, tr_live_before(t));
	put_checks(t, i, size);
	(exec_rows[i->row] == exec_movs ? put_movs : put_stos)(t, i, size);
	for (unsigned n = first; n < t->colds; n++)
		tr_cold_back(t, &t->cold[n]);
	return true;
}
