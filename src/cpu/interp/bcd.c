/* cpu/interp/bcd.c - decimal adjustments, and SALC.
 *
 * None of these exist in the host's 64-bit mode, so they are written out from
 * their pages in SDM 2.  Flags the manual leaves undefined follow the result
 * or are 0.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/rmw.h"

/* SF, ZF and PF of AL, and these CF and AF. */
static void flags_of_al(struct cpu *c, bool cf, bool af)
{
	uint8_t al = *gpr8(c, RAX);

	alu_and(c, al, al, 1);
	c->arith = (uint8_t)((c->arith & ~(FLAG_CF | FLAG_AF)) |
			     (cf ? FLAG_CF : 0) | (af ? FLAG_AF : 0));
}

/* AAA and AAS: sign is 1 or -1. */
static void ascii_adjust(struct cpu *c, int sign)
{
	uint16_t ax = (uint16_t)c->gpr[RAX];
	bool adjust = (ax & 15) > 9 || (c->arith & FLAG_AF);

	if (adjust)
		ax = (uint16_t)(ax + sign * 0x106);
	gpr_write(c, RAX, ax & 0xff0f, 2);
	flags_of_al(c, adjust, adjust);
}

void exec_aaa(struct cpu *c, const struct insn *i)
{
	ascii_adjust(c, 1);
}

void exec_aas(struct cpu *c, const struct insn *i)
{
	ascii_adjust(c, -1);
}

/* DAA and DAS. */
static void decimal_adjust(struct cpu *c, int sign)
{
	uint8_t old = *gpr8(c, RAX), al = old;
	bool low = (old & 15) > 9 || (c->arith & FLAG_AF);
	bool high = old > 0x99 || (c->arith & FLAG_CF);
	bool borrow = sign < 0 && low && old < 6;

	if (low)
		al = (uint8_t)(al + sign * 6);
	if (high)
		al = (uint8_t)(al + sign * 0x60);
	*gpr8(c, RAX) = al;
	flags_of_al(c, high || borrow, low);
}

void exec_daa(struct cpu *c, const struct insn *i)
{
	decimal_adjust(c, 1);
}

void exec_das(struct cpu *c, const struct insn *i)
{
	decimal_adjust(c, -1);
}

void exec_aam(struct cpu *c, const struct insn *i)
{
	uint8_t al = *gpr8(c, RAX), base = (uint8_t)i->imm;

	if (!base)
		fault_raise(c, VEC_DE);
	gpr_write(c, RAX, (uint64_t)(al / base) << 8 | al % base, 2);
	flags_of_al(c, false, false);
}

void exec_aad(struct cpu *c, const struct insn *i)
{
	uint16_t ax = (uint16_t)c->gpr[RAX];

	gpr_write(c, RAX, (uint8_t)((ax >> 8) * i->imm + ax), 2);
	flags_of_al(c, false, false);
}

/* Undocumented, in every processor: AL = CF ? FF : 0. */
void exec_salc(struct cpu *c, const struct insn *i)
{
	*gpr8(c, RAX) = c->arith & FLAG_CF ? 0xff : 0;
}
