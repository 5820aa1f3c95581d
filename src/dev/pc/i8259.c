/* dev/pc/i8259.c - two 8259A interrupt controllers in cascade, and the ELCR.
 *
 * Inputs 0-7 are the master's, 8-15 the slave's, whose INT is the master's
 * input 2.  A chip's INT is a pure function of its registers and inputs
 * (pending()); every change ends in update(), which passes the slave's INT to
 * the master and the master's to the processor.
 *
 * An edge that has been seen stays in the IRR until it is acknowledged, even
 * if its line falls first: the data sheet wants lines held high until INTA,
 * but its answer to those that are not (a spurious IR7) would lose the pulses
 * of edge-triggered sources.  A level that goes away is spurious, as it says.
 *
 * Limits: MCS-80/85 mode (ICW4 uPM = 0) gives the vector as in 8086 mode; the
 * buffered mode bits are kept and mean nothing without a data bus.
 *
 * Source: Intel 8259A data sheet (231468-003); PIIX3 data sheet 2.5.10 (ELCR).
 *
 * SPDX-License-Identifier: MIT
 */
#include "bus/irq.h"
#include "dev/pc/i8259.h"

#define ICW1		0x10	/* written to A0 = 0 */
#define ICW1_IC4	0x01	/* ICW4 will follow */
#define ICW1_SNGL	0x02	/* no cascade: ICW3 will not follow */
#define ICW1_LTIM	0x08	/* all inputs level-triggered */
#define ICW4_AEOI	0x02
#define ICW4_SFNM	0x10
#define OCW3		0x08
#define OCW3_RIS	0x01
#define OCW3_RR		0x02
#define OCW3_P		0x04
#define OCW3_SMM	0x20
#define OCW3_ESMM	0x40

/* The initialization sequence: which word A0 = 1 takes next. */
enum init_step {
	UNBORN,		/* since power-on: INT stays low */
	WANT_ICW2,	/* ICW1 moves here from any state */
	WANT_ICW3,
	WANT_ICW4,
	READY,		/* A0 = 1 is OCW1, the mask */
};

struct chip {
	uint8_t irr, isr, imr, lines;
	uint8_t elcr;
	uint8_t icw1, icw2, icw4;
	uint8_t lowest;		/* the input with the lowest priority */
	uint8_t step;		/* enum init_step */
	uint8_t ocw3;		/* RIS only */
	bool special_mask, rotate_aeoi, poll;
};

struct i8259 {
	struct device dev;
	struct chip chip[2];	/* master, slave */
	struct irq intr;	/* level derived by update() */
	struct window ports[3];
};

static bool is_level(const struct chip *c, unsigned n)
{
	return (c->icw1 & ICW1_LTIM) || (c->elcr >> n & 1);
}

/* The highest of `set`, in the chip's present order; -1 of none. */
static int highest(const struct chip *c, uint8_t set)
{
	for (unsigned i = 1; i <= 8; i++) {
		unsigned n = (c->lowest + i) & 7;

		if (set >> n & 1)
			return (int)n;
	}
	return -1;
}

/* 0 is the highest priority. */
static unsigned rank(const struct chip *c, int n)
{
	return ((unsigned)n - c->lowest - 1) & 7;
}

/* The input that makes INT high; -1 if INT is low. */
static int pending(const struct chip *c, bool master)
{
	int want = highest(c, c->irr & ~c->imr);
	uint8_t blocking = c->isr;
	int busy;

	if (c->step != READY || want < 0)
		return -1;
	if (c->special_mask)
		blocking &= ~c->imr;
	busy = highest(c, blocking);
	/* Special fully nested: a slave in service may interrupt itself. */
	if (busy == want && want == 2 && master && (c->icw4 & ICW4_SFNM))
		return want;
	if (busy >= 0 && rank(c, busy) <= rank(c, want))
		return -1;
	return want;
}

static void set_line(struct chip *c, unsigned n, bool level)
{
	uint8_t bit = (uint8_t)(1 << n);

	if (is_level(c, n))
		c->irr = level ? c->irr | bit : c->irr & ~bit;
	else if (level && !(c->lines & bit))
		c->irr |= bit;
	c->lines = level ? c->lines | bit : c->lines & ~bit;
}

static void update(struct i8259 *p)
{
	set_line(&p->chip[0], 2, pending(&p->chip[1], false) >= 0);
	irq_set(&p->intr, pending(&p->chip[0], true) >= 0);
}

/* ---- acknowledge ---- */

static void end_of(struct chip *c, int n, bool rotate)
{
	if (n < 0)
		return;
	c->isr &= ~(1 << n);
	if (rotate)
		c->lowest = (uint8_t)n;
}

/* What INTA and the poll command do to input n of a chip. */
static void accept(struct chip *c, int n)
{
	c->isr |= 1 << n;
	if (!is_level(c, (unsigned)n))
		c->irr &= ~(1 << n);
	if (c->icw4 & ICW4_AEOI)
		end_of(c, n, c->rotate_aeoi);
}

int i8259_inta(void *pic)
{
	struct i8259 *p = container_of((struct device *)pic, struct i8259, dev);
	struct chip *c = &p->chip[0];
	int n = pending(c, true);
	int vector;

	if (n >= 0)
		accept(c, n);
	if (n == 2) {
		c = &p->chip[1];
		n = pending(c, false);
		if (n >= 0)
			accept(c, n);
	}
	/* Spurious: the vector of IR7, and nothing in service for it. */
	vector = c->icw2 | (n < 0 ? 7 : n);
	/* A cascade that is still wanted must rise again to be seen. */
	p->chip[0].lines &= ~(1 << 2);
	update(p);
	return vector;
}

static uint8_t poll_word(struct i8259 *p, struct chip *c)
{
	int n = pending(c, c == &p->chip[0]);

	c->poll = false;
	if (n < 0)
		return 0;
	accept(c, n);
	/* Whoever polls the slave does so instead of the cascade. */
	if (c == &p->chip[1])
		p->chip[0].irr &= ~(1 << 2);
	return 0x80 | (uint8_t)n;
}

/* ---- registers ---- */

static void write_icw1(struct chip *c, uint8_t v)
{
	c->icw1 = v;
	c->step = WANT_ICW2;
	c->imr = c->isr = c->irr = 0;
	c->lowest = 7;
	c->ocw3 = 0;
	c->special_mask = c->rotate_aeoi = c->poll = false;
	if (!(v & ICW1_IC4))
		c->icw4 = 0;
	/* Edges must be seen anew; levels are as they are. */
	for (unsigned n = 0; n < 8; n++)
		if (is_level(c, n) && (c->lines >> n & 1))
			c->irr |= 1 << n;
}

static void write_ocw2(struct chip *c, uint8_t v)
{
	uint8_t in_service = c->isr;
	int n = v & 7;

	/* A masked level in service is no target in special mask mode. */
	if (c->special_mask)
		in_service &= ~c->imr;
	switch (v >> 5) {
	case 0: c->rotate_aeoi = false; break;
	case 1: end_of(c, highest(c, in_service), false); break;
	case 2: break;		/* no operation */
	case 3: end_of(c, n, false); break;
	case 4: c->rotate_aeoi = true; break;
	case 5: end_of(c, highest(c, in_service), true); break;
	case 6: c->lowest = (uint8_t)n; break;
	case 7: end_of(c, n, true); break;
	}
}

static void write_ocw3(struct chip *c, uint8_t v)
{
	if (v & OCW3_ESMM)
		c->special_mask = v & OCW3_SMM;
	if (v & OCW3_P)
		c->poll = true;
	else if (v & OCW3_RR)
		c->ocw3 = v & OCW3_RIS;
}

static void write_icw_or_mask(struct chip *c, uint8_t v)
{
	bool wants_icw4 = c->icw1 & ICW1_IC4;

	switch ((enum init_step)c->step) {
	case WANT_ICW2:
		c->icw2 = v & 0xf8;
		if (!(c->icw1 & ICW1_SNGL))
			c->step = WANT_ICW3;
		else
			c->step = wants_icw4 ? WANT_ICW4 : READY;
		break;
	case WANT_ICW3:		/* the cascade is soldered */
		c->step = wants_icw4 ? WANT_ICW4 : READY;
		break;
	case WANT_ICW4:
		c->icw4 = v & 0x1f;
		c->step = READY;
		break;
	case UNBORN:
	case READY:
		c->imr = v;
		break;
	}
}


static uint64_t read_chip(struct i8259 *p, struct chip *c, uint64_t off)
{
	uint8_t v;

	if (c->poll) {
		v = poll_word(p, c);
		update(p);
		return v;
	}
	if (off & 1)
		return c->imr;
	return c->ocw3 & OCW3_RIS ? c->isr : c->irr;
}

static void write_chip(struct i8259 *p, struct chip *c, uint64_t off,
		       uint64_t val)
{
	uint8_t v = (uint8_t)val;

	if (off & 1)
		write_icw_or_mask(c, v);
	else if (v & ICW1)
		write_icw1(c, v);
	else if (v & OCW3)
		write_ocw3(c, v);
	else
		write_ocw2(c, v);
	update(p);
}

static uint64_t master_read(void *dev, uint64_t off, unsigned size)
{
	struct i8259 *p = dev;

	return read_chip(p, &p->chip[0], off);
}

static void master_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct i8259 *p = dev;

	write_chip(p, &p->chip[0], off, val);
}

static uint64_t slave_read(void *dev, uint64_t off, unsigned size)
{
	struct i8259 *p = dev;

	return read_chip(p, &p->chip[1], off);
}

static void slave_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct i8259 *p = dev;

	write_chip(p, &p->chip[1], off, val);
}

/* ELCR: inputs 0, 1, 2, 8 and 13 are edge-triggered by their wiring. */
static const uint8_t elcr_writable[2] = { 0xf8, 0xde };

static uint64_t elcr_read(void *dev, uint64_t off, unsigned size)
{
	struct i8259 *p = dev;

	return p->chip[off].elcr;
}

static void elcr_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct i8259 *p = dev;
	struct chip *c = &p->chip[off];
	uint8_t level = (uint8_t)val & elcr_writable[off];

	/* Requests of inputs that turn level follow their line from now. */
	c->irr = (c->irr & ~level) | (c->lines & level);
	c->elcr = level;
	update(p);
}

static const struct io_ops i8259_io[3] = {
	{ .min_size = 1, .max_size = 1,
	  .read = master_read, .write = master_write },
	{ .min_size = 1, .max_size = 1,
	  .read = slave_read, .write = slave_write },
	{ .min_size = 1, .max_size = 1,
	  .read = elcr_read, .write = elcr_write },
};

/* ---- lines and life ---- */

static void input_changed(void *ctx, unsigned pin, bool level)
{
	struct i8259 *p = ctx;

	if (pin == 2)		/* the cascade */
		return;
	set_line(&p->chip[pin >> 3], pin & 7, level);
	update(p);
}

struct irq_sink i8259_input(struct device *pic, unsigned n)
{
	struct i8259 *p = container_of(pic, struct i8259, dev);

	return (struct irq_sink){ input_changed, p, n & 15 };
}

void i8259_connect(struct device *pic, struct irq_sink intr)
{
	irq_connect(&container_of(pic, struct i8259, dev)->intr, intr);
}

static int i8259_attach(struct device *d, struct err *e)
{
	static const uint16_t first[3] = { 0x20, 0xa0, 0x4d0 };
	struct i8259 *p = container_of(d, struct i8259, dev);
	int rc = 0;

	for (unsigned i = 0; i < 3 && !rc; i++) {
		p->ports[i].name = "i8259";
		p->ports[i].ops = &i8259_io[i];
		p->ports[i].dev = p;
		rc = bus_map_ports(d->bus, &p->ports[i], first[i], 2, e);
	}
	return rc;
}

static void i8259_detach(struct device *d)
{
	struct i8259 *p = container_of(d, struct i8259, dev);

	for (unsigned i = 0; i < 3; i++)
		bus_unmap_ports(d->bus, &p->ports[i]);
}

static void i8259_reset(struct device *d)
{
	struct i8259 *p = container_of(d, struct i8259, dev);

	for (unsigned i = 0; i < 2; i++) {
		uint8_t lines = p->chip[i].lines;

		/* The devices drive their lines on. */
		p->chip[i] = (struct chip){ .lines = lines, .lowest = 7 };
	}
	update(p);
}

static const struct field i8259_state[] = {
	FIELD(struct i8259, chip),
	{ .name = NULL },
};

const struct device_class i8259_class = {
	.name = "isa-i8259",
	.summary = "8259A interrupt controllers",
	.bus = BUS_ISA,
	.category = DEVICE_BRIDGE,
	.size = sizeof(struct i8259),
	.state = i8259_state,
	.attach = i8259_attach,
	.reset = i8259_reset,
	.detach = i8259_detach,
};
