/* cpu/jit/check.h - both engines in lockstep: -accel jit,check=N.
 *
 * Every Nth time that C enters a block, the interpreter's functions run it
 * first, as a trial (x86/journal.h), then the translated code runs it for
 * real, and what they leave behind is compared.  A difference is printed and
 * stops the machine.
 *
 * In this mode every block comes back to C (`apart`), and instructions that
 * are not the same twice are blocks of their own, which are not checked.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_JIT_CHECK_H
#define CPU_JIT_CHECK_H
#include "base/err.h"
#include "cpu/jit/jit.h"
#include "cpu/x86/journal.h"

/* All of the vCPU that the instructions of a checked block can change. */
struct check_regs {
	uint64_t gpr[16];
	uint64_t rip, cr2, pending_dr6;
	uint64_t fs_base, gs_base, kernel_gs_base;
	uint32_t rflags;	/* less the arithmetic flags, as struct cpu's */
	uint32_t arith;		/* the arithmetic flags, as in RFLAGS */
	uint8_t mode, cpl, stack_size, tlb_index, step, shadow;
	bool halted, gdb_hit;
	uint16_t fcs, fds;
	struct x87 x87;
	union vreg v[16];
};

struct check_outcome {
	struct check_regs regs;	/* rip of a fault: its instruction's */
	bool faulted;
	struct fault fault;
	uint32_t junk;		/* flags that the manual leaves undefined ... */
	bool junk_read;		/* ... were read by the block itself */
};

/* A block's instructions, decoded once more. */
struct check_code {
	const struct jit_block *block;
	uint64_t flushes;	/* j->stats.flushes, when the block was made */
	bool repeats;		/* may run twice */
	unsigned count;
	struct insn insn[];	/* end: from the block's start */
};

#define CHECK_SLOTS 4096

struct check {
	unsigned every, left;		/* blocks to a check */
	uint32_t flags_checked;		/* at a block's end: all, or none */
	const struct jit_block *block;	/* about to run */
	struct journal journal;
	struct check_code *code[CHECK_SLOTS];
	struct check_regs start;
	struct check_outcome interpreted, translated;
	/* Flags that translated code has left wrong, taking them for dead;
	 * the next block to read one shows that they were not. */
	uint32_t open;
	uint64_t open_rip;		/* of the block that did */
	uint64_t next_rip;		/* where that holds */
	struct jit_exit *exit;		/* of the translated block */
	uint32_t lost;			/* open flags that were read ... */
	uint64_t lost_rip;		/* ... by the instruction here */
	/* For a second look at a difference. */
	struct journal first;
	uint8_t live[JOURNAL_BYTES];
	struct {
		uint64_t checked, unrepeatable, early, raced, undefined;
		uint64_t refused[REFUSALS];
	} count;
};

int check_attach(struct cpu *c, struct err *e);
void check_detach(struct cpu *c);

/* jit_enter(), of the code of c->jit->check->block, perhaps checked. */
struct jit_exit *check_enter(struct cpu *c, const uint8_t *code);

/* Is the instruction the same when it runs twice?  Else it is to be a block of
 * its own. */
bool check_repeats(const struct insn *i);

/* ---- check_state.c ---- */

void check_save(const struct cpu *c, struct check_regs *r);
void check_load(struct cpu *c, const struct check_regs *r);
/* The registers, and the fault that they were left by. */
void check_save_outcome(const struct cpu *c, bool faulted,
			struct check_outcome *o);
/* But for the arithmetic flags, which may differ. */
bool check_same(const struct check_outcome *a, const struct check_outcome *b);

/* ---- check_report.c ---- */

/* The engines differ in k->interpreted and k->translated. */
void check_report(const struct check *k, const struct check_code *x);
/* Flags were read that translated code had left out (k->lost). */
void check_report_lost(const struct check *k, const struct check_code *x);
void check_report_counts(const struct check *k);

#endif
