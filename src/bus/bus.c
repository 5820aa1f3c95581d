/* bus/bus.c - the bus as an object: its lock, its lines, power requests.
 *
 * windows.c routes ports and MMIO, ram.c answers for RAM.  The bus lock is a
 * plain mutex that knows its owner: a device that reaches another device's
 * window from inside its own callback does not take it twice.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>

#include "bus/inside.h"

#define A20_OPEN   (~0ull)
#define A20_CLOSED (~(1ull << 20))

/* Its address tells threads apart. */
static _Thread_local char thread_mark;

void bus_lock(struct bus *b)
{
	assert(!bus_locked_by_me(b));
	pthread_mutex_lock(&b->lock);
	atomic_store_explicit(&b->owner, (uintptr_t)&thread_mark,
			      memory_order_relaxed);
}

void bus_unlock(struct bus *b)
{
	assert(bus_locked_by_me(b));
	atomic_store_explicit(&b->owner, 0, memory_order_relaxed);
	pthread_mutex_unlock(&b->lock);
}

bool bus_locked_by_me(const struct bus *b)
{
	/* Only this thread ever stores this value, so relaxed is enough. */
	return atomic_load_explicit(&b->owner, memory_order_relaxed) ==
	       (uintptr_t)&thread_mark;
}

bool bus_enter(struct bus *b)
{
	if (bus_locked_by_me(b))
		return false;
	bus_lock(b);
	return true;
}

void bus_leave(struct bus *b, bool entered)
{
	if (entered)
		bus_unlock(b);
}

uint32_t bus_generation(const struct bus *b)
{
	return atomic_load_explicit(&b->generation, memory_order_acquire);
}

const _Atomic uint32_t *bus_generation_word(const struct bus *b)
{
	return &b->generation;
}

void bus_bump_generation(struct bus *b)
{
	atomic_fetch_add_explicit(&b->generation, 1, memory_order_release);
}

uint64_t bus_a20_mask(const struct bus *b)
{
	return atomic_load_explicit(&b->a20_mask, memory_order_relaxed);
}

void bus_set_a20(struct bus *b, bool open)
{
	uint64_t mask = open ? A20_OPEN : A20_CLOSED;

	if (atomic_exchange(&b->a20_mask, mask) != mask)
		bus_bump_generation(b);
}

struct clock *bus_clock(const struct bus *b)
{
	return b->clock;
}

struct irq_sink bus_isa_irq(const struct bus *b, unsigned n)
{
	return n < 16 ? b->isa[n] : (struct irq_sink){ 0 };
}

struct irq_sink bus_gsi(const struct bus *b, unsigned n)
{
	return n < b->gsi_count ? b->gsi[n] : (struct irq_sink){ 0 };
}

void bus_set_isa_irqs(struct bus *b, const struct irq_sink sinks[16])
{
	for (unsigned i = 0; i < 16; i++)
		b->isa[i] = sinks[i];
}

void bus_set_gsis(struct bus *b, const struct irq_sink *sinks, unsigned count)
{
	assert(count <= GSI_MAX);
	b->gsi_count = count;
	for (unsigned i = 0; i < count; i++)
		b->gsi[i] = sinks[i];
}

void bus_request_power(struct bus *b, enum power_request r, int status)
{
	if (b->power)
		b->power(b->power_ctx, r, status);
}

void bus_set_power_handler(struct bus *b,
			   void (*handler)(void *ctx, enum power_request r,
					   int status),
			   void *ctx)
{
	b->power = handler;
	b->power_ctx = ctx;
}

struct bus *bus_new(struct clock *k)
{
	struct bus *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	b->port_map = calloc(0x10000, sizeof(struct window *));
	if (!b->port_map)
		abort();
	b->clock = k;
	b->a20_mask = A20_OPEN;
	pthread_mutex_init(&b->lock, NULL);
	ram_map_init(&b->ram);
	return b;
}

void bus_free(struct bus *b)
{
	if (!b)
		return;
	ram_map_free(&b->ram);
	free(b->ports.at);
	free(b->mmio.at);
	free(b->port_map);
	pthread_mutex_destroy(&b->lock);
	free(b);
}
