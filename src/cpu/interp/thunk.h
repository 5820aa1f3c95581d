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
#include "base/bytes.h"
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

/* An x87 instruction run on the registers it touches alone.  For use when all
 * exceptions are masked, the registers it reads are not empty and the one it
 * pushes to is. */
struct quick {
	bool st0, sti;		/* reads ST(0); reads or writes ST(i) */
	bool push;
	uint8_t pops;
	uint8_t i;
	uint16_t conditions;	/* C0-C3 that it sets or clears */
};

/* Pointers to ST(0) after a push, memory, ST(i); returns the status word, which
 * has no TOP and all flags that the host's FPU had before. */
typedef uint16_t (*quick_fn)(void *st0, void *memory, void *sti, void *unused,
			     struct cpu *c);

struct thunk {
	thunk_fn run;
	uint32_t key;
	uint32_t how;			/* the row's */
	/* Operand of each place: insn.op[op[p]], a register kept at
	 * struct cpu + base[p] + (number << shift[p]).  Without an operand, or
	 * with one that is not a vector or general register, op[p] is 0. */
	uint8_t op[THUNK_PLACES], shift[THUNK_PLACES];
	uint32_t base[THUNK_PLACES];
	int8_t memory;			/* insn.op[] of the memory operand, -1 */
	bool store;			/* ... which is only written */
	struct quick quick;
	quick_fn run_quick;		/* NULL: none */
};

/* Takes the memory for code from the host, so that it can't fail later, when
 * the process may have locked itself in.  More than once is harmless. */
int thunks_prepare(struct err *e);

/* The thunk of this instruction, made at first use.  Never NULL. */
const struct thunk *thunk_find(const struct insn *i);

/* The same, remembered in the instruction, which is the engine's and so never
 * really const. */
static inline const struct thunk *thunk_of(const struct insn *i)
{
	if (unlikely(!i->thunk))
		((struct insn *)(uintptr_t)i)->thunk = thunk_find(i);
	return i->thunk;
}

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
