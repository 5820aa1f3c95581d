/* cpu/interp/alu.h - the host's arithmetic on guest values and guest flags.
 *
 * Each alu_<op>(c, a, b, size) runs the host's own instruction and stores the
 * flags it leaves, so that the guest sees the flags of a real processor, the
 * undefined ones too.  The flags travel in AX: LAHF's byte in AH, OF in AL.
 * Operations that read or keep a flag ("loaded" ones) first put the guest's
 * flags into the host's; for the rest the host overwrites all six.
 *
 * Values are whole 64-bit registers, of which the operation uses the low
 * `size` bytes; the result is what the host register holds afterwards: a
 * 32-bit operation has cleared the upper half, a shorter one kept it.
 *
 * With a constant size each call is the one instruction and two stores; that
 * is what select.c is made of.
 *
 * Source: SDM 2, the instructions' pages; SDM 1 3.4.3.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_INTERP_ALU_H
#define CPU_INTERP_ALU_H
#include "cpu/x86/state.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* The guest's flags as they travel in AX. */
ALWAYS_INLINE unsigned flags_pack(const struct cpu *c)
{
	return (unsigned)c->arith << 8 | c->of;
}

ALWAYS_INLINE void flags_unpack(struct cpu *c, unsigned ax)
{
	c->arith = (uint8_t)(ax >> 8);
	c->of = (uint8_t)ax;
}

/* AL + 127 overflows just when AL is 1; SAHF leaves OF alone. */
#define FLAGS_LOAD "addb $0x7f, %%al\n\tsahf\n\t"
#define FLAGS_STORE "\n\tlahf\n\tseto %%al"

/* Operands of the host's instruction; m is the register's width: b w k q. */
#define AB(m)	 " %" m "[b], %" m "[a]"
#define ACL(m)	 " %%cl, %" m "[a]"
#define A(m)	 " %" m "[a]"

#define ALU_FRESH(text, in)                                                   \
	__asm__(text FLAGS_STORE : [a] "+r"(a), "=a"(f) : in : "cc")
#define ALU_LOADED(text, in)                                                  \
	__asm__(FLAGS_LOAD text FLAGS_STORE                                   \
		: [a] "+r"(a), "+&a"(f) : in : "cc")

/* alu_<name>() for sizes 2, 4 and 8, and for 1 if `byte` says so.  kind is
 * ALU_FRESH or ALU_LOADED, form one of the operand forms above. */
#define ALU_OP(name, op, kind, form, in, byte)                                \
	ALWAYS_INLINE uint64_t alu_##name(struct cpu *c, uint64_t a,          \
					  uint64_t b, unsigned size)          \
	{                                                                     \
		unsigned f = flags_pack(c);                                   \
									      \
		switch (size) {                                               \
		byte(kind, op, form, in)                                      \
		case 2:	kind(op form("w"), in); break;                        \
		case 4:	kind(op form("k"), in); break;                        \
		default: kind(op form("q"), in); break;                       \
		}                                                             \
		flags_unpack(c, f);                                           \
		return a;                                                     \
	}
#define BYTE(kind, op, form, in) case 1: kind(op form("b"), in); break;
#define NO_BYTE(kind, op, form, in)

ALU_OP(add, "add", ALU_FRESH, AB, [b] "r"(b), BYTE)
ALU_OP(sub, "sub", ALU_FRESH, AB, [b] "r"(b), BYTE)
ALU_OP(and, "and", ALU_FRESH, AB, [b] "r"(b), BYTE)
ALU_OP(or, "or", ALU_FRESH, AB, [b] "r"(b), BYTE)
ALU_OP(xor, "xor", ALU_FRESH, AB, [b] "r"(b), BYTE)
ALU_OP(neg, "neg", ALU_FRESH, A, [b] "r"(b), BYTE)
ALU_OP(adc, "adc", ALU_LOADED, AB, [b] "r"(b), BYTE)
ALU_OP(sbb, "sbb", ALU_LOADED, AB, [b] "r"(b), BYTE)
ALU_OP(inc, "inc", ALU_LOADED, A, [b] "r"(b), BYTE)
ALU_OP(dec, "dec", ALU_LOADED, A, [b] "r"(b), BYTE)

ALU_OP(rol, "rol", ALU_LOADED, ACL, [b] "c"(b), BYTE)
ALU_OP(ror, "ror", ALU_LOADED, ACL, [b] "c"(b), BYTE)
ALU_OP(rcl, "rcl", ALU_LOADED, ACL, [b] "c"(b), BYTE)
ALU_OP(rcr, "rcr", ALU_LOADED, ACL, [b] "c"(b), BYTE)
ALU_OP(shl, "shl", ALU_LOADED, ACL, [b] "c"(b), BYTE)
ALU_OP(shr, "shr", ALU_LOADED, ACL, [b] "c"(b), BYTE)
ALU_OP(sar, "sar", ALU_LOADED, ACL, [b] "c"(b), BYTE)

ALU_OP(imul, "imul", ALU_LOADED, AB, [b] "r"(b), NO_BYTE)
ALU_OP(bt, "bt", ALU_LOADED, AB, [b] "r"(b), NO_BYTE)
ALU_OP(bts, "bts", ALU_LOADED, AB, [b] "r"(b), NO_BYTE)
ALU_OP(btr, "btr", ALU_LOADED, AB, [b] "r"(b), NO_BYTE)
ALU_OP(btc, "btc", ALU_LOADED, AB, [b] "r"(b), NO_BYTE)
ALU_OP(bsf, "bsf", ALU_LOADED, AB, [b] "r"(b), NO_BYTE)
ALU_OP(bsr, "bsr", ALU_LOADED, AB, [b] "r"(b), NO_BYTE)
ALU_OP(tzcnt, "tzcnt", ALU_LOADED, AB, [b] "r"(b), NO_BYTE)
ALU_OP(lzcnt, "lzcnt", ALU_LOADED, AB, [b] "r"(b), NO_BYTE)
ALU_OP(popcnt, "popcnt", ALU_LOADED, AB, [b] "r"(b), NO_BYTE)

#undef ALU_OP
#undef ALU_FRESH
#undef ALU_LOADED
#undef AB
#undef ACL
#undef A
#undef BYTE
#undef NO_BYTE

/* Neither reads nor writes flags; here to have the others' shape. */
ALWAYS_INLINE uint64_t alu_not(struct cpu *c, uint64_t a, uint64_t b,
			       unsigned size)
{
	return ~a;
}

/* The new value whatever the old one: XCHG. */
ALWAYS_INLINE uint64_t alu_take(struct cpu *c, uint64_t a, uint64_t b,
				unsigned size)
{
	return b;
}

/* A general register as the host's instructions take it: all 64 bits, but a
 * byte register (which may be AH) moved down. */
static inline uint64_t gpr_whole(const struct cpu *c, unsigned reg,
				 unsigned size)
{
	return size == 1 && reg >= 16 ? c->gpr[reg - 16] >> 8 : c->gpr[reg];
}

/* And back, where the host may have left the upper half of a 32-bit
 * destination alone (BSF of 0, CMPXCHG). */
static inline void gpr_put_whole(struct cpu *c, unsigned reg, uint64_t v,
				 unsigned size)
{
	if (size >= 4)
		c->gpr[reg] = v;
	else if (size == 2)
		c->gpr[reg] = (c->gpr[reg] & ~0xffffull) | (uint16_t)v;
	else
		((uint8_t *)c->gpr)[reg < 16 ? reg * 8 : (reg - 16) * 8 + 1] =
			(uint8_t)v;
}
#endif
