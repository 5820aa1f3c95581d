/* cpu/jit/copy.c - instructions on general and vector registers and memory that
 * the host runs as they are; LEA, DIV and IDIV.
 *
 * Guest registers without a host register are loaded into scratch ones and
 * stored back.  AH, CH, DH and BH exist only without a REX byte.  A division
 * that might raise #DE is the interpreter's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/jit/tr.h"

/* ---- forms that have no copy ---- */

/* May the instruction name AH to BH with the registers its operands get? */
static bool high_bytes_ok(const struct insn *i)
{
	bool high = false, rex = i->prefix & (PREFIX_W | PREFIX_MEM);

	for (unsigned n = 0; n < 4; n++) {
		const struct operand *o = &i->op[n];

		if (o->kind != OP_GPR)
			continue;
		if (o->reg >= REG_AH)
			high = true;
		else if (o->reg >= 8 || o->reg == RSP ||
			 (o->size == 1 && o->reg >= 4))
			rex = true;
	}
	return !(high && rex);
}

static bool in_memory(const struct operand *o)
{
	return o->kind == OP_GPR && o->reg < REG_AH &&
	       tr_host_of(o->reg) == H_NONE;
}

static unsigned count_in_memory(const struct insn *i)
{
	unsigned count = 0;

	for (unsigned n = 0; n < 4; n++)
		count += in_memory(&i->op[n]);
	return count;
}

int tr_memory_operand(const struct insn *i)
{
	for (int n = 0; n < 4; n++)
		if (i->op[n].kind == OP_MEM)
			return n;
	return -1;
}

static bool is_moffs(const struct insn *i)
{
	return i->op[0].code == Ob || i->op[0].code == Ov ||
	       i->op[1].code == Ob || i->op[1].code == Ov;
}

bool tr_copy_possible(const struct tr *t, const struct insn *i,
		      enum kind kind)
{
	int m = tr_memory_operand(i);

	if (insn_how(i) & HOW_PROT && !t->flat)
		return false;
	if (!high_bytes_ok(i))
		return false;
	if (count_in_memory(i) > (m >= 0 ? 1 : 2))
		return false;
	if (m >= 0 && !tr_address_ok(t, i))
		return false;
	return !(kind == KIND_BIT && m >= 0 && i->op[1].kind == OP_GPR);
}

enum access tr_access_of(const struct insn *i, enum kind kind, unsigned n)
{
	if (kind == KIND_READS || kind == KIND_DIV || kind == KIND_IDIV)
		return ACCESS_READ;
	if (exec_rows[i->row] == exec_bt)
		return ACCESS_READ;
	if (kind == KIND_VECTOR)
		return n == 0 && insn_how(i) & HOW_SAVES ? ACCESS_WRITE
							 : ACCESS_READ;
	return n == 0 || kind == KIND_BOTH ? ACCESS_WRITE : ACCESS_READ;
}

static unsigned alignment_of(const struct insn *i, unsigned m)
{
	if (insn_how(i) & HOW_ALIGN)
		return i->op[m].size;
	return exec_rows[i->row] == exec_cmpxchg16b ? 16 : 0;
}

/* ---- operands in scratch registers ---- */

static bool is_written(const struct insn *i, enum kind kind, unsigned n)
{
	if (kind == KIND_READS || kind == KIND_DIV || kind == KIND_IDIV ||
	    exec_rows[i->row] == exec_bt)
		return false;
	return n == 0 || (n == 1 && kind == KIND_BOTH);
}

static bool is_read(const struct insn *i, enum kind kind, unsigned n)
{
	return !is_written(i, kind, n) || i->op[n].size < 4 ||
	       insn_how(i) & HOW_RMW || kind == KIND_BOTH;
}

struct scratch {
	unsigned count;
	uint8_t op[4], reg[4];
};

/* A register named twice is in one scratch register: XADD's two results go
 * there in the host's own order. */
static int named_before(const struct insn *i, const struct scratch *s,
			unsigned n)
{
	for (unsigned m = 0; m < s->count; m++)
		if (i->op[s->op[m]].reg == i->op[n].reg)
			return s->reg[m];
	return -1;
}

static void load_scratch(struct tr *t, const struct insn *i, enum kind kind,
			 bool memory, struct scratch *s)
{
	bool loaded[16] = { false };

	s->count = 0;
	for (unsigned n = 0; n < 4; n++) {
		unsigned reg = memory || s->count ? TR_B : TR_A;
		int before;

		if (!in_memory(&i->op[n]))
			continue;
		before = named_before(i, s, n);
		if (before >= 0)
			reg = (unsigned)before;
		if (is_read(i, kind, n) && !loaded[reg]) {
			asm_abs(&t->k, true, OP_LOAD, reg,
				tr_gpr_address(t, i->op[n].reg));
			loaded[reg] = true;
		}
		s->op[s->count] = (uint8_t)n;
		s->reg[s->count++] = (uint8_t)reg;
	}
}

static void store_scratch(struct tr *t, const struct insn *i, enum kind kind,
			  const struct scratch *s)
{
	for (unsigned m = 0; m < s->count; m++)
		if (is_written(i, kind, s->op[m]))
			asm_abs(&t->k, true, OP_STORE, s->reg[m],
				tr_gpr_address(t, i->op[s->op[m]].reg));
}

/* The host register of operand n, as it is encoded. */
static uint8_t register_of(const struct insn *i, unsigned n,
			   const struct scratch *s)
{
	const struct operand *o = &i->op[n];

	for (unsigned m = 0; m < s->count; m++)
		if (s->op[m] == n)
			return s->reg[m];
	if (o->kind != OP_GPR)
		return o->reg;
	if (o->reg >= REG_AH)
		return (uint8_t)(o->reg - REG_AH + 4);
	return (uint8_t)tr_host_of(o->reg);
}

static void find_places(const struct insn *i, const struct scratch *s,
			struct places *p)
{
	*p = (struct places){ .rm = H_NONE };
	for (unsigned n = 0; n < 4; n++) {
		const struct operand *o = &i->op[n];

		if (o->kind == OP_MEM) {
			p->memory = true;
			p->rm = TR_A;
			continue;
		}
		switch (tr_place_of((enum operand_code)o->code)) {
		case PLACE_REG:
			p->reg = register_of(i, n, s);
			break;
		case PLACE_RM:
			p->rm = register_of(i, n, s);
			break;
		case PLACE_VVVV:
			p->vvvv = register_of(i, n, s);
			break;
		case PLACE_LOW:
			p->low = register_of(i, n, s);
			break;
		default:
			break;
		}
	}
}

/* MOV with a 64-bit address instead of ModRM. */
static void put_moffs(struct code *k, const struct insn *i)
{
	bool store = i->op[0].kind == OP_MEM;

	if (i->opsize == 2 && i->op[store].size == 2)
		put1(k, 0x66);
	put_rex(k, i->prefix & PREFIX_W, H_RAX, 0, TR_A, false);
	put1(k, (store ? 0x88 : 0x8a) | (i->op[store].size > 1));
	put_address(k, H_RAX, TR_A, H_NONE, 0, 0);
}

/* Afterwards flags that i sets are in the host's. */
static void note_flags(struct tr *t, const struct insn *i)
{
	if (!tr_flags_set(i))
		return;
	t->host_ok = true;
	t->cpu_ok = false;
}

/* Does i need the flags as they were: to read, or to leave some alone? */
static void prepare_flags(struct tr *t, const struct insn *i)
{
	uint32_t live = t->live[t->at];

	if (tr_flags_used(i, live) ||
	    (tr_flags_set(i) && live & ~tr_flags_set(i)))
		tr_flags_to_host(t);
}

static void put_copy(struct tr *t, const struct insn *i, enum kind kind)
{
	bool memory = tr_memory_operand(i) >= 0;
	struct scratch s;
	struct places p;

	prepare_flags(t, i);
	load_scratch(t, i, kind, memory, &s);
	if (!memory && s.count)
		t->loaded = -1;
	find_places(i, &s, &p);
	p.disp = t->disp;
	if (is_moffs(i))
		put_moffs(&t->k, i);
	else
		tr_put_insn(&t->k, i, &p);
	store_scratch(t, i, kind, &s);
	note_flags(t, i);
}

bool tr_copy(struct tr *t, const struct insn *i, enum kind kind)
{
	int m = tr_memory_operand(i);
	struct cold *x = NULL;

	if (!tr_copy_possible(t, i, kind))
		return false;
	if (m >= 0)
		x = tr_put_operand(t, i, (unsigned)m,
				   tr_access_of(i, kind, (unsigned)m),
				   alignment_of(i, (unsigned)m));
	put_copy(t, i, kind);
	tr_cold_back(t, x);
	return true;
}

bool tr_lea(struct tr *t, const struct insn *i)
{
	const struct operand *o = &i->op[0];
	unsigned host = tr_host_of(o->reg), to = host;

	if (i->addrsize == 2 || o->size == 2 ||
	    (i->prefix & PREFIX_RIP &&
	     i->disp + i->end != (int32_t)(i->disp + i->end)))
		return false;
	/* The base or index may be the destination. */
	if (host == H_NONE || i->prefix & PREFIX_RIP)
		to = TR_A;
	if (to == TR_A || tr_host_of(i->base & 15) == H_NONE)
		t->loaded = -1;
	tr_put_effective_address(t, i, to, 0);
	/* Half of a 64-bit address is wanted: the same bits, cut off. */
	if (o->size == 4 && i->addrsize == 8)
		asm_mov32(&t->k, to, to);
	if (host == H_NONE)
		asm_abs(&t->k, true, OP_STORE, to, tr_gpr_address(t, o->reg));
	else if (to != host)
		asm_mov(&t->k, host, to);
	return true;
}

/* ---- division ---- */

/* All that could raise #DE, and some that would not, goes to the interpreter:
 * an upper half that is no extension of the lower one, divisors 0 and -1. */
static void put_signed_guard(struct tr *t, unsigned divisor, bool memory,
			     bool wide, const struct insn *i)
{
	struct code *k = &t->k;

	asm_rr(k, wide, OP_LOAD, TR_B, H_RAX);
	asm_shift(k, wide, 7, TR_B, wide ? 63 : 31);
	asm_rr(k, wide, 0x3b, TR_B, H_RDX);
	tr_cold(t, COLD_EXEC, asm_jcc(k, CC_NE, NULL))->insn = i;
	if (memory)
		asm_mem(k, wide, OP_LOAD, TR_B, divisor, 0);
	else
		asm_rr(k, wide, OP_LOAD, TR_B, divisor);
	asm_imm(k, wide, 0, TR_B, 1);
	asm_imm(k, wide, 7, TR_B, 1);
	tr_cold(t, COLD_EXEC, asm_jcc(k, CC_BE, NULL))->insn = i;
}

/* The quotient fits if the upper half is less than the divisor. */
static void put_unsigned_guard(struct tr *t, unsigned divisor, bool memory,
			       bool wide, const struct insn *i)
{
	struct code *k = &t->k;

	if (memory)
		asm_mem(k, wide, 0x3b, H_RDX, divisor, 0);
	else
		asm_rr(k, wide, 0x3b, H_RDX, divisor);
	tr_cold(t, COLD_EXEC, asm_jcc(k, CC_AE, NULL))->insn = i;
}

bool tr_divide(struct tr *t, const struct insn *i, bool is_signed)
{
	const struct operand *o = &i->op[0];
	bool memory = o->kind == OP_MEM, wide = o->size == 8;
	unsigned first = t->colds, divisor = TR_A;
	struct places p = { .memory = memory };

	if (o->size < 4 || (memory && !tr_address_ok(t, i)))
		return false;
	tr_clobber_flags(t, tr_live_before(t));
	t->loaded = -1;
	if (memory)
		tr_put_operand(t, i, 0, ACCESS_READ, 0);
	else
		divisor = tr_get(t, o->reg, TR_A);
	(is_signed ? put_signed_guard : put_unsigned_guard)(t, divisor, memory,
							    wide, i);
	p.rm = (uint8_t)divisor;
	tr_put_insn(&t->k, i, &p);
	note_flags(t, i);
	for (unsigned n = first; n < t->colds; n++)
		tr_cold_back(t, &t->cold[n]);
	return true;
}
