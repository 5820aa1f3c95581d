/* char/mux.c - several guest ends on one back end, and the keys behind Ctrl-A.
 *
 * Output of all goes to the one back end; input goes to one of them, Ctrl-A c
 * moves on to the next.  Input that its guest end does not take yet waits in a
 * ring, so that Ctrl-A x works while a guest hangs.
 *
 * Ctrl-A is whatever -echr says.  The monitor is not in this version.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "char/backend.h"
#include "host/loop.h"
#include "host/os.h"

#define MUX_PORTS	4
#define MUX_ROOM	4096

struct mux_port {
	struct stream stream;
	struct mux *mux;
	size_t head, count;	/* of the ring */
	uint8_t ring[MUX_ROOM];
};

struct mux {
	struct chardev *base;	/* borrowed; owns us */
	struct mux_port ports[MUX_PORTS];
	unsigned count, focus;
	bool escaped;		/* the last byte was Ctrl-A */
	bool stamps;		/* a date before each line */
	bool line_start;
	bool posted;
};

static void say(struct mux *m, const char *text)
{
	stream_put(&m->base->stream, (const uint8_t *)text, strlen(text));
}

/* ---- host to guest ---- */

static void deliver(struct mux_port *p)
{
	const struct stream *s = &p->stream;

	while (s->guest && p->count) {
		size_t n = s->guest->room(s->dev);

		if (n > p->count)
			n = p->count;
		if (n > MUX_ROOM - p->head)
			n = MUX_ROOM - p->head;
		if (!n)
			break;
		s->guest->input(s->dev, p->ring + p->head, n);
		p->head = (p->head + n) % MUX_ROOM;
		p->count -= n;
	}
}

static void deliver_posted(void *ctx)
{
	struct mux *m = ctx;

	m->posted = false;
	for (unsigned i = 0; i < m->count; i++)
		deliver(&m->ports[i]);
	if (m->ports[m->focus].count < MUX_ROOM)
		stream_ready(&m->base->stream);
}

/* A device calls this while it handles a register: not the time for input. */
static void port_ready(struct stream *s)
{
	struct mux *m = container_of(s, struct mux_port, stream)->mux;

	if (m->posted)
		return;
	m->posted = true;
	loop_post(m->base->loop, deliver_posted, m);
}

static void queue(struct mux_port *p, uint8_t byte)
{
	/* room() has seen to it that there is some. */
	p->ring[(p->head + p->count++) % MUX_ROOM] = byte;
}

/* ---- the keys behind Ctrl-A ---- */

static void print_help(struct mux *m)
{
	say(m, "\r\n"
	       "C-a h    this list\r\n"
	       "C-a x    end the machine at once\r\n"
	       "C-a b    send a serial break\r\n"
	       "C-a t    put the time in front of lines, or no longer\r\n"
	       "C-a c    go on to the next console\r\n"
	       "C-a C-a  send C-a\r\n");
}

static void next_console(struct mux *m)
{
	char text[64];

	if (m->count < 2) {
		say(m, "\r\nthe monitor is not in this version\r\n");
		return;
	}
	m->focus = (m->focus + 1) % m->count;
	snprintf(text, sizeof(text), "\r\nconsole %u of %u\r\n", m->focus + 1,
		 m->count);
	say(m, text);
	deliver(&m->ports[m->focus]);
}

static void send_break(struct mux *m)
{
	const struct stream *s = &m->ports[m->focus].stream;

	if (s->guest && s->guest->event)
		s->guest->event(s->dev, STREAM_BREAK);
}

static void command(struct mux *m, uint8_t key)
{
	switch (key) {
	case 'x':
		say(m, "QEMU: Terminated\r\n");	/* as scripts expect it */
		chardev_set_quit(m->base->set);
		break;
	case 'h':
	case '?':
		print_help(m);
		break;
	case 'b':
		send_break(m);
		break;
	case 't':
		m->stamps = m->line_start = !m->stamps;
		break;
	case 'c':
		next_console(m);
		break;
	case 's':
		say(m, "\r\nsaving disks is not in this version\r\n");
		break;
	default:
		if (key == chardev_set_escape_char(m->base->set))
			queue(&m->ports[m->focus], key);
		break;
	}
}

static size_t mux_room(void *dev)
{
	const struct mux *m = dev;

	return m->count ? MUX_ROOM - m->ports[m->focus].count : 0;
}

static void mux_input(void *dev, const uint8_t *buf, size_t len)
{
	struct mux *m = dev;
	uint8_t escape = chardev_set_escape_char(m->base->set);

	for (size_t i = 0; i < len; i++) {
		struct mux_port *p = &m->ports[m->focus];

		if (m->escaped) {
			m->escaped = false;
			deliver(p);	/* what was typed before the key */
			command(m, buf[i]);
		} else if (buf[i] == escape) {
			m->escaped = true;
		} else if (p->count < MUX_ROOM) {
			queue(p, buf[i]);
		}
	}
	for (unsigned i = 0; i < m->count; i++)
		deliver(&m->ports[i]);
}

static void mux_event(void *dev, enum stream_event ev)
{
	struct mux *m = dev;

	for (unsigned i = 0; i < m->count; i++) {
		const struct stream *s = &m->ports[i].stream;

		if (s->guest && s->guest->event)
			s->guest->event(s->dev, ev);
	}
}

static const struct stream_guest mux_guest = {
	.room = mux_room, .input = mux_input, .event = mux_event,
};

/* ---- guest to host ---- */

static void put_stamp(struct mux *m)
{
	int64_t now_ns = os_realtime_ns();
	int64_t s = now_ns / 1000000000;
	char text[32];

	s += os_local_offset_s(s);
	snprintf(text, sizeof(text), "[%02d:%02d:%02d.%03d] ",
		 (int)(s / 3600 % 24), (int)(s / 60 % 60), (int)(s % 60),
		 (int)(now_ns / 1000000 % 1000));
	say(m, text);
}

static void port_put(struct stream *s, const uint8_t *buf, size_t len)
{
	struct mux *m = container_of(s, struct mux_port, stream)->mux;

	if (!m->stamps) {
		stream_put(&m->base->stream, buf, len);
		return;
	}
	for (size_t i = 0; i < len; i++) {
		if (m->line_start)
			put_stamp(m);
		m->line_start = buf[i] == '\n';
		stream_put(&m->base->stream, &buf[i], 1);
	}
}

struct stream *mux_add(struct mux *m)
{
	struct mux_port *p;

	if (m->count == MUX_PORTS)
		return NULL;
	p = &m->ports[m->count++];
	p->mux = m;
	p->stream.id = m->base->id;
	p->stream.put = port_put;
	p->stream.ready = port_ready;
	stream_ready(&m->base->stream);
	return &p->stream;
}

struct mux *mux_new(struct chardev *base)
{
	struct mux *m = xcalloc(1, sizeof(*m));

	m->base = base;
	(void)stream_attach(&base->stream, &mux_guest, m); /* it is new */
	return m;
}

void mux_free(struct mux *m)
{
	free(m);
}
