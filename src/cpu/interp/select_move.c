/* cpu/interp/select_move.c - selected functions of moves that are more than a
 * copy (extension, addresses, by condition), and of multiplication.
 *
 * Destinations are registers of 4 or 8 bytes; those of 2 are left to the
 * general functions, but for IMUL's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/select.h"

/* A register of 4 or 8 bytes. */
ALWAYS_INLINE void write_wide(struct cpu *c, const struct operand *o,
			      uint64_t v)
{
	c->gpr[o->reg] = o->size == 8 ? v : (uint32_t)v;
}

/* The second operand, a register or in memory; false: not from here. */
ALWAYS_INLINE bool source_read(struct cpu *c, const struct insn *i,
			       enum form form, unsigned size, uint64_t *v)
{
	const void *p;

	if (form == RR) {
		*v = gpr_read(c, i->op[1].reg, size);
		return true;
	}
	p = operand_hit(c, i, form, size, false);
	if (unlikely(!p))
		return false;
	*v = host_load(p, size);
	return true;
}

/* ---- MOVZX, MOVSX, MOVSXD ---- */

ALWAYS_INLINE void extend(struct cpu *c, const struct insn *i, enum form form,
			  unsigned size, bool sign)
{
	unsigned spare = 64 - 8 * size;
	uint64_t v;

	if (unlikely(!source_read(c, i, form, size, &v))) {
		run_general(c, i);
		return;
	}
	if (sign)
		v = (uint64_t)((int64_t)(v << spare) >> spare);
	write_wide(c, &i->op[0], v);
}

#define EXTEND(name, form, size, sign)                                        \
	static void name##_##form##_##size(struct cpu *c,                     \
					   const struct insn *i)              \
	{                                                                     \
		extend(c, i, form, size, sign);                               \
	}
#define EXTEND_FORM(name, form, sign)                                         \
	EXTEND(name, form, 1, sign) EXTEND(name, form, 2, sign)               \
	EXTEND(name, form, 4, sign)
#define ROW(name, form)                                                       \
	[form] = { name##_##form##_1, name##_##form##_2, name##_##form##_4 }
#define EXTENDS(name, sign)                                                   \
	EXTEND_FORM(name, RR, sign) EXTEND_FORM(name, RB, sign)               \
	EXTEND_FORM(name, RM, sign) EXTEND_FORM(name, RS, sign)               \
	static const exec_fn name##_functions[FORMS][SIZES] = {               \
		ROW(name, RR), ROW(name, RB), ROW(name, RM), ROW(name, RS) };
EXTENDS(movzx, false)
EXTENDS(movsx, true)
#undef ROW

/* ---- IMUL with two and three operands ---- */

ALWAYS_INLINE void multiply(struct cpu *c, const struct insn *i,
			    enum form form, unsigned size)
{
	uint64_t a, b = (uint64_t)i->imm;

	if (unlikely(!source_read(c, i, form, size, &a))) {
		run_general(c, i);
		return;
	}
	if (i->op[2].kind == OP_NONE)
		b = gpr_read(c, i->op[0].reg, size);
	gpr_write(c, i->op[0].reg, alu_imul(c, a, b, size), size);
}

#define IMUL(form, size)                                                      \
	static void imul_##form##_##size(struct cpu *c, const struct insn *i) \
	{                                                                     \
		multiply(c, i, form, size);                                   \
	}
#define IMULS(form) IMUL(form, 2) IMUL(form, 4) IMUL(form, 8)
#define ROW(form) [form] = { NULL, imul_##form##_2, imul_##form##_4,          \
			     imul_##form##_8 }
IMULS(RR) IMULS(RB) IMULS(RM) IMULS(RS)
static const exec_fn imul_functions[FORMS][SIZES] = {
	ROW(RR), ROW(RB), ROW(RM), ROW(RS),
};
#undef ROW

/* ---- conditions: a function for each of the 16 ---- */

ALWAYS_INLINE void move_if(struct cpu *c, const struct insn *i, unsigned cc)
{
	unsigned from = condition(c, cc) ? 1 : 0;

	write_wide(c, &i->op[0], c->gpr[i->op[from].reg]);
}

ALWAYS_INLINE void set_if(struct cpu *c, const struct insn *i, unsigned cc)
{
	*gpr8(c, i->op[0].reg) = condition(c, cc);
}

#define CONDITIONAL(cc)                                                       \
	static void cmovcc_##cc(struct cpu *c, const struct insn *i)          \
	{                                                                     \
		move_if(c, i, cc);                                            \
	}                                                                     \
	static void setcc_##cc(struct cpu *c, const struct insn *i)           \
	{                                                                     \
		set_if(c, i, cc);                                             \
	}
EACH_CONDITION(CONDITIONAL)

#define CMOVCC(cc) cmovcc_##cc,
#define SETCC(cc) setcc_##cc,
static const exec_fn cmovcc_functions[16] = { EACH_CONDITION(CMOVCC) };
static const exec_fn setcc_functions[16] = { EACH_CONDITION(SETCC) };

/* ---- LEA: the address cut to the destination's size ---- */

static void lea_base(struct cpu *c, const struct insn *i)
{
	write_wide(c, &i->op[0], c->gpr[i->base] + (uint64_t)i->disp);
}

static void lea_base_index(struct cpu *c, const struct insn *i)
{
	write_wide(c, &i->op[0],
		   c->gpr[i->base] + (c->gpr[i->index] << i->scale) +
			   (uint64_t)i->disp);
}

static void lea_rip(struct cpu *c, const struct insn *i)
{
	write_wide(c, &i->op[0], c->rip + (uint64_t)i->disp);
}

static void lea_any(struct cpu *c, const struct insn *i)
{
	write_wide(c, &i->op[0], address_sum(c, i));
}

static exec_fn select_lea(const struct insn *i)
{
	if (i->op[0].size < 4 || i->addrsize < i->op[0].size)
		return NULL;
	if (i->prefix & PREFIX_RIP)
		return i->addrsize == 8 ? lea_rip : NULL;
	if (i->base == REG_NONE)
		return lea_any;
	return i->index == REG_NONE ? lea_base : lea_base_index;
}

exec_fn select_move(const struct insn *i, exec_fn general, enum form form)
{
	const struct operand *o = i->op;

	if (general == exec_lea)
		return select_lea(i);
	if (general == exec_setcc)
		return o[0].kind == OP_GPR ? setcc_functions[i->opcode & 15]
					   : NULL;
	if (form == FORMS)
		return NULL;
	if (general == exec_imul_r)
		return imul_functions[form][__builtin_ctz(o[1].size)];
	if (o[0].size < 4)
		return NULL;
	if (general == exec_movzx)
		return movzx_functions[form][__builtin_ctz(o[1].size)];
	if (general == exec_movsx || general == exec_movsxd)
		return movsx_functions[form][__builtin_ctz(o[1].size)];
	if (general == exec_cmovcc && form == RR)
		return cmovcc_functions[i->opcode & 15];
	return NULL;
}
