/* dev/pc/debugexit.c - isa-debug-exit: a port that ends the program.
 *
 * Writing v makes the exit status v << 1 | 1, which is never 0: a guest cannot
 * be mistaken for one that powered off.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "dev/core/devices.h"

struct debugexit {
	struct device dev;
	uint32_t iobase, iosize;
	struct window window;
};

static uint64_t debugexit_read(void *dev, uint64_t off, unsigned size)
{
	return 0;
}

static void debugexit_write(void *dev, uint64_t off, uint64_t val,
			    unsigned size)
{
	struct debugexit *x = dev;

	bus_request_power(x->dev.bus, POWER_EXIT, (int)(val << 1 | 1));
}

static const struct io_ops debugexit_io = {
	.min_size = 1, .max_size = 4,
	.read = debugexit_read, .write = debugexit_write,
};

static int debugexit_attach(struct device *d, struct err *e)
{
	struct debugexit *x = container_of(d, struct debugexit, dev);

	if (x->iobase > 0xffff)
		return fail(e, EINVAL, "isa-debug-exit.iobase 0x%x is over the"
			    " limit of 0xffff", x->iobase);
	x->window = (struct window){
		.name = "debug-exit", .ops = &debugexit_io, .dev = x,
	};
	return bus_map_ports(d->bus, &x->window, (uint16_t)x->iobase,
			     x->iosize, e);
}

static void debugexit_detach(struct device *d)
{
	struct debugexit *x = container_of(d, struct debugexit, dev);

	bus_unmap_ports(d->bus, &x->window);
}

static const struct prop debugexit_props[] = {
	PROP(struct debugexit, iobase, "iobase", PROP_U32, 0x501, NULL),
	PROP(struct debugexit, iosize, "iosize", PROP_U32, 2, NULL),
	{ .name = NULL },
};

/* No state: the port remembers nothing. */
const struct device_class isa_debug_exit_class = {
	.name = "isa-debug-exit",
	.category = DEVICE_MISC,
	.bus = BUS_ISA,
	.user_creatable = true,
	.size = sizeof(struct debugexit),
	.props = debugexit_props,
	.attach = debugexit_attach,
	.detach = debugexit_detach,
};
