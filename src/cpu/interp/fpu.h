/* cpu/interp/fpu.h - the x87 state: what its instructions, MMX and the state
 * saving instructions share.
 *
 * struct x87 holds st[] in stack order, so TOP must be known to find a
 * physical register: Rn is st[(n - TOP) & 7].
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_INTERP_FPU_H
#define CPU_INTERP_FPU_H
#include "cpu/x86/state.h"

/* Status word (SDM 1 8.1.3). */
#define FSW_IE		0x0001u
#define FSW_DE		0x0002u
#define FSW_OE		0x0008u
#define FSW_UE		0x0010u
#define FSW_FLAGS	0x003fu
#define FSW_SF		0x0040u
#define FSW_ES		0x0080u		/* an unmasked exception is pending */
#define FSW_C0		0x0100u
#define FSW_C1		0x0200u
#define FSW_C2		0x0400u
#define FSW_C3		0x4000u
#define FSW_TOP		0x3800u
#define FSW_BUSY	0x8000u		/* same as ES */

/* Control word: exception masks 5:0, bit 6 always 1, PC 9:8, RC 11:10, and
 * bit 12, which means nothing any more. */
#define FCW_BITS	0x1f3fu
#define FCW_ONE		0x0040u
#define FCW_INIT	0x037fu

static inline unsigned fpu_top(const struct cpu *c)
{
	return c->x87.fsw >> 11 & 7;
}

static inline bool fpu_pending(const struct cpu *c)
{
	return c->x87.fsw & FSW_ES;
}

/* Report a pending unmasked exception: #MF, or with CR0.NE clear the
 * interrupt of the PC, IRQ 13 (SDM 1 8.7), for which fpu_wait() and
 * fpu_ready() make the vCPU halt before the instruction: then they return
 * false, and the exec function must do nothing.  MMX instructions, which can't
 * be held up here, only ask for the interrupt. */
void fpu_check_pending(struct cpu *c);
bool fpu_wait(struct cpu *c, const struct insn *i);
/* The same after #NM by EM and TS, and not for HOW_NOWAIT. */
bool fpu_ready(struct cpu *c, const struct insn *i);

void fpu_init(struct cpu *c);				/* FNINIT */
void fpu_write_control(struct cpu *c, uint16_t fcw);	/* ES follows */
void fpu_write_status(struct cpu *c, uint16_t fsw);	/* likewise */

/* The 16-bit tag word of FNSTENV: valid, zero, special, empty. */
uint16_t fpu_tags(const struct cpu *c);
/* Takes a full tag word. */
void fpu_write_tags(struct cpu *c, uint16_t tags);

/* ---- MMX ---- */

/* MMX register n, in today's stack order. */
static inline uint64_t *mmx_slot(struct cpu *c, unsigned n)
{
	return (uint64_t *)c->x87.st[(n - fpu_top(c)) & 7];
}

/* The change that any MMX instruction but EMMS makes: TOP 0, all valid. */
void mmx_enter(struct cpu *c);

/* After mmx_enter(). */
static inline void mmx_write(struct cpu *c, unsigned n, uint64_t v)
{
	uint16_t ones = 0xffff;

	__builtin_memcpy(c->x87.st[n], &v, 8);
	__builtin_memcpy(c->x87.st[n] + 8, &ones, 2);
}

#endif
