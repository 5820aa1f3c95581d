/* tests/clock/main.c - a guest's clocks against the host's and each other.
 *
 *   clock SECONDS LIMIT_PPM EMULATOR [ARGUMENT...]
 *
 * Starts the emulator with clock.asm as its guest and COM1 on our pipes.  An
 * exchange, a letter out and a line back, brackets the moment of a reading
 * between two host times; of many exchanges the one with the closest bracket
 * counts, so the load of the host costs time, not truth.  What uncertainty is
 * left is part of the judgement.
 *
 * Counters that wrap are read after 10, 20, 40... ms: each reading tells the
 * rate well enough to know how often the counter wraps until the next.
 *
 * Interrupts may be lost on a busy host, as on slow hardware: there must be no
 * more than there was time for, and not many fewer.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"

#define TRIES		400
#define PATIENCE_MS	60000
#define FIRST_STEP_NS	10e6
#define EDGES		3	/* of the RTC's second, to choose from */
#define INTERRUPTS_LOST	0.1	/* of all, at most */
#define TSC_HZ		1e9

/* ---- the guest ---- */

static int to_guest, from_guest;
static pid_t emulator;

static _Noreturn void give_up(const char *why)
{
	printf("not ok clock: %s\n", why);
	exit(1);
}

static void start(char **argv)
{
	int in[2], out[2];

	if (pipe(in) < 0 || pipe(out) < 0)
		give_up("no pipes");
	emulator = fork();
	if (emulator < 0)
		give_up("no process");
	if (!emulator) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		close(out[0]);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	to_guest = in[1];
	from_guest = out[0];
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void tell(char letter)
{
	if (write(to_guest, &letter, 1) != 1)
		give_up("the emulator takes no input");
}

/* A line of hexadecimal digits. */
static uint64_t hear(void)
{
	struct pollfd p = { .fd = from_guest, .events = POLLIN };
	char line[32];
	unsigned n = 0;

	do {
		if (poll(&p, 1, PATIENCE_MS) != 1)
			give_up("the guest does not answer");
		if (read(from_guest, line + n, 1) != 1)
			give_up("the emulator has gone");
	} while (line[n] != '\n' && ++n < sizeof(line) - 1);
	line[n] = 0;
	return strtoull(line, NULL, 16);
}

/* ---- readings ---- */

struct reading {
	double at_ns, width_ns;		/* middle of the bracket */
	uint64_t value;
};

static struct reading exchange(char letter)
{
	int64_t before = now_ns(), after;
	struct reading r;

	tell(letter);
	r.value = hear();
	after = now_ns();
	r.at_ns = (double)(before + after) / 2;
	r.width_ns = (double)(after - before);
	return r;
}

/* The closest of some exchanges; good_ns is close enough. */
static struct reading read_clock(char letter, double good_ns)
{
	struct reading best = exchange(letter);

	for (unsigned n = 1; n < TRIES && best.width_ns > good_ns; n++) {
		struct reading r = exchange(letter);

		if (r.width_ns < best.width_ns)
			best = r;
	}
	return best;
}

/* ---- counters ---- */

struct counter {
	const char *name;
	char letter;
	double hz;
	uint64_t modulus;	/* 0: 2^64 */
	/* since the first reading */
	struct reading first, last;
	double ticks;
	double ppm, unsure_ppm;
};

static struct counter counters[] = {
	{ .name = "TSC", .letter = 't', .hz = TSC_HZ },
	{ .name = "8254", .letter = 'p', .hz = 1193182, .modulus = 1 << 16 },
	{ .name = "HPET", .letter = 'h', .hz = 100e6, .modulus = 1ull << 32 },
	{ .name = "PM timer", .letter = 'a', .hz = 3579545,
	  .modulus = 1 << 24 },
	{ .name = "APIC timer", .letter = 'l', .hz = 62.5e6,
	  .modulus = 3125000 },
};

static void counter_begin(struct counter *k, double good_ns)
{
	k->first = k->last = read_clock(k->letter, good_ns);
	k->ticks = 0;
}

static void counter_go_on(struct counter *k, double good_ns)
{
	struct reading r = read_clock(k->letter, good_ns);
	double rate = k->ticks > 0 ? k->ticks / (k->last.at_ns -
						 k->first.at_ns)
				   : k->hz / 1e9;
	double moved = (double)(int64_t)(r.value - k->last.value);

	if (k->modulus) {
		double m = (double)k->modulus;
		double guess = rate * (r.at_ns - k->last.at_ns);

		moved += m * round((guess - moved) / m);
	}
	k->ticks += moved;
	k->last = r;
}

static void counter_end(struct counter *k)
{
	double ns = k->last.at_ns - k->first.at_ns;

	k->ppm = (k->ticks / k->hz * 1e9 / ns - 1) * 1e6;
	k->unsure_ppm = (k->first.width_ns + k->last.width_ns) / 2 / ns * 1e6;
}

static void sleep_until(double at_ns)
{
	int64_t left = (int64_t)at_ns - now_ns();
	struct timespec t = { left / 1000000000, left % 1000000000 };

	while (left > 0 && nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

/* good_ns for the readings that count; those between only tell wraps. */
static void run_counters(double span_ns, double good_ns)
{
	double start_ns;

	for (unsigned n = 0; n < ARRAY_LEN(counters); n++)
		counter_begin(&counters[n], good_ns);
	start_ns = (double)now_ns();
	for (double step = FIRST_STEP_NS; step < span_ns; step *= 2) {
		sleep_until(start_ns + step);
		for (unsigned n = 0; n < ARRAY_LEN(counters); n++)
			counter_go_on(&counters[n], 2e6);
	}
	sleep_until(start_ns + span_ns);
	for (unsigned n = 0; n < ARRAY_LEN(counters); n++) {
		counter_go_on(&counters[n], good_ns);
		counter_end(&counters[n]);
	}
}

/* ---- interrupts ---- */

static struct {
	const char *name;
	char letter;
	double hz;
	struct reading first, last;
} interrupts[] = {
	{ .name = "8254", .letter = 'P', .hz = 1193182 / 65536.0 },
	{ .name = "HPET", .letter = 'H', .hz = 20 },
	{ .name = "APIC timer", .letter = 'L', .hz = 20 },
};

/* ---- the RTC, by the TSC ---- */

struct edge {
	double at, width;	/* TSC ticks */
	int seconds;		/* of the day */
};

static int from_bcd(uint64_t v)
{
	return (int)((v >> 4 & 15) * 10 + (v & 15));
}

static struct edge rtc_edge(void)
{
	struct edge best = { .width = INFINITY };

	for (unsigned n = 0; n < EDGES; n++) {
		uint64_t before, after, date;

		tell('r');
		before = hear();
		after = hear();
		date = hear();
		if ((double)(after - before) >= best.width)
			continue;
		best.width = (double)(after - before);
		best.at = (double)before + best.width / 2;
		best.seconds = from_bcd(date >> 16) * 3600 +
			       from_bcd(date >> 8) * 60 + from_bcd(date);
	}
	return best;
}

/* ---- verdicts ---- */

static bool failed;

static void verdict(bool good, const char *name, const char *text)
{
	printf("%s clock: %s: %s\n", good ? "ok" : "not ok", name, text);
	failed |= !good;
}

static void judge_rate(const char *name, double ppm, double unsure,
		       double limit)
{
	char text[128];

	snprintf(text, sizeof(text), "%+.2f ppm, known to %.2f, limit %.0f",
		 ppm, unsure, limit);
	verdict(fabs(ppm) <= limit + unsure && unsure <= limit, name, text);
}

static void judge_counters(double limit)
{
	struct counter *low = counters, *high = counters;

	for (unsigned n = 0; n < ARRAY_LEN(counters); n++) {
		struct counter *k = &counters[n];

		judge_rate(k->name, k->ppm, k->unsure_ppm, limit);
		if (k->ppm < low->ppm)
			low = k;
		if (k->ppm > high->ppm)
			high = k;
	}
	judge_rate("fastest against slowest", high->ppm - low->ppm,
		   low->unsure_ppm + high->unsure_ppm, limit);
}

/* The TSC's own error is known by then. */
static void judge_rtc(const struct edge *a, const struct edge *b, double limit)
{
	int seconds = (b->seconds - a->seconds + 86400) % 86400;
	double ticks = b->at - a->at;
	char name[32];

	snprintf(name, sizeof(name), "RTC over %d s", seconds);
	judge_rate(name, (seconds * TSC_HZ / ticks - 1) * 1e6,
		   (a->width + b->width) / 2 / ticks * 1e6, limit);
}

static void judge_interrupts(void)
{
	for (unsigned n = 0; n < ARRAY_LEN(interrupts); n++) {
		const struct reading *a = &interrupts[n].first;
		const struct reading *b = &interrupts[n].last;
		double ns = b->at_ns - a->at_ns;
		double unsure = (a->width_ns + b->width_ns) / 2;
		double hz = interrupts[n].hz / 1e9;
		double count = (double)(b->value - a->value);
		char name[64], text[128];

		snprintf(name, sizeof(name), "interrupts of the %s",
			 interrupts[n].name);
		snprintf(text, sizeof(text), "%.0f of %.1f", count, ns * hz);
		verdict(count <= (ns + unsure) * hz + 1 &&
			count >= (ns - unsure) * hz * (1 - INTERRUPTS_LOST) - 1,
			name, text);
	}
}

int main(int argc, char **argv)
{
	double span_ns, limit, good_ns;
	struct edge a, b;
	int status;

	if (argc < 4) {
		fprintf(stderr, "usage: clock SECONDS LIMIT_PPM EMULATOR"
			" [ARGUMENT...]\n");
		return 2;
	}
	span_ns = atof(argv[1]) * 1e9;
	limit = atof(argv[2]);
	good_ns = span_ns * limit / 1e6 / 4;
	start(argv + 3);
	(void)exchange('t');		/* it is up */
	a = rtc_edge();
	for (unsigned n = 0; n < ARRAY_LEN(interrupts); n++)
		interrupts[n].first = exchange(interrupts[n].letter);
	run_counters(span_ns, good_ns);
	for (unsigned n = 0; n < ARRAY_LEN(interrupts); n++)
		interrupts[n].last = exchange(interrupts[n].letter);
	b = rtc_edge();
	tell('q');
	judge_counters(limit);
	judge_rtc(&a, &b, limit);
	judge_interrupts();
	(void)waitpid(emulator, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 1)
		verdict(false, "end", "the emulator has not ended as told");
	return failed;
}
