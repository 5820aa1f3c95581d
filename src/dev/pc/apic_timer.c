/* dev/pc/apic_timer.c - the local APIC's timer: one-shot, periodic, TSC
 * deadline.
 *
 * The count is computed from guest time when it is read; the clock is armed
 * only for an expiry that interrupts.  The timer's bus clock is 1 GHz, which
 * makes one undivided tick a nanosecond.
 *
 * Limit: interrupts of a periodic timer come no closer than PERIOD_MIN_NS; the
 * ones between are merged, as they would be in the IRR of a slow processor.
 *
 * Source: SDM 3A 10.5.4.
 *
 * SPDX-License-Identifier: MIT
 */
#include "dev/pc/apic_inside.h"

#define PERIOD_MIN_NS 20000

static struct clock *clock_of(const struct local *l)
{
	return bus_clock(l->apic->dev.bus);
}

static uint32_t mode_of(const struct local *l)
{
	return l->r->lvt[LVT_TIMER] & LVT_TIMER_MODE;
}

/* Divide configuration: bits 3, 1 and 0 are a power of two less one, but 111b
 * divides by 1. */
static int64_t divisor(const struct local *l)
{
	unsigned code = (l->r->tdcr >> 1 & 4) | (l->r->tdcr & 3);

	return 1ll << ((code + 1) & 7);
}

static int64_t period_ns(const struct local *l)
{
	return l->r->tmict * divisor(l);
}

static uint64_t guest_tsc(const struct local *l)
{
	return clock_tsc(clock_of(l)) + l->r->tsc_offset;
}

uint32_t apic_timer_count_locked(const struct local *l)
{
	uint64_t ticks;

	if (mode_of(l) == TIMER_DEADLINE || !l->r->tmict || l->r->expired)
		return 0;
	ticks = (uint64_t)(clock_now(clock_of(l)) - l->r->start_ns) /
		(uint64_t)divisor(l);
	if (mode_of(l) == TIMER_PERIODIC)
		return l->r->tmict - (uint32_t)(ticks % l->r->tmict);
	if (ticks >= l->r->tmict)
		return 0;
	return l->r->tmict - (uint32_t)ticks;
}

/* When the count next reaches 0; CLOCK_NEVER if it does not. */
static int64_t next_expiry(const struct local *l)
{
	int64_t now = clock_now(clock_of(l)), period = period_ns(l), after;

	if (!period || l->r->expired)
		return CLOCK_NEVER;
	if (mode_of(l) != TIMER_PERIODIC)
		return l->r->start_ns + period;
	after = now - l->r->start_ns;
	if (period < PERIOD_MIN_NS)
		after += PERIOD_MIN_NS - period;
	return l->r->start_ns + (after / period + 1) * period;
}

static int64_t deadline_expiry(const struct local *l)
{
	uint64_t tsc = guest_tsc(l);
	unsigned __int128 wait;

	if (!l->r->tsc_deadline)
		return CLOCK_NEVER;
	if (l->r->tsc_deadline <= tsc)
		return clock_now(clock_of(l));
	wait = (unsigned __int128)(l->r->tsc_deadline - tsc) * NS_PER_S;
	wait = (wait + CLOCK_TSC_HZ - 1) / CLOCK_TSC_HZ;
	wait += (uint64_t)clock_now(clock_of(l));
	return wait < CLOCK_NEVER ? (int64_t)wait : CLOCK_NEVER;
}

/* A masked timer counts without the clock's help, but for the deadline, which
 * goes to 0 when it is reached. */
void apic_timer_arm_locked(struct local *l)
{
	int64_t at = CLOCK_NEVER;

	if (is_on(l) && mode_of(l) == TIMER_DEADLINE)
		at = deadline_expiry(l);
	else if (is_on(l) && !(l->r->lvt[LVT_TIMER] & LVT_MASKED))
		at = next_expiry(l);
	timer_arm(clock_of(l), &l->timer, at);
}

static void expire_locked(struct local *l)
{
	timer_cancel(clock_of(l), &l->timer);
	if (mode_of(l) == TIMER_DEADLINE)
		l->r->tsc_deadline = 0;
	else if (mode_of(l) == TIMER_ONE_SHOT)
		l->r->expired = true;
	apic_lvt_locked(l, LVT_TIMER);
	apic_timer_arm_locked(l);
}

void apic_timer_settle_locked(struct local *l)
{
	if (timer_armed(&l->timer) &&
	    l->timer.deadline_ns <= clock_now(clock_of(l)))
		expire_locked(l);
	/* A one-shot that ran out while masked has run out all the same. */
	if (mode_of(l) == TIMER_ONE_SHOT && l->r->tmict &&
	    !apic_timer_count_locked(l))
		l->r->expired = true;
}

static void fire(void *ctx)
{
	struct local *l = ctx;

	apic_lock(l->apic);
	expire_locked(l);
	apic_unlock(l->apic);
}

void apic_timer_write_initial_locked(struct local *l, uint32_t v)
{
	apic_timer_settle_locked(l);
	if (mode_of(l) == TIMER_DEADLINE)
		return;
	l->r->tmict = v;
	l->r->start_ns = clock_now(clock_of(l));
	l->r->expired = false;
	apic_timer_arm_locked(l);
}

/* Go on from this count. */
static void resume_at(struct local *l, uint32_t count)
{
	l->r->start_ns = clock_now(clock_of(l)) -
			 (int64_t)(l->r->tmict - count) * divisor(l);
}

/* The count goes on from where it is, at the new speed. */
void apic_timer_write_divide_locked(struct local *l, uint32_t v)
{
	uint32_t count;

	apic_timer_settle_locked(l);
	count = apic_timer_count_locked(l);
	l->r->tdcr = v;
	if (count)
		resume_at(l, count);
	apic_timer_arm_locked(l);
}

/* Between one-shot and periodic the count goes on from where it is; one that
 * has run out stays at 0 until the initial count is written. */
void apic_timer_write_lvt_locked(struct local *l, uint32_t v)
{
	uint32_t old = mode_of(l), count;

	apic_timer_settle_locked(l);
	count = apic_timer_count_locked(l);
	l->r->lvt[LVT_TIMER] = v;
	/* To and from TSC deadline mode disarms. */
	if ((old ^ mode_of(l)) & TIMER_DEADLINE) {
		l->r->tmict = 0;
		l->r->tsc_deadline = 0;
	} else if (count) {
		resume_at(l, count);
	}
	apic_timer_arm_locked(l);
}

void apic_timer_write_deadline_locked(struct local *l, uint64_t tsc)
{
	apic_timer_settle_locked(l);
	if (mode_of(l) != TIMER_DEADLINE)
		return;
	l->r->tsc_deadline = tsc;
	apic_timer_arm_locked(l);
	apic_timer_settle_locked(l);
}

uint64_t apic_timer_deadline_locked(struct local *l)
{
	apic_timer_settle_locked(l);
	return l->r->tsc_deadline;
}

void apic_timer_init(struct local *l)
{
	timer_init(&l->timer, fire, l);
}
