/* tests/bench/work/main.c - runs one workload and prints what it took.
 *
 *   work list              name, processors and groups of each row
 *   work ROW [SCALE]       "start ROW", then "row ROW CHECKSUM NANOSECONDS", or
 *                          "row ROW unsupported"; SCALE is in percent
 *   work nothing           exits 0: what the spawn row executes
 *
 * Serial consoles are drained after the first line, so a reader's own clock,
 * taken as lines arrive, tells how far the one in here can be trusted.
 * A row of one processor stays on one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>

#include "row.h"

static const struct row *const rows[] = {
	&branchy_row, &sort_row, &sieve_row, &hash_row, &calls_row,
	&virtual_row, &bytecode_row, &nbody_row, &mandelbrot_row, &matrix_row,
	&avx2_integer_row, &avx2_float_row, &aes_row, &copy_small_row,
	&copy_large_row, &rep_movsb_row, &chase_l1_row, &chase_l2_row,
	&chase_16m_row, &gzip_row, &xz_row, &getppid_row, &pipe_row,
	&spawn_row, &fault_row, &signal_row, &atomic_row, &pingpong_row,
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static cpu_set_t allowed;	/* before we narrowed it */

_Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

uint64_t mix_bytes(uint64_t h, const void *data, uint64_t len)
{
	const uint8_t *p = data;
	uint64_t v;

	for (; len >= sizeof(v); len -= sizeof(v), p += sizeof(v)) {
		memcpy(&v, p, sizeof(v));
		h = mix(h, v);
	}
	while (len--)
		h = mix(h, *p++);
	return h;
}

void stay_on_cpu(unsigned n)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && n-- == 0)
			CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		die("sched_setaffinity");
}

static int has(const char *feature)
{
	__builtin_cpu_init();
	if (!feature)
		return 1;
	if (!strcmp(feature, "aes"))
		return __builtin_cpu_supports("aes");
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

static void run(const struct row *row, unsigned scale)
{
	uint64_t rounds = row->rounds * scale / 100, start, sum;
	unsigned cpus = row->cpus ? row->cpus : 1;

	if (!has(row->needs) || (unsigned)CPU_COUNT(&allowed) < cpus) {
		printf("row %s unsupported\n", row->name);
		return;
	}
	if (cpus == 1)
		stay_on_cpu(0);
	if (row->prepare)
		row->prepare();
	printf("start %s\n", row->name);
	fflush(stdout);
	tcdrain(1);
	start = now_ns();
	sum = row->run(rounds ? rounds : 1);
	printf("row %s %016" PRIx64 " %" PRIu64 "\n", row->name, sum,
	       now_ns() - start);
}

static int list(void)
{
	for (int i = 0; i < ROWS; i++)
		printf("%s %u %s\n", rows[i]->name,
		       rows[i]->cpus ? rows[i]->cpus : 1, rows[i]->groups);
	return 0;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	long scale = argc > 2 ? strtol(argv[2], NULL, 10) : 100;

	if (!strcmp(name, "nothing"))
		return 0;
	if (!strcmp(name, "list"))
		return list();
	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		die("sched_getaffinity");
	for (int i = 0; i < ROWS && scale > 0 && scale <= 100000; i++)
		if (!strcmp(name, rows[i]->name)) {
			run(rows[i], scale);
			return 0;
		}
	fprintf(stderr, "usage: work list | work ROW [SCALE]\n");
	return 2;
}
