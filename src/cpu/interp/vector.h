/* cpu/interp/vector.h - what vector and x87 instructions share: when they may
 * run, and their memory operands.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_INTERP_VECTOR_H
#define CPU_INTERP_VECTOR_H
#include "cpu/interp/exec.h"
#include "cpu/interp/fpu.h"

#define XCR0_X87	(1u << 0)
#define XCR0_SSE	(1u << 1)
#define XCR0_AVX	(1u << 2)

#define MXCSR_FLAGS	0x003fu
#define MXCSR_DAZ	0x0040u
#define MXCSR_MASKS	0x1f80u		/* six masks, and its reset value */
/* Bits that exist: DAZ is always there, AMD's misaligned mode is not. */
#define MXCSR_MASK	0xffffu

/* The conditions of HOW_SSE, HOW_AVX and HOW_MMX (SDM 2A tables 2-18 to 2-27,
 * SDM 3A tables 13-1 and 25-1 to 25-3): raises #UD, #NM or #MF. */
void vector_check_slow(struct cpu *c, uint32_t how);

static inline void vector_check(struct cpu *c, uint32_t how)
{
	const uint32_t rare = CR0_EM | CR0_TS;
	bool ok = !(c->cr0 & rare);

	if (how & HOW_SSE)
		ok = ok && c->cr4 & CR4_OSFXSR;
	if (how & HOW_AVX)
		ok = ok && c->cr4 & CR4_OSXSAVE && c->xcr0 & XCR0_AVX &&
		     !cpu_paragraph_mode(c);
	if (how & HOW_MMX)
		ok = ok && !fpu_pending(c);
	if (unlikely(!ok))
		vector_check_slow(c, how);
}

/* What the segment adds to an offset. */
static inline uint64_t seg_base(const struct cpu *c, unsigned seg)
{
	return c->mode == CODE64 && seg < FS ? 0 : c->seg[seg].base;
}

/* #AC(0) of a user's access that is not at a multiple of `to`, when alignment
 * is checked (SDM 3A table 6-7); block accesses of mem.h do not ask. */
static inline void check_alignment(struct cpu *c, gva_t a, unsigned to)
{
	if (unlikely(a & (to - 1)) && c->tlb_index == TLB_ALIGN)
		fault_raise_code(c, VEC_AC, 0);
}

/* Linear address of the memory operand n.  A misaligned one is #GP(0) if
 * HOW_ALIGN asks, before the segment is looked at; else #AC at sizes above 8
 * too, which the SDM leaves to the processor. */
static inline gva_t vector_linear(struct cpu *c, const struct insn *i,
				  unsigned n, enum access access)
{
	unsigned size = i->op[n].size;
	uint64_t offset = insn_offset(c, i);
	gva_t a;

	if (insn_how(i) & HOW_ALIGN &&
	    unlikely((seg_base(c, i->seg) + offset) & (size - 1)))
		fault_gp0(c);
	a = seg_linear(c, (enum sreg)i->seg, offset, size, access);
	check_alignment(c, a, size < 16 ? size : 16);
	return a;
}

#endif
