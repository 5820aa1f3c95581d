/* tests/bench/work/row.h - what every workload of ./bench cpu gives and uses.
 *
 * A workload is a file with one or more struct row.  Its work is a number of
 * rounds and nothing else: no clock, no random source, no file of the machine,
 * so that the checksum is the same wherever it runs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ROW_H
#define ROW_H

#include <stddef.h>
#include <stdint.h>

struct row {
	const char *name;
	const char *groups;	/* words: compute, float, calls, system, smp */
	uint64_t rounds;	/* at scale 100: 0.3 to 1 s on the host */
	void (*prepare)(void);	/* not timed; NULL: nothing to prepare */
	uint64_t (*run)(uint64_t rounds);	/* returns the checksum */
	const char *needs;	/* a processor feature, or NULL */
	unsigned cpus;		/* threads at work; 0 means 1 */
};

extern const struct row branchy_row, sort_row, sieve_row, hash_row;
extern const struct row calls_row, virtual_row, bytecode_row;
extern const struct row nbody_row, mandelbrot_row, matrix_row;
extern const struct row avx2_integer_row, avx2_float_row, aes_row;
extern const struct row copy_small_row, copy_large_row, rep_movsb_row;
extern const struct row chase_l1_row, chase_l2_row, chase_16m_row;
extern const struct row gzip_row, xz_row;
extern const struct row getppid_row, pipe_row, spawn_row, fault_row, signal_row;
extern const struct row atomic_row, pingpong_row;

/* FNV-1a, a word at a time. */
static inline uint64_t mix(uint64_t h, uint64_t v)
{
	return (h ^ v) * 0x100000001b3;
}

uint64_t mix_bytes(uint64_t h, const void *data, uint64_t len);

/* xorshift64*, from a state that is never 0. */
static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1d;
}

/* A failure of the machine or of the workload: says what, exits 1. */
_Noreturn void die(const char *what);

/* Keeps a thread on the n-th of the processors this process may use. */
void stay_on_cpu(unsigned n);

#endif
