/* cpu/interp/thunk.h - the guest's vector and x87 instructions, re-encoded for
 * the host.
 *
 * A thunk is a few bytes of host code that loads the operands of one
 * instruction from where the guest's registers are kept, runs that very
 * instruction, and stores the result back.  It is called with a pointer per
 * operand place, so it does not depend on register numbers or addresses and
 * is shared by all vCPUs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_INTERP_THUNK_H
#define CPU_INTERP_THUNK_H
#include "cpu/x86/insn.h"

/* Where in the encoding an operand is. */
enum thunk_place {
	THUNK_REG,		/* modrm.reg */
	THUNK_RM,		/* modrm.rm, register or memory */
	THUNK_VVVV,		/* VEX.vvvv */
	THUNK_LAST,		/* is4 immediate, or the implicit XMM0 */
	THUNK_PLACES,
	THUNK_NOWHERE = THUNK_PLACES
};

/* place[] points to the guest's register of 8 (general, MMX), 16 or 32 bytes,
 * or to the memory operand's bytes.  Places without an operand are ignored.
 * The flags that the row uses and sets are read and left in c; so are the
 * implicit registers of PCMPxSTRx.  MXCSR is the caller's affair. */
typedef void (*thunk_fn)(void *reg, void *rm, void *vvvv, void *last,
			 struct cpu *c);

struct thunk {
	uint32_t key;
	int8_t op[THUNK_PLACES];	/* index into insn.op[], -1 for none */
	thunk_fn run;
};

/* Takes the memory for code from the host, so that it can't fail later, when
 * the process may have locked itself in.  More than once is harmless. */
int thunks_prepare(struct err *e);

/* The thunk of this instruction, made at first use.  Never NULL. */
const struct thunk *thunk_find(const struct insn *i);

/* An FXSAVE image; the x87 part of struct cpu is its beginning. */
struct fx_image {
	struct x87 x87;
	uint8_t xmm[16][16];
	uint8_t rest[96];
} __attribute__((aligned(64)));

/* x87 instructions: `reg` is the struct fx_image that they work on, whose
 * mxcsr must be the host's; `rm` is the memory operand.  No pending exception
 * may be in the image before, but may be after. */

enum thunk_place thunk_place_of(enum operand_code code);

#endif
