/* cpu/x86/insn.h - instructions: rows of the table, and decoded ones.
 *
 * insn.def (which includes insn_x87.def and insn_vec.def) is the instruction
 * set: one row per encoding, and nothing about an encoding is written down
 * anywhere else.
 *
 *   INSN(map, prefix, opcode, modrm, name, exec, feature,
 *        op1, op2, op3, op4, how, uses, sets, junk)
 *
 *   map      ONE (no escape), TWO (0F), T38 (0F 38), T3A (0F 3A), and with a
 *            VEX prefix V1, V2, V3 (VEX.mmmmm 1, 2, 3)
 *   prefix   mandatory prefix: PANY (66, F2, F3 do not select: size prefix,
 *            REP), PNP (none of them), P66, PF3, PF2.  A row with PF3 or PF2
 *            wins over P66, and all over PANY.
 *   modrm    ANY, no constraint (a ModRM byte is there only if an operand
 *            needs one); /0-/7 by E(n); with a memory operand only: M(n),
 *            MEM; with a register only: R(n), REG; one whole byte: B(0xc8).
 *            REXB (90h only): REX.B is set.
 *            The more exact row wins: B, then R/M(n), E(n), REG/MEM, ANY.
 *   name     the mnemonic, Intel's, lower case
 *   exec     suffix of the interpreter's function: exec_<exec>(); see
 *            exec_rows[] in cpu/interp/exec.h
 *   feature  enum feature without FEAT_; without it the row is not there
 *            (so TZCNT falls back to BSF)
 *   op1..4   operand codes, enum operand_code; op1 is the destination
 *   how      HOW_ bits below, written without HOW_; rows of one encoding
 *            that differ in L0/L1, W0/W1, NO64/ONLY64 or NDS0 are alternatives
 *   uses, sets, junk   FLAG_ masks (written without FLAG_) read, written,
 *            left undefined; junk flags are a subset of sets and are not
 *            compared by the oracle.  Flags that stay when a shift count is 0
 *            are in uses.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_INSN_H
#define CPU_X86_INSN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/x86/cpuid.h"
#include "cpu/x86/state.h"

enum insn_map { ONE, TWO, T38, T3A, V1, V2, V3, INSN_MAPS };
enum insn_prefix { PANY, PNP, P66, PF3, PF2 };

/* modrm constraint: kind << 8 | value */
#define ANY	0x000
#define E(n)	(0x100 | (n))
#define M(n)	(0x200 | (n))
#define R(n)	(0x300 | (n))
#define MEM	0x400
#define REG	0x500
#define B(byte)	(0x600 | (byte))
#define REXB	0x700

/* Operand codes after SDM 2D appendix A.2.  Letter: where it is.  Suffix: how
 * wide it is.  Widths: b 1, w 2, d 4, q 8, v = 2/4/8 by operand size, z = 2/4
 * (4 also for 64-bit operand size), y = 4/8 by REX.W (operand size; 4 for 16),
 * x = 16 or 32 by VEX.L, dq 16, qq 32; o = other, the row's exec knows. */
enum operand_code {
	__,			/* none */
	/* modrm.rm, a register or memory */
	Eb, Ew, Ed, Eq, Ev, Ey,
	Ewv,			/* Ev if register, 2 bytes if memory (SLDT...) */
	/* modrm.rm, memory only; Mo: address only (LEA, INVLPG, FXSAVE) */
	Mo, Mb, Mw, Md, Mq, Mv, My, Mdq, Mqq, Mx,
	Mp,			/* far pointer: 2:2, 2:4, 2:8 bytes by size */
	Ma,			/* BOUND: two of v */
	Ms,			/* SGDT...: 2 and 4 or 8 bytes */
	Mt,			/* 10 bytes, x87 extended */
	/* modrm.rm, register only */
	Ry,			/* general */
	Rd,
	/* modrm.reg, general register */
	Gb, Gw, Gd, Gq, Gv, Gy, Gz,
	/* modrm.reg, other */
	Sw,			/* segment register */
	Cy, Dy,			/* control, debug register */
	/* low 3 bits of the opcode with REX.B, general register */
	Zb, Zv, Zy, Zq,
	/* VEX.vvvv, general register */
	By,
	/* immediates: Ib zero-extended; Is byte sign-extended to operand size;
	 * Iz sign-extended to operand size; Iv full (MOV r64, imm64); I2 the
	 * second byte of ENTER (decoded into disp) */
	Ib, Is, Iw, Iz, Iv, I2,
	I1,			/* the constant 1 (D0, D1 shifts) */
	/* relative jumps (imm is the displacement), far pointer in the code */
	Jb, Jz, Ap,
	/* moffs: no ModRM, address in the instruction (decoded into disp) */
	Ob, Ov,
	/* fixed registers */
	AL, CL, AX, DX, rAX,	/* rAX: by operand size */
	eAX,			/* AX or EAX: z */
	xES, xCS, xSS, xDS, xFS, xGS,
	/* string operands: X is seg:[rSI], Y is ES:[rDI] */
	Xb, Xv, Xz, Yb, Yv, Yz,
	/* MMX: P modrm.reg, Q modrm.rm (register or memory), N rm register */
	Pq, Qq, Qd, Nq,
	/* XMM/YMM: V modrm.reg, W modrm.rm (register or memory of that width),
	 * U modrm.rm register, H VEX.vvvv, L high 4 bits of an immediate byte */
	Vdq, Vx, Vqq, Vd, Vq,
	Wb, Ww, Wd, Wq, Wdq, Wqq, Wx,
	Whx,			/* memory: half of x (8 or 16); register: xmm */
	Wqx,			/* memory: a quarter of x (4 or 8) */
	Wex,			/* memory: an eighth of x (2 or 4) */
	Udq, Ux, Hdq, Hx, Hqq, Ldq, Lx,
	X0,			/* xmm0, implicit */
	VMx,			/* VSIB memory with vector index (gathers) */
	/* x87: ST(0), ST(i) from modrm.rm; memory by M codes */
	ST0, STi,
	OPERAND_CODES
};

/* how */
#define HOW_LOCK	(1u << 0)	/* takes LOCK with a memory op1 */
#define HOW_END		(1u << 1)	/* ends a block of instructions */
#define HOW_D64		(1u << 2)	/* operand size defaults to 64 */
#define HOW_F64		(1u << 3)	/* operand size is 64, 66 ignored */
#define HOW_NO64	(1u << 4)	/* #UD in 64-bit code */
#define HOW_ONLY64	(1u << 5)	/* #UD outside 64-bit code */
#define HOW_CPL0	(1u << 6)	/* #GP(0) unless CPL is 0 */
#define HOW_PROT	(1u << 7)	/* #UD in real and v86 mode */
#define HOW_REP		(1u << 8)	/* string: REP prefixes mean something */
#define HOW_L0		(1u << 9)	/* VEX.L must be 0 */
#define HOW_L1		(1u << 10)	/* VEX.L must be 1 */
#define HOW_W0		(1u << 11)	/* VEX.W (REX.W) must be 0 */
#define HOW_W1		(1u << 12)	/* VEX.W (REX.W) must be 1 */
#define HOW_NDS0	(1u << 13)	/* VEX.vvvv must be 1111b */
#define HOW_ALIGN	(1u << 14)	/* #GP(0) on a misaligned vector op */
#define HOW_X87		(1u << 15)	/* #NM by EM, TS; #MF pending first */
#define HOW_MMX		(1u << 16)	/* #UD by EM, #NM by TS, #MF pending */
#define HOW_SSE		(1u << 17)	/* needs CR4.OSFXSR, not EM, not TS */
#define HOW_AVX		(1u << 18)	/* needs OSXSAVE, XCR0.YMM, not TS */
#define HOW_FP		(1u << 19)	/* may raise #XM (uses MXCSR) */
#define HOW_SAVES	(1u << 20)	/* op1 is memory written, not read */
#define HOW_RMW		(1u << 21)	/* op1 is read as well as written */
#define HOW_NOWAIT	(1u << 22)	/* x87 that ignores a pending #MF */
#define HOW_SYS		(1u << 23)	/* changes modes or mappings */
#define HOW_RFAULT	(1u << 24)	/* random test: not a user instruction */

enum operand_kind {
	OP_NONE, OP_GPR, OP_MEM, OP_IMM, OP_SREG, OP_CR, OP_DR, OP_MM, OP_VEC,
	OP_ST,
};

/* General registers of byte operands: 0-15 the low bytes, 16-19 AH CH DH BH. */
#define REG_AH		16
#define REG_NONE	0xff

struct operand {
	uint8_t kind;		/* enum operand_kind */
	uint8_t reg;
	uint8_t size;		/* bytes; 0 where it has none */
	uint8_t code;		/* enum operand_code */
};

/* prefix flags of a decoded instruction */
#define PREFIX_LOCK	(1u << 0)
#define PREFIX_REP	(1u << 1)	/* F3 */
#define PREFIX_REPNE	(1u << 2)	/* F2 */
#define PREFIX_66	(1u << 3)
#define PREFIX_67	(1u << 4)
#define PREFIX_REX	(1u << 5)	/* any REX byte */
#define PREFIX_W	(1u << 6)	/* REX.W or VEX.W */
#define PREFIX_VEX	(1u << 7)
#define PREFIX_L	(1u << 8)	/* VEX.L: 256 bits */
#define PREFIX_RIP	(1u << 9)	/* memory operand is RIP-relative */
#define PREFIX_MEM	(1u << 10)	/* there is a ModRM memory operand */
#define PREFIX_SEG	(1u << 11)	/* a segment override was given */

typedef void (*exec_fn)(struct cpu *c, const struct insn *i);

/* A decoded instruction: everything an engine needs, nothing of the mode. */
struct insn {
	exec_fn exec;		/* the engine's; the decoder leaves NULL */
	const void *thunk;	/* likewise: interp/thunk.h */
	int64_t imm;		/* extended to 64 bits as the code says */
	int64_t disp;		/* also moffs, I2, and Ap's selector */
	uint16_t row;		/* index into insn_rows */
	uint16_t prefix;	/* PREFIX_ bits */
	uint16_t end;		/* the engine's: bytes of its block up to it */
	uint8_t len;
	uint8_t opsize;		/* 2, 4, 8: effective operand size */
	uint8_t addrsize;	/* 2, 4, 8 */
	uint8_t opcode, modrm;
	uint8_t seg;		/* enum sreg of the memory operand, X operand */
	uint8_t base, index;	/* gpr number or REG_NONE; VSIB: vector index */
	uint8_t scale;		/* shift, 0-3 */
	uint8_t vvvv;		/* VEX.vvvv as a register number */
	struct operand op[4];
};

struct insn_row {
	const char *name;
	uint32_t how;
	uint32_t uses, sets, junk;
	uint16_t modrm;		/* constraint */
	uint8_t map, prefix, opcode;
	uint8_t feature;	/* enum feature */
	uint8_t op[4];		/* enum operand_code */
};

extern const struct insn_row insn_rows[];
extern const unsigned insn_row_count;

enum decode_result {
	DECODE_OK,
	DECODE_MORE,	/* ran past avail: fetch more bytes and try again */
	DECODE_UD,	/* len is set to what was looked at */
	DECODE_LONG,	/* over 15 bytes: #GP(0) */
};

/* Decode at p, `avail` readable bytes.  Pure: no state but its arguments. */
enum decode_result insn_decode(struct insn *out, const uint8_t *p,
			       unsigned avail, enum code_mode mode,
			       const struct features *have);

/* One line in Intel syntax, near enough for logs ("add rax, [rbx+8]"). */
void insn_format(const struct insn *i, char *buf, size_t size);

static inline const struct insn_row *insn_row_of(const struct insn *i)
{
	return &insn_rows[i->row];
}

static inline uint32_t insn_how(const struct insn *i)
{
	return insn_rows[i->row].how;
}

#endif
