/* bus/test_bus.c - see test_bus.h
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "bus/test_bus.h"

/* RAM lives until test_bus_free: each area starts with a page that links it
 * to the one before. */
struct area {
	struct area *next;
};

struct owner {
	struct test_bus t;
	struct area *areas;
};

static int64_t fake_now(void *ctx)
{
	return ((struct test_bus *)ctx)->host_ns;
}

static void fake_wake(void *ctx, int64_t host_deadline_ns)
{
	((struct test_bus *)ctx)->deadline_ns = host_deadline_ns;
}

static void record(void *ctx, unsigned pin, bool level)
{
	struct test_pin *p = ctx;

	(void)pin;
	if (level && !p->level) {
		p->rises++;
		p->rise_ns = clock_now(p->clock);
	}
	p->level = level;
}

static void record_power(void *ctx, enum power_request r, int status)
{
	struct test_bus *t = ctx;

	t->power_count++;
	t->power = r;
	t->power_status = status;
}

struct test_bus *test_bus_new(void)
{
	struct owner *o = calloc(1, sizeof(*o));
	struct irq_sink isa[16], gsi[TEST_GSIS];
	struct test_bus *t;

	if (!o)
		abort();
	t = &o->t;
	t->host_ns = 5 * NS_PER_S;
	t->deadline_ns = CLOCK_NEVER;
	t->clock = clock_new((struct clock_source){ fake_now, fake_wake, t });
	t->bus = bus_new(t->clock);
	for (unsigned i = 0; i < 16; i++) {
		t->isa[i].clock = t->clock;
		isa[i] = (struct irq_sink){ record, &t->isa[i], i };
	}
	for (unsigned i = 0; i < TEST_GSIS; i++) {
		t->gsi[i].clock = t->clock;
		gsi[i] = (struct irq_sink){ record, &t->gsi[i], i };
	}
	bus_set_isa_irqs(t->bus, isa);
	bus_set_gsis(t->bus, gsi, TEST_GSIS);
	bus_set_power_handler(t->bus, record_power, t);
	bus_lock(t->bus);
	clock_start(t->clock);
	bus_unlock(t->bus);
	return t;
}

void test_bus_free(struct test_bus *t)
{
	struct owner *o = (struct owner *)t;

	bus_free(t->bus);
	clock_free(t->clock);
	while (o->areas) {
		struct area *a = o->areas;

		o->areas = a->next;
		free(a);
	}
	free(o);
}

void test_bus_run(struct test_bus *t, int64_t ns)
{
	int64_t end = t->host_ns + ns;

	while (t->deadline_ns <= end) {
		if (t->deadline_ns > t->host_ns)
			t->host_ns = t->deadline_ns;
		bus_lock(t->bus);
		clock_run(t->clock);
		bus_unlock(t->bus);
	}
	t->host_ns = end;
}

uint8_t *test_bus_ram(struct test_bus *t, gpa_t base, uint64_t len)
{
	struct owner *o = (struct owner *)t;
	uint8_t *p = aligned_alloc(4096, 4096 + len);
	struct area *a = (struct area *)(void *)p;

	if (!p)
		abort();
	memset(p, 0, 4096 + len);
	a->next = o->areas;
	o->areas = a;
	if (bus_map_ram(t->bus, base, len, p + 4096, false, NULL))
		abort();
	return p + 4096;
}
