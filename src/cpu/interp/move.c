/* cpu/interp/move.c - moves, conversions, exchanges with the flags, and what
 * only touches the caches.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/rmw.h"
#include "cpu/vcpu.h"

void exec_mov(struct cpu *c, const struct insn *i)
{
	operand_write(c, i, 0, operand_read(c, i, 1));
}

void exec_movzx(struct cpu *c, const struct insn *i)
{
	gpr_write(c, i->op[0].reg, operand_read(c, i, 1), i->op[0].size);
}

static uint64_t sign_extend(uint64_t v, unsigned size)
{
	switch (size) {
	case 1:	return (uint64_t)(int8_t)v;
	case 2:	return (uint64_t)(int16_t)v;
	case 4:	return (uint64_t)(int32_t)v;
	default: return v;
	}
}

void exec_movsx(struct cpu *c, const struct insn *i)
{
	uint64_t v = operand_read(c, i, 1);

	gpr_write(c, i->op[0].reg, sign_extend(v, i->op[1].size),
		  i->op[0].size);
}

void exec_movsxd(struct cpu *c, const struct insn *i)
{
	exec_movsx(c, i);
}

void exec_movbe(struct cpu *c, const struct insn *i)
{
	unsigned size = i->op[0].size;
	uint64_t v = operand_read(c, i, 1);

	operand_write(c, i, 0, __builtin_bswap64(v) >> (64 - 8 * size));
}

/* Non-temporal is a hint, and the host's stores are ordered more strongly. */
void exec_movnti(struct cpu *c, const struct insn *i)
{
	exec_mov(c, i);
}

void exec_lea(struct cpu *c, const struct insn *i)
{
	gpr_write(c, i->op[0].reg, insn_offset(c, i), i->op[0].size);
}

void exec_xlat(struct cpu *c, const struct insn *i)
{
	uint64_t offset = c->gpr[RBX] + (uint8_t)c->gpr[RAX];

	if (i->addrsize != 8)
		offset = i->addrsize == 4 ? (uint32_t)offset
					  : (uint16_t)offset;
	gpr_write(c, RAX, mem_read8(c, seg_linear(c, (enum sreg)i->seg, offset,
						  1, ACCESS_READ)), 1);
}

/* CBW, CWDE, CDQE. */
void exec_cbw(struct cpu *c, const struct insn *i)
{
	gpr_write(c, RAX, sign_extend(c->gpr[RAX], i->opsize / 2), i->opsize);
}

/* CWD, CDQ, CQO. */
void exec_cwd(struct cpu *c, const struct insn *i)
{
	int64_t v = (int64_t)sign_extend(c->gpr[RAX], i->opsize);

	gpr_write(c, RDX, (uint64_t)(v >> 63), i->opsize);
}

void exec_setcc(struct cpu *c, const struct insn *i)
{
	operand_write(c, i, 0, condition(c, i->opcode & 15));
}

/* The source is read, and the upper half of a 32-bit destination cleared,
 * whether the condition holds or not. */
void exec_cmovcc(struct cpu *c, const struct insn *i)
{
	const struct operand *o = &i->op[0];
	uint64_t v = operand_read(c, i, 1);

	if (!condition(c, i->opcode & 15))
		v = c->gpr[o->reg];
	gpr_write(c, o->reg, v, o->size);
}

/* ---- flags ---- */

void exec_lahf(struct cpu *c, const struct insn *i)
{
	*gpr8(c, REG_AH) = c->arith;
}

void exec_sahf(struct cpu *c, const struct insn *i)
{
	c->arith = (*gpr8(c, REG_AH) & FLAGS_LAHF) | FLAG_ONE;
}

void exec_stc(struct cpu *c, const struct insn *i)
{
	c->arith |= FLAG_CF;
}

void exec_clc(struct cpu *c, const struct insn *i)
{
	c->arith &= (uint8_t)~FLAG_CF;
}

void exec_cmc(struct cpu *c, const struct insn *i)
{
	c->arith ^= FLAG_CF;
}

void exec_std(struct cpu *c, const struct insn *i)
{
	c->rflags |= FLAG_DF;
}

void exec_cld(struct cpu *c, const struct insn *i)
{
	c->rflags &= ~FLAG_DF;
}

/* ---- hints, caches, order ---- */

void exec_nop(struct cpu *c, const struct insn *i)
{
}

void exec_prefetch(struct cpu *c, const struct insn *i)
{
}

void exec_pause(struct cpu *c, const struct insn *i)
{
	vcpu_spin(c);
}

/* CLFLUSH, CLFLUSHOPT, CLWB: faults as a load of the byte would. */
void exec_clflush(struct cpu *c, const struct insn *i)
{
	mem_probe(c, insn_linear(c, i, 1, ACCESS_READ), 1, ACCESS_READ);
}

/* LFENCE, SFENCE, MFENCE: the strongest serves for all. */
void exec_fence(struct cpu *c, const struct insn *i)
{
	__sync_synchronize();
}

/* ---- random numbers ---- */

/* CF says whether there was one; without, the destination is 0.  A short
 * number is as random as the low bytes of a long one. */
static void random_write(struct cpu *c, const struct insn *i, uint64_t v,
			 bool ok)
{
	c->of = 0;
	c->arith = FLAG_ONE | ok;
	gpr_write(c, i->op[0].reg, ok ? v : 0, i->op[0].size);
}

void exec_rdrand(struct cpu *c, const struct insn *i)
{
	uint64_t v;
	bool ok;

	__asm__ volatile("rdrand %0" : "=r"(v), "=@ccc"(ok));
	random_write(c, i, v, ok);
}

void exec_rdseed(struct cpu *c, const struct insn *i)
{
	uint64_t v;
	bool ok;

	__asm__ volatile("rdseed %0" : "=r"(v), "=@ccc"(ok));
	random_write(c, i, v, ok);
}
