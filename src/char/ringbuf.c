/* char/ringbuf.c - the back end ringbuf: the last bytes, kept in memory.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/num.h"
#include "base/optstr.h"
#include "char/backend.h"

#define RING_PRESET	(64 * KiB)
#define RING_MAX	(64 * MiB)

struct ringbuf {
	struct chardev c;
	uint8_t *ring;		/* owned */
	uint64_t size;		/* a power of two */
	uint64_t wrote, read;	/* since the start; wrote - read <= size */
};

static int ringbuf_open(struct chardev *c, struct optstr *o, struct err *e)
{
	struct ringbuf *b = container_of(c, struct ringbuf, c);
	int r;

	b->size = RING_PRESET;
	r = optstr_size(o, "size", 1, &b->size, e);
	if (r)
		return r;
	if (!is_power_of_2(b->size) || b->size > RING_MAX)
		return fail(e, EINVAL, "size: %" PRIu64 " is not a power of "
			    "two up to %llu", b->size, RING_MAX);
	b->ring = calloc(1, b->size);
	if (!b->ring)
		return fail(e, ENOMEM, "size: no memory for %" PRIu64,
			    b->size);
	return 0;
}

static void ringbuf_put(struct chardev *c, const uint8_t *buf, size_t len)
{
	struct ringbuf *b = container_of(c, struct ringbuf, c);

	for (size_t i = 0; i < len; i++)
		b->ring[b->wrote++ & (b->size - 1)] = buf[i];
	if (b->wrote - b->read > b->size)
		b->read = b->wrote - b->size;
}

size_t ringbuf_read(struct chardev *c, uint8_t *buf, size_t room)
{
	struct ringbuf *b = container_of(c, struct ringbuf, c);
	size_t n = 0;

	while (n < room && b->read < b->wrote)
		buf[n++] = b->ring[b->read++ & (b->size - 1)];
	return n;
}

static void ringbuf_close(struct chardev *c)
{
	free(container_of(c, struct ringbuf, c)->ring);
}

const struct chardev_class ringbuf_class = {
	.name = "ringbuf",
	.help = "the last size= bytes, kept in memory",
	.size = sizeof(struct ringbuf),
	.open = ringbuf_open,
	.put = ringbuf_put,
	.close = ringbuf_close,
};
