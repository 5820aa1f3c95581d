/* chaos.h - what the kinds of chaos have in common.
 *
 * A round is one machine and CASES cases, and depends on its seed alone.
 * Rounds run in child processes, which tell the parent through shared memory
 * how far they are.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHAOS_H
#define CHAOS_H
#include <stdbool.h>
#include <stdint.h>

#define CASES 32

enum ending { END_LIMIT, END_HALT, END_SHUTDOWN, END_POWER, ENDINGS };

/* Written by the child, read by the parent when it likes. */
struct progress {
	volatile uint64_t round, cases, insns;
	volatile uint64_t endings[ENDINGS];
	volatile unsigned at;		/* case of this round */
	char what[64];			/* this case in words */
};

extern struct progress *progress;
extern bool verbose;

struct cpu;

/* NULL, or what is wrong with a processor that stands still. */
const char *check_cpu(struct cpu *c);

/* Each runs one round; returns NULL, or what is wrong. */
const char *chaos_cpu(uint64_t seed);
const char *chaos_devices(uint64_t seed);
const char *chaos_smp(uint64_t seed);

#endif
