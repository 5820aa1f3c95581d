/* cpu/interp/muldiv.c - multiplication and division.
 *
 * #DE is found before the host divides: the host must never fault for a
 * guest's mistake.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/rmw.h"

/* The double-width accumulator: AX for bytes (hi unused), else rDX:rAX. */
struct wide {
	uint64_t lo, hi;
};

static void wide_write(struct cpu *c, struct wide w, unsigned size)
{
	if (size == 1) {
		gpr_write(c, RAX, w.lo, 2);
		return;
	}
	gpr_write(c, RAX, w.lo, size);
	gpr_write(c, RDX, w.hi, size);
}

#define WIDE(op, m)                                                           \
	__asm__(FLAGS_LOAD "mov %[lo], %%rax\n\t" op " %" m "[v]\n\t"         \
		"mov %%rax, %[lo]" FLAGS_STORE                                \
		: "+&a"(f), [lo] "+&r"(w.lo), "+&d"(w.hi) : [v] "r"(v) : "cc")

/* <op> of the accumulator and the operand v, which must not fault. */
#define WIDE_OP(op)                                                           \
	static void wide_##op(struct cpu *c, uint64_t v, unsigned size)       \
	{                                                                     \
		struct wide w = { c->gpr[RAX], c->gpr[RDX] };         \
		unsigned f = flags_pack(c);                                   \
									      \
		switch (size) {                                               \
		case 1:	WIDE(#op, "b"); break;                                \
		case 2:	WIDE(#op, "w"); break;                                \
		case 4:	WIDE(#op, "k"); break;                                \
		default: WIDE(#op, "q"); break;                               \
		}                                                             \
		flags_unpack(c, f);                                           \
		wide_write(c, w, size);                                       \
	}
WIDE_OP(mul)
WIDE_OP(imul)
WIDE_OP(div)
WIDE_OP(idiv)

void exec_mul(struct cpu *c, const struct insn *i)
{
	wide_mul(c, operand_read(c, i, 0), i->op[0].size);
}

void exec_imul(struct cpu *c, const struct insn *i)
{
	wide_imul(c, operand_read(c, i, 0), i->op[0].size);
}

/* The whole dividend as a number, sign-extended from its 16 to 128 bits. */
static __int128 dividend_read(struct cpu *c, unsigned size)
{
	unsigned __int128 lo = gpr_read(c, RAX, size);
	unsigned bits = 8 * size, spare = 128 - 2 * bits;
	uint64_t hi = gpr_read(c, size == 1 ? REG_AH : RDX, size);

	return (__int128)((((unsigned __int128)hi << bits) | lo) << spare) >>
	       spare;
}

void exec_div(struct cpu *c, const struct insn *i)
{
	unsigned size = i->op[0].size;
	uint64_t v = operand_read(c, i, 0);
	uint64_t hi = gpr_read(c, size == 1 ? REG_AH : RDX, size);

	if (hi >= v)	/* divisor 0 too */
		fault_raise(c, VEC_DE);
	wide_div(c, v, size);
}

/* Would the quotient leave [-2^(bits-1), 2^(bits-1) - 1]?  By magnitudes: the
 * smallest that does is divisor * 2^(bits-1), and one divisor more when the
 * quotient is negative. */
static bool quotient_overflows(__int128 dividend, int64_t divisor,
			       unsigned size)
{
	unsigned __int128 n = (unsigned __int128)dividend;
	unsigned __int128 d = (unsigned __int128)(__int128)divisor;
	bool negative = (dividend < 0) != (divisor < 0);

	if (dividend < 0)
		n = -n;
	if (divisor < 0)
		d = -d;
	return n >= (d << (8 * size - 1)) + (negative ? d : 0);
}

void exec_idiv(struct cpu *c, const struct insn *i)
{
	unsigned size = i->op[0].size, spare = 64 - 8 * size;
	uint64_t v = operand_read(c, i, 0);
	int64_t divisor = (int64_t)(v << spare) >> spare;

	if (!divisor ||
	    quotient_overflows(dividend_read(c, size), divisor, size))
		fault_raise(c, VEC_DE);
	wide_idiv(c, v, size);
}

/* IMUL with two or three operands. */
void exec_imul_r(struct cpu *c, const struct insn *i)
{
	unsigned size = i->op[0].size;
	uint64_t a = operand_read(c, i, 1);
	uint64_t b = i->op[2].kind == OP_NONE
			     ? gpr_read(c, i->op[0].reg, size)
			     : (uint64_t)i->imm;

	gpr_write(c, i->op[0].reg, alu_imul(c, a, b, size), size);
}

void exec_mulx(struct cpu *c, const struct insn *i)
{
	unsigned size = i->op[0].size;
	unsigned __int128 r = (unsigned __int128)gpr_read(c, RDX, size) *
			      operand_read(c, i, 2);

	gpr_write(c, i->op[1].reg, (uint64_t)r, size);
	/* The same register twice keeps the upper half. */
	gpr_write(c, i->op[0].reg, (uint64_t)(r >> (8 * size)), size);
}
