/* bus/clock.h - guest time: one counter, from which every guest clock derives.
 *
 * clock_now() counts nanoseconds of guest run time from the host's monotonic
 * clock; it stands still while the machine is stopped.  The TSC is exactly
 * clock_now() * CLOCK_TSC_HZ / 1e9; PIT, HPET, ACPI PM timer and APIC timer
 * compute their counters from clock_now() on demand and never tick, so they
 * cannot drift apart.
 *
 * Timers: any thread that holds the bus lock may arm or cancel.  The loop
 * thread runs expired timers with the bus lock held (clock_run).  The clock
 * knows nothing of the host's event loop: whoever owns the loop passes `wake`,
 * which is told the host time of the next expiry whenever that moves.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BUS_CLOCK_H
#define BUS_CLOCK_H
#include <stdbool.h>
#include <stdint.h>

#define CLOCK_TSC_HZ	1000000000ull
#define NS_PER_S	1000000000ll
#define CLOCK_NEVER	INT64_MAX

struct clock_source {
	int64_t (*now_ns)(void *ctx);		/* monotonic host time */
	/* The earliest expiry, in host time, moved; CLOCK_NEVER when none. */
	void (*wake)(void *ctx, int64_t host_deadline_ns);
	void *ctx;
};

struct clock;

struct clock_timer {
	void (*fire)(void *ctx);	/* bus lock held; may re-arm itself */
	void *ctx;
	int64_t deadline_ns;		/* guest time; valid while armed */
	unsigned slot;			/* place in the heap, 0 = not armed */
};

/* A stopped clock at guest time 0; clock_free() is the reverse. */
struct clock *clock_new(struct clock_source source);
void clock_free(struct clock *k);

/* Any thread, no lock: guest nanoseconds since the machine first ran. */
int64_t clock_now(const struct clock *k);
/* Likewise, as TSC ticks (without any guest TSC_ADJUST). */
uint64_t clock_tsc(const struct clock *k);

/* Caller holds the bus lock for all of these. */
void clock_start(struct clock *k);
void clock_stop(struct clock *k);
bool clock_running(const struct clock *k);
void timer_init(struct clock_timer *t, void (*fire)(void *ctx), void *ctx);
void timer_arm(struct clock *k, struct clock_timer *t, int64_t deadline_ns);
void timer_cancel(struct clock *k, struct clock_timer *t);
static inline bool timer_armed(const struct clock_timer *t)
{
	return t->slot != 0;
}
/* Fire all that have expired. */
void clock_run(struct clock *k);

/* ticks at hz in ns and back without overflow, rounding down. */
static inline uint64_t clock_ns_to_ticks(uint64_t ns, uint64_t hz)
{
	return (uint64_t)((unsigned __int128)ns * hz / NS_PER_S);
}

static inline int64_t clock_ticks_to_ns(uint64_t ticks, uint64_t hz)
{
	return (int64_t)((unsigned __int128)ticks * NS_PER_S / hz);
}
#endif
