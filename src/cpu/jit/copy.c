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

static bool in_memory(const struct tr *t, const struct operand *o)
{
	return o->kind == OP_GPR && o->reg < REG_AH &&
	       t->host[o->reg] == H_NONE;
}

static unsigned count_in_memory(const struct tr *t, const struct insn *i)
{
	unsigned count = 0;

	for (unsigned n = 0; n < 4; n++)
		count += in_memory(t, &i->op[n]);
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
	if (count_in_memory(t, i) > (m >= 0 ? 1 : 2))
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

/* Has i's opcode a bit that says which of rm and reg is the destination? */
static bool can_flip(const struct insn *i)
{
	const struct insn_row *row = insn_row_of(i);

	return row->map == ONE && ((row->opcode < 0x40 && !(row->opcode & 4)) ||
				   (row->opcode & 0xfc) == 0x88);
}

/* Is operand n as good in struct cpu as in a register?  A 32-bit result also
 * clears the upper half, and some instructions do more with memory than with a
 * register, or only part of it: those that write are told by name. */
static bool as_good_in_place(const struct tr *t, const struct insn *i,
			     enum kind kind, unsigned n)
{
	exec_fn f = exec_rows[i->row];

	if (!in_memory(t, &i->op[n]) || kind == KIND_BIT || kind == KIND_BOTH)
		return false;
	if (!is_written(i, kind, n))
		return true;
	return i->op[n].size != 4 && kind == KIND_COPY &&
	       (f == exec_mov || insn_how(i) & HOW_RMW);
}

/* An operand that stays in struct cpu and is named there, or -1. */
static int find_in_place(const struct tr *t, const struct insn *i,
			 enum kind kind)
{
	for (unsigned n = 0; n < 4; n++) {
		enum place p = tr_place_of((enum operand_code)i->op[n].code);

		if ((p == PLACE_RM || (p == PLACE_REG && can_flip(i) &&
				       !in_memory(t, &i->op[!n]))) &&
		    as_good_in_place(t, i, kind, n))
			return (int)n;
	}
	return -1;
}

static void put_in_place(struct tr *t, const struct insn *i, unsigned n,
			 struct places *p)
{
	if (tr_place_of((enum operand_code)i->op[n].code) == PLACE_REG) {
		p->reg = p->rm;
		p->flip = 2;
	}
	p->memory = true;
	p->rm = H_NONE;
	p->disp = (int32_t)tr_gpr_address(t, i->op[n].reg);
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

/* in_place: an operand that needs none, or -1. */
static void load_scratch(struct tr *t, const struct insn *i, enum kind kind,
			 bool memory, int in_place, struct scratch *s)
{
	bool loaded[16] = { false };

	s->count = 0;
	for (unsigned n = 0; n < 4; n++) {
		unsigned reg = memory || s->count ? TR_B : TR_A;
		int before;

		if (!in_memory(t, &i->op[n]) || (int)n == in_place)
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
	if (s->count)
		t->loaded_b = -1;
	if (s->count && !memory)
		t->loaded = -1;
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
static uint8_t register_of(const struct tr *t, const struct insn *i,
			   unsigned n, const struct scratch *s)
{
	const struct operand *o = &i->op[n];

	for (unsigned m = 0; m < s->count; m++)
		if (s->op[m] == n)
			return s->reg[m];
	if (o->kind != OP_GPR)
		return o->reg;
	if (o->reg >= REG_AH)
		return (uint8_t)(o->reg - REG_AH + 4);
	return t->host[o->reg];
}

static void find_places(const struct tr *t, const struct insn *i,
			const struct scratch *s, struct places *p)
{
	*p = (struct places){ .rm = H_NONE, .disp = t->disp };
	for (unsigned n = 0; n < 4; n++) {
		const struct operand *o = &i->op[n];

		if (o->kind == OP_MEM) {
			p->memory = true;
			p->rm = (uint8_t)t->base;
			if (t->index != H_NONE)
				p->index = (uint8_t)t->index;
			continue;
		}
		switch (tr_place_of((enum operand_code)o->code)) {
		case PLACE_REG:
			p->reg = register_of(t, i, n, s);
			break;
		case PLACE_RM:
			p->rm = register_of(t, i, n, s);
			break;
		case PLACE_VVVV:
			p->vvvv = register_of(t, i, n, s);
			break;
		case PLACE_LOW:
			p->low = register_of(t, i, n, s);
			break;
		default:
			break;
		}
	}
}

/* MOV with a 64-bit address instead of ModRM. */
static void put_moffs(struct tr *t, const struct insn *i)
{
	struct code *k = &t->k;
	bool store = i->op[0].kind == OP_MEM;

	if (i->opsize == 2 && i->op[store].size == 2)
		put1(k, 0x66);
	put_rex(k, i->prefix & PREFIX_W, H_RAX,
		t->index == H_NONE ? 0 : t->index, t->base, false);
	put1(k, (store ? 0x88 : 0x8a) | (i->op[store].size > 1));
	put_address(k, H_RAX, t->base, t->index, 0, t->disp);
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
static bool wants_flags(const struct tr *t, const struct insn *i)
{
	uint32_t live = t->live[t->at];

	return tr_flags_used(i, live) ||
	       (tr_flags_set(i) && live & ~tr_flags_set(i));
}

static void put_copy(struct tr *t, const struct insn *i, enum kind kind)
{
	bool memory = tr_memory_operand(i) >= 0;
	int in_place = memory ? -1 : find_in_place(t, i, kind);
	struct scratch s;
	struct places p;

	if (wants_flags(t, i))
		tr_flags_to_host(t);
	load_scratch(t, i, kind, memory, in_place, &s);
	find_places(t, i, &s, &p);
	if (in_place >= 0)
		put_in_place(t, i, (unsigned)in_place, &p);
	if (is_moffs(i))
		put_moffs(t, i);
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
				   alignment_of(i, (unsigned)m),
				   !count_in_memory(t, i) && !wants_flags(t, i));
	put_copy(t, i, kind);
	tr_cold_back(t, x);
	return true;
}

bool tr_lea(struct tr *t, const struct insn *i)
{
	const struct operand *o = &i->op[0];
	unsigned host = t->host[o->reg], to = host;

	if (i->addrsize == 2 || o->size == 2 ||
	    (i->prefix & PREFIX_RIP &&
	     i->disp + i->end != (int32_t)(i->disp + i->end)))
		return false;
	/* The base or index may be the destination. */
	if (host == H_NONE || i->prefix & PREFIX_RIP)
		to = TR_A;
	if (to == TR_A || t->host[i->base & 15] == H_NONE)
		tr_forget_scratch(t);
	tr_put_effective_address(t, i, to, 0,
				 i->addrsize == 8 && o->size == 8);
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
	tr_forget_scratch(t);
	if (memory)
		tr_put_operand(t, i, 0, ACCESS_READ, 0, false);
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
