/* tests/stress/code/main.c - runs every row again and again on some threads,
 * for so many seconds.
 *
 *   code SECONDS [THREADS [SEED [ROW]]]
 *
 * Prints how often each row ran and "code fine", or what was wrong and with
 * which seed.  Threads are as many as processors without a number.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cpuid.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "code.h"

enum { THREADS_MAX = 64 };

static const struct row *const rows[] = {
	&rewrite_row, &beside_row, &itself_row, &straddle_row, &protect_row,
	&alias_row, &moved_row, &forked_row, &flood_row, &chain_row,
	&handshake_row, &unasked_row, &program_row,
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static _Atomic unsigned long rounds[ROWS];
static uint64_t seed;
static const char *only;
static time_t end;

_Noreturn void wrong(const char *row, const char *what, uint64_t got,
		     uint64_t wanted)
{
	printf("code: %s: %s: %" PRIx64 ", not %" PRIx64 " (seed %" PRIu64
	       ")\n", row, what, got, wanted, seed);
	fflush(stdout);
	_exit(1);
}

uint8_t *pages_map(size_t size, int prot)
{
	void *p = mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		wrong("pages", "mmap", 0, size);
	return p;
}

void pages_unmap(void *p, size_t size)
{
	if (munmap(p, size))
		wrong("pages", "munmap", 0, size);
}

void pages_protect(void *p, size_t size, int prot)
{
	if (mprotect(p, size, prot))
		wrong("pages", "mprotect", 0, (uint64_t)prot);
}

void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
	/* Calls through a pointer are no reads of the code, for a compiler. */
	__asm__ volatile("" : : : "memory");
}

void put_return(uint8_t *p, uint32_t v)
{
	p[0] = 0xb8;
	p[5] = 0xc3;
	put32(p + 1, v);
}

void serialize(void)
{
	unsigned a, b, c, d;

	__cpuid(0, a, b, c, d);
	__asm__ volatile("" : : "r"(a), "r"(b), "r"(c), "r"(d) : "memory");
}

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* Each thread goes through the rows in its own order. */
static void *worker(void *arg)
{
	uint64_t random = seed + 1 + (uintptr_t)arg;

	while (now() < end) {
		unsigned n = next_random(&random) % ROWS;

		if (only && strcmp(only, rows[n]->name))
			continue;
		rows[n]->run(&random);
		rounds[n]++;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
	long threads = argc > 2 ? strtol(argv[2], NULL, 10)
				: sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t thread[THREADS_MAX];

	if (seconds <= 0 || threads <= 0 || threads > THREADS_MAX) {
		fprintf(stderr, "usage: code SECONDS [THREADS [SEED [ROW]]]\n");
		return 2;
	}
	seed = argc > 3 ? strtoull(argv[3], NULL, 10) : (uint64_t)time(NULL);
	only = argc > 4 ? argv[4] : NULL;
	end = now() + seconds;
	for (long n = 0; n < threads; n++)
		if (pthread_create(&thread[n], NULL, worker,
				   (void *)(uintptr_t)n))
			wrong("main", "pthread_create", 0, 0);
	for (long n = 0; n < threads; n++)
		pthread_join(thread[n], NULL);
	for (int n = 0; n < ROWS; n++)
		printf("%s %lu\n", rows[n]->name, rounds[n]);
	printf("code fine\n");
	return 0;
}
