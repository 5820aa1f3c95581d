/* cpu/interp/shift.c - shifts and rotates.
 *
 * The host masks the count as the guest's processor would, and leaves all
 * flags alone when it is 0 after that.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/rmw.h"

void exec_rol(struct cpu *c, const struct insn *i)
{
	rmw(c, i, alu_rol, operand_read(c, i, 1));
}

void exec_ror(struct cpu *c, const struct insn *i)
{
	rmw(c, i, alu_ror, operand_read(c, i, 1));
}

void exec_rcl(struct cpu *c, const struct insn *i)
{
	rmw(c, i, alu_rcl, operand_read(c, i, 1));
}

void exec_rcr(struct cpu *c, const struct insn *i)
{
	rmw(c, i, alu_rcr, operand_read(c, i, 1));
}

void exec_shl(struct cpu *c, const struct insn *i)
{
	rmw(c, i, alu_shl, operand_read(c, i, 1));
}

void exec_shr(struct cpu *c, const struct insn *i)
{
	rmw(c, i, alu_shr, operand_read(c, i, 1));
}

void exec_sar(struct cpu *c, const struct insn *i)
{
	rmw(c, i, alu_sar, operand_read(c, i, 1));
}

/* SHLD and SHRD have three inputs; the source register rides along. */
#define DOUBLE_SHIFT(op, m)                                                   \
	__asm__(FLAGS_LOAD op " %%cl, %" m "[s], %" m "[a]" FLAGS_STORE       \
		: [a] "+r"(a), "+&a"(f) : [s] "r"(source), "c"(count) : "cc")

static uint64_t shift_double(struct cpu *c, bool left, uint64_t a,
			     uint64_t source, uint8_t count, unsigned size)
{
	unsigned f = flags_pack(c);

	switch (size << 1 | left) {
	case 2 << 1 | 1: DOUBLE_SHIFT("shld", "w"); break;
	case 4 << 1 | 1: DOUBLE_SHIFT("shld", "k"); break;
	case 8 << 1 | 1: DOUBLE_SHIFT("shld", "q"); break;
	case 2 << 1 | 0: DOUBLE_SHIFT("shrd", "w"); break;
	case 4 << 1 | 0: DOUBLE_SHIFT("shrd", "k"); break;
	default:	 DOUBLE_SHIFT("shrd", "q"); break;
	}
	flags_unpack(c, f);
	return a;
}

static void exec_double(struct cpu *c, const struct insn *i, bool left)
{
	const struct operand *o = &i->op[0];
	uint64_t source = gpr_read(c, i->op[1].reg, o->size);
	uint8_t count = (uint8_t)operand_read(c, i, 2);
	gva_t at;

	if (o->kind == OP_GPR) {
		uint64_t a = gpr_read(c, o->reg, o->size);

		gpr_write(c, o->reg, shift_double(c, left, a, source, count,
						  o->size), o->size);
		return;
	}
	at = insn_linear(c, i, o->size, ACCESS_RMW);
	mem_probe(c, at, o->size, ACCESS_RMW);
	mem_write(c, at, shift_double(c, left, mem_read(c, at, o->size),
				      source, count, o->size), o->size);
}

void exec_shld(struct cpu *c, const struct insn *i)
{
	exec_double(c, i, true);
}

void exec_shrd(struct cpu *c, const struct insn *i)
{
	exec_double(c, i, false);
}

/* ---- BMI2: no flags ---- */

static unsigned count_of(struct cpu *c, const struct insn *i)
{
	unsigned size = i->op[0].size;

	return gpr_read(c, i->op[2].reg, size) & (size * 8 - 1);
}

void exec_shlx(struct cpu *c, const struct insn *i)
{
	uint64_t v = operand_read(c, i, 1);

	gpr_write(c, i->op[0].reg, v << count_of(c, i), i->op[0].size);
}

void exec_shrx(struct cpu *c, const struct insn *i)
{
	uint64_t v = operand_read(c, i, 1);

	gpr_write(c, i->op[0].reg, v >> count_of(c, i), i->op[0].size);
}

void exec_sarx(struct cpu *c, const struct insn *i)
{
	uint64_t v = operand_read(c, i, 1);
	int64_t s = i->op[0].size == 4 ? (int32_t)v : (int64_t)v;

	gpr_write(c, i->op[0].reg, (uint64_t)(s >> count_of(c, i)),
		  i->op[0].size);
}

void exec_rorx(struct cpu *c, const struct insn *i)
{
	unsigned size = i->op[0].size, bits = size * 8;
	unsigned n = i->imm & (bits - 1);
	uint64_t v = operand_read(c, i, 1);

	gpr_write(c, i->op[0].reg, n ? v >> n | v << (bits - n) : v, size);
}
