/* dev/pc/i8254.c - 8254 interval timer, and port 61h around its third counter.
 *
 * Counters do not tick: each remembers the tick at which its count was loaded,
 * and computes count and OUT from guest time when asked.  Only counter 0 has
 * the clock wake it, at the rising edges of OUT 0, which is the interrupt.
 * The falling edges between are made up just before the rising ones, since an
 * edge-triggered input does not look at them.
 *
 * Gates 0 and 1 are tied high.  Counter 1 once refreshed DRAM; what is left of
 * that is the bit in port 61h that toggles every 15 us.
 *
 * Limits: rising edges closer than EDGE_GAP ticks are merged; the speaker is
 * silent.
 *
 * Source: Intel 8254 data sheet (231164-005); PIIX3 data sheet 2.5.6 (61h).
 *
 * SPDX-License-Identifier: MIT
 */
#include "bus/clock.h"
#include "bus/irq.h"
#include "dev/pc/i8254.h"

#define PIT_HZ		1193182
#define EDGE_GAP	24	/* ticks: 20 us */
#define REFRESH_NS	15085
#define CONTROL		3	/* port 43h */

#define NMI_SC		0x61	/* NMI status and control register */
#define SC_GATE2	0x01
#define SC_WRITABLE	0x0f	/* gate, speaker, parity and IOCHK enables */
#define SC_REFRESH	0x10
#define SC_OUT2		0x20

/* Control word:   7..6 counter   5..4 RW   3..1 mode   0 BCD
 * Read-back:      11   5 no count   4 no status   3..1 counters 2..0
 * Status:         7 OUT   6 null count   5..0 as the control word
 */
#define CW_READ_BACK	3
#define RB_NO_COUNT	0x20
#define RB_NO_STATUS	0x10
#define ST_OUT		0x80
#define ST_NULL		0x40

enum rw { RW_LATCH, RW_LSB, RW_MSB, RW_BOTH };

struct counter {
	uint8_t mode, rw, bcd;
	bool gate;
	bool loaded;		/* counting, or ready for its trigger */
	bool triggered;		/* modes 1 and 5: since the last control word */
	uint32_t n;		/* count in force: 1 to 65536 */
	int64_t start;		/* tick at which it was loaded */
	int64_t held;		/* ticks elapsed when the gate fell */

	/* A count that waits: in modes 2 and 3 for tick `next_at`, in modes 1
	 * and 5 for the trigger.  0: none. */
	uint32_t next;
	int64_t next_at;

	uint8_t lsb;		/* first byte of a two-byte write */
	bool write_msb, read_msb;
	bool count_latched, status_latched;
	uint16_t latch;
	uint8_t status;
};

struct i8254 {
	struct device dev;
	struct irq out0;
	struct clock_timer timer;	/* next rising edge of OUT 0 */
	struct window ports, sc_port;

	struct counter counter[3];
	uint8_t sc;
};

static int64_t tick_now(const struct i8254 *p)
{
	return (int64_t)clock_ns_to_ticks(
		(uint64_t)clock_now(bus_clock(p->dev.bus)), PIT_HZ);
}

/* The first nanosecond of a tick. */
static int64_t ns_of(int64_t tick)
{
	return clock_ticks_to_ns((uint64_t)tick, PIT_HZ) + 1;
}

/* ---- one counter; t is the present tick ---- */

static bool is_periodic(const struct counter *c)
{
	return c->mode == 2 || c->mode == 3;
}

static bool is_triggered_mode(const struct counter *c)
{
	return c->mode == 1 || c->mode == 5;
}

static int64_t elapsed(const struct counter *c, int64_t t)
{
	if (!c->gate && !is_triggered_mode(c))
		return c->held;
	return t > c->start ? t - c->start : 0;
}

/* Mode 3 is high for the longer half of an odd count. */
static int64_t high_half(uint32_t n)
{
	return (n + 1) / 2;
}

static bool out(const struct counter *c, int64_t t)
{
	int64_t e = elapsed(c, t);

	if (!c->loaded || (is_triggered_mode(c) && !c->triggered))
		return c->mode != 0;
	switch (c->mode) {
	case 0:
	case 1:	return e >= c->n;
	case 2:	return !c->gate || e % c->n != c->n - 1;
	case 3:	return !c->gate || e % c->n < high_half(c->n);
	default: return e != c->n;	/* 4, 5: a strobe of one tick */
	}
}

/* A count that has waited long enough comes into force. */
static void settle(struct counter *c, int64_t t)
{
	bool mid;

	if (!is_periodic(c) || !c->next || !c->gate || t < c->next_at)
		return;
	/* Mode 3 also reloads at half time: the new count's low half follows */
	mid = (c->next_at - c->start) % c->n != 0;
	c->n = c->next;
	c->start = c->next_at - (mid ? high_half(c->n) : 0);
	c->next = 0;
}

static uint16_t to_bcd(uint32_t v)
{
	return (uint16_t)(v % 10 | v / 10 % 10 << 4 | v / 100 % 10 << 8 |
			  v / 1000 % 10 << 12);
}

static uint32_t from_bcd(uint16_t v)
{
	return (v & 15) + 10u * (v >> 4 & 15) + 100u * (v >> 8 & 15) +
	       1000u * (v >> 12);
}

static uint16_t count(const struct counter *c, int64_t t)
{
	uint32_t modulus = c->bcd ? 10000 : 65536;
	int64_t e = elapsed(c, t), v;

	if (!c->n)
		return 0;
	if (c->mode == 2) {
		v = c->n - e % c->n;
	} else if (c->mode == 3) {
		/* By twos, from an even count, in each half. */
		e %= c->n;
		if (e >= high_half(c->n))
			e -= high_half(c->n);
		v = (c->n & ~1u) - 2 * e;
	} else if (is_triggered_mode(c) && !c->triggered) {
		v = c->n;
	} else {
		v = c->n - e % modulus + modulus;
	}
	v %= modulus;
	return c->bcd ? to_bcd((uint32_t)v) : (uint16_t)v;
}

static uint8_t status(const struct counter *c, int64_t t)
{
	bool null = !c->loaded || c->next || t < c->start;

	return (out(c, t) ? ST_OUT : 0) | (null ? ST_NULL : 0) | c->rw << 4 |
	       c->mode << 1 | c->bcd;
}

static void load(struct counter *c, uint32_t n, int64_t t)
{
	c->n = n;
	c->start = t + 1;	/* with the next clock */
	c->held = 0;
	c->next = 0;
	c->loaded = true;
}

static void write_count(struct counter *c, uint16_t v, int64_t t)
{
	uint32_t n = c->bcd ? from_bcd(v) : v;
	int64_t into;

	if (!n)
		n = c->bcd ? 10000 : 65536;
	if (is_triggered_mode(c)) {
		if (!c->n)
			c->n = n;
		c->next = n;
		c->loaded = true;
	} else if (is_periodic(c) && c->loaded) {
		c->next = n;
		into = elapsed(c, t) % c->n;
		c->next_at = t - into + c->n;
		if (c->mode == 3 && into < high_half(c->n))
			c->next_at = t - into + high_half(c->n);
		if (t < c->start)
			load(c, n, t);
	} else {
		load(c, n, t);
	}
}

static void write_data(struct counter *c, uint8_t v, int64_t t)
{
	switch ((enum rw)c->rw) {
	case RW_LSB:
		write_count(c, v, t);
		break;
	case RW_MSB:
		write_count(c, (uint16_t)(v << 8), t);
		break;
	case RW_BOTH:
		c->write_msb = !c->write_msb;
		if (!c->write_msb) {
			write_count(c, (uint16_t)(v << 8 | c->lsb), t);
			break;
		}
		c->lsb = v;
		if (c->mode == 0)	/* half a count stops the old one */
			c->loaded = false;
		break;
	case RW_LATCH:			/* no control word yet */
		break;
	}
}

static uint8_t read_data(struct counter *c, int64_t t)
{
	uint16_t v = c->count_latched ? c->latch : count(c, t);
	bool msb = c->rw == RW_MSB;

	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	if (c->rw == RW_BOTH) {
		msb = c->read_msb;
		c->read_msb = !msb;
	}
	if (c->rw != RW_BOTH || msb)
		c->count_latched = false;
	return (uint8_t)(msb ? v >> 8 : v);
}

static void latch_count(struct counter *c, int64_t t)
{
	if (!c->count_latched)
		c->latch = count(c, t);
	c->count_latched = true;
}

static void set_gate(struct counter *c, bool level, int64_t t)
{
	if (c->gate == level)
		return;
	if (!level) {
		c->held = elapsed(c, t);
		c->gate = false;
		return;
	}
	c->gate = true;
	if (!c->loaded)
		return;
	if (is_triggered_mode(c)) {
		load(c, c->next ? c->next : c->n, t);
		c->triggered = true;
	} else if (is_periodic(c)) {
		load(c, c->next ? c->next : c->n, t);
	} else {
		c->start = t - c->held;
	}
}

/* ---- OUT 0 ---- */

/* The next rising edge; -1 if none will come. */
static int64_t next_rise(const struct counter *c, int64_t t)
{
	int64_t e = t - c->start;

	if (!c->loaded || is_triggered_mode(c))
		return -1;
	if (c->mode == 0)
		return e < c->n ? c->start + c->n : -1;
	if (c->mode == 4)
		return e <= c->n ? c->start + c->n + 1 : -1;
	if (c->next && (c->next_at - c->start) % c->n != 0)
		return c->next_at + c->next / 2;
	if (c->next)
		return c->next_at;
	if (e < 0)
		e = 0;
	if (c->n < EDGE_GAP)
		e += EDGE_GAP - c->n;
	return c->start + (e / c->n + 1) * c->n;
}

static void arm(struct i8254 *p)
{
	int64_t at = next_rise(&p->counter[0], tick_now(p));

	timer_arm(bus_clock(p->dev.bus), &p->timer,
		  at < 0 ? CLOCK_NEVER : ns_of(at));
}

static void rise(void *ctx)
{
	struct i8254 *p = ctx;

	settle(&p->counter[0], tick_now(p));
	irq_set(&p->out0, false);
	irq_set(&p->out0, true);
	arm(p);
}

/* Before counter 0 changes, let an edge that is due happen. */
static int64_t catch_up(struct i8254 *p)
{
	struct clock *k = bus_clock(p->dev.bus);
	int64_t t = tick_now(p);

	if (timer_armed(&p->timer) && p->timer.deadline_ns <= clock_now(k)) {
		timer_cancel(k, &p->timer);
		rise(p);
	}
	for (unsigned i = 0; i < 3; i++)
		settle(&p->counter[i], t);
	return t;
}

static void update_out0(struct i8254 *p, int64_t t)
{
	irq_set(&p->out0, out(&p->counter[0], t));
	arm(p);
}

/* ---- ports ---- */

static void read_back(struct i8254 *p, uint8_t v, int64_t t)
{
	for (unsigned i = 0; i < 3; i++) {
		struct counter *c = &p->counter[i];

		if (!(v >> (i + 1) & 1))
			continue;
		if (!(v & RB_NO_COUNT))
			latch_count(c, t);
		if (!(v & RB_NO_STATUS) && !c->status_latched) {
			c->status = status(c, t);
			c->status_latched = true;
		}
	}
}

static void write_control(struct i8254 *p, uint8_t v, int64_t t)
{
	struct counter *c = &p->counter[v >> 6 & 3];
	bool gate;

	if (v >> 6 == CW_READ_BACK) {
		read_back(p, v, t);
		return;
	}
	if ((v >> 4 & 3) == RW_LATCH) {
		latch_count(c, t);
		return;
	}
	gate = c->gate;
	*c = (struct counter){
		.rw = v >> 4 & 3, .bcd = v & 1, .gate = gate,
		/* Modes 6 and 7 are 2 and 3. */
		.mode = (v >> 1 & 7) > 5 ? v >> 1 & 3 : v >> 1 & 7,
	};
	if (c == &p->counter[0])
		update_out0(p, t);
}

static uint64_t i8254_read(void *dev, uint64_t off, unsigned size)
{
	struct i8254 *p = dev;

	if (off == CONTROL)
		return 0xff;	/* the data bus floats */
	return read_data(&p->counter[off], catch_up(p));
}

static void i8254_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct i8254 *p = dev;
	int64_t t = catch_up(p);

	if (off == CONTROL) {
		write_control(p, (uint8_t)val, t);
		return;
	}
	write_data(&p->counter[off], (uint8_t)val, t);
	if (off == 0)
		update_out0(p, t);
}

static uint64_t sc_read(void *dev, uint64_t off, unsigned size)
{
	struct i8254 *p = dev;
	int64_t t = catch_up(p);
	uint8_t v = p->sc;

	if (clock_now(bus_clock(p->dev.bus)) / REFRESH_NS & 1)
		v |= SC_REFRESH;
	if (out(&p->counter[2], t))
		v |= SC_OUT2;
	return v;
}

static void sc_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct i8254 *p = dev;
	int64_t t = catch_up(p);

	p->sc = (uint8_t)val & SC_WRITABLE;
	set_gate(&p->counter[2], p->sc & SC_GATE2, t);
}

static const struct io_ops i8254_io = {
	.min_size = 1, .max_size = 1, .read = i8254_read, .write = i8254_write,
};

static const struct io_ops sc_io = {
	.min_size = 1, .max_size = 1, .read = sc_read, .write = sc_write,
};

/* ---- life ---- */

void i8254_connect(struct device *pit, struct irq_sink out0)
{
	irq_connect(&container_of(pit, struct i8254, dev)->out0, out0);
}

static int i8254_attach(struct device *d, struct err *e)
{
	struct i8254 *p = container_of(d, struct i8254, dev);
	int rc;

	if (!p->out0.sink.changed)
		irq_connect(&p->out0, bus_isa_irq(d->bus, 0));
	timer_init(&p->timer, rise, p);
	p->ports = (struct window){ "i8254", &i8254_io, p, 0, 0, false };
	p->sc_port = (struct window){ "port 61h", &sc_io, p, 0, 0, false };
	rc = bus_map_ports(d->bus, &p->ports, 0x40, 4, e);
	if (!rc)
		rc = bus_map_ports(d->bus, &p->sc_port, NMI_SC, 1, e);
	return rc;
}

static void i8254_detach(struct device *d)
{
	struct i8254 *p = container_of(d, struct i8254, dev);

	timer_cancel(bus_clock(d->bus), &p->timer);
	bus_unmap_ports(d->bus, &p->ports);
	bus_unmap_ports(d->bus, &p->sc_port);
}

/* Nothing counts until it is programmed; OUT 0 is low. */
static void i8254_reset(struct device *d)
{
	struct i8254 *p = container_of(d, struct i8254, dev);

	for (unsigned i = 0; i < 3; i++)
		p->counter[i] = (struct counter){ .gate = i != 2 };
	p->sc = 0;
	timer_cancel(bus_clock(d->bus), &p->timer);
	irq_set(&p->out0, false);
}

static const struct field i8254_state[] = {
	FIELD(struct i8254, counter), FIELD(struct i8254, sc),
	{ .name = NULL },
};

const struct device_class i8254_class = {
	.name = "isa-pit",
	.summary = "8254 interval timer",
	.bus = BUS_ISA,
	.category = DEVICE_MISC,
	.size = sizeof(struct i8254),
	.state = i8254_state,
	.attach = i8254_attach,
	.reset = i8254_reset,
	.detach = i8254_detach,
};
