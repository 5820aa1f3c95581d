/* cpu/x86/operand.c - operands: what the codes of insn.def stand for.
 *
 * Each code has a place (which bits name the register, or where the memory
 * is), a kind of register, and a size.  Sizes that depend on prefixes are
 * names, resolved by the operand size, VEX.L or neither.
 *
 * Addresses follow SDM 2A 2.1.5 (16-bit forms: table 2-1, 32-bit: 2-2 and 2-3)
 * and 2.2.1 (REX, RIP-relative).  The default segment is SS when the base is
 * BP, EBP, RBP or the stack pointer.  In 64-bit code that still tells #SS from
 * #GP, so it is kept there too.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/decode.h"

enum place {
	AT_NONE,
	AT_RM,		/* modrm.rm, register or memory */
	AT_MEM,		/* modrm.rm, memory only */
	AT_RMREG,	/* modrm.rm, register only */
	AT_REG,		/* modrm.reg */
	AT_OPCODE,	/* low bits of the opcode */
	AT_VVVV,
	AT_IMM_HIGH,	/* bits 7:4 of an immediate byte */
	AT_FIXED,	/* .reg of the code */
	AT_IMM, AT_IMM_SIGNED, AT_IMM_SECOND, AT_ONE, AT_FAR,
	AT_MOFFS,
	AT_STRING,
};

/* Sizes above any that is in bytes. */
enum { SV = 64, SZ, SY, SX, SHALF, SQUARTER, SEIGHTH, SFAR, SPAIR, STABLE };

struct code {
	uint8_t place;
	uint8_t kind;		/* enum operand_kind, of the register */
	uint8_t size;		/* bytes, or one of the above */
	uint8_t mem_size;	/* of the memory form, if it differs */
	uint8_t reg;		/* AT_FIXED */
};

static const struct code codes[OPERAND_CODES] = {
	[__] = { AT_NONE, OP_NONE, 0, 0, 0 },
	[Eb] = { AT_RM, OP_GPR, 1, 0, 0 },
	[Ew] = { AT_RM, OP_GPR, 2, 0, 0 },
	[Ed] = { AT_RM, OP_GPR, 4, 0, 0 },
	[Eq] = { AT_RM, OP_GPR, 8, 0, 0 },
	[Ev] = { AT_RM, OP_GPR, SV, 0, 0 },
	[Ey] = { AT_RM, OP_GPR, SY, 0, 0 },
	[Ewv] = { AT_RM, OP_GPR, SV, 2, 0 },
	[Mo] = { AT_MEM, OP_MEM, 0, 0, 0 },
	[Mb] = { AT_MEM, OP_MEM, 1, 0, 0 },
	[Mw] = { AT_MEM, OP_MEM, 2, 0, 0 },
	[Md] = { AT_MEM, OP_MEM, 4, 0, 0 },
	[Mq] = { AT_MEM, OP_MEM, 8, 0, 0 },
	[Mv] = { AT_MEM, OP_MEM, SV, 0, 0 },
	[My] = { AT_MEM, OP_MEM, SY, 0, 0 },
	[Mdq] = { AT_MEM, OP_MEM, 16, 0, 0 },
	[Mqq] = { AT_MEM, OP_MEM, 32, 0, 0 },
	[Mx] = { AT_MEM, OP_MEM, SX, 0, 0 },
	[Mp] = { AT_MEM, OP_MEM, SFAR, 0, 0 },
	[Ma] = { AT_MEM, OP_MEM, SPAIR, 0, 0 },
	[Ms] = { AT_MEM, OP_MEM, STABLE, 0, 0 },
	[Mt] = { AT_MEM, OP_MEM, 10, 0, 0 },
	[Ry] = { AT_RMREG, OP_GPR, SY, 0, 0 },
	[Rd] = { AT_RMREG, OP_GPR, 4, 0, 0 },
	[Gb] = { AT_REG, OP_GPR, 1, 0, 0 },
	[Gw] = { AT_REG, OP_GPR, 2, 0, 0 },
	[Gd] = { AT_REG, OP_GPR, 4, 0, 0 },
	[Gq] = { AT_REG, OP_GPR, 8, 0, 0 },
	[Gv] = { AT_REG, OP_GPR, SV, 0, 0 },
	[Gy] = { AT_REG, OP_GPR, SY, 0, 0 },
	[Gz] = { AT_REG, OP_GPR, SZ, 0, 0 },
	[Sw] = { AT_REG, OP_SREG, 2, 0, 0 },
	[Cy] = { AT_REG, OP_CR, SY, 0, 0 },
	[Dy] = { AT_REG, OP_DR, SY, 0, 0 },
	[Zb] = { AT_OPCODE, OP_GPR, 1, 0, 0 },
	[Zv] = { AT_OPCODE, OP_GPR, SV, 0, 0 },
	[Zy] = { AT_OPCODE, OP_GPR, SY, 0, 0 },
	[Zq] = { AT_OPCODE, OP_GPR, 8, 0, 0 },
	[By] = { AT_VVVV, OP_GPR, SY, 0, 0 },
	[Ib] = { AT_IMM, OP_IMM, 1, 0, 0 },
	[Is] = { AT_IMM_SIGNED, OP_IMM, 1, 0, 0 },
	[Iw] = { AT_IMM, OP_IMM, 2, 0, 0 },
	[Iz] = { AT_IMM_SIGNED, OP_IMM, SZ, 0, 0 },
	[Iv] = { AT_IMM, OP_IMM, SV, 0, 0 },
	[I2] = { AT_IMM_SECOND, OP_IMM, 1, 0, 0 },
	[I1] = { AT_ONE, OP_IMM, 1, 0, 0 },
	[Jb] = { AT_IMM_SIGNED, OP_IMM, 1, 0, 0 },
	[Jz] = { AT_IMM_SIGNED, OP_IMM, SZ, 0, 0 },
	[Ap] = { AT_FAR, OP_IMM, SFAR, 0, 0 },
	[Ob] = { AT_MOFFS, OP_MEM, 1, 0, 0 },
	[Ov] = { AT_MOFFS, OP_MEM, SV, 0, 0 },
	[AL] = { AT_FIXED, OP_GPR, 1, 0, RAX },
	[CL] = { AT_FIXED, OP_GPR, 1, 0, RCX },
	[AX] = { AT_FIXED, OP_GPR, 2, 0, RAX },
	[DX] = { AT_FIXED, OP_GPR, 2, 0, RDX },
	[rAX] = { AT_FIXED, OP_GPR, SV, 0, RAX },
	[eAX] = { AT_FIXED, OP_GPR, SZ, 0, RAX },
	[xES] = { AT_FIXED, OP_SREG, 2, 0, ES },
	[xCS] = { AT_FIXED, OP_SREG, 2, 0, CS },
	[xSS] = { AT_FIXED, OP_SREG, 2, 0, SS },
	[xDS] = { AT_FIXED, OP_SREG, 2, 0, DS },
	[xFS] = { AT_FIXED, OP_SREG, 2, 0, FS },
	[xGS] = { AT_FIXED, OP_SREG, 2, 0, GS },
	[Xb] = { AT_STRING, OP_MEM, 1, 0, 0 },
	[Xv] = { AT_STRING, OP_MEM, SV, 0, 0 },
	[Xz] = { AT_STRING, OP_MEM, SZ, 0, 0 },
	[Yb] = { AT_STRING, OP_MEM, 1, 0, 0 },
	[Yv] = { AT_STRING, OP_MEM, SV, 0, 0 },
	[Yz] = { AT_STRING, OP_MEM, SZ, 0, 0 },
	[Pq] = { AT_REG, OP_MM, 8, 0, 0 },
	[Qq] = { AT_RM, OP_MM, 8, 0, 0 },
	[Qd] = { AT_RM, OP_MM, 8, 4, 0 },
	[Nq] = { AT_RMREG, OP_MM, 8, 0, 0 },
	[Vdq] = { AT_REG, OP_VEC, 16, 0, 0 },
	[Vx] = { AT_REG, OP_VEC, SX, 0, 0 },
	[Vqq] = { AT_REG, OP_VEC, 32, 0, 0 },
	[Vd] = { AT_REG, OP_VEC, 4, 0, 0 },
	[Vq] = { AT_REG, OP_VEC, 8, 0, 0 },
	[Wb] = { AT_RM, OP_VEC, 1, 0, 0 },
	[Ww] = { AT_RM, OP_VEC, 2, 0, 0 },
	[Wd] = { AT_RM, OP_VEC, 4, 0, 0 },
	[Wq] = { AT_RM, OP_VEC, 8, 0, 0 },
	[Wdq] = { AT_RM, OP_VEC, 16, 0, 0 },
	[Wqq] = { AT_RM, OP_VEC, 32, 0, 0 },
	[Wx] = { AT_RM, OP_VEC, SX, 0, 0 },
	[Whx] = { AT_RM, OP_VEC, 16, SHALF, 0 },
	[Wqx] = { AT_RM, OP_VEC, 16, SQUARTER, 0 },
	[Wex] = { AT_RM, OP_VEC, 16, SEIGHTH, 0 },
	[Udq] = { AT_RMREG, OP_VEC, 16, 0, 0 },
	[Ux] = { AT_RMREG, OP_VEC, SX, 0, 0 },
	[Hdq] = { AT_VVVV, OP_VEC, 16, 0, 0 },
	[Hx] = { AT_VVVV, OP_VEC, SX, 0, 0 },
	[Hqq] = { AT_VVVV, OP_VEC, 32, 0, 0 },
	[Ldq] = { AT_IMM_HIGH, OP_VEC, 16, 0, 0 },
	[Lx] = { AT_IMM_HIGH, OP_VEC, SX, 0, 0 },
	[X0] = { AT_FIXED, OP_VEC, 16, 0, 0 },
	[VMx] = { AT_MEM, OP_MEM, SX, 0, 0 },
	[ST0] = { AT_FIXED, OP_ST, 10, 0, 0 },
	[STi] = { AT_RMREG, OP_ST, 10, 0, 0 },
};

unsigned operand_needs(enum operand_code code)
{
	switch (codes[code].place) {
	case AT_RM:
	case AT_REG:
		return NEED_MODRM;
	case AT_MEM:
		return NEED_MODRM | NEED_MEM;
	case AT_RMREG:
		return NEED_MODRM | NEED_REG;
	default:
		return 0;
	}
}

static unsigned size_in_bytes(const struct insn *i, unsigned size)
{
	unsigned vector = i->prefix & PREFIX_L ? 32 : 16;

	switch (size) {
	case SV:	return i->opsize;
	case SZ:	return i->opsize == 2 ? 2 : 4;
	case SY:	return i->opsize == 8 ? 8 : 4;
	case SX:	return vector;
	case SHALF:	return vector / 2;
	case SQUARTER:	return vector / 4;
	case SEIGHTH:	return vector / 8;
	case SFAR:	return i->opsize + 2;
	case SPAIR:	return i->opsize * 2;
	case STABLE:	return i->opsize == 8 ? 10 : 6;
	default:	return size;
	}
}

/* ---- addresses ---- */

static void address16(struct decoder *d)
{
	static const uint8_t base[8] = { RBX, RBX, RBP, RBP, RSI, RDI, RBP,
					 RBX };
	static const uint8_t index[8] = { RSI, RDI, RSI, RDI, REG_NONE,
					  REG_NONE, REG_NONE, REG_NONE };
	struct insn *i = d->out;

	if (d->mod == 0 && d->rm == 6) {
		i->disp = decoder_take_signed(d, 2);
		return;
	}
	i->base = base[d->rm];
	i->index = index[d->rm];
	if (i->base == RBP)
		i->seg = SS;
	if (d->mod)
		i->disp = decoder_take_signed(d, d->mod);
}

static void address_sib(struct decoder *d, bool vector_index)
{
	struct insn *i = d->out;
	unsigned sib = (unsigned)decoder_take(d, 1);
	unsigned index = (sib >> 3 & 7) | (d->rex & REX_X ? 8 : 0);
	unsigned base = sib & 7;

	if (index != RSP || vector_index) {
		i->index = (uint8_t)index;
		i->scale = (uint8_t)(sib >> 6);
	}
	if (base == RBP && d->mod == 0) {
		i->disp = decoder_take_signed(d, 4);
		return;
	}
	i->base = (uint8_t)(base | (d->rex & REX_B ? 8 : 0));
}

static void address32(struct decoder *d, bool vector_index)
{
	struct insn *i = d->out;

	if (d->rm == 4) {
		address_sib(d, vector_index);
	} else if (d->mod == 0 && d->rm == 5) {
		if (d->mode == CODE64)
			i->prefix |= PREFIX_RIP;
		i->disp = decoder_take_signed(d, 4);
	} else {
		i->base = d->rm | (d->rex & REX_B ? 8 : 0);
	}
	if (i->base == RSP || i->base == RBP)
		i->seg = SS;
	if (d->mod == 1)
		i->disp = decoder_take_signed(d, 1);
	else if (d->mod == 2)
		i->disp = decoder_take_signed(d, 4);
}

void operand_decode_address(struct decoder *d, bool vector_index)
{
	if (vector_index && (d->out->addrsize == 2 || d->rm != 4))
		decoder_refuse(d);
	else if (d->out->addrsize == 2)
		address16(d);
	else
		address32(d, vector_index);
	if (d->segment != SREG_COUNT)
		d->out->seg = d->segment;
}

/* ---- registers and immediates ---- */

/* Number of a register from its three bits and REX's fourth; those that have
 * eight registers at most ignore the fourth. */
static uint8_t register_number(const struct decoder *d, unsigned kind,
			       unsigned size, unsigned low, unsigned rex_bit)
{
	unsigned n = low | (d->rex & rex_bit ? 8 : 0);

	switch (kind) {
	case OP_GPR:
		if (size == 1 && !(d->out->prefix & PREFIX_REX) && low >= 4)
			return (uint8_t)(REG_AH + low - 4);
		return (uint8_t)n;
	case OP_MM:
	case OP_ST:
	case OP_SREG:
		return (uint8_t)low;
	default:
		return (uint8_t)n;
	}
}

/* Registers that are not there, and loads of CS (SDM 2B "MOV"). */
static void refuse_odd_register(struct decoder *d, unsigned n, unsigned kind,
				unsigned reg)
{
	if (kind == OP_SREG && (reg >= SREG_COUNT || (reg == CS && n == 0)))
		decoder_refuse(d);
	else if (kind == OP_CR && !(0x11du >> reg & 1))	/* 0, 2, 3, 4, 8 */
		decoder_refuse(d);
	else if (kind == OP_DR && reg > 7)
		decoder_refuse(d);
}

static void decode_register(struct decoder *d, unsigned n,
			    const struct code *code, unsigned low,
			    unsigned rex_bit)
{
	struct operand *o = &d->out->op[n];

	o->kind = code->kind;
	o->reg = register_number(d, code->kind, code->size, low, rex_bit);
	if (code->place == AT_REG)
		refuse_odd_register(d, n, code->kind, o->reg);
}

static void decode_far(struct decoder *d)
{
	d->out->imm = (int64_t)decoder_take(d, d->out->opsize);
	d->out->disp = (int64_t)decoder_take(d, 2);
}

static void decode_immediate(struct decoder *d, const struct code *code,
			     struct operand *o)
{
	struct insn *i = d->out;
	unsigned bytes = size_in_bytes(i, code->size);

	switch (code->place) {
	case AT_IMM:
		i->imm = (int64_t)decoder_take(d, bytes);
		break;
	case AT_IMM_SIGNED:
		i->imm = decoder_take_signed(d, bytes);
		o->size = i->opsize;
		break;
	case AT_IMM_SECOND:
		i->disp = (int64_t)decoder_take(d, 1);
		break;
	case AT_ONE:
		i->imm = 1;
		break;
	default:
		decode_far(d);
		break;
	}
}

/* A register named by bits 7:4 of a byte that may hold more (SDM 2A "is4"). */
static void decode_imm_high(struct decoder *d, struct operand *o)
{
	struct insn *i = d->out;

	i->imm = (int64_t)decoder_take(d, 1);
	o->reg = (uint8_t)i->imm >> 4 & (d->mode == CODE64 ? 15 : 7);
}

void operand_decode(struct decoder *d, unsigned n, enum operand_code code)
{
	const struct code *k = &codes[code];
	struct operand *o = &d->out->op[n];

	o->code = (uint8_t)code;
	o->kind = k->kind;
	o->reg = REG_NONE;
	o->size = (uint8_t)size_in_bytes(d->out, k->size);
	switch (k->place) {
	case AT_NONE:
	case AT_STRING:
		break;
	case AT_RM:
	case AT_RMREG:
	case AT_MEM:
		if (d->mod == 3) {
			decode_register(d, n, k, d->rm, REX_B);
			break;
		}
		o->kind = OP_MEM;
		if (k->mem_size)
			o->size = (uint8_t)size_in_bytes(d->out, k->mem_size);
		break;
	case AT_REG:
		decode_register(d, n, k, d->reg, REX_R);
		break;
	case AT_OPCODE:
		decode_register(d, n, k, d->out->opcode & 7, REX_B);
		break;
	case AT_VVVV:
		o->reg = d->out->vvvv;
		break;
	case AT_IMM_HIGH:
		decode_imm_high(d, o);
		break;
	case AT_FIXED:
		o->reg = k->reg;
		break;
	case AT_MOFFS:
		d->out->disp = (int64_t)decoder_take(d, d->out->addrsize);
		break;
	default:
		decode_immediate(d, k, o);
		break;
	}
}
