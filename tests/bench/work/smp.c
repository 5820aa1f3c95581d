/* tests/bench/work/smp.c - two threads, each on a processor of its own.
 *
 * atomic: both add to one counter and to others under a spin lock.  pingpong:
 * each waits for the other's store, with PAUSE.
 *
 * SPDX-License-Identifier: MIT
 */
#include <emmintrin.h>
#include <pthread.h>
#include <stdatomic.h>

#include "row.h"

static _Atomic uint64_t counter;
static atomic_flag lock = ATOMIC_FLAG_INIT;
static uint64_t locked;
static _Atomic uint64_t turn __attribute__((aligned(64)));
static uint64_t todo;

/* A thread of its own for each, with 0 and 1. */
static void run_two(void *(*work)(void *))
{
	static const uintptr_t number[2] = { 0, 1 };
	pthread_t thread[2];

	for (int i = 0; i < 2; i++)
		if (pthread_create(&thread[i], NULL, work, (void *)number[i]))
			die("pthread_create");
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
}

static void *add(void *number)
{
	stay_on_cpu((uintptr_t)number);
	for (uint64_t i = 0; i < todo; i++) {
		atomic_fetch_add(&counter, i);
		if (i % 8)
			continue;
		while (atomic_flag_test_and_set_explicit(&lock,
							 memory_order_acquire))
			_mm_pause();
		locked += i;
		atomic_flag_clear_explicit(&lock, memory_order_release);
	}
	return NULL;
}

static uint64_t run_atomic(uint64_t rounds)
{
	todo = rounds;
	run_two(add);
	return mix(mix(24, counter), locked);
}

static void *play(void *number)
{
	uint64_t mine = (uintptr_t)number;

	stay_on_cpu(mine);
	for (; mine < todo; mine += 2) {
		while (atomic_load(&turn) != mine)
			_mm_pause();
		atomic_store(&turn, mine + 1);
	}
	return NULL;
}

static uint64_t run_pingpong(uint64_t rounds)
{
	todo = 2 * rounds;
	run_two(play);
	return mix(25, turn);
}

const struct row atomic_row = {
	.name = "smp-atomic", .groups = "smp", .rounds = 16000000,
	.run = run_atomic, .cpus = 2,
};

const struct row pingpong_row = {
	.name = "smp-pingpong", .groups = "smp", .rounds = 400000,
	.run = run_pingpong, .cpus = 2,
};
