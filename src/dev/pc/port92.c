/* dev/pc/port92.c - system control port A: the fast A20 gate and fast reset.
 *
 *   7      2   1   0
 *  [  kept  | A20 | INIT ]   INIT: a change from 0 to 1 resets
 *
 * The keyboard controller opens and closes the same gate, and the last who
 * spoke wins, so bit 1 is read from the bus and not remembered here.
 *
 * Source: IBM PS/2 Hardware Interface Technical Reference, system control
 * port A.
 *
 * SPDX-License-Identifier: MIT
 */
#include "dev/core/devices.h"

#define P92_INIT	0x01
#define P92_A20		0x02

struct port92 {
	struct device dev;
	struct window window;
	uint8_t latch;		/* without P92_A20 */
};

static uint64_t port92_read(void *dev, uint64_t off, unsigned size)
{
	const struct port92 *p = dev;
	bool open = bus_a20_mask(p->dev.bus) >> 20 & 1;

	return p->latch | (open ? P92_A20 : 0);
}

static void port92_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct port92 *p = dev;
	bool reset = val & ~p->latch & P92_INIT;

	p->latch = (uint8_t)(val & ~P92_A20);
	bus_set_a20(p->dev.bus, val & P92_A20);
	if (reset)
		bus_request_power(p->dev.bus, POWER_RESET, 0);
}

static const struct io_ops port92_io = {
	.min_size = 1, .max_size = 1,
	.read = port92_read, .write = port92_write,
};

static int port92_attach(struct device *d, struct err *e)
{
	struct port92 *p = container_of(d, struct port92, dev);

	p->window = (struct window){
		.name = "port92", .ops = &port92_io, .dev = p,
	};
	return bus_map_ports(d->bus, &p->window, 0x92, 1, e);
}

/* Firmware leaves the gate open, and a kernel loaded directly expects that. */
static void port92_reset(struct device *d)
{
	struct port92 *p = container_of(d, struct port92, dev);

	p->latch = 0;
	bus_set_a20(d->bus, true);
}

static void port92_detach(struct device *d)
{
	struct port92 *p = container_of(d, struct port92, dev);

	bus_unmap_ports(d->bus, &p->window);
}

static const struct field port92_state[] = {
	FIELD(struct port92, latch),
	{ .name = NULL },
};

const struct device_class port92_class = {
	.name = "port92",
	.bus = BUS_ISA,
	.size = sizeof(struct port92),
	.state = port92_state,
	.attach = port92_attach,
	.reset = port92_reset,
	.detach = port92_detach,
};
