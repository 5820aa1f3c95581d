/* bus/clock.c - guest time, and the timers that wait for it.
 *
 * Guest time is host time less an offset, which moves by as long as the
 * machine was stopped.  Timers sit in a binary heap by deadline; slot 0 is
 * unused, so that a timer's slot also says whether it is armed.
 *
 * Limit: one clock_run() fires at most FIRES_MAX timers, so that a guest which
 * keeps its timers expired cannot keep the loop thread from other work.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "bus/clock.h"

#define FIRES_MAX 256

struct clock {
	struct clock_source source;

	/* Any thread reads these three; clock_start and clock_stop write them
	 * with `running` last. */
	_Atomic int64_t offset;		/* host - guest, while running */
	_Atomic int64_t frozen_ns;	/* guest time, while stopped */
	_Atomic bool running;

	/* Bus lock. */
	struct clock_timer **heap;	/* owned array; [1..count] */
	unsigned count, room;
	int64_t told_ns;	/* what wake() was last told */
};

int64_t clock_now(const struct clock *k)
{
	if (!atomic_load_explicit(&k->running, memory_order_acquire))
		return atomic_load_explicit(&k->frozen_ns,
					    memory_order_relaxed);
	return k->source.now_ns(k->source.ctx) -
	       atomic_load_explicit(&k->offset, memory_order_relaxed);
}

uint64_t clock_tsc(const struct clock *k)
{
	uint64_t ns = (uint64_t)clock_now(k);

	if (CLOCK_TSC_HZ == NS_PER_S)
		return ns;
	return clock_ns_to_ticks(ns, CLOCK_TSC_HZ);
}

/* ---- the heap ---- */

static void put(struct clock *k, unsigned slot, struct clock_timer *t)
{
	k->heap[slot] = t;
	t->slot = slot;
}

static void sift_up(struct clock *k, struct clock_timer *t, unsigned slot)
{
	while (slot > 1 && k->heap[slot / 2]->deadline_ns > t->deadline_ns) {
		put(k, slot, k->heap[slot / 2]);
		slot /= 2;
	}
	put(k, slot, t);
}

static void sift_down(struct clock *k, struct clock_timer *t, unsigned slot)
{
	for (;;) {
		unsigned child = 2 * slot;

		if (child > k->count)
			break;
		if (child < k->count && k->heap[child + 1]->deadline_ns <
						k->heap[child]->deadline_ns)
			child++;
		if (k->heap[child]->deadline_ns >= t->deadline_ns)
			break;
		put(k, slot, k->heap[child]);
		slot = child;
	}
	put(k, slot, t);
}

static void insert(struct clock *k, struct clock_timer *t)
{
	if (k->count + 1 >= k->room) {
		k->room = k->room ? 2 * k->room : 32;
		k->heap = reallocarray(k->heap, k->room, sizeof(*k->heap));
		if (!k->heap)
			abort();
	}
	sift_up(k, t, ++k->count);
}

static void take_out(struct clock *k, struct clock_timer *t)
{
	unsigned slot = t->slot;
	struct clock_timer *last = k->heap[k->count--];

	t->slot = 0;
	if (last == t)
		return;
	if (slot > 1 && k->heap[slot / 2]->deadline_ns > last->deadline_ns)
		sift_up(k, last, slot);
	else
		sift_down(k, last, slot);
}

static void tell(struct clock *k)
{
	int64_t offset = atomic_load_explicit(&k->offset,
					      memory_order_relaxed);
	int64_t at = CLOCK_NEVER;

	if (k->running && k->count &&
	    __builtin_add_overflow(k->heap[1]->deadline_ns, offset, &at))
		at = CLOCK_NEVER;
	if (at == k->told_ns)
		return;
	k->told_ns = at;
	if (k->source.wake)
		k->source.wake(k->source.ctx, at);
}

/* ---- timers ---- */

void timer_init(struct clock_timer *t, void (*fire)(void *ctx), void *ctx)
{
	*t = (struct clock_timer){ .fire = fire, .ctx = ctx };
}

void timer_arm(struct clock *k, struct clock_timer *t, int64_t deadline_ns)
{
	assert(t->fire);
	if (t->slot)
		take_out(k, t);
	t->deadline_ns = deadline_ns;
	if (deadline_ns != CLOCK_NEVER)
		insert(k, t);
	tell(k);
}

void timer_cancel(struct clock *k, struct clock_timer *t)
{
	if (!t->slot)
		return;
	take_out(k, t);
	tell(k);
}

void clock_run(struct clock *k)
{
	int64_t now = clock_now(k);

	/* The alarm has gone off: whatever is next must be told anew. */
	k->told_ns = INT64_MIN;
	for (unsigned fires = 0; k->running && k->count && fires < FIRES_MAX;
	     fires++) {
		struct clock_timer *t = k->heap[1];

		if (t->deadline_ns > now)
			break;
		take_out(k, t);
		t->fire(t->ctx);
	}
	tell(k);
}

/* ---- start and stop ---- */

void clock_start(struct clock *k)
{
	if (k->running)
		return;
	atomic_store_explicit(&k->offset,
			      k->source.now_ns(k->source.ctx) - k->frozen_ns,
			      memory_order_relaxed);
	atomic_store_explicit(&k->running, true, memory_order_release);
	tell(k);
}

void clock_stop(struct clock *k)
{
	if (!k->running)
		return;
	atomic_store_explicit(&k->frozen_ns, clock_now(k),
			      memory_order_relaxed);
	atomic_store_explicit(&k->running, false, memory_order_release);
	tell(k);
}

bool clock_running(const struct clock *k)
{
	return atomic_load_explicit(&k->running, memory_order_acquire);
}

struct clock *clock_new(struct clock_source source)
{
	struct clock *k = calloc(1, sizeof(*k));

	if (!k)
		abort();
	k->source = source;
	k->told_ns = CLOCK_NEVER;
	return k;
}

void clock_free(struct clock *k)
{
	if (!k)
		return;
	free(k->heap);
	free(k);
}
