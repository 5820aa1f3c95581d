/* dev/pc/debugcon.c - isa-debugcon: one port whose bytes go to a stream.
 *
 * Firmware and test kernels write their messages there without any set-up; a
 * read gives `readback`, by which they know that somebody listens.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "char/stream.h"
#include "dev/core/devices.h"

struct debugcon {
	struct device dev;
	struct stream *stream;
	uint32_t iobase, readback;
	struct window window;
};

/* Nothing ever comes from the host's side. */
static size_t debugcon_room(void *dev)
{
	return 0;
}

static void debugcon_input(void *dev, const uint8_t *buf, size_t len)
{
}

static const struct stream_guest debugcon_guest = {
	.room = debugcon_room, .input = debugcon_input,
};

static uint64_t debugcon_read(void *dev, uint64_t off, unsigned size)
{
	const struct debugcon *c = dev;

	return c->readback;
}

static void debugcon_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct debugcon *c = dev;
	uint8_t byte = (uint8_t)val;

	stream_put(c->stream, &byte, 1);
}

static const struct io_ops debugcon_io = {
	.min_size = 1, .max_size = 1,
	.read = debugcon_read, .write = debugcon_write,
};

static int debugcon_attach(struct device *d, struct err *e)
{
	struct debugcon *c = container_of(d, struct debugcon, dev);
	int r;

	if (!c->stream)
		return fail(e, EINVAL, "isa-debugcon needs a chardev");
	if (c->iobase > 0xffff)
		return fail(e, EINVAL, "isa-debugcon.iobase 0x%x is over the"
			    " limit of 0xffff", c->iobase);
	c->window = (struct window){
		.name = "debugcon", .ops = &debugcon_io, .dev = c,
	};
	r = bus_map_ports(d->bus, &c->window, (uint16_t)c->iobase, 1, e);
	if (r < 0 || stream_attach(c->stream, &debugcon_guest, c))
		return r;
	bus_unmap_ports(d->bus, &c->window);
	return fail(e, EBUSY, "chardev '%s' is in use", c->stream->id);
}

static void debugcon_detach(struct device *d)
{
	struct debugcon *c = container_of(d, struct debugcon, dev);

	bus_unmap_ports(d->bus, &c->window);
	c->stream->guest = NULL;
}

static const struct prop debugcon_props[] = {
	PROP(struct debugcon, stream, "chardev", PROP_STREAM, 0,
	     "ID of a chardev to use as a backend"),
	PROP(struct debugcon, iobase, "iobase", PROP_U32, 0xe9, NULL),
	PROP(struct debugcon, readback, "readback", PROP_U32, 0xe9, NULL),
	{ .name = NULL },
};

/* No state: the port remembers nothing. */
const struct device_class isa_debugcon_class = {
	.name = "isa-debugcon",
	.category = DEVICE_MISC,
	.bus = BUS_ISA,
	.user_creatable = true,
	.size = sizeof(struct debugcon),
	.props = debugcon_props,
	.attach = debugcon_attach,
	.detach = debugcon_detach,
};
