/* cpu/x86/journal.h - trial runs: instructions whose stores are undone.
 *
 *   journal_begin(c);	// every store is written down from now on
 *   ... exec functions run ...
 *   journal_end(c);	// memory is as it was
 *
 * While a vCPU has a journal (c->journal) at most JOURNAL_TAGS write tags are
 * in its TLB, all listed here; a trial begins by taking them away, so every
 * store comes by mem.c's slow paths, and ends by putting them back, with those
 * of the pages it stored to.  Accessed and dirty bits are set for good: the
 * access is to be made once more.
 *
 * What cannot be undone refuses the trial: it jumps to c->on_fault with
 * `refused` set, before anything has happened, and the caller ends the trial
 * there.
 *
 * Owner: the vCPU's thread.  Nothing of it is used without a journal.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_JOURNAL_H
#define CPU_X86_JOURNAL_H
#include "base/bytes.h"
#include "cpu/x86/state.h"

#define JOURNAL_STORES	1024
#define JOURNAL_BYTES	16384
#define JOURNAL_TAGS	32

enum refusal {
	REFUSED_NOT,
	REFUSED_WINDOW,		/* MMIO */
	REFUSED_CODE,		/* a store to code that an engine knows */
	REFUSED_TABLES,		/* a page walk through what the trial stored */
	REFUSED_FULL,		/* more stores than fit */
	REFUSALS
};

struct journal_store {
	uint8_t *hva;
	uint64_t gpa;
	uint32_t at, len;	/* in before[] and after[] */
};

struct journal {
	bool on;		/* a trial is running */
	bool retagging;
	enum refusal refused;
	unsigned stores, bytes, tags;
	unsigned oldest;	/* tag[] to give up next */
	struct journal_store store[JOURNAL_STORES];
	uint8_t before[JOURNAL_BYTES];
	uint8_t after[JOURNAL_BYTES];	/* at the trial's end */
	struct { gva_t page; unsigned table; } tag[JOURNAL_TAGS];
};

void journal_begin(struct cpu *c);
void journal_end(struct cpu *c);

/* Do the stores' places hold now what the trial had left there? */
bool journal_matches(const struct journal *j);

/* ---- for tlb.c ---- */

/* A page wants a write tag in this table; false: not now. */
bool journal_tag(struct cpu *c, gva_t page, unsigned table);

/* ---- for those who store ---- */

void journal_note(struct cpu *c, uint64_t gpa, uint8_t *hva, unsigned len);
_Noreturn void journal_refuse(struct cpu *c, enum refusal why);
bool journal_covers(const struct journal *j, const uint8_t *hva, unsigned len);

static inline bool on_trial(const struct cpu *c)
{
	return unlikely(c->journal != NULL) && c->journal->on;
}

/* About to store to RAM. */
static inline void trial_store(struct cpu *c, uint64_t gpa, uint8_t *hva,
			       unsigned len)
{
	if (on_trial(c))
		journal_note(c, gpa, hva, len);
}

/* About to do what cannot be undone. */
static inline void trial_refuse(struct cpu *c, enum refusal why)
{
	if (on_trial(c))
		journal_refuse(c, why);
}
#endif
