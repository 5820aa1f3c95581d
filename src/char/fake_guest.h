/* char/fake_guest.h - a guest end for unit tests, and a loop that runs until
 * something has become true.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHAR_FAKE_GUEST_H
#define CHAR_FAKE_GUEST_H
#include <string.h>

#include "char/stream.h"
#include "host/loop.h"

struct fake_guest {
	char got[8192];
	size_t count, room;
	unsigned opened, closed, breaks;
};

static inline size_t fake_room(void *dev)
{
	const struct fake_guest *g = dev;

	return g->room;
}

static inline void fake_input(void *dev, const uint8_t *buf, size_t len)
{
	struct fake_guest *g = dev;

	memcpy(g->got + g->count, buf, len);
	g->count += len;
	g->room -= len;
}

static inline void fake_event(void *dev, enum stream_event ev)
{
	struct fake_guest *g = dev;

	g->opened += ev == STREAM_OPENED;
	g->closed += ev == STREAM_CLOSED;
	g->breaks += ev == STREAM_BREAK;
}

static const struct stream_guest fake_guest = {
	.room = fake_room, .input = fake_input, .event = fake_event,
};

struct until {
	struct loop *loop;
	bool (*done)(void *ctx);
	void *ctx;
	unsigned ticks;
};

static inline void until_tick(void *ctx)
{
	struct until *u = ctx;

	if (u->done(u->ctx))
		loop_quit(u->loop, 0);
	else if (++u->ticks == 10000)
		loop_quit(u->loop, 1);
}

/* False after ten seconds in vain. */
static inline bool run_until(struct loop *l, bool (*done)(void *ctx),
			     void *ctx)
{
	struct until u = { .loop = l, .done = done, .ctx = ctx };
	struct loop_watch *w = loop_every(l, 1, until_tick, &u);
	int r = loop_run(l);

	loop_unwatch(w);
	return !r;
}
#endif
