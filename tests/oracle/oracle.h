/* oracle.h - one instruction, one state before, two states after.
 *
 * The host and the interpreter see the same linear addresses: the host has
 * the oracle's pages mapped there, the interpreter has page tables that say
 * the same.
 *
 *   CODE_AT  one page, not a guest of data accesses
 *   DATA_AT  16 pages; DATA_RIGHTS says which are writable, read-only, absent
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ORACLE_H
#define ORACLE_H
#include <stdbool.h>
#include <stdint.h>

#include "cpu/x86/insn.h"

#define CODE_AT		0x60000000u
#define CODE_IP		0x800u		/* where in the page the case is */
#define DATA_AT		0x10000000u
#define DATA_PAGES	16u
#define DATA_BYTES	(DATA_PAGES * 4096u)
#define DATA_RIGHTS	"wwwwww-wwrw-wwww"
#define GS_BASE		(DATA_AT + 0x1000u)

#define NO_TRAP		(-1)

struct state {
	uint64_t gpr[16];
	uint64_t rip;
	uint32_t flags;
	uint16_t fcw, fsw;
	uint8_t ftw;
	uint32_t mxcsr;
	uint8_t st[8][10];
	uint8_t ymm[16][32];
	/* outcome */
	int trap;		/* vector, or NO_TRAP */
	uint32_t code;
	uint64_t cr2;
};

/* Segment registers of a case; indices into segments[] (host.c). */
struct places {
	uint8_t cs, ss, ds, es;
};

/* A selector as both sides know it. */
struct oracle_segment {
	uint16_t selector;
	uint32_t base, limit, attr;	/* attr: SEG_ of state.h */
};

enum oracle_segment_name {
	FLAT_CODE64, FLAT_CODE32, FLAT_DATA, NULL_DATA,
	LDT_FIRST,
	LDT_CODE32 = LDT_FIRST, LDT_CODE16, LDT_STACK16, LDT_STACK32,
	LDT_SHORT, LDT_DOWN, LDT_READ_ONLY, LDT_HIGH,
	ORACLE_SEGMENTS
};

extern const struct oracle_segment oracle_segments[ORACLE_SEGMENTS];

struct test {
	uint64_t seed;
	enum code_mode mode;
	struct places places;
	uint8_t bytes[15 + 16];	/* the instruction, then what follows it */
	enum decode_result decoded;
	struct insn insn;
	struct state before, host, guest;
	uint32_t window;	/* offset in the data meant for the operand */
};

extern struct features oracle_features;

/* case.c: a case from a seed; rows[] are the candidates. */
void test_make(struct test *t, uint64_t seed, enum code_mode mode,
	       const uint16_t *rows, unsigned count);
/* Linear address of the memory operand, before. */
uint64_t test_linear(const struct test *t);

/* guest.c */
void guest_setup(void);
extern uint8_t *guest_data;		/* DATA_BYTES */
extern uint8_t *guest_code;		/* a page */
void guest_run(struct test *t);
extern volatile bool guest_running;

/* host.c */
void host_setup(void);
extern uint8_t *host_data;		/* at DATA_AT */
/* Calls next() for a case until it returns NULL, runs it, calls done(). */
void host_run(struct test *(*next)(void), void (*done)(struct test *t));

static inline bool data_page_mapped(unsigned page)
{
	return DATA_RIGHTS[page] != '-';
}

#endif
