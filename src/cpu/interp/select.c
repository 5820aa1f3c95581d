/* cpu/interp/select.c - faster functions for the commonest instructions.
 *
 * The general functions ask at each run what their operands are.  Here that is
 * asked once, when the instruction is decoded: a function exists for each
 * operation with its operand size and the form of its operands, all three
 * constant, so that little is left but the operation.
 *
 * Forms with memory are for 64-bit code only and serve what the TLB serves; a
 * miss runs the general function instead, before anything has changed.  No
 * check for canonical addresses is needed: only those are ever in the TLB.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/rmw.h"

/* The operands: R register, I immediate (or none), B memory at a base register
 * and displacement, M any memory. */
enum form { RR, RI, RB, RM, BR, MR, BI, MI, FORMS };

#define SIZES 4		/* 1, 2, 4, 8 bytes, by their logarithm */

static bool base_only(const struct insn *i)
{
	return i->base != REG_NONE && i->index == REG_NONE && i->seg < FS;
}

static enum form form_of(const struct insn *i)
{
	unsigned to = i->op[0].kind, from = i->op[1].kind;
	bool any = !base_only(i);

	if ((to == OP_MEM || from == OP_MEM) && i->addrsize != 8)
		return FORMS;
	if (to == OP_GPR && from == OP_MEM)
		return any ? RM : RB;
	if (to == OP_GPR)
		return from == OP_GPR ? RR :
		       from == OP_IMM || from == OP_NONE ? RI : FORMS;
	if (to != OP_MEM)
		return FORMS;
	if (from == OP_GPR)
		return any ? MR : BR;
	return from == OP_IMM || from == OP_NONE ? any ? MI : BI : FORMS;
}

ALWAYS_INLINE bool form_in(enum form form, unsigned set)
{
	return set >> form & 1;
}
#define WITH_BASE	(1u << RB | 1u << BR | 1u << BI)
#define WITH_IMM	(1u << RI | 1u << BI | 1u << MI)
#define FROM_MEM	(1u << RB | 1u << RM)
#define TO_MEM		(1u << BR | 1u << MR | 1u << BI | 1u << MI)

/* Linear address of the memory operand in 64-bit code, unchecked. */
ALWAYS_INLINE gva_t flat(const struct cpu *c, const struct insn *i,
			 enum form form)
{
	gva_t a = (uint64_t)i->disp;

	if (form_in(form, WITH_BASE))
		return a + c->gpr[i->base];
	if (i->base != REG_NONE)
		a += c->gpr[i->base];
	if (i->index != REG_NONE)
		a += c->gpr[i->index] << i->scale;
	if (i->prefix & PREFIX_RIP)
		a += c->rip;
	return i->seg >= FS ? a + c->seg[i->seg].base : a;
}

static void run_general(struct cpu *c, const struct insn *i)
{
	exec_rows[i->row](c, i);
}

/* op1 = fn(op1, op2), or with `writes` false fn(op1, op2) for its flags. */
ALWAYS_INLINE void two_operands(struct cpu *c, const struct insn *i,
				enum form form, rmw_fn fn, unsigned size,
				bool writes)
{
	bool to_mem = form_in(form, TO_MEM);
	uint64_t a, b = (uint64_t)i->imm;
	void *p = NULL;

	if (to_mem || form_in(form, FROM_MEM)) {
		gva_t at = flat(c, i, form);

		p = to_mem && writes
			    ? mem_hit_write(c, at, size, c->tlb_index)
			    : mem_hit_read(c, at, size, c->tlb_index);
		if (unlikely(!p)) {
			run_general(c, i);
			return;
		}
	}
	if (form_in(form, FROM_MEM))
		b = host_load(p, size);
	else if (!form_in(form, WITH_IMM))
		b = gpr_read(c, i->op[1].reg, size);
	a = to_mem ? host_load(p, size) : gpr_read(c, i->op[0].reg, size);
	a = fn(c, a, b, size);
	if (writes && to_mem)
		host_store(p, a, size);
	else if (writes)
		gpr_write(c, i->op[0].reg, a, size);
}

/* Stamped out: <op>_<form>_<size>(), and the table <op>_functions. */
#define ONE_SIZE(op, fn, writes, form, size)                                  \
	static void op##_##form##_##size(struct cpu *c, const struct insn *i) \
	{                                                                     \
		two_operands(c, i, form, fn, size, writes);                   \
	}
#define ONE_FORM(op, fn, writes, form)                                        \
	ONE_SIZE(op, fn, writes, form, 1) ONE_SIZE(op, fn, writes, form, 2)   \
	ONE_SIZE(op, fn, writes, form, 4) ONE_SIZE(op, fn, writes, form, 8)
#define ROW(op, form)                                                         \
	[form] = { op##_##form##_1, op##_##form##_2, op##_##form##_4,         \
		   op##_##form##_8 }

#define BINARY(op, fn, writes)                                                \
	ONE_FORM(op, fn, writes, RR) ONE_FORM(op, fn, writes, RI)             \
	ONE_FORM(op, fn, writes, RB) ONE_FORM(op, fn, writes, RM)             \
	ONE_FORM(op, fn, writes, BR) ONE_FORM(op, fn, writes, MR)             \
	ONE_FORM(op, fn, writes, BI) ONE_FORM(op, fn, writes, MI)             \
	static const exec_fn op##_functions[FORMS][SIZES] = {                 \
		ROW(op, RR), ROW(op, RI), ROW(op, RB), ROW(op, RM),           \
		ROW(op, BR), ROW(op, MR), ROW(op, BI), ROW(op, MI) };
#define UNARY(op, fn)                                                         \
	ONE_FORM(op, fn, true, RI)                                            \
	ONE_FORM(op, fn, true, BI)                                            \
	ONE_FORM(op, fn, true, MI)                                            \
	static const exec_fn op##_functions[FORMS][SIZES] = {                 \
		ROW(op, RI), ROW(op, BI), ROW(op, MI) };

BINARY(mov, alu_take, true)
BINARY(add, alu_add, true)
BINARY(or, alu_or, true)
BINARY(adc, alu_adc, true)
BINARY(sbb, alu_sbb, true)
BINARY(and, alu_and, true)
BINARY(sub, alu_sub, true)
BINARY(xor, alu_xor, true)
BINARY(cmp, alu_sub, false)
BINARY(test, alu_and, false)
UNARY(inc, alu_inc)
UNARY(dec, alu_dec)
UNARY(neg, alu_neg)
UNARY(not, alu_not)
UNARY(rol, alu_rol)
UNARY(ror, alu_ror)
UNARY(shl, alu_shl)
UNARY(shr, alu_shr)
UNARY(sar, alu_sar)

/* ---- MOVZX, MOVSX, MOVSXD to 32 and 64 bits ---- */

ALWAYS_INLINE void extend(struct cpu *c, const struct insn *i, enum form form,
			  unsigned size, bool sign)
{
	unsigned spare = 64 - 8 * size;
	uint64_t v;

	if (form == RR) {
		v = gpr_read(c, i->op[1].reg, size);
	} else {
		const void *p = mem_hit_read(c, flat(c, i, form), size,
					     c->tlb_index);

		if (unlikely(!p)) {
			run_general(c, i);
			return;
		}
		v = host_load(p, size);
	}
	if (sign)
		v = (uint64_t)((int64_t)(v << spare) >> spare);
	c->gpr[i->op[0].reg] = i->op[0].size == 8 ? v : (uint32_t)v;
}

#define EXTEND(name, form, size, sign)                                        \
	static void name##_##form##_##size(struct cpu *c,                     \
					   const struct insn *i)              \
	{                                                                     \
		extend(c, i, form, size, sign);                               \
	}
#define EXTENDS(name, sign)                                                   \
	EXTEND(name, RR, 1, sign) EXTEND(name, RR, 2, sign)                   \
	EXTEND(name, RR, 4, sign) EXTEND(name, RB, 1, sign)                   \
	EXTEND(name, RB, 2, sign) EXTEND(name, RB, 4, sign)                   \
	EXTEND(name, RM, 1, sign) EXTEND(name, RM, 2, sign)                   \
	EXTEND(name, RM, 4, sign)                                             \
	static const exec_fn name##_functions[FORMS][SIZES] = {               \
		[RR] = { name##_RR_1, name##_RR_2, name##_RR_4 },             \
		[RB] = { name##_RB_1, name##_RB_2, name##_RB_4 },             \
		[RM] = { name##_RM_1, name##_RM_2, name##_RM_4 } };
EXTENDS(movzx, false)
EXTENDS(movsx, true)

/* ---- conditions: a function for each of the 16 ---- */

ALWAYS_INLINE void jump_if(struct cpu *c, const struct insn *i, unsigned cc)
{
	uint64_t target = c->rip + (uint64_t)i->imm;

	if (!condition(c, cc))
		return;
	if (unlikely(!gva_canonical(c, target)))
		fault_gp0(c);
	c->rip = target;
}

ALWAYS_INLINE void move_if(struct cpu *c, const struct insn *i, unsigned cc)
{
	uint64_t v = c->gpr[condition(c, cc) ? i->op[1].reg : i->op[0].reg];

	c->gpr[i->op[0].reg] = i->op[0].size == 8 ? v : (uint32_t)v;
}

ALWAYS_INLINE void set_if(struct cpu *c, const struct insn *i, unsigned cc)
{
	*gpr8(c, i->op[0].reg) = condition(c, cc);
}

#define EACH_CONDITION(X)                                                     \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)                               \
	X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define CONDITIONAL(cc)                                                       \
	static void jcc_##cc(struct cpu *c, const struct insn *i)             \
	{                                                                     \
		jump_if(c, i, cc);                                            \
	}                                                                     \
	static void cmovcc_##cc(struct cpu *c, const struct insn *i)          \
	{                                                                     \
		move_if(c, i, cc);                                            \
	}                                                                     \
	static void setcc_##cc(struct cpu *c, const struct insn *i)           \
	{                                                                     \
		set_if(c, i, cc);                                             \
	}
EACH_CONDITION(CONDITIONAL)

#define JCC(cc) jcc_##cc,
#define CMOVCC(cc) cmovcc_##cc,
#define SETCC(cc) setcc_##cc,
static const exec_fn jcc_functions[16] = { EACH_CONDITION(JCC) };
static const exec_fn cmovcc_functions[16] = { EACH_CONDITION(CMOVCC) };
static const exec_fn setcc_functions[16] = { EACH_CONDITION(SETCC) };

/* ---- single forms in 64-bit code ---- */

static void lea_base(struct cpu *c, const struct insn *i)
{
	uint64_t v = c->gpr[i->base] + (uint64_t)i->disp;

	c->gpr[i->op[0].reg] = i->op[0].size == 8 ? v : (uint32_t)v;
}

ALWAYS_INLINE void push64(struct cpu *c, const struct insn *i, uint64_t v)
{
	gva_t at = c->gpr[RSP] - 8;
	void *p = mem_hit_write(c, at, 8, c->tlb_index);

	if (unlikely(!p)) {
		run_general(c, i);
		return;
	}
	store_le64(p, v);
	c->gpr[RSP] = at;
}

static void push_reg(struct cpu *c, const struct insn *i)
{
	push64(c, i, c->gpr[i->op[0].reg]);
}

static void push_imm(struct cpu *c, const struct insn *i)
{
	push64(c, i, (uint64_t)i->imm);
}

static void pop_reg(struct cpu *c, const struct insn *i)
{
	const void *p = mem_hit_read(c, c->gpr[RSP], 8, c->tlb_index);

	if (unlikely(!p)) {
		run_general(c, i);
		return;
	}
	c->gpr[RSP] += 8;
	c->gpr[i->op[0].reg] = load_le64(p);
}

static void jmp_64(struct cpu *c, const struct insn *i)
{
	uint64_t target = c->rip + (uint64_t)i->imm;

	if (unlikely(!gva_canonical(c, target)))
		fault_gp0(c);
	c->rip = target;
}

static void call_64(struct cpu *c, const struct insn *i)
{
	uint64_t target = c->rip + (uint64_t)i->imm;
	gva_t at = c->gpr[RSP] - 8;
	void *p = mem_hit_write(c, at, 8, c->tlb_index);

	if (unlikely(!p || !gva_canonical(c, target))) {
		run_general(c, i);
		return;
	}
	store_le64(p, c->rip);
	c->gpr[RSP] = at;
	c->rip = target;
}

static void ret_64(struct cpu *c, const struct insn *i)
{
	const void *p = mem_hit_read(c, c->gpr[RSP], 8, c->tlb_index);
	uint64_t target = p ? load_le64(p) : 0;

	if (unlikely(!p || !gva_canonical(c, target))) {
		run_general(c, i);
		return;
	}
	c->gpr[RSP] += 8;
	c->rip = target;
}

static exec_fn select_single(const struct insn *i, exec_fn general)
{
	const struct operand *o = i->op;

	if (general == exec_lea && i->addrsize == 8 && o[0].size >= 4)
		return i->base != REG_NONE && i->index == REG_NONE ? lea_base
								   : NULL;
	if (general == exec_cmovcc && o[1].kind == OP_GPR && o[0].size >= 4)
		return cmovcc_functions[i->opcode & 15];
	if (general == exec_setcc && o[0].kind == OP_GPR)
		return setcc_functions[i->opcode & 15];
	if (i->opsize != 8)	/* the rest: in 64-bit code only */
		return NULL;
	if (general == exec_jcc)
		return jcc_functions[i->opcode & 15];
	if (general == exec_push)
		return o[0].kind == OP_GPR ? push_reg :
		       o[0].kind == OP_IMM ? push_imm : NULL;
	if (general == exec_pop)
		return o[0].kind == OP_GPR ? pop_reg : NULL;
	if (general == exec_jmp)
		return jmp_64;
	if (general == exec_call)
		return call_64;
	if (general == exec_ret)
		return o[0].kind == OP_NONE ? ret_64 : NULL;
	return NULL;
}

exec_fn exec_select(const struct insn *i)
{
	static const struct {
		exec_fn general;
		const exec_fn (*functions)[SIZES];
	} families[] = {
		{ exec_mov, mov_functions }, { exec_add, add_functions },
		{ exec_cmp, cmp_functions }, { exec_test, test_functions },
		{ exec_and, and_functions }, { exec_sub, sub_functions },
		{ exec_xor, xor_functions }, { exec_or, or_functions },
		{ exec_adc, adc_functions }, { exec_sbb, sbb_functions },
		{ exec_inc, inc_functions }, { exec_dec, dec_functions },
		{ exec_neg, neg_functions }, { exec_not, not_functions },
		{ exec_rol, rol_functions }, { exec_ror, ror_functions },
		{ exec_shl, shl_functions }, { exec_shr, shr_functions },
		{ exec_sar, sar_functions }, { exec_movzx, movzx_functions },
		{ exec_movsx, movsx_functions },
		{ exec_movsxd, movsx_functions },
	};
	exec_fn general = exec_rows[i->row];
	enum form form = form_of(i);
	bool extends = general == exec_movzx || general == exec_movsx ||
		       general == exec_movsxd;
	unsigned size = i->op[extends].size;

	if (i->prefix & PREFIX_LOCK)
		return NULL;
	for (unsigned n = 0; n < ARRAY_LEN(families); n++)
		if (families[n].general == general)
			return form == FORMS || (extends && i->op[0].size < 4)
				       ? NULL
				       : families[n].functions
						 [form][__builtin_ctz(size)];
	return select_single(i, general);
}
