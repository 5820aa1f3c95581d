/* tests/bench/work/chase.c - a pointer that leads to the next, in random order.
 *
 * Cache lines linked into one cycle (Sattolo's shuffle): 16 KiB sits in the
 * first-level cache, 512 KiB in the second, and 16 MiB in neither, nor in a
 * TLB of 4 KiB pages.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/mman.h>

#include "row.h"

enum { LINES_L1 = 256, LINES_L2 = 8192, LINES_16M = 262144 };

static struct line {
	struct line *next;
	uint64_t number, pad[6];
} *lines;

static void link_lines(uint32_t n)
{
	uint64_t seed = 2024;

	lines = mmap(NULL, n * sizeof(*lines), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (lines == MAP_FAILED)
		die("mmap");
	for (uint32_t i = 0; i < n; i++) {
		lines[i].next = &lines[i];
		lines[i].number = i;
	}
	for (uint32_t i = n - 1; i > 0; i--) {
		struct line *other = &lines[(next_random(&seed) >> 32) % i];
		struct line *t = lines[i].next;

		lines[i].next = other->next;
		other->next = t;
	}
}

static void prepare_l1(void)
{
	link_lines(LINES_L1);
}

static void prepare_l2(void)
{
	link_lines(LINES_L2);
}

static void prepare_16m(void)
{
	link_lines(LINES_16M);
}

static uint64_t run(uint64_t rounds)
{
	const struct line *l = lines;
	uint64_t sum = 16;

	while (rounds--) {
		sum += l->number;
		l = l->next;
	}
	return sum;
}

const struct row chase_l1_row = {
	.name = "chase-l1", .groups = "compute", .rounds = 400000000,
	.prepare = prepare_l1, .run = run,
};

const struct row chase_l2_row = {
	.name = "chase-l2", .groups = "compute", .rounds = 80000000,
	.prepare = prepare_l2, .run = run,
};

const struct row chase_16m_row = {
	.name = "chase-16m", .groups = "compute", .rounds = 3000000,
	.prepare = prepare_16m, .run = run,
};
