/* cpu/jit/encode.c - a guest instruction, its operands moved, as host code.
 *
 * What is kept: LOCK, mandatory prefix, map, opcode, /digit, W, L and the
 * immediate.  The operand size prefix is there exactly if the operand size is
 * 16 bits, since the host runs 64-bit code whatever the guest does.
 *
 * Source: SDM 2A chapter 2.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/jit/tr.h"

enum place tr_place_of(enum operand_code code)
{
	switch (code) {
	case Eb ... Mt: case Ry: case Rd: case Qq ... Nq: case Wb ... Ux:
	case VMx: case STi:
		return PLACE_RM;
	case Gb ... Dy: case Pq: case Vdq ... Vq:
		return PLACE_REG;
	case Zb ... Zq:
		return PLACE_LOW;
	case By: case Hdq ... Hqq:
		return PLACE_VVVV;
	case Ib ... I2: case Jb ... Ap:
		return PLACE_IMM;
	case Ldq: case Lx:
		return PLACE_LAST;
	case AL ... xGS: case X0: case ST0:
		return PLACE_FIXED;
	default:
		return PLACE_NONE;
	}
}

static bool has_modrm(const struct insn_row *row)
{
	if (row->modrm && row->modrm != REXB)
		return true;
	for (unsigned n = 0; n < 4; n++) {
		enum place p = tr_place_of((enum operand_code)row->op[n]);

		if (p == PLACE_REG || p == PLACE_RM)
			return true;
	}
	return false;
}

/* Byte registers 4-7 are AH to BH without a REX byte, SPL to DIL with one. */
static bool wants_rex(const struct insn *i)
{
	for (unsigned n = 0; n < 4; n++)
		if (i->op[n].kind == OP_GPR && i->op[n].size == 1 &&
		    i->op[n].reg >= 4 && i->op[n].reg < REG_AH)
			return true;
	return false;
}

static bool wants_66(const struct insn *i, const struct insn_row *row)
{
	if (exec_rows[i->row] == exec_movbe)
		return i->opsize == 2;
	if (row->prefix == P66)
		return true;
	return row->prefix != PNP && i->opsize == 2 &&
	       !(row->how & (HOW_SSE | HOW_AVX));
}

static void put_prefixes(struct code *k, const struct insn *i,
			 const struct insn_row *row, const struct places *p)
{
	if (i->prefix & PREFIX_LOCK)
		put1(k, 0xf0);
	if (wants_66(i, row))
		put1(k, 0x66);
	if (row->prefix == PF3)
		put1(k, 0xf3);
	else if (row->prefix == PF2)
		put1(k, 0xf2);
	put_rex(k, i->prefix & PREFIX_W, p->reg, p->index,
		(p->rm == H_NONE ? 0u : p->rm) | p->low, wants_rex(i));
}

static void put_legacy_opcode(struct code *k, const struct insn_row *row,
			      const struct places *p)
{
	if (row->map != ONE)
		put1(k, 0x0f);
	if (row->map == T38)
		put1(k, 0x38);
	else if (row->map == T3A)
		put1(k, 0x3a);
	for (unsigned n = 0; n < 4; n++)
		if (tr_place_of((enum operand_code)row->op[n]) == PLACE_LOW) {
			put1(k, (row->opcode & 0xf8) | (p->low & 7));
			return;
		}
	/* 82 is another 80, but not in 64-bit code. */
	put1(k, row->map == ONE && row->opcode == 0x82 ? 0x80
						       : row->opcode ^ p->flip);
}

static void put_vex(struct code *k, const struct insn *i,
		    const struct insn_row *row, const struct places *p)
{
	static const uint8_t pp[] = { [PNP] = 0, [P66] = 1, [PF3] = 2,
				      [PF2] = 3 };

	put1(k, 0xc4);
	put1(k, (p->reg & 8 ? 0 : 0x80) | (p->index & 8 ? 0 : 0x40) |
			(p->rm & 8 && p->rm != H_NONE ? 0 : 0x20) |
			(unsigned)(row->map - V1 + 1));
	put1(k, (i->prefix & PREFIX_W ? 0x80 : 0) | (~p->vvvv & 15u) << 3 |
			(i->prefix & PREFIX_L ? 4 : 0) | pp[row->prefix]);
	put1(k, row->opcode);
}

static void put_immediates(struct code *k, const struct insn *i,
			   const struct insn_row *row)
{
	for (unsigned n = 0; n < 4; n++)
		switch (row->op[n]) {
		case Ib: case Is:
			put1(k, (uint8_t)i->imm);
			break;
		case Iw:
			PUT(k, (uint8_t)i->imm, (uint8_t)(i->imm >> 8));
			break;
		case Iz: case Iv:
			if (i->opsize == 2)
				PUT(k, (uint8_t)i->imm, (uint8_t)(i->imm >> 8));
			else if (i->opsize == 8 && row->op[n] == Iv)
				put8(k, (uint64_t)i->imm);
			else
				put4(k, (uint32_t)i->imm);
			break;
		case Ldq: case Lx:
			put1(k, (unsigned)i->op[n].reg << 4 | (i->imm & 15));
			break;
		default:
			break;
		}
}

/* INC and DEC of one byte are REX bytes to the host. */
static bool is_short_inc(const struct insn_row *row)
{
	return row->map == ONE && row->opcode >> 4 == 4;
}

static void put_long_inc(struct code *k, const struct insn *i,
			 const struct insn_row *row, const struct places *p)
{
	if (i->opsize == 2)
		put1(k, 0x66);
	put_rex(k, false, 0, 0, p->low, false);
	put1(k, 0xff);
	put1(k, 0xc0 | (row->opcode & 8) | (p->low & 7));
}

void tr_put_insn(struct code *k, const struct insn *i, const struct places *p)
{
	const struct insn_row *row = insn_row_of(i);
	bool reg_operand = false;

	if (is_short_inc(row)) {
		put_long_inc(k, i, row, p);
		return;
	}
	if (row->map >= V1) {
		put_vex(k, i, row, p);
	} else {
		put_prefixes(k, i, row, p);
		put_legacy_opcode(k, row, p);
	}
	for (unsigned n = 0; n < 4; n++)
		reg_operand |= tr_place_of((enum operand_code)row->op[n]) ==
			       PLACE_REG;
	if (has_modrm(row)) {
		unsigned reg = reg_operand ? p->reg & 7u : i->modrm >> 3 & 7u;

		if (p->memory)
			put_address(k, reg, p->rm, p->index ? p->index : H_NONE,
				    0, p->disp);
		else if (p->rm == H_NONE)
			put1(k, i->modrm);
		else
			put1(k, 0xc0 | reg << 3 | (p->rm & 7u));
	}
	put_immediates(k, i, row);
}
