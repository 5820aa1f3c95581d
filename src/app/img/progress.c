/* app/img/progress.c - see progress.h
 *
 * -p writes to stdout a line that ends in a carriage return, and again each
 * time the job has come one per cent further.  SIGUSR1 writes one whole line
 * to stderr.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

#include "app/img/progress.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Guarded by lock. */
static bool shown;
static double printed;		/* per cent */

static atomic_bool asked;	/* pairs with on_signal */

static void on_signal(int sig)
{
	atomic_store(&asked, true);
}

static void print(double percent)
{
	printf("    (%3.2f/100%%)\r", percent);
	fflush(stdout);
	printed = percent;
}

void progress_start(bool show)
{
	struct sigaction sa = { .sa_handler = on_signal,
				.sa_flags = SA_RESTART };

	sigaction(SIGUSR1, &sa, NULL);
	shown = show;
	if (show)
		print(0);
}

void progress_report(uint64_t done, uint64_t total)
{
	double percent = total ? 100.0 * (double)done / (double)total : 100;

	if (atomic_exchange(&asked, false))
		fprintf(stderr, "    (%3.2f/100%%)\n", percent);
	pthread_mutex_lock(&lock);
	if (shown && percent > printed + 1 && percent < 100)
		print(percent);
	pthread_mutex_unlock(&lock);
}

void progress_complete(void)
{
	if (shown)
		print(100);
}

void progress_end(bool complete)
{
	if (!shown)
		return;
	if (complete)
		print(100);
	putchar('\n');
	fflush(stdout);
	shown = false;
}
