/* main.c - chaos: nothing a guest executes stops the program.
 *
 *   chaos [--seed N] [--count ROUNDS] [--verbose] [-d CATEGORIES]
 *         [--accel ENGINE] cpu|smp|devices
 *
 * ENGINE is the argument of husk's -accel.
 *
 * Round k has seed N + k.  Rounds run in a child process, so that one that
 * kills it is found, reported and passed by; a round without progress for
 * HANG_S seconds is killed and reported as well.  Exit status 1 if any.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../oracle/accel.h"
#include "base/log.h"
#include "chaos.h"
#include "rig.h"

#define HANG_S		120
#define POLL_US		10000
#define FAILURES_MAX	20

struct progress *progress;
bool verbose;

static struct {
	uint64_t seed, count;
	const char *(*round)(uint64_t seed);
} opt = { .seed = 1, .count = 100 };

static _Noreturn void usage(void)
{
	fprintf(stderr, "usage: chaos [--seed N] [--count ROUNDS] [--verbose]"
		" [-d CATEGORIES] [--accel ENGINE] cpu|smp|devices\n");
	exit(2);
}

static void read_arguments(int argc, char **argv)
{
	struct err e;

	for (int n = 1; n < argc; n++) {
		const char *a = argv[n], *v = n + 1 < argc ? argv[n + 1] : NULL;

		if (!strcmp(a, "--verbose"))
			verbose = true;
		else if (!strcmp(a, "cpu"))
			opt.round = chaos_cpu;
		else if (!strcmp(a, "smp"))
			opt.round = chaos_smp;
		else if (!strcmp(a, "devices"))
			opt.round = chaos_devices;
		else if (!v)
			usage();
		else if (n++, !strcmp(a, "--seed"))
			opt.seed = strtoull(v, NULL, 0);
		else if (!strcmp(a, "--count"))
			opt.count = strtoull(v, NULL, 0);
		else if (!strcmp(a, "--accel") && accel_parse(v, &rig_accel))
			continue;
		else if (strcmp(a, "-d") || log_set_categories(v, &e) < 0)
			usage();
	}
	if (!opt.round)
		usage();
}

/* ---- the child ---- */

static _Noreturn void run_rounds(uint64_t from)
{
	for (uint64_t k = from; k < opt.count; k++) {
		const char *wrong;

		progress->round = k;
		wrong = opt.round(opt.seed + k);
		if (wrong) {
			printf("# %s\n", wrong);
			fflush(stdout);
			_exit(1);
		}
	}
	exit(0);	/* the leak checker has its say */
}

/* ---- the parent ---- */

/* Until the child is gone; returns its status. */
static int watch(pid_t child)
{
	uint64_t seen = 0, unchanged_us = 0;
	int status;

	while (waitpid(child, &status, WNOHANG) == 0) {
		uint64_t now = progress->round * CASES + progress->at;

		unchanged_us = now == seen ? unchanged_us + POLL_US : 0;
		seen = now;
		if (unchanged_us > HANG_S * 1000000ull) {
			printf("# no progress for %u s\n", HANG_S);
			(void)kill(child, SIGABRT);
			(void)waitpid(child, &status, 0);
			return status;
		}
		(void)usleep(POLL_US);
	}
	return status;
}

static void report(int status)
{
	printf("# round --seed %llu, case %u (%s): ",
	       (unsigned long long)(opt.seed + progress->round), progress->at,
	       progress->what);
	if (WIFSIGNALED(status))
		printf("killed by signal %d\n", WTERMSIG(status));
	else
		printf("exit status %d\n", WEXITSTATUS(status));
}

static unsigned run_all(void)
{
	unsigned failures = 0;
	uint64_t from = 0;

	while (from < opt.count && failures < FAILURES_MAX) {
		int status;
		pid_t child;

		fflush(stdout);
		child = fork();
		if (child < 0) {
			fprintf(stderr, "chaos: fork: %s\n", strerror(errno));
			exit(2);
		}
		if (!child)
			run_rounds(from);
		status = watch(child);
		if (!status)
			break;
		report(status);
		failures++;
		from = progress->round + 1;
	}
	return failures;
}

int main(int argc, char **argv)
{
	unsigned failures;

	read_arguments(argc, argv);
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (progress == MAP_FAILED) {
		fprintf(stderr, "chaos: no memory\n");
		return 2;
	}
	failures = run_all();
	printf("# %llu cases, %llu instructions; ended by limit %llu,"
	       " halt %llu, shutdown %llu, power %llu\n",
	       (unsigned long long)progress->cases,
	       (unsigned long long)progress->insns,
	       (unsigned long long)progress->endings[END_LIMIT],
	       (unsigned long long)progress->endings[END_HALT],
	       (unsigned long long)progress->endings[END_SHUTDOWN],
	       (unsigned long long)progress->endings[END_POWER]);
	return failures ? 1 : 0;
}
