/* oracle.h - one instruction or a block of them, one state before, two states
 * after.
 *
 * The host and Husk's engine see the same linear addresses: the host has
 * the oracle's pages mapped there, the engine has page tables that say the
 * same.
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

#include "cpu/accel.h"
#include "cpu/x86/insn.h"

#define CODE_AT		0x60000000u
#define CODE_IP		0x800u		/* where in the page the case is */
#define DATA_AT		0x10000000u
#define DATA_PAGES	16u
#define DATA_BYTES	(DATA_PAGES * 4096u)
#define DATA_RIGHTS	"wwwwww-wwrw-wwww"
#define GS_BASE		(DATA_AT + 0x1000u)

#define NO_TRAP		(-1)

#define BLOCK_MAX_INSNS	32
#define BLOCK_BYTES	(BLOCK_MAX_INSNS * 15)
#define HLT		0xf4	/* fills the page behind a block and ends it */
#define BLURS_MAX	4	/* few enough that most of the data is not near one */

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

/* An instruction of a block. */
struct block_insn {
	uint16_t at;		/* in bytes[] */
	bool reached;		/* the run should come here */
	struct insn insn;
};

struct test {
	uint64_t seed;
	enum code_mode mode;
	struct places places;
	uint8_t bytes[BLOCK_BYTES + 32];	/* the code, and what follows */
	struct state before, host, guest;
	/* The instruction; of a block, the one it got to. */
	enum decode_result decoded;
	struct insn insn;
	uint32_t window;	/* offset in the data meant for the operand */

	/* A block: it runs as a whole and ends with a HLT, which user code may
	 * not, or a fault before. */
	unsigned count;		/* of block[]; 0: one instruction, stepped */
	struct block_insn block[BLOCK_MAX_INSNS];
	uint32_t junk;		/* flags that it leaves undefined */
	/* Pieces of memory with pointers that need not agree. */
	unsigned blurs;
	struct { uint32_t at, len; } blur[BLURS_MAX];
};

extern struct features oracle_features;

/* case.c: a case from a seed; rows[] are the candidates. */
void test_make(struct test *t, uint64_t seed, enum code_mode mode,
	       const uint16_t *rows, unsigned count);
/* Linear address of the memory operand, before. */
uint64_t test_linear(const struct test *t);
/* Its parts, for block.c: segments and registers; a linear address of data;
 * interesting bytes, n a multiple of 8; a register's value with its low
 * `size` bytes replaced. */
void case_state(struct test *t, uint64_t *r);
void case_clip_registers(struct test *t);
uint32_t case_address(uint64_t *r);
void case_bytes(uint64_t *r, uint8_t *p, unsigned n);
uint32_t case_segment_base(const struct test *t, unsigned seg);
uint64_t case_join(uint64_t old, uint64_t v, unsigned size);

/* excuse.c: need a case, of one instruction or a block, not agree? */
bool excuse_single(const struct test *t);
bool excuse_block(const struct test *t);

/* block.c: a case of up to `most` instructions. */
void block_make(struct test *t, uint64_t seed, enum code_mode mode,
		unsigned most, const uint16_t *rows, unsigned count);
/* Only the first n instructions from now on. */
void block_cut(struct test *t, unsigned n);
/* A HLT where the code is meant to end is no fault. */
void block_settle(const struct test *t, struct state *s);

/* guest.c */
void guest_setup(const struct accel_options *accel);
extern uint8_t *guest_data;		/* DATA_BYTES */
void guest_run(struct test *t);
extern volatile bool guest_running;
/* One instruction after the other, by the interpreter's functions: from
 * t->before and the memory of the host; returns its trap. */
const struct cpu *guest_begin(const struct test *t);
int guest_step(struct insn *i, uint64_t rip);

/* host.c */
void host_setup(void);
extern uint8_t *host_data;		/* at DATA_AT */
void host_run(struct test *t);
/* The seed under way: if it does not move on, the program ends. */
extern volatile uint64_t host_watch;

static inline bool data_page_mapped(unsigned page)
{
	return DATA_RIGHTS[page] != '-';
}

#endif
