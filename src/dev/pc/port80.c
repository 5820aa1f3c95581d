/* dev/pc/port80.c - the POST code port, which most systems use as a delay.
 *
 * The port belongs to the DMA page registers and can be read back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/trace.h"
#include "dev/core/devices.h"

struct port80 {
	struct device dev;
	struct window window;
	uint8_t code;
};

static uint64_t port80_read(void *dev, uint64_t off, unsigned size)
{
	const struct port80 *p = dev;

	return p->code;
}

static void port80_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct port80 *p = dev;

	if (p->code != (uint8_t)val)
		trace_port80_write((uint8_t)val);
	p->code = (uint8_t)val;
}

static const struct io_ops port80_io = {
	.min_size = 1, .max_size = 1,
	.read = port80_read, .write = port80_write,
};

static int port80_attach(struct device *d, struct err *e)
{
	struct port80 *p = container_of(d, struct port80, dev);

	p->window = (struct window){
		.name = "port80", .ops = &port80_io, .dev = p,
	};
	return bus_map_ports(d->bus, &p->window, 0x80, 1, e);
}

static void port80_reset(struct device *d)
{
	container_of(d, struct port80, dev)->code = 0;
}

static void port80_detach(struct device *d)
{
	struct port80 *p = container_of(d, struct port80, dev);

	bus_unmap_ports(d->bus, &p->window);
}

static const struct field port80_state[] = {
	FIELD(struct port80, code),
	{ .name = NULL },
};

const struct device_class port80_class = {
	.name = "port80",
	.bus = BUS_ISA,
	.size = sizeof(struct port80),
	.state = port80_state,
	.attach = port80_attach,
	.reset = port80_reset,
	.detach = port80_detach,
};
