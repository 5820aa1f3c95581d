/* char/stream.h - a byte stream with a guest end and a host end.
 *
 * Made by a character back end (char/chardev.h), borrowed by a device.
 * Everything here runs with the bus lock held.
 *
 *   guest to host   stream_put(); a back end that cannot write now buffers a
 *                   bounded amount, then drops, counting what it dropped
 *   host to guest   the device says how much it can take (room) and is given
 *                   at most that (input).  A device whose room() was 0 calls
 *                   stream_ready() when that changes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHAR_STREAM_H
#define CHAR_STREAM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum stream_event {
	STREAM_OPENED,		/* a peer has connected */
	STREAM_CLOSED,
	STREAM_BREAK,		/* Ctrl-A b: a serial break condition */
};

/* What the guest end (a device) hands down. */
struct stream_guest {
	size_t (*room)(void *dev);
	void (*input)(void *dev, const uint8_t *buf, size_t len);
	void (*event)(void *dev, enum stream_event ev);	/* may be NULL */
};

struct stream {
	const char *id;
	/* Set by the back end. */
	void (*put)(struct stream *s, const uint8_t *buf, size_t len);
	void (*ready)(struct stream *s);		/* may be NULL */
	/* Set by stream_attach(). */
	const struct stream_guest *guest;
	void *dev;
};

/* Join a device's end; false if another device already has it. */
static inline bool stream_attach(struct stream *s,
				 const struct stream_guest *g, void *dev)
{
	if (s->guest)
		return false;
	s->guest = g;
	s->dev = dev;
	return true;
}

/* s may be NULL: a device with nothing connected. */
static inline void stream_put(struct stream *s, const uint8_t *buf, size_t len)
{
	if (s)
		s->put(s, buf, len);
}

static inline void stream_ready(struct stream *s)
{
	if (s && s->ready)
		s->ready(s);
}
#endif
