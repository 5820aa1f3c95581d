/* dev/pc/pvpanic.c - pvpanic: a guest that has panicked says so.
 *
 * Reading the port gives the events the host wants to hear of; the guest
 * writes those that happened.  Bit 0: the kernel panicked and stays so; bit 1:
 * it panicked and goes on by itself to its crash kernel.
 *
 * Source: the interface Linux documents in drivers/misc/pvpanic (bit numbers).
 *
 * SPDX-License-Identifier: MIT
 */
#include "dev/core/devices.h"

#define PVPANIC_PANICKED	0x01
#define PVPANIC_CRASH_LOADED	0x02

struct pvpanic {
	struct device dev;
	uint16_t ioport;
	uint8_t events;
	struct window window;
};

static uint64_t pvpanic_read(void *dev, uint64_t off, unsigned size)
{
	const struct pvpanic *p = dev;

	return p->events;
}

static void pvpanic_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct pvpanic *p = dev;

	if (val & p->events & PVPANIC_PANICKED)
		bus_request_power(p->dev.bus, POWER_PANICKED, 0);
}

static const struct io_ops pvpanic_io = {
	.min_size = 1, .max_size = 1,
	.read = pvpanic_read, .write = pvpanic_write,
};

static int pvpanic_attach(struct device *d, struct err *e)
{
	struct pvpanic *p = container_of(d, struct pvpanic, dev);

	p->window = (struct window){
		.name = "pvpanic", .ops = &pvpanic_io, .dev = p,
	};
	return bus_map_ports(d->bus, &p->window, p->ioport, 1, e);
}

static void pvpanic_detach(struct device *d)
{
	struct pvpanic *p = container_of(d, struct pvpanic, dev);

	bus_unmap_ports(d->bus, &p->window);
}

static const struct prop pvpanic_props[] = {
	PROP(struct pvpanic, events, "events", PROP_U8,
	     PVPANIC_PANICKED | PVPANIC_CRASH_LOADED, NULL),
	PROP(struct pvpanic, ioport, "ioport", PROP_U16, 0x505, NULL),
	{ .name = NULL },
};

/* No state: the port remembers nothing. */
const struct device_class pvpanic_class = {
	.name = "pvpanic",
	.category = DEVICE_MISC,
	.bus = BUS_ISA,
	.user_creatable = true,
	.size = sizeof(struct pvpanic),
	.props = pvpanic_props,
	.attach = pvpanic_attach,
	.detach = pvpanic_detach,
};
