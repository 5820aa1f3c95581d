/* cpu/x86/decode.h - what decode.c and operand.c share: one decoding under way.
 *
 * Private to the decoder; everyone else calls insn_decode() (insn.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_DECODE_H
#define CPU_X86_DECODE_H
#include "cpu/x86/insn.h"

#define INSN_MAX_BYTES 15	/* SDM 2A 2.3.11 */

/* REX bits; VEX's inverted ones are kept the same way. */
#define REX_B	1u
#define REX_X	2u
#define REX_R	4u
#define REX_W	8u

struct decoder {
	const uint8_t *p;
	unsigned avail;
	unsigned at;			/* bytes taken */
	/* Sticky: once not DECODE_OK, nothing more is taken. */
	enum decode_result result;
	uint8_t mode;			/* enum code_mode */
	uint8_t rex;			/* REX_ bits */
	bool opsize_prefix, addrsize_prefix;
	uint8_t repeat;			/* last of F2 and F3, or 0 */
	uint8_t segment;		/* override; SREG_COUNT: none */
	uint8_t map;			/* enum insn_map */
	uint8_t select;			/* PNP, P66, PF3, PF2: in force */
	uint8_t vvvv;			/* VEX.vvvv, inverted back to a number */
	uint8_t mod, reg, rm;		/* ModRM, without REX's bits */
	struct insn *out;
};

/* Take n bytes (1, 2, 4, 8), little endian; 0 if that cannot be. */
uint64_t decoder_take(struct decoder *d, unsigned n);

static inline int64_t decoder_take_signed(struct decoder *d, unsigned n)
{
	unsigned up = 64 - 8 * n;

	return (int64_t)(decoder_take(d, n) << up) >> up;
}

static inline void decoder_refuse(struct decoder *d)
{
	if (d->result == DECODE_OK)
		d->result = DECODE_UD;
}

/* What an operand code asks of ModRM. */
enum operand_need {
	NEED_MODRM = 1 << 0,
	NEED_MEM = 1 << 1,	/* mod is not 3 */
	NEED_REG = 1 << 2,	/* mod is 3 */
};

unsigned operand_needs(enum operand_code code);

/* The memory operand of ModRM and SIB: takes SIB and displacement. */
void operand_decode_address(struct decoder *d, bool vector_index);
/* Operand n of the row, after the sizes and the address; takes immediates. */
void operand_decode(struct decoder *d, unsigned n, enum operand_code code);

#endif
