/* tests/stress/code/many.c - much code: more than a cache of translations can
 * keep, and jumps from page to page of which one is bent.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/mman.h>

#include "code.h"

#define RWX (PROT_READ | PROT_WRITE | PROT_EXEC)

/* ---- flood: functions by the thousand, each called and forgotten ---- */

enum { FLOOD_PAGES = 64, FLOOD_STEP = 32 };

static void flood(uint64_t *random)
{
	size_t size = FLOOD_PAGES * PAGE;
	uint8_t *pages = pages_map(size, RWX);
	uint32_t v = (uint32_t)next_random(random), sum = 0, wanted = 0;

	for (size_t at = 0; at < size; at += FLOOD_STEP) {
		uint8_t *p = pages + at;

		*p++ = 0x8d;			/* lea eax, [rdi + v] */
		*p++ = 0x87;
		put32(p, v += 0x9e3779b9);
		p[4] = 0xc3;			/* ret */
	}
	for (size_t at = 0; at < size; at += FLOOD_STEP)
		sum += (uint32_t)as_fn(pages + at)(at);
	for (size_t at = size; at > 0; at -= FLOOD_STEP) {
		wanted += v + (uint32_t)(at - FLOOD_STEP);
		v -= 0x9e3779b9;
	}
	check("flood", "sum", sum, wanted);
	pages_unmap(pages, size);
}

const struct row flood_row = { "flood", flood };

/* ---- chain: a page adds its number and jumps to the next, or past it ---- */

enum {
	LINKS = 16,
	JUMP_AT = 3,		/* behind add edi, imm8 */
};

static void put_link(uint8_t *pages, unsigned from, unsigned to)
{
	uint8_t *jump = pages + from * PAGE + JUMP_AT;

	*jump = 0xe9;
	put32(jump + 1, (to - from) * PAGE - JUMP_AT - 5);
}

static void chain(uint64_t *random)
{
	uint8_t *pages = pages_map((LINKS + 1) * PAGE, RWX);
	unsigned skipped = LINKS;

	for (unsigned n = 0; n < LINKS; n++) {
		uint8_t *p = pages + n * PAGE;

		p[0] = 0x83;			/* add edi, n */
		p[1] = 0xc7;
		p[2] = (uint8_t)n;
		put_link(pages, n, n + 1);
	}
	pages[LINKS * PAGE] = 0x89;		/* mov eax, edi */
	pages[LINKS * PAGE + 1] = 0xf8;
	pages[LINKS * PAGE + 2] = 0xc3;		/* ret */
	for (int n = 0; n < 100; n++) {
		uint32_t v = (uint32_t)next_random(random);
		uint32_t all = v + LINKS * (LINKS - 1) / 2;

		check("chain", "sum", as_fn(pages)(v),
		      skipped == LINKS ? all : all - skipped);
		if (skipped < LINKS)
			put_link(pages, skipped - 1, skipped);
		skipped = 1 + v % LINKS;	/* LINKS: none */
		if (skipped < LINKS)
			put_link(pages, skipped - 1, skipped + 1);
	}
	pages_unmap(pages, (LINKS + 1) * PAGE);
}

const struct row chain_row = { "chain", chain };
