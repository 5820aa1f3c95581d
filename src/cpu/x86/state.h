/* cpu/x86/state.h - everything a guest can see of one processor.
 *
 * One struct cpu per vCPU, touched only by its own thread while it runs; when
 * it is parked (cpu/vcpu.h) whoever parked it may read and write it.
 *
 * Flags.  The six arithmetic flags are kept as the host's LAHF and SETO give
 * them, two bytes, so that an engine stores them after an operation with two
 * moves; flags_get() and flags_set() make and take RFLAGS.
 *
 * RIP.  While an instruction executes, rip is already the next instruction's
 * address and `insn` the one executing; a fault puts rip back by insn->len
 * (fault.h).  RIP is kept truncated to the code size (16, 32 or 64 bits).
 *
 * Segment bases are kept for all segments in all modes; in 64-bit code only
 * FS and GS bases count (SDM 3A 3.4.4), which seg.h takes care of.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_STATE_H
#define CPU_X86_STATE_H
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus/vcpu_port.h"
#include "cpu/x86/cpuid.h"
#include "cpu/x86/stlb.h"

struct accel_options;
struct bus;
struct engine;
struct insn;
struct intc_ops;
struct journal;

enum gpr { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI,
	   R8, R9, R10, R11, R12, R13, R14, R15 };
enum sreg { ES, CS, SS, DS, FS, GS, SREG_COUNT };

/* RFLAGS (SDM 1 3.4.3). */
#define FLAG_CF		(1u << 0)
#define FLAG_ONE	(1u << 1)	/* always 1 */
#define FLAG_PF		(1u << 2)
#define FLAG_AF		(1u << 4)
#define FLAG_ZF		(1u << 6)
#define FLAG_SF		(1u << 7)
#define FLAG_TF		(1u << 8)
#define FLAG_IF		(1u << 9)
#define FLAG_DF		(1u << 10)
#define FLAG_OF		(1u << 11)
#define FLAG_IOPL	(3u << 12)
#define FLAG_NT		(1u << 14)
#define FLAG_RF		(1u << 16)
#define FLAG_VM		(1u << 17)
#define FLAG_AC		(1u << 18)
#define FLAG_VIF	(1u << 19)
#define FLAG_VIP	(1u << 20)
#define FLAG_ID		(1u << 21)
#define FLAGS_ARITH	(FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | \
			 FLAG_OF)
#define FLAGS_LAHF	(FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF)

#define CR0_PE		(1u << 0)
#define CR0_MP		(1u << 1)
#define CR0_EM		(1u << 2)
#define CR0_TS		(1u << 3)
#define CR0_ET		(1u << 4)
#define CR0_NE		(1u << 5)
#define CR0_WP		(1u << 16)
#define CR0_AM		(1u << 18)
#define CR0_NW		(1u << 29)
#define CR0_CD		(1u << 30)
#define CR0_PG		(1u << 31)

#define CR4_VME		(1u << 0)
#define CR4_PVI		(1u << 1)
#define CR4_TSD		(1u << 2)
#define CR4_DE		(1u << 3)
#define CR4_PSE		(1u << 4)
#define CR4_PAE		(1u << 5)
#define CR4_MCE		(1u << 6)
#define CR4_PGE		(1u << 7)
#define CR4_PCE		(1u << 8)
#define CR4_OSFXSR	(1u << 9)
#define CR4_OSXMMEXCPT	(1u << 10)
#define CR4_UMIP	(1u << 11)
#define CR4_LA57	(1u << 12)
#define CR4_FSGSBASE	(1u << 16)
#define CR4_PCIDE	(1u << 17)
#define CR4_OSXSAVE	(1u << 18)
#define CR4_SMEP	(1u << 20)
#define CR4_SMAP	(1u << 21)

#define EFER_SCE	(1u << 0)
#define EFER_LME	(1u << 8)
#define EFER_LMA	(1u << 10)
#define EFER_NXE	(1u << 11)

/* Segment attributes, laid out as in a descriptor's high word bits 8-23
 * shifted down (and as VMX access rights, SDM 3C 24.4.1):
 *   3:0 type, 4 S, 6:5 DPL, 7 P, 12 AVL, 13 L, 14 D/B, 15 G, 16 unusable
 */
#define SEG_TYPE	0x000fu
#define SEG_ACCESSED	0x0001u
#define SEG_WRITABLE	0x0002u	/* data; for code: readable */
#define SEG_EXPAND_DOWN	0x0004u	/* data; for code: conforming */
#define SEG_CODE	0x0008u
#define SEG_S		0x0010u
#define SEG_DPL_SHIFT	5
#define SEG_P		0x0080u
#define SEG_AVL		0x1000u
#define SEG_L		0x2000u
#define SEG_DB		0x4000u
#define SEG_G		0x8000u
#define SEG_UNUSABLE	0x10000u	/* a null selector was loaded */

struct segment {
	uint16_t selector;
	uint32_t attr;
	uint32_t limit;		/* in bytes, granularity applied */
	uint64_t base;
};

/* How many bytes from offset 0 on a segment lets be read and written with
 * nothing else to ask; 0 where every access must be judged.  Means nothing in
 * 64-bit code. */
struct reach {
	uint64_t read, write;
};

struct table_register {		/* GDTR, IDTR */
	uint64_t base;
	uint16_t limit;
};

/* x87 and MXCSR as the first 160 bytes of an FXSAVE image (SDM 1 10.5.1);
 * st[] is in stack order, ST(0) first, as FXSAVE has it. */
struct x87 {
	uint16_t fcw, fsw;
	uint8_t ftw;		/* abridged: bit n is 1 = physical Rn in use */
	uint8_t pad;
	uint16_t fop;
	uint64_t fip, fdp;	/* offsets; selectors: struct cpu, fcs, fds */
	uint32_t mxcsr, mxcsr_mask;
	uint8_t st[8][16];
} __attribute__((aligned(16)));

union vreg {			/* YMM; XMM is its low half */
	uint8_t b[32];
	uint16_t w[16];
	uint32_t d[8];
	uint64_t q[4];
} __attribute__((aligned(32)));

enum code_mode { CODE16, CODE32, CODE64 };

/* What a fault carries from where it is found to the main loop. */
struct fault {
	uint8_t vector;
	bool has_code;
	uint32_t code;
};

/* Reasons for the main loop to step one instruction at a time. */
enum step_reason {
	STEP_TF = 1 << 0,	/* RFLAGS.TF */
	STEP_BREAK = 1 << 2,	/* DR7 or gdb has instruction breakpoints */
	STEP_GDB = 1 << 3,	/* gdb single step */
};

/* A pair stores to two pages at most, and its page walks mark at most four
 * entries on the way to each, and the last of them again as dirty. */
#define RMW_WRITTEN_MAX	12

/* Why interrupts are held off for one instruction (SDM 3A 6.8.3). */
enum shadow { SHADOW_NONE, SHADOW_STI, SHADOW_MOV_SS };

struct cpu {
	/* ---- hot: touched by nearly every instruction ---- */
	uint64_t gpr[16];
	uint64_t rip;
	/* As SETO AL and LAHF give AX, which goes here in one store. */
	_Alignas(2) uint8_t of;	/* 0 or 1 */
	uint8_t arith;		/* SF ZF 0 AF 0 PF 1 CF */
	uint8_t mode;		/* enum code_mode of CS */
	uint8_t cpl;
	uint8_t stack_size;	/* bytes of the stack pointer: 2, 4 or 8 */
	uint8_t tlb_index;	/* which tlb[] data accesses use (tlb.h) */
	uint8_t step;		/* enum step_reason bits */
	uint8_t shadow;		/* enum shadow: set by the last instruction */
	uint32_t rflags;	/* all but the arithmetic flags */
	/* Set by anything that makes the rest of the current decoded block
	 * wrong to run: code changed under us, TLB flush, mode change. */
	uint8_t stop_block;
	const struct insn *insn;	/* executing now */
	/* Moves whenever decoded code has been dropped: guards the links
	 * between blocks. */
	uint32_t code_epoch;
	/* The address space as it is now: what was fetched through a linear
	 * address under this number is still there when the number is.  A
	 * flush gives a new one, a return to a PCID that was not flushed gives
	 * its old one.  Starts again, with a new code_epoch, after 2^32. */
	uint32_t map_epoch;
	const _Atomic uint32_t *bus_generation;	/* bus_generation_word() */
	struct vcpu_port port;		/* events from outside */

	struct segment seg[SREG_COUNT];
	struct reach reach[SREG_COUNT];	/* derived from seg */
	struct tlb tlb;

	/* ---- system ---- */
	struct segment ldtr, tr;
	struct table_register gdtr, idtr;
	uint64_t cr0, cr2, cr3, cr4, xcr0;
	uint64_t pdpte[4];	/* PAE paging: loaded with CR3 */
	uint64_t dr[4], dr6, dr7;
	uint64_t pending_dr6;	/* traps to report after this instruction */
	/* Single-step trap after this instruction: TF when it began.  Entering
	 * a handler drops it (so INT n is stepped over, as the processor
	 * does); SYSCALL and SYSRET go by the TF they leave. */
	bool tf_trap;
	uint64_t efer;
	uint64_t star, lstar, cstar, fmask, kernel_gs_base, tsc_aux;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t pat, mtrr_def_type, misc_enable, xss;
	uint64_t mtrr_var[16], mtrr_fix[11];
	uint64_t mcg_status, mcg_ctl, mc_bank[4 * 10];
	int64_t tsc_offset;	/* guest TSC = clock_tsc() + this */
	uint64_t tsc_adjust;
	bool halted;		/* HLT, or waiting for SIPI */
	bool wait_sipi;
	bool nmi_blocked;	/* until IRET */
	bool smm;
	/* Code that an instruction stores to by a host atomic (mem.c). */
	struct { uint64_t gpa; unsigned len; } rmw_code;
	/* Between mem_rmw_begin() and _end(), and the code the pair stored
	 * to, which is told after the lock is given back (mem.c). */
	bool rmw_held;
	unsigned rmw_written_count;
	struct { uint64_t gpa; unsigned len; } rmw_written[RMW_WRITTEN_MAX];

	/* ---- floating point and vectors ---- */
	struct x87 x87;
	union vreg v[16];
	uint16_t fcs, fds;	/* of the last x87 instruction and operand */

	/* ---- faults ---- */
	sigjmp_buf on_fault;	/* the main loop's landing place */
	struct fault fault;
	/* Vector being delivered, or -1: a fault meanwhile may be double. */
	int delivering;
	uint8_t fault_chain;	/* how many of them in a row */
	bool delivering_ext;	/* faults met now have EXT set (event.c) */

	/* ---- fixed at creation ---- */
	struct bus *bus;
	const struct intc_ops *intc_ops;
	void *intc;
	const struct cpu_model *model;
	struct features features;	/* what CPUID offers, after +f,-f */
	struct cpu_identity id;
	unsigned index;
	struct cpu_topology topology;

	/* ---- engine's own ---- */
	const struct engine *engine;	/* cpu/engine.h */
	const struct accel_options *accel;	/* borrowed, as long as c is */
	struct jit *jit;		/* the translator's */
	struct journal *journal;	/* of trial runs; x86/journal.h */
	struct block_cache *blocks;	/* interp/block.h */
	const struct block *last_block;	/* the one run before, or NULL */
	struct vcpu *vcpu;		/* thread and parking; vcpu.c */
	struct debug_points *debug;	/* gdb's breakpoints; x86/debug.h */
	bool gdb_hit;			/* a gdb watchpoint was hit, at: */
	gva_t gdb_hit_at;
	bool gdb_resumed;		/* go past the breakpoint at rip */
	/* A measure of progress: instructions executed one by one, and turns in
	 * translated code. */
	uint64_t insn_count;
	struct stlb stlb;
};

static inline uint32_t flags_get(const struct cpu *c)
{
	return c->rflags | FLAG_ONE | (c->arith & FLAGS_LAHF) |
	       (uint32_t)c->of << 11;
}

/* Replace the flags in mask; keeps c->step's STEP_TF in agreement. */
static inline void flags_set(struct cpu *c, uint32_t value, uint32_t mask)
{
	uint32_t f = (flags_get(c) & ~mask) | (value & mask);

	c->arith = (f & FLAGS_LAHF) | FLAG_ONE;
	c->of = f >> 11 & 1;
	c->rflags = f & ~(FLAGS_ARITH | FLAG_ONE);
	c->step &= ~STEP_TF;
	if (f & FLAG_TF) {
		c->step |= STEP_TF;
		c->stop_block = 1;
	}
}

static inline bool cpu_long_mode(const struct cpu *c)
{
	return c->efer & EFER_LMA;
}

static inline bool cpu_real_mode(const struct cpu *c)
{
	return !(c->cr0 & CR0_PE);
}

static inline bool cpu_v86(const struct cpu *c)
{
	return c->rflags & FLAG_VM;
}

/* Real or virtual-8086 mode: segments are paragraphs. */
static inline bool cpu_paragraph_mode(const struct cpu *c)
{
	return cpu_real_mode(c) || cpu_v86(c);
}

static inline unsigned cpu_iopl(const struct cpu *c)
{
	return c->rflags >> 12 & 3;
}

/* The RESET state (SDM 3A table 9-1); init: what INIT leaves unchanged is
 * left unchanged. */
void cpu_reset(struct cpu *c, bool init);

/* Recompute mode, stack_size, tlb_index, reach and step from the registers they
 * are derived from.  Call after changing segments, CPL, CR0, CR4, EFER,
 * RFLAGS.VM, .AC or DR7 by other ways than flags_set() and the functions of
 * seg.h. */
void cpu_derive(struct cpu *c);

#endif
