/* dev/pc/hpet.c - high precision event timer: a 100 MHz counter, three timers.
 *
 * The main counter is guest time divided by 10 ns, less an offset; nothing
 * ticks.  A timer that may match has the clock wake it at its next match.
 * In legacy replacement mode timer 0 takes the place of the 8254 on interrupt
 * 0 and timer 1 that of the RTC on 8; otherwise those two pass through here.
 *
 * Limits: matches of a periodic timer come no closer than GAP ticks; messages
 * (FSB delivery) are not offered.
 *
 * Source: IA-PC HPET specification 1.0a, section 2.3.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bus/clock.h"
#include "bus/irq.h"
#include "dev/pc/hpet.h"

#define HPET_BASE	0xfed00000
#define HPET_HZ		100000000
#define PERIOD_FS	10000000ull
#define TIMERS		3
#define GAP		2000	/* ticks: 20 us */
#define GSIS		32

/* Registers */
#define GCAP_ID		0x00
#define GEN_CONF	0x10
#define GINTR_STA	0x20
#define MAIN_CNT	0xf0
#define TIMER_FIRST	0x100
#define TIMER_STRIDE	0x20
#define TIMER_CONF	0x00
#define TIMER_COMP	0x08

/* vendor 8086h, legacy replacement, 64 bits, 3 timers, revision 1 */
#define GCAP_VALUE	(PERIOD_FS << 32 | 0x8086a001 | (TIMERS - 1) << 8)
#define ENABLE_CNF	1ull
#define LEG_RT_CNF	2ull

/* Timer configuration:
 *
 *   63..32  13..9  8       6        5         4        3         2        1
 *   routes  route  32MODE  VAL_SET  SIZE_CAP  PER_CAP  PERIODIC  INT_ENB  LEVEL
 */
#define TN_LEVEL	(1ull << 1)
#define TN_INT_ENB	(1ull << 2)
#define TN_PERIODIC	(1ull << 3)
#define TN_CAPS		(3ull << 4)
#define TN_VAL_SET	(1ull << 6)
#define TN_32MODE	(1ull << 8)
#define TN_ROUTE	(0x1full << 9)
#define TN_WRITABLE	(TN_LEVEL | TN_INT_ENB | TN_PERIODIC | TN_VAL_SET | \
			 TN_32MODE | TN_ROUTE)

struct timer_regs {
	uint64_t config, comparator, period;
};

struct hpet {
	struct device dev;
	uint32_t intcap;		/* property */
	struct window mmio;
	struct irq legacy_out[2];	/* ISA lines 0 and 8; derived */
	struct irq gsi[GSIS];		/* derived */
	struct clock_timer match[TIMERS];	/* derived */

	struct timer_regs timer[TIMERS];
	uint64_t config, status;
	uint64_t offset;	/* counter - ticks of guest time, if enabled */
	uint64_t halted;	/* the counter while it is not */
	bool legacy_in[2];	/* levels of the 8254 and the RTC */
};

static struct hpet *hpet_of(struct device *d)
{
	return container_of(d, struct hpet, dev);
}

static uint64_t ticks(const struct hpet *h)
{
	return clock_ns_to_ticks((uint64_t)clock_now(bus_clock(h->dev.bus)),
				 HPET_HZ);
}

static uint64_t counter(const struct hpet *h)
{
	return h->config & ENABLE_CNF ? ticks(h) + h->offset : h->halted;
}

/* ---- lines ---- */

static struct irq *line_of(struct hpet *h, unsigned n)
{
	if ((h->config & LEG_RT_CNF) && n < 2)
		return &h->legacy_out[n];
	return &h->gsi[(h->timer[n].config & TN_ROUTE) >> 9];
}

static bool is_asserted(const struct hpet *h, unsigned n)
{
	uint64_t need = TN_LEVEL | TN_INT_ENB;

	return (h->config & ENABLE_CNF) && (h->status >> n & 1) &&
	       (h->timer[n].config & need) == need;
}

static void update_lines(struct hpet *h)
{
	uint32_t want = 0;
	bool legacy[2] = { h->legacy_in[0], h->legacy_in[1] };

	if (h->config & LEG_RT_CNF)
		legacy[0] = legacy[1] = false;
	for (unsigned n = 0; n < TIMERS; n++) {
		struct irq *line = line_of(h, n);

		if (!is_asserted(h, n))
			continue;
		if (line == &h->legacy_out[0] || line == &h->legacy_out[1])
			legacy[n] = true;
		else
			want |= 1u << (line - h->gsi);
	}
	for (unsigned i = 0; i < 2; i++)
		irq_set(&h->legacy_out[i], legacy[i]);
	for (unsigned i = 0; i < GSIS; i++)
		irq_set(&h->gsi[i], want >> i & 1);
}

static void interrupt(struct hpet *h, unsigned n)
{
	if (!(h->timer[n].config & TN_INT_ENB))
		return;
	if (!(h->timer[n].config & TN_LEVEL)) {
		irq_pulse(line_of(h, n));
		return;
	}
	h->status |= 1ull << n;
	update_lines(h);
}

/* ---- matching ---- */

/* Of the timer's width. */
static uint64_t width_mask(const struct timer_regs *t)
{
	return t->config & TN_32MODE ? 0xffffffff : ~0ull;
}

/* `passed`: the match of this very tick has happened. */
static void arm(struct hpet *h, unsigned n, bool passed)
{
	const struct timer_regs *t = &h->timer[n];
	struct clock *k = bus_clock(h->dev.bus);
	uint64_t wait = (t->comparator - counter(h)) & width_mask(t);
	int64_t at = CLOCK_NEVER;

	if (passed && !wait)	/* once round */
		wait = t->config & TN_32MODE ? 1ull << 32 : ~0ull;
	/* A wait of more than 2^62 ns is for ever. */
	if ((h->config & ENABLE_CNF) && wait < 1ull << 58)
		at = clock_ticks_to_ns(ticks(h) + wait, HPET_HZ);
	timer_arm(k, &h->match[n], at);
}

static void arm_all(struct hpet *h)
{
	for (unsigned n = 0; n < TIMERS; n++)
		arm(h, n, false);
}

/* Move a periodic comparator past the counter. */
static void advance(struct timer_regs *t, uint64_t now)
{
	uint64_t mask = width_mask(t), late = (now - t->comparator) & mask;
	uint64_t period = t->period & mask;

	if (!period)
		return;
	if (period < GAP)
		late += GAP - period;
	t->comparator = (t->comparator + (late / period + 1) * period) & mask;
}

static void matched(struct hpet *h, unsigned n)
{
	if (h->timer[n].config & TN_PERIODIC)
		advance(&h->timer[n], counter(h));
	arm(h, n, true);
	interrupt(h, n);
}

static void fire(struct hpet *h, unsigned n)
{
	timer_cancel(bus_clock(h->dev.bus), &h->match[n]);
	matched(h, n);
}

static void fire_0(void *ctx)
{
	fire(ctx, 0);
}

static void fire_1(void *ctx)
{
	fire(ctx, 1);
}

static void fire_2(void *ctx)
{
	fire(ctx, 2);
}

/* Let matches that are due happen, before registers are looked at. */
static void settle(struct hpet *h)
{
	int64_t now = clock_now(bus_clock(h->dev.bus));

	for (unsigned n = 0; n < TIMERS; n++)
		if (timer_armed(&h->match[n]) && h->match[n].deadline_ns <= now)
			fire(h, n);
}

/* ---- registers, all of 64 bits ---- */

static struct timer_regs *timer_at(struct hpet *h, uint64_t reg, unsigned *n)
{
	if (reg < TIMER_FIRST || reg >= TIMER_FIRST + TIMERS * TIMER_STRIDE)
		return NULL;
	*n = (unsigned)(reg - TIMER_FIRST) / TIMER_STRIDE;
	return &h->timer[*n];
}

static uint64_t read_reg(struct hpet *h, uint64_t reg)
{
	unsigned n;
	const struct timer_regs *t = timer_at(h, reg, &n);

	if (t && reg % TIMER_STRIDE == TIMER_CONF)
		return (uint64_t)h->intcap << 32 | TN_CAPS | t->config;
	if (t && reg % TIMER_STRIDE == TIMER_COMP)
		return t->comparator;
	switch (reg) {
	case GCAP_ID:	return GCAP_VALUE;
	case GEN_CONF:	return h->config;
	case GINTR_STA:	return h->status;
	case MAIN_CNT:	return counter(h);
	}
	return 0;
}

static void write_gen_conf(struct hpet *h, uint64_t v)
{
	uint64_t now = counter(h);

	h->config = v & (ENABLE_CNF | LEG_RT_CNF);
	h->halted = now;
	h->offset = now - ticks(h);
	update_lines(h);
	arm_all(h);
}

static void write_timer_conf(struct hpet *h, unsigned n, uint64_t v)
{
	struct timer_regs *t = &h->timer[n];
	uint64_t old = t->config;

	v &= TN_WRITABLE;
	/* A route that the timer lacks does not stick. */
	if (!(h->intcap >> (v >> 9 & 0x1f) & 1))
		v = (v & ~TN_ROUTE) | (old & TN_ROUTE);
	t->config = v;
	t->comparator &= width_mask(t);
	t->period &= width_mask(t);
	if (!(v & TN_LEVEL))
		h->status &= ~(1ull << n);
	update_lines(h);
	arm(h, n, !timer_armed(&h->match[n]));
}

/* In periodic mode the value is the period, and the first match as well if
 * VAL_SET announced that. */
static void write_timer_comp(struct hpet *h, unsigned n, uint64_t v,
			     uint64_t written)
{
	struct timer_regs *t = &h->timer[n];

	v &= width_mask(t);
	if (!(t->config & TN_PERIODIC) || (t->config & TN_VAL_SET))
		t->comparator = (t->comparator & ~written) | (v & written);
	if (t->config & TN_PERIODIC)
		t->period = (t->period & ~written) | (v & written);
	t->comparator &= width_mask(t);
	t->config &= ~TN_VAL_SET;
	arm(h, n, false);
}

/* `written` has ones where v holds new bits; the others are the old ones. */
static void write_reg(struct hpet *h, uint64_t reg, uint64_t v,
		      uint64_t written)
{
	unsigned n;
	const struct timer_regs *t = timer_at(h, reg, &n);

	if (t && reg % TIMER_STRIDE == TIMER_CONF) {
		write_timer_conf(h, n, v);
	} else if (t && reg % TIMER_STRIDE == TIMER_COMP) {
		write_timer_comp(h, n, v, written);
	} else if (reg == GEN_CONF) {
		write_gen_conf(h, v);
	} else if (reg == GINTR_STA) {
		h->status &= ~(v & written);
		update_lines(h);
	} else if (reg == MAIN_CNT) {
		h->halted = v;
		h->offset = v - ticks(h);
		arm_all(h);
	}
}

static uint64_t hpet_read(void *dev, uint64_t off, unsigned size)
{
	struct hpet *h = dev;
	uint64_t v;

	settle(h);
	v = read_reg(h, off & ~7ull);
	return off & 4 ? v >> 32 : v;
}

static void hpet_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct hpet *h = dev;
	uint64_t reg = off & ~7ull, written = ~0ull;

	settle(h);
	if (size == 4) {
		written = off & 4 ? ~0xffffffffull : 0xffffffff;
		val = (read_reg(h, reg) & ~written) |
		      (off & 4 ? val << 32 : val);
	}
	write_reg(h, reg, val, written);
}

static const struct io_ops hpet_io = {
	.min_size = 4, .max_size = 8, .read = hpet_read, .write = hpet_write,
};

/* ---- wiring and life ---- */

static void legacy_changed(void *ctx, unsigned pin, bool level)
{
	struct hpet *h = ctx;

	h->legacy_in[pin] = level;
	if (!(h->config & LEG_RT_CNF))
		irq_set(&h->legacy_out[pin], level);
}

struct irq_sink hpet_i8254_input(struct device *hpet)
{
	return (struct irq_sink){ legacy_changed, hpet_of(hpet), 0 };
}

struct irq_sink hpet_rtc_input(struct device *hpet)
{
	return (struct irq_sink){ legacy_changed, hpet_of(hpet), 1 };
}

static int hpet_attach(struct device *d, struct err *e)
{
	static void (*const fires[TIMERS])(void *) = { fire_0, fire_1, fire_2 };
	struct hpet *h = hpet_of(d);

	for (unsigned n = 0; n < TIMERS; n++)
		timer_init(&h->match[n], fires[n], h);
	for (unsigned i = 0; i < GSIS; i++)
		irq_connect(&h->gsi[i], bus_gsi(d->bus, i));
	irq_connect(&h->legacy_out[0], bus_isa_irq(d->bus, 0));
	irq_connect(&h->legacy_out[1], bus_isa_irq(d->bus, 8));
	h->mmio = (struct window){ "hpet", &hpet_io, h, 0, 0, false };
	return bus_map_mmio(d->bus, &h->mmio, HPET_BASE, 0x400, e);
}

static void hpet_detach(struct device *d)
{
	struct hpet *h = hpet_of(d);

	for (unsigned n = 0; n < TIMERS; n++)
		timer_cancel(bus_clock(d->bus), &h->match[n]);
	bus_unmap_mmio(d->bus, &h->mmio);
}

static void hpet_reset(struct device *d)
{
	struct hpet *h = hpet_of(d);
	unsigned route = h->intcap ? (unsigned)__builtin_ctz(h->intcap) : 0;

	for (unsigned n = 0; n < TIMERS; n++) {
		h->timer[n] = (struct timer_regs){
			.config = (uint64_t)route << 9, .comparator = ~0ull };
		timer_cancel(bus_clock(d->bus), &h->match[n]);
	}
	h->config = h->status = h->offset = h->halted = 0;
	update_lines(h);
}

static const struct prop hpet_props[] = {
	PROP(struct hpet, intcap, "hpet-intcap", PROP_U32, 0x00ff0104,
	     "one bit for each GSI that the timers may interrupt"),
	{ .name = NULL },
};

static const struct field hpet_state[] = {
	FIELD(struct hpet, timer),  FIELD(struct hpet, config),
	FIELD(struct hpet, status), FIELD(struct hpet, offset),
	FIELD(struct hpet, halted), FIELD(struct hpet, legacy_in),
	{ .name = NULL },
};

const struct device_class hpet_class = {
	.name = "hpet",
	.summary = "high precision event timer",
	.category = DEVICE_MISC,
	.size = sizeof(struct hpet),
	.props = hpet_props,
	.state = hpet_state,
	.attach = hpet_attach,
	.reset = hpet_reset,
	.detach = hpet_detach,
};
