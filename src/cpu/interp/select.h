/* cpu/interp/select.h - what the selected functions share: the forms that
 * operands come in, and the host memory of one that is in memory.
 *
 * The form, the size and whether it is written are constants wherever these
 * are called, so of each function only the part for one form remains.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_INTERP_SELECT_H
#define CPU_INTERP_SELECT_H
#include "cpu/interp/rmw.h"

/* Destination and source: R a register, I an immediate (or none), and memory:
 * B, in 64-bit code at a base register and displacement without a segment
 * base; M, any other in 64-bit code; S, through a segment, in other code. */
enum form { RR, RI, RB, RM, RS, BR, MR, SR, BI, MI, SI, FORMS };

#define SIZES 4		/* 1, 2, 4, 8 bytes, by their logarithm */

#define WITH_BASE	(1u << RB | 1u << BR | 1u << BI)
#define WITH_SEGMENT	(1u << RS | 1u << SR | 1u << SI)
#define WITH_IMM	(1u << RI | 1u << BI | 1u << MI | 1u << SI)
#define FROM_MEM	(1u << RB | 1u << RM | 1u << RS)
#define TO_MEM		(1u << BR | 1u << MR | 1u << SR | 1u << BI |           \
			 1u << MI | 1u << SI)

ALWAYS_INLINE bool form_in(enum form form, unsigned set)
{
	return set >> form & 1;
}

/* Base, index and displacement, uncut. */
ALWAYS_INLINE uint64_t address_sum(const struct cpu *c, const struct insn *i)
{
	uint64_t a = (uint64_t)i->disp;

	if (i->base != REG_NONE)
		a += c->gpr[i->base];
	if (i->index != REG_NONE)
		a += c->gpr[i->index] << i->scale;
	return a;
}

/* Linear address of the memory operand in 64-bit code, unchecked: only
 * canonical ones are ever in the TLB. */
ALWAYS_INLINE gva_t flat(const struct cpu *c, const struct insn *i,
			 enum form form)
{
	gva_t a;

	if (form_in(form, WITH_BASE))
		return (uint64_t)i->disp + c->gpr[i->base];
	a = address_sum(c, i);
	if (i->prefix & PREFIX_RIP)
		a += c->rip;
	return i->seg >= FS ? a + c->seg[i->seg].base : a;
}

/* Host memory of `size` bytes at an offset that is already cut, or NULL if the
 * segment has to be judged or the TLB does not have it. */
ALWAYS_INLINE void *segment_hit(struct cpu *c, unsigned s, uint64_t offset,
				unsigned size, bool write)
{
	const struct reach *r = &c->reach[s];
	gva_t at = (uint32_t)(offset + c->seg[s].base);

	if (unlikely(offset + size > (write ? r->write : r->read)))
		return NULL;
	return write ? mem_hit_write(c, at, size, c->tlb_index)
		     : mem_hit_read(c, at, size, c->tlb_index);
}

/* Host memory of the memory operand, or NULL: the general function is to run,
 * nothing having changed. */
ALWAYS_INLINE void *operand_hit(struct cpu *c, const struct insn *i,
				enum form form, unsigned size, bool write)
{
	gva_t at;

	if (form_in(form, WITH_SEGMENT)) {
		uint64_t a = address_sum(c, i);

		return segment_hit(c, i->seg, i->addrsize == 4 ? (uint32_t)a
							       : (uint16_t)a,
				   size, write);
	}
	at = flat(c, i, form);
	return write ? mem_hit_write(c, at, size, c->tlb_index)
		     : mem_hit_read(c, at, size, c->tlb_index);
}

static inline void run_general(struct cpu *c, const struct insn *i)
{
	exec_rows[i->row](c, i);
}

/* For what has a function for each of the 16 conditions. */
#define EACH_CONDITION(X)                                                     \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)                               \
	X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

/* ---- by kind of instruction: the function, or NULL ---- */

/* Two operands of one size, or one: moves, arithmetic, shifts. */
exec_fn select_operands(const struct insn *i, exec_fn general, enum form form);
/* Extension, addresses, conditional moves, multiplication. */
exec_fn select_move(const struct insn *i, exec_fn general, enum form form);
/* The stack, jumps, calls and returns. */
exec_fn select_flow(const struct insn *i, exec_fn general, enum form form,
		    enum code_mode mode);

#endif
