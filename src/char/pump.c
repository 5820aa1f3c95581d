/* char/pump.c - see pump.h
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "char/pump.h"
#include "host/fd.h"

#define READ_MAX 4096

static void update_watches(struct pump *p)
{
	unsigned in = p->reading ? LOOP_READ : 0;
	unsigned out = p->count && !p->broken ? LOOP_WRITE : 0;

	if (p->ended)
		in |= LOOP_HANGUP;
	if (p->in == p->out)
		in |= out;
	if (p->in_watch)
		loop_watch_change(p->in_watch, in);
	if (p->out_watch)
		loop_watch_change(p->out_watch, out);
}

/* ---- guest to host ---- */

static void drop_oldest(struct pump *p, size_t n)
{
	p->head = (p->head + n) % PUMP_ROOM;
	p->count -= n;
	p->dropped += n;
}

/* Write once; a peer that is gone for good is noticed here. */
static size_t write_some(struct pump *p, const uint8_t *buf, size_t len)
{
	ssize_t n = p->out < 0 || p->broken ? 0 : fd_write(p->out, buf, len);

	if (n > 0)
		p->stalled = false;
	if (n >= 0)
		return (size_t)n;
	if (n == -EAGAIN)
		return 0;
	p->broken = true;
	if (!p->ended)
		log_warn("chardev '%s': output is lost from here: %s",
			 p->c->id, strerror((int)-n));
	return 0;
}

static void write_ring(struct pump *p)
{
	while (p->count) {
		size_t run = PUMP_ROOM - p->head, n;

		if (run > p->count)
			run = p->count;
		n = write_some(p, p->ring + p->head, run);
		p->head = (p->head + n) % PUMP_ROOM;
		p->count -= n;
		if (n < run)
			break;
	}
}

/* Hold the guest up until the ring has room; false: it is not worth it. */
static bool wait_for_room(struct pump *p)
{
	int64_t end_ns = loop_now_ns() + p->wait_ms * 1000000ll;

	while (p->out >= 0 && !p->broken && !p->stalled) {
		int64_t left_ns = end_ns - loop_now_ns();

		if (left_ns <= 0 ||
		    !fd_wait_writable(p->out, (int)(left_ns / 1000000) + 1)) {
			p->stalled = true;
			if (p->wait_ms)
				log_warn("chardev '%s': nobody reads, old "
					 "output is dropped", p->c->id);
			break;
		}
		write_ring(p);
		if (p->count < PUMP_ROOM)
			return true;
	}
	return false;
}

static void push(struct pump *p, const uint8_t *buf, size_t len)
{
	while (len) {
		size_t tail, run;

		if (p->count == PUMP_ROOM && !wait_for_room(p))
			drop_oldest(p, len < PUMP_ROOM ? len : PUMP_ROOM);
		tail = (p->head + p->count) % PUMP_ROOM;
		run = PUMP_ROOM - p->count;
		if (run > PUMP_ROOM - tail)
			run = PUMP_ROOM - tail;
		if (run > len)
			run = len;
		memcpy(p->ring + tail, buf, run);
		p->count += run;
		buf += run;
		len -= run;
	}
}

void pump_put(struct pump *p, const uint8_t *buf, size_t len)
{
	size_t n = 0;

	if (p->broken) {
		p->dropped += len;
		return;
	}
	if (!p->count)
		n = write_some(p, buf, len);
	if (n == len)
		return;
	push(p, buf + n, len - n);
	update_watches(p);
}

void pump_flush(struct pump *p, int timeout_ms)
{
	int64_t end_ns = loop_now_ns() + timeout_ms * 1000000ll;

	write_ring(p);
	while (p->count && p->out >= 0 && !p->broken) {
		int64_t left_ns = end_ns - loop_now_ns();

		if (left_ns <= 0 ||
		    !fd_wait_writable(p->out, (int)(left_ns / 1000000) + 1))
			break;
		write_ring(p);
	}
}

/* ---- host to guest ---- */

static void stop_reading(struct pump *p)
{
	p->reading = false;
	if (p->ended)
		p->ended(p->c);
	else if (p->in_watch && p->in != p->out) {
		loop_unwatch(p->in_watch);
		p->in_watch = NULL;
		chardev_event(p->c, STREAM_CLOSED);
	}
}

static void read_some(struct pump *p)
{
	uint8_t buf[READ_MAX];
	size_t room = chardev_room(p->c);
	ssize_t n;

	if (!room) {
		p->reading = false;
		return;
	}
	n = fd_read(p->in, buf, room < READ_MAX ? room : READ_MAX);
	if (n > 0)
		chardev_input(p->c, buf, (size_t)n);
	else if (n != -EAGAIN)
		stop_reading(p);
}

static void on_events(void *ctx, unsigned events)
{
	struct pump *p = ctx;

	if (events & LOOP_WRITE)
		write_ring(p);
	if (events & LOOP_READ)
		read_some(p);
	else if (events & LOOP_HANGUP)
		stop_reading(p);
	update_watches(p);
}

void pump_ready(struct pump *p)
{
	if (p->reading)
		return;
	p->reading = true;
	update_watches(p);
}

/* ---- coming and going ---- */

void pump_init(struct pump *p, struct chardev *c, int wait_ms)
{
	p->c = c;
	p->in = p->out = -1;
	p->wait_ms = wait_ms;
}

void pump_connect(struct pump *p, int in, int out)
{
	p->in = in;
	p->out = out;
	p->broken = p->stalled = false;
	p->reading = true;
	write_ring(p);
	if (in >= 0)
		p->in_watch = loop_watch(p->c->loop, in, 0, on_events, p);
	if (out >= 0 && out != in)
		p->out_watch = loop_watch(p->c->loop, out, 0, on_events, p);
	update_watches(p);
}

void pump_disconnect(struct pump *p)
{
	loop_unwatch(p->in_watch);
	loop_unwatch(p->out_watch);
	p->in_watch = p->out_watch = NULL;
	fd_close(p->in);
	if (p->out != p->in)
		fd_close(p->out);
	p->in = p->out = -1;
	p->broken = false;
}
