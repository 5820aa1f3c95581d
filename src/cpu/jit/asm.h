/* cpu/jit/asm.h - writing host machine code: the few forms the translator
 * needs besides the guest's own instructions.
 *
 * Code is written through the writable mapping of a struct codemem; what it
 * refers to by distance are places in the same mapping.  Fields of struct cpu
 * are addressed absolutely: it lies in the low 2 GiB, and the code is for one
 * vCPU alone.
 *
 * Source: SDM 2A chapter 2.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_JIT_ASM_H
#define CPU_JIT_ASM_H
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Host registers, as they are encoded. */
enum host_reg {
	H_RAX, H_RCX, H_RDX, H_RBX, H_RSP, H_RBP, H_RSI, H_RDI,
	H_R8, H_R9, H_R10, H_R11, H_R12, H_R13, H_R14, H_R15,
	H_NONE = 0xff,
};

/* Condition codes as in Jcc's low opcode bits. */
enum { CC_B = 2, CC_AE = 3, CC_E = 4, CC_NE = 5, CC_BE = 6, CC_A = 7 };

#define OP_STORE	0x89	/* mov r/m, r */
#define OP_LOAD		0x8b	/* mov r, r/m */

struct code {
	uint8_t *p;		/* next byte to write */
};

static inline void put1(struct code *k, unsigned byte)
{
	*k->p++ = (uint8_t)byte;
}

static inline void put4(struct code *k, uint32_t v)
{
	memcpy(k->p, &v, 4);
	k->p += 4;
}

static inline void put8(struct code *k, uint64_t v)
{
	memcpy(k->p, &v, 8);
	k->p += 8;
}

#define PUT(k, ...)                                                           \
	do {                                                                  \
		const uint8_t put_[] = { __VA_ARGS__ };                       \
		memcpy((k)->p, put_, sizeof(put_));                           \
		(k)->p += sizeof(put_);                                       \
	} while (0)

/* The REX byte; 0x40 alone is left out unless `always`. */
static inline void put_rex(struct code *k, bool w, unsigned reg,
			   unsigned index, unsigned base, bool always)
{
	unsigned rex = 0x40 | (w ? 8 : 0) | (reg >> 3 & 1) << 2 |
		       (index >> 3 & 1) << 1 | (base >> 3 & 1);

	if (rex != 0x40 || always)
		put1(k, rex);
}

/* ModRM and what follows it for [address], a 32-bit absolute one. */
static inline void put_absolute(struct code *k, unsigned reg, uint32_t address)
{
	put1(k, (reg & 7) << 3 | 4);
	put1(k, 0x25);
	put4(k, address);
}

/* ModRM, SIB, displacement for [base + index * 2^scale + disp]; base or index
 * may be H_NONE, index is never H_RSP. */
static inline void put_address(struct code *k, unsigned reg, unsigned base,
			       unsigned index, unsigned scale, int32_t disp)
{
	bool byte = disp == (int8_t)disp, sib;
	unsigned mod;

	if (base == H_NONE) {
		put1(k, (reg & 7) << 3 | 4);
		put1(k, scale << 6 | (index == H_NONE ? 4 : index & 7) << 3 | 5);
		put4(k, (uint32_t)disp);
		return;
	}
	sib = index != H_NONE || (base & 7) == 4;
	mod = !disp && (base & 7) != 5 ? 0 : byte ? 1 : 2;
	put1(k, mod << 6 | (reg & 7) << 3 | (sib ? 4 : base & 7));
	if (sib)
		put1(k, scale << 6 | (index == H_NONE ? 4 : index & 7) << 3 |
				(base & 7));
	if (mod == 1)
		put1(k, (uint8_t)disp);
	else if (mod == 2)
		put4(k, (uint32_t)disp);
}

/* op reg, reg/rm form, one-byte opcode. */
static inline void asm_rr(struct code *k, bool w, unsigned opcode,
			  unsigned reg, unsigned rm)
{
	put_rex(k, w, reg, 0, rm, false);
	put1(k, opcode);
	put1(k, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

static inline void asm_mov(struct code *k, unsigned to, unsigned from)
{
	asm_rr(k, true, OP_LOAD, to, from);
}

static inline void asm_mov32(struct code *k, unsigned to, unsigned from)
{
	asm_rr(k, false, OP_LOAD, to, from);
}

/* op reg, [absolute] */
static inline void asm_abs(struct code *k, bool w, unsigned opcode,
			   unsigned reg, uint32_t address)
{
	put_rex(k, w, reg, 0, 0, false);
	put1(k, opcode);
	put_absolute(k, reg, address);
}

/* op reg, [base + disp] */
static inline void asm_mem(struct code *k, bool w, unsigned opcode,
			   unsigned reg, unsigned base, int32_t disp)
{
	put_rex(k, w, reg, 0, base, false);
	put1(k, opcode);
	put_address(k, reg, base, H_NONE, 0, disp);
}

static inline void asm_lea(struct code *k, bool w, unsigned reg, unsigned base,
			   unsigned index, unsigned scale, int32_t disp)
{
	put_rex(k, w, reg, index == H_NONE ? 0 : index,
		base == H_NONE ? 0 : base, false);
	put1(k, 0x8d);
	put_address(k, reg, base, index, scale, disp);
}

/* Group 1 (digit: 0 add, 1 or, 4 and, 5 sub, 6 xor, 7 cmp) with imm32. */
static inline void asm_imm(struct code *k, bool w, unsigned digit, unsigned rm,
			   int32_t imm)
{
	put_rex(k, w, 0, 0, rm, false);
	put1(k, imm == (int8_t)imm ? 0x83 : 0x81);
	put1(k, 0xc0 | digit << 3 | (rm & 7));
	if (imm == (int8_t)imm)
		put1(k, (uint8_t)imm);
	else
		put4(k, (uint32_t)imm);
}

/* cmp byte [address], imm and test byte [address], imm */
static inline void asm_cmp8_abs(struct code *k, uint32_t address, uint8_t imm)
{
	put1(k, 0x80);
	put_absolute(k, 7, address);
	put1(k, imm);
}

static inline void asm_test8_abs(struct code *k, uint32_t address, uint8_t imm)
{
	put1(k, 0xf6);
	put_absolute(k, 0, address);
	put1(k, imm);
}

static inline void asm_cmp32_abs(struct code *k, uint32_t address, int8_t imm)
{
	put1(k, 0x83);
	put_absolute(k, 7, address);
	put1(k, (uint8_t)imm);
}

static inline void asm_store8_abs(struct code *k, uint32_t address, uint8_t v)
{
	put1(k, 0xc6);
	put_absolute(k, 0, address);
	put1(k, v);
}

/* mov reg, imm, the shortest form that zero-extends or extends the sign */
static inline void asm_load_imm(struct code *k, unsigned reg, uint64_t v)
{
	if (v <= 0xffffffff) {
		put_rex(k, false, 0, 0, reg, false);
		put1(k, 0xb8 | (reg & 7));
		put4(k, (uint32_t)v);
	} else if ((int64_t)v == (int32_t)v) {
		put_rex(k, true, 0, 0, reg, false);
		put1(k, 0xc7);
		put1(k, 0xc0 | (reg & 7));
		put4(k, (uint32_t)v);
	} else {
		put_rex(k, true, 0, 0, reg, false);
		put1(k, 0xb8 | (reg & 7));
		put8(k, v);
	}
}

/* rorx to, from, count: a rotation that leaves the flags alone (BMI2). */
static inline void asm_rorx(struct code *k, bool w, unsigned to, unsigned from,
			    unsigned count)
{
	put1(k, 0xc4);
	put1(k, (to & 8 ? 0 : 0x80) | 0x40 | (from & 8 ? 0 : 0x20) | 3);
	put1(k, (w ? 0x80 : 0) | 0x78 | 3);
	put1(k, 0xf0);
	put1(k, 0xc0 | (to & 7) << 3 | (from & 7));
	put1(k, count);
}

/* Shift by an immediate; digit: 4 shl, 5 shr, 7 sar. */
static inline void asm_shift(struct code *k, bool w, unsigned digit,
			     unsigned rm, unsigned count)
{
	put_rex(k, w, 0, 0, rm, false);
	put1(k, 0xc1);
	put1(k, 0xc0 | digit << 3 | (rm & 7));
	put1(k, count);
}

/* ---- jumps within the code; a site is the place of a rel32 ---- */

static inline void asm_patch(uint8_t *site, const uint8_t *to)
{
	int32_t rel = (int32_t)(to - (site + 4));

	memcpy(site, &rel, 4);
}

static inline uint8_t *asm_jmp(struct code *k, const uint8_t *to)
{
	put1(k, 0xe9);
	put4(k, 0);
	if (to)
		asm_patch(k->p - 4, to);
	return k->p - 4;
}

static inline uint8_t *asm_jcc(struct code *k, unsigned cc, const uint8_t *to)
{
	put1(k, 0x0f);
	put1(k, 0x80 | cc);
	put4(k, 0);
	if (to)
		asm_patch(k->p - 4, to);
	return k->p - 4;
}

static inline void asm_call(struct code *k, const uint8_t *to)
{
	put1(k, 0xe8);
	put4(k, 0);
	asm_patch(k->p - 4, to);
}

/* jcc over a few bytes to come: returns the place of its rel8. */
static inline uint8_t *asm_skip(struct code *k, unsigned cc)
{
	put1(k, 0x70 | cc);
	put1(k, 0);
	return k->p - 1;
}

static inline void asm_skip_to_here(struct code *k, uint8_t *site)
{
	assert(k->p - (site + 1) < 128);
	*site = (uint8_t)(k->p - (site + 1));
}
#endif
