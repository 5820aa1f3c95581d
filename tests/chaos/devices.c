/* devices.c - random accesses to every port and register window of a machine,
 * in all sizes, with guest time passing and processors fetching interrupts.
 *
 * Plays all vCPUs itself: their interrupt controllers are reached through one
 * address, by which vCPU asks.  No instruction runs.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "../oracle/random.h"
#include "bus/intc.h"
#include "chaos.h"
#include "cpu/vcpu.h"
#include "rig.h"

#define CPUS		3
#define ACCESSES	2000

static const struct {
	uint16_t first, count;
} port_ranges[] = {
	{ 0x00, 0x10 }, { 0x20, 2 }, { 0x40, 4 }, { 0x60, 5 }, { 0x70, 4 },
	{ 0x80, 0x10 }, { 0x92, 1 }, { 0xa0, 2 }, { 0xb0, 4 }, { 0xc0, 0x20 },
	{ 0xe0, 0x10 }, { 0x2e8, 8 }, { 0x2f8, 8 }, { 0x3e8, 8 }, { 0x3f8, 8 },
	{ 0x4d0, 2 }, { 0x500, 8 }, { 0x600, 0x40 }, { 0xafe0, 0x20 },
	{ 0xb000, 0x40 }, { 0xc000, 0x100 }, { 0xcf8, 8 }, { 0x2000, 0x20 },
	{ 0, 0xffff },
};

static const struct {
	gpa_t base;
	uint64_t len;
} windows[] = {
	{ 0xfec00000, 0x100 }, { 0xfed00000, 0x400 }, { 0xfee00000, 0x1000 },
	{ 0xff000000, 0x10000 }, { 0xa0000, 0x20000 }, { 0xc0000000, 0x4000 },
	{ 0xc0000, 0x40000 }, { 0xfff00000, 0x100000 },
	{ 0x100000000, 0x100000000 }, { 0, ~0ull },
};

/* Offsets are mostly whole registers. */
static uint64_t some_offset(uint64_t *r, uint64_t len)
{
	uint64_t at = random_next(r) % len;

	return one_in(r, 4) ? at : at & ~(one_in(r, 2) ? 0xfull : 3ull);
}

static void touch_port(uint64_t *r, struct rig *g)
{
	unsigned n = below(r, ARRAY_LEN(port_ranges)), size = 1u << below(r, 3);
	uint16_t port = (uint16_t)(port_ranges[n].first +
				   below(r, port_ranges[n].count));

	if (one_in(r, 2))
		(void)bus_port_read(g->bus, port, size);
	else
		bus_port_write(g->bus, port, (uint32_t)some_integer(r), size);
}

/* Configuration space has a door of two ports, seldom found by chance. */
static void touch_pci(uint64_t *r, struct rig *g)
{
	uint32_t at = 0x80000000 | below(r, 8) << 11 | below(r, 8) << 8;

	bus_port_write(g->bus, 0xcf8, at | below(r, 64) << 2, 4);
	bus_port_write(g->bus, (uint16_t)(0xcfc + below(r, 4)),
		       (uint32_t)random_next(r), 1u << below(r, 3));
}

static void touch_window(uint64_t *r, struct rig *g)
{
	unsigned n = below(r, ARRAY_LEN(windows)), size = 1u << below(r, 4);
	gpa_t at = windows[n].base + some_offset(r, windows[n].len);

	if (one_in(r, 2))
		(void)bus_mmio_read(g->bus, at, size);
	else
		bus_mmio_write(g->bus, at, some_integer(r), size);
}

/* What a processor asks of its local APIC. */
static void be_processor(uint64_t *r, struct cpu *c)
{
	static const uint32_t msrs[] = { 0x1b, 0x6e0 };
	uint32_t msr = one_in(r, 4) ? msrs[below(r, 2)]
				    : 0x800 + below(r, 0x100);
	uint64_t v;

	switch (below(r, 8)) {
	case 0:	 (void)c->intc_ops->cr8_read(c->intc); break;
	case 1:	 c->intc_ops->cr8_write(c->intc, (uint8_t)below(r, 16)); break;
	case 2:	 (void)c->intc_ops->msr_read(c->intc, msr, &v); break;
	case 3:	 (void)c->intc_ops->msr_write(c->intc, msr, some_integer(r));
		 break;
	case 4:	 c->intc_ops->tsc_offset(c->intc, some_integer(r)); break;
	case 5:	 if (one_in(r, 16))
			c->intc_ops->init(c->intc);
		 break;
	default: (void)c->intc_ops->ack(c->intc); break;
	}
}

static int64_t some_time(uint64_t *r)
{
	static const int64_t spans[] = { 100, 1000, 100000, 10000000,
					 1000000000, 3600ll * 1000000000 };

	return (int64_t)(random_next(r) %
			 (uint64_t)spans[below(r, ARRAY_LEN(spans))]);
}

static void touch(uint64_t *r, struct rig *g)
{
	struct cpu *c = vcpus_get(g->vcpus, below(r, CPUS));

	vcpu_set_current(c->index);
	switch (below(r, 8)) {
	case 0: case 1: case 2:
		touch_port(r, g);
		break;
	case 3: case 4:
		touch_window(r, g);
		break;
	case 5:
		if (one_in(r, 4))
			touch_pci(r, g);
		break;
	case 6:
		be_processor(r, c);
		break;
	default:
		rig_pass(g, some_time(r));
		break;
	}
}

const char *chaos_devices(uint64_t seed)
{
	uint64_t r = seed * 0xd1342543de82ef95ull;
	struct rig g;

	snprintf(progress->what, sizeof(progress->what), "devices");
	rig_open(&g, "max", CPUS);
	for (unsigned n = 0; n < CASES; n++) {
		progress->at = n;
		rig_reset(&g);
		rig_resume(&g);
		for (unsigned k = 0; k < CPUS; k++) {
			vcpu_set_current(k);
			if (!one_in(&r, 4))
				rig_wake_devices(&g, &r);
		}
		for (unsigned k = 0; k < ACCESSES; k++)
			touch(&r, &g);
		progress->cases++;
		progress->endings[g.power ? END_POWER : END_LIMIT]++;
	}
	vcpu_set_current(0);
	rig_close(&g);
	return NULL;
}
