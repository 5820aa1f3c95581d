/* cpu/interp/exec.h - the interpreter's functions: one per exec name in
 * insn.def, and what they share.
 *
 * An exec function runs one decoded instruction: rip is already the next
 * instruction's; registers, flags and memory change as the manual says; faults
 * are raised (fault.h), never returned.  Privilege (HOW_CPL0), validity by mode
 * (HOW_NO64, HOW_PROT) and LOCK legality are checked by the decoder or by
 * exec_guarded() (select.c) before it is called; CR0/CR4 conditions of vector and x87
 * instructions by their own exec functions (vector.c, fpu.c).
 *
 * The translator calls the same functions, so none may assume that a block of
 * the interpreter's is running.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_INTERP_EXEC_H
#define CPU_INTERP_EXEC_H
#include "cpu/x86/fault.h"
#include "cpu/x86/insn.h"
#include "cpu/x86/mem.h"
#include "cpu/x86/seg.h"
#include "cpu/x86/state.h"

/* Declared from the table: exec_add(), exec_mov(), ... */
#define INSN(map, prefix, opcode, modrm, name, exec, ...)                     \
	void exec_##exec(struct cpu *c, const struct insn *i);
#include "cpu/x86/insn.def"
#undef INSN

/* The function of each row, in the order of insn_rows[] (exec_table.c). */
extern const exec_fn exec_rows[];

/* A faster function for this very form of the instruction in code of this mode
 * (enum code_mode), or NULL to use the row's (select.c). */
exec_fn exec_select(const struct insn *i, enum code_mode mode);

/* Set i->exec to what runs this instruction in code of this mode: the above,
 * or the row's, behind the checks of privilege and mode that it needs. */
void insn_choose_exec(struct insn *i, enum code_mode mode);

/* ---- general registers ---- */

static inline uint8_t *gpr8(struct cpu *c, unsigned reg)
{
	return (uint8_t *)c->gpr + (reg < REG_AH ? reg * 8
						 : (reg - REG_AH) * 8 + 1);
}

static inline uint64_t gpr_read(struct cpu *c, unsigned reg, unsigned size)
{
	switch (size) {
	case 1:	return *gpr8(c, reg);
	case 2:	return (uint16_t)c->gpr[reg];
	case 4:	return (uint32_t)c->gpr[reg];
	default: return c->gpr[reg];
	}
}

/* 32-bit writes clear the upper half, 8 and 16-bit ones keep the rest. */
static inline void gpr_write(struct cpu *c, unsigned reg, uint64_t v,
			     unsigned size)
{
	switch (size) {
	case 1:	*gpr8(c, reg) = (uint8_t)v; break;
	case 2:	c->gpr[reg] = (c->gpr[reg] & ~0xffffull) | (uint16_t)v; break;
	case 4:	c->gpr[reg] = (uint32_t)v; break;
	default: c->gpr[reg] = v; break;
	}
}

/* ---- memory operands ---- */

/* Effective address: offset within the segment, truncated to addrsize. */
static inline uint64_t insn_offset(const struct cpu *c, const struct insn *i)
{
	uint64_t a = (uint64_t)i->disp;

	if (i->base != REG_NONE)
		a += c->gpr[i->base];
	if (i->index != REG_NONE)
		a += c->gpr[i->index] << i->scale;
	if (i->prefix & PREFIX_RIP)
		a += c->rip;
	if (i->addrsize == 8)
		return a;
	return i->addrsize == 4 ? (uint32_t)a : (uint16_t)a;
}

/* Linear address of the memory operand, segment-checked for `size` bytes. */
static inline gva_t insn_linear(struct cpu *c, const struct insn *i,
				unsigned size, enum access access)
{
	return seg_linear(c, (enum sreg)i->seg, insn_offset(c, i), size,
			  access);
}

/* Value of a general, memory or immediate operand (mem_read: 1, 2, 4, 8). */
static inline uint64_t operand_read(struct cpu *c, const struct insn *i,
				    unsigned n)
{
	const struct operand *o = &i->op[n];

	if (o->kind == OP_GPR)
		return gpr_read(c, o->reg, o->size);
	if (o->kind == OP_IMM)
		return (uint64_t)i->imm;
	return mem_read(c, insn_linear(c, i, o->size, ACCESS_READ), o->size);
}

static inline void operand_write(struct cpu *c, const struct insn *i,
				 unsigned n, uint64_t v)
{
	const struct operand *o = &i->op[n];

	if (o->kind == OP_GPR)
		gpr_write(c, o->reg, v, o->size);
	else
		mem_write(c, insn_linear(c, i, o->size, ACCESS_WRITE), v,
			  o->size);
}

/* Condition codes 0-15 as in Jcc's low opcode bits. */
static inline bool condition(const struct cpu *c, unsigned cc)
{
	uint8_t f = c->arith;
	bool r;

	switch (cc >> 1) {
	case 0:  r = c->of; break;				/* O */
	case 1:  r = f & FLAG_CF; break;			/* B */
	case 2:  r = f & FLAG_ZF; break;			/* Z */
	case 3:  r = f & (FLAG_CF | FLAG_ZF); break;		/* BE */
	case 4:  r = f & FLAG_SF; break;			/* S */
	case 5:  r = f & FLAG_PF; break;			/* P */
	case 6:  r = !!(f & FLAG_SF) != c->of; break;		/* L */
	default: r = (f & FLAG_ZF) || !!(f & FLAG_SF) != c->of; break;	/* LE */
	}
	return r != (cc & 1);
}

#endif
