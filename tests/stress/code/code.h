/* tests/stress/code/code.h - what the rows of the code stressor share: pages
 * for code, a few instructions, and how to say that something is wrong.
 *
 * A row writes code, runs it and compares what it answers; one call is a few
 * milliseconds of that.  Several threads run rows at once, in one process.
 *
 * Each row keeps to what the manuals promise about code that is written while
 * it may run (SDM 3A 8.1.3 and 11.6, APM 2 7.6.1), so a real processor passes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CODE_H
#define CODE_H
#include <stddef.h>
#include <stdint.h>

#define PAGE 4096u

struct row {
	const char *name;
	void (*run)(uint64_t *random);
};

/* pages.c */
extern const struct row rewrite_row, beside_row, itself_row, straddle_row;
extern const struct row protect_row, alias_row, moved_row, forked_row;
/* many.c */
extern const struct row flood_row, chain_row;
/* threads.c */
extern const struct row handshake_row, unasked_row;
/* program.c */
extern const struct row program_row;

typedef uint64_t code_fn(uint64_t a);

/* What p points at, as a function. */
static inline code_fn *as_fn(const uint8_t *p)
{
	return (code_fn *)(uintptr_t)p;
}

/* Says what and where, and ends the process with status 1. */
_Noreturn void wrong(const char *row, const char *what, uint64_t got,
		     uint64_t wanted);

static inline void check(const char *row, const char *what, uint64_t got,
			 uint64_t wanted)
{
	if (got != wanted)
		wrong(row, what, got, wanted);
}

/* Zeroed pages, or the end. */
uint8_t *pages_map(size_t size, int prot);
void pages_unmap(void *p, size_t size);
void pages_protect(void *p, size_t size, int prot);

/* mov eax, v; ret: six bytes. */
#define RETURN_BYTES 6
void put_return(uint8_t *p, uint32_t v);
void put32(uint8_t *p, uint32_t v);

/* CPUID: from here on the processor runs what memory has. */
void serialize(void);

/* xorshift64*, from a state that is never 0. */
static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1d;
}

#endif
