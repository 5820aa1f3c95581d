/* cpu/interp/bits.c - single bits, bit counts and scans, bit fields.
 *
 * BMI and CRC32 run on the host's own instructions: they are offered only
 * where the host has them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/rmw.h"

/* ---- BT, BTS, BTR, BTC ---- */

/* Where the operand with the bit is: a bit number in a register is signed and
 * reaches memory beyond the addressed operand (SDM 2A 3.1.1.9, "Bit(BitBase,
 * BitOffset)"); an immediate one stays within. */
static gva_t bit_linear(struct cpu *c, const struct insn *i, int64_t bit,
			enum access access)
{
	unsigned size = i->op[0].size;
	uint64_t offset = insn_offset(c, i);

	if (i->op[1].kind == OP_GPR)
		offset += (uint64_t)((bit >> (size == 8 ? 6 : size == 4 ? 5 : 4)) *
				     size);
	if (i->addrsize != 8)
		offset = i->addrsize == 4 ? (uint32_t)offset
					  : (uint16_t)offset;
	return seg_linear(c, (enum sreg)i->seg, offset, size, access);
}

/* The bit's number, sign-extended. */
static int64_t bit_number(struct cpu *c, const struct insn *i)
{
	unsigned spare = 64 - 8 * i->op[0].size;

	return (int64_t)(operand_read(c, i, 1) << spare) >> spare;
}

void exec_bt(struct cpu *c, const struct insn *i)
{
	unsigned size = i->op[0].size;
	int64_t bit = bit_number(c, i);
	uint64_t v;

	if (i->op[0].kind == OP_GPR)
		v = gpr_read(c, i->op[0].reg, size);
	else
		v = mem_read(c, bit_linear(c, i, bit, ACCESS_READ), size);
	alu_bt(c, v, (uint64_t)bit, size);
}

ALWAYS_INLINE void bit_change(struct cpu *c, const struct insn *i, rmw_fn fn)
{
	int64_t bit = bit_number(c, i);

	if (i->op[0].kind == OP_GPR)
		rmw(c, i, fn, (uint64_t)bit);
	else
		rmw_at(c, bit_linear(c, i, bit, ACCESS_RMW), i->op[0].size,
		       i->prefix & PREFIX_LOCK, fn, (uint64_t)bit);
}

void exec_bts(struct cpu *c, const struct insn *i)
{
	bit_change(c, i, alu_bts);
}

void exec_btr(struct cpu *c, const struct insn *i)
{
	bit_change(c, i, alu_btr);
}

void exec_btc(struct cpu *c, const struct insn *i)
{
	bit_change(c, i, alu_btc);
}

/* ---- scans and counts ---- */

/* BSF and BSR of 0 leave the destination as the host leaves it. */
ALWAYS_INLINE void scan(struct cpu *c, const struct insn *i, rmw_fn fn)
{
	const struct operand *o = &i->op[0];
	uint64_t source = operand_read(c, i, 1);

	gpr_put_whole(c, o->reg, fn(c, c->gpr[o->reg], source, o->size),
		      o->size);
}

void exec_bsf(struct cpu *c, const struct insn *i)
{
	scan(c, i, alu_bsf);
}

void exec_bsr(struct cpu *c, const struct insn *i)
{
	scan(c, i, alu_bsr);
}

void exec_tzcnt(struct cpu *c, const struct insn *i)
{
	scan(c, i, alu_tzcnt);
}

void exec_lzcnt(struct cpu *c, const struct insn *i)
{
	scan(c, i, alu_lzcnt);
}

void exec_popcnt(struct cpu *c, const struct insn *i)
{
	scan(c, i, alu_popcnt);
}

void exec_bswap(struct cpu *c, const struct insn *i)
{
	const struct operand *o = &i->op[0];
	uint64_t v = c->gpr[o->reg];

	/* 16 bits: undefined in the manual, 0 in every processor. */
	if (o->size == 2)
		v = 0;
	else
		v = o->size == 4 ? __builtin_bswap32((uint32_t)v)
				 : __builtin_bswap64(v);
	gpr_write(c, o->reg, v, o->size);
}

void exec_crc32(struct cpu *c, const struct insn *i)
{
	const struct operand *o = &i->op[0];
	uint64_t v = operand_read(c, i, 1);
	uint64_t crc = (uint32_t)c->gpr[o->reg];

	switch (i->op[1].size) {
	case 1:	__asm__("crc32b %b1, %k0" : "+r"(crc) : "r"(v)); break;
	case 2:	__asm__("crc32w %w1, %k0" : "+r"(crc) : "r"(v)); break;
	case 4:	__asm__("crc32l %k1, %k0" : "+r"(crc) : "r"(v)); break;
	default: __asm__("crc32q %1, %0" : "+r"(crc) : "r"(v)); break;
	}
	c->gpr[o->reg] = crc;
}

/* ---- BMI1 and BMI2 ---- */

/* The instruction on x and y, with the guest's flags in place before it. */
#define BMI(op)                                                               \
	__asm__(FLAGS_LOAD op FLAGS_STORE                                     \
		: "+&a"(f), [r] "=&r"(r) : [x] "r"(x), [y] "r"(y) : "cc")
#define BMI_OP(name, op32, op64)                                              \
	static uint64_t bmi_##name(struct cpu *c, uint64_t x, uint64_t y,     \
				   unsigned size)                             \
	{                                                                     \
		unsigned f = flags_pack(c);                                   \
		uint64_t r;                                                   \
									      \
		if (size == 4)                                                \
			BMI(op32);                                            \
		else                                                          \
			BMI(op64);                                            \
		flags_unpack(c, f);                                           \
		return r;                                                     \
	}
#define BMI_OP3(name)                                                         \
	BMI_OP(name, #name " %k[y], %k[x], %k[r]", #name " %[y], %[x], %[r]")
#define BMI_OP2(name)                                                         \
	BMI_OP(name, #name " %k[x], %k[r]", #name " %[x], %[r]")
BMI_OP3(andn)
BMI_OP3(bextr)
BMI_OP3(bzhi)
BMI_OP3(pdep)
BMI_OP3(pext)
BMI_OP2(blsi)
BMI_OP2(blsr)
BMI_OP2(blsmsk)

typedef uint64_t (*bmi_fn)(struct cpu *c, uint64_t x, uint64_t y,
			   unsigned size);

/* x and y are the manual's first and second source (written second and first
 * in AT&T's order). */
static void bmi(struct cpu *c, const struct insn *i, bmi_fn fn)
{
	unsigned size = i->op[0].size;
	uint64_t x = operand_read(c, i, 1);
	uint64_t y = i->op[2].kind == OP_NONE ? 0 : operand_read(c, i, 2);

	gpr_write(c, i->op[0].reg, fn(c, x, y, size), size);
}

void exec_andn(struct cpu *c, const struct insn *i)
{
	bmi(c, i, bmi_andn);
}

void exec_bextr(struct cpu *c, const struct insn *i)
{
	bmi(c, i, bmi_bextr);
}

void exec_bzhi(struct cpu *c, const struct insn *i)
{
	bmi(c, i, bmi_bzhi);
}

void exec_pdep(struct cpu *c, const struct insn *i)
{
	bmi(c, i, bmi_pdep);
}

void exec_pext(struct cpu *c, const struct insn *i)
{
	bmi(c, i, bmi_pext);
}

void exec_blsi(struct cpu *c, const struct insn *i)
{
	bmi(c, i, bmi_blsi);
}

void exec_blsr(struct cpu *c, const struct insn *i)
{
	bmi(c, i, bmi_blsr);
}

void exec_blsmsk(struct cpu *c, const struct insn *i)
{
	bmi(c, i, bmi_blsmsk);
}
