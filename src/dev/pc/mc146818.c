/* dev/pc/mc146818.c - MC146818 real-time clock with 128 bytes of CMOS.
 *
 * Time is a divider chain and a calendar.  The chain is guest time since
 * `chain_ns`; each whole second of it is an update, and its powers of two
 * below are the periodic interrupt.  The calendar shows `base_s` plus the
 * seconds of the chain.  Register reads compute from these; while SET or the
 * divider reset holds the calendar still, its bytes live in cmos[] as the
 * guest writes them, and are taken over when it runs again.
 *
 * The flags of register C are brought up to date (advance) before anything
 * looks at them; the clock is armed only for enabled ones that are not up.
 *
 * Limits: daylight saving (DSE) and the square wave are not there; the three
 * crystals of register A all count as 32,768 Hz; dates are Gregorian.
 *
 * Source: Motorola MC146818A data sheet (ADI1026); PIIX4 data sheet 11.5 for
 * the bank at 70h; century at 32h as ACPI's FADT says.
 *
 * SPDX-License-Identifier: MIT
 */
#include <time.h>

#include "bus/clock.h"
#include "bus/irq.h"
#include "dev/pc/mc146818.h"

#define CMOS_SIZE 128

enum reg {
	SECONDS = 0x00, SECONDS_ALARM = 0x01, MINUTES = 0x02,
	MINUTES_ALARM = 0x03, HOURS = 0x04, HOURS_ALARM = 0x05, DAY = 0x06,
	DATE = 0x07, MONTH = 0x08, YEAR = 0x09, REG_A = 0x0a, REG_B = 0x0b,
	REG_C = 0x0c, REG_D = 0x0d, RAM_FIRST = 0x0e, CENTURY = 0x32,
};

#define A_UIP		0x80
#define A_DV		0x70
#define A_DV_RESET	0x60	/* 11x */
#define A_RS		0x0f
#define B_SET		0x80
#define B_PIE		0x40
#define B_AIE		0x20
#define B_UIE		0x10
#define B_DM		0x04	/* binary, not BCD */
#define B_24		0x02
#define C_IRQF		0x80
#define C_PF		0x40
#define C_AF		0x20
#define C_UF		0x10
#define C_FLAGS		(C_PF | C_AF | C_UF)
#define D_VRT		0x80
#define HOUR_PM		0x80
#define ALARM_ANY	0xc0

/* UIP rises 244 us before the update cycle, which takes 1984 us. */
#define UIP_NS		2228000

struct mc146818 {
	struct device dev;
	struct irq irq;			/* level derived from C and B */
	struct clock_timer timer;	/* next enabled flag; derived */
	struct window ports;

	uint8_t index;
	uint8_t cmos[CMOS_SIZE];
	int64_t chain_ns;	/* guest time at which the chain was 0 */
	int64_t base_s;		/* seconds since 1970 when it was */
	int64_t seen_s;		/* seconds of the chain that flags know of */
	int64_t seen_period;	/* likewise, periods */
	uint8_t day_shift;	/* day of week as set, less the date's */
};

static struct mc146818 *rtc_of(struct device *d)
{
	return container_of(d, struct mc146818, dev);
}

static struct clock *clock_of(const struct mc146818 *r)
{
	return bus_clock(r->dev.bus);
}

static int64_t chain_now(const struct mc146818 *r)
{
	return clock_now(clock_of(r)) - r->chain_ns;
}

static bool in_reset(uint8_t a)
{
	return (a & A_DV_RESET) == A_DV_RESET;
}

/* The calendar stands still and cmos[] holds it. */
static bool is_held(const struct mc146818 *r)
{
	return (r->cmos[REG_B] & B_SET) || in_reset(r->cmos[REG_A]);
}

/* ---- the bytes of a date ---- */

static uint8_t encode(const struct mc146818 *r, int v)
{
	if (r->cmos[REG_B] & B_DM)
		return (uint8_t)v;
	return (uint8_t)(v / 10 % 10 << 4 | v % 10);
}

static int decode(const struct mc146818 *r, uint8_t v)
{
	return r->cmos[REG_B] & B_DM ? v : (v >> 4) * 10 + (v & 15);
}

static uint8_t encode_hour(const struct mc146818 *r, int hour)
{
	uint8_t pm = hour >= 12 ? HOUR_PM : 0;

	if (r->cmos[REG_B] & B_24)
		return encode(r, hour);
	return encode(r, hour % 12 ? hour % 12 : 12) | pm;
}

static int decode_hour(const struct mc146818 *r, uint8_t v)
{
	if (r->cmos[REG_B] & B_24)
		return decode(r, v);
	return decode(r, v & ~HOUR_PM) % 12 + (v & HOUR_PM ? 12 : 0);
}

/* The calendar, as bytes, into cmos[]. */
static void store_date(struct mc146818 *r)
{
	time_t s = r->base_s + chain_now(r) / NS_PER_S;
	struct tm tm;

	gmtime_r(&s, &tm);
	r->cmos[SECONDS] = encode(r, tm.tm_sec);
	r->cmos[MINUTES] = encode(r, tm.tm_min);
	r->cmos[HOURS] = encode_hour(r, tm.tm_hour);
	r->cmos[DAY] = encode(r, (tm.tm_wday + r->day_shift) % 7 + 1);
	r->cmos[DATE] = encode(r, tm.tm_mday);
	r->cmos[MONTH] = encode(r, tm.tm_mon + 1);
	r->cmos[YEAR] = encode(r, (tm.tm_year + 1900) % 100);
	r->cmos[CENTURY] = encode(r, (tm.tm_year + 1900) / 100);
}

/* And back; impossible dates run over into the next possible one. */
static void load_date(struct mc146818 *r)
{
	struct tm tm = {
		.tm_sec = decode(r, r->cmos[SECONDS]),
		.tm_min = decode(r, r->cmos[MINUTES]),
		.tm_hour = decode_hour(r, r->cmos[HOURS]),
		.tm_mday = decode(r, r->cmos[DATE]),
		.tm_mon = decode(r, r->cmos[MONTH]) - 1,
		.tm_year = decode(r, r->cmos[CENTURY]) * 100 +
			   decode(r, r->cmos[YEAR]) - 1900,
	};
	int day = decode(r, r->cmos[DAY]) - 1;

	r->seen_s = chain_now(r) / NS_PER_S;
	r->base_s = timegm(&tm) - r->seen_s;
	r->day_shift = (uint8_t)((day % 7 - tm.tm_wday + 14) % 7);
}

/* ---- alarm and periods ---- */

static bool alarm_wants(int set, int now)
{
	return set < 0 || set == now;
}

/* The next second after `s` that matches; INT64_MAX if none does. */
static int64_t next_alarm(const struct mc146818 *r, int64_t s)
{
	uint8_t sec = r->cmos[SECONDS_ALARM], min = r->cmos[MINUTES_ALARM];
	uint8_t hour = r->cmos[HOURS_ALARM];
	int want_sec = sec >= ALARM_ANY ? -1 : decode(r, sec);
	int want_min = min >= ALARM_ANY ? -1 : decode(r, min);
	int want_hour = hour >= ALARM_ANY ? -1 : decode_hour(r, hour);
	int64_t end = s + 86400;

	for (s++; s <= end;) {
		int of_day = (int)((s % 86400 + 86400) % 86400);

		if (!alarm_wants(want_hour, of_day / 3600))
			s += 3600 - of_day % 3600;
		else if (!alarm_wants(want_min, of_day / 60 % 60))
			s += 60 - of_day % 60;
		else if (!alarm_wants(want_sec, of_day % 60))
			s++;
		else
			return s;
	}
	return INT64_MAX;
}

/* 32,768 Hz ticks from one periodic interrupt to the next; 0: none. */
static int64_t period(const struct mc146818 *r)
{
	unsigned rs = r->cmos[REG_A] & A_RS;

	if (!rs || in_reset(r->cmos[REG_A]))
		return 0;
	return 1ll << (rs < 3 ? rs + 6 : rs - 1);
}

static int64_t periods_now(const struct mc146818 *r)
{
	int64_t ticks = (int64_t)clock_ns_to_ticks((uint64_t)chain_now(r),
						   32768);

	return period(r) ? ticks / period(r) : 0;
}

/* ---- flags and the interrupt ---- */

static void update_irq(struct mc146818 *r)
{
	uint8_t *c = &r->cmos[REG_C];

	*c &= C_FLAGS;
	if (*c & r->cmos[REG_B] & C_FLAGS)
		*c |= C_IRQF;
	irq_set(&r->irq, *c & C_IRQF);
}

/* Raise the flags that guest time has brought. */
static void advance(struct mc146818 *r)
{
	int64_t s = chain_now(r) / NS_PER_S, periods = periods_now(r);

	if (!is_held(r) && s > r->seen_s) {
		r->cmos[REG_C] |= C_UF;
		if (next_alarm(r, r->base_s + r->seen_s) <= r->base_s + s)
			r->cmos[REG_C] |= C_AF;
		r->seen_s = s;
	}
	if (periods > r->seen_period)
		r->cmos[REG_C] |= C_PF;
	r->seen_period = periods;
	update_irq(r);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The chain's time of the next flag that is enabled and not up. */
static int64_t next_event(const struct mc146818 *r)
{
	uint8_t want = r->cmos[REG_B] & ~r->cmos[REG_C];
	int64_t at = INT64_MAX;

	if ((want & B_PIE) && period(r))
		at = clock_ticks_to_ns((uint64_t)((r->seen_period + 1) *
						  period(r)), 32768) + 1;
	if (is_held(r))
		return at;
	if (want & B_UIE)
		at = earlier(at, (r->seen_s + 1) * NS_PER_S);
	if (want & B_AIE) {
		int64_t s = next_alarm(r, r->base_s + r->seen_s);

		if (s != INT64_MAX)
			at = earlier(at, (s - r->base_s) * NS_PER_S);
	}
	return at;
}

/* After advance(). */
static void arm(struct mc146818 *r)
{
	int64_t at = next_event(r);

	timer_arm(clock_of(r), &r->timer,
		  at == INT64_MAX ? CLOCK_NEVER : at + r->chain_ns);
}

static void expired(void *ctx)
{
	struct mc146818 *r = ctx;

	advance(r);
	arm(r);
}

/* ---- registers ---- */

static bool is_date(unsigned reg)
{
	switch (reg) {
	case SECONDS: case MINUTES: case HOURS: case DAY: case DATE:
	case MONTH: case YEAR: case CENTURY:
		return true;
	}
	return false;
}

static uint8_t read_reg(struct mc146818 *r, unsigned reg)
{
	uint8_t v;

	if (is_date(reg) && !is_held(r))
		store_date(r);
	switch (reg) {
	case REG_A:
		v = r->cmos[REG_A];
		if (!is_held(r) &&
		    chain_now(r) % NS_PER_S >= NS_PER_S - UIP_NS)
			v |= A_UIP;
		return v;
	case REG_C:
		v = r->cmos[REG_C];
		r->cmos[REG_C] = 0;
		update_irq(r);
		return v;
	}
	return r->cmos[reg];
}

/* New values of A and B: the calendar may stop or go on. */
static void write_control(struct mc146818 *r, uint8_t a, uint8_t b)
{
	bool was_held = is_held(r);
	bool released = in_reset(r->cmos[REG_A]) && !in_reset(a);

	if (!was_held)
		store_date(r);
	r->cmos[REG_A] = a & ~A_UIP;
	r->cmos[REG_B] = b & B_SET ? b & ~B_UIE : b;
	/* The first update comes half a second after the divider starts. */
	if (released)
		r->chain_ns = clock_now(clock_of(r)) - NS_PER_S / 2;
	if (was_held && !is_held(r))
		load_date(r);
	r->seen_period = periods_now(r);
	update_irq(r);
}

static void write_date(struct mc146818 *r, unsigned reg, uint8_t v)
{
	bool held = is_held(r);

	if (!held)
		store_date(r);
	r->cmos[reg] = v;
	if (!held)
		load_date(r);
}

static void write_reg(struct mc146818 *r, unsigned reg, uint8_t v)
{
	if (is_date(reg))
		write_date(r, reg, v);
	else if (reg == REG_A)
		write_control(r, v, r->cmos[REG_B]);
	else if (reg == REG_B)
		write_control(r, r->cmos[REG_A], v);
	else if (reg != REG_C && reg != REG_D)
		r->cmos[reg] = v;
}

static uint64_t mc146818_read(void *dev, uint64_t off, unsigned size)
{
	struct mc146818 *r = dev;
	uint8_t v;

	if (off == 0)		/* the index is write-only */
		return 0xff;
	advance(r);
	v = read_reg(r, r->index);
	arm(r);
	return v;
}

static void mc146818_write(void *dev, uint64_t off, uint64_t val,
			   unsigned size)
{
	struct mc146818 *r = dev;

	if (off == 0) {		/* bit 7 masks NMI, of which there is none */
		r->index = val & (CMOS_SIZE - 1);
		return;
	}
	advance(r);
	write_reg(r, r->index, (uint8_t)val);
	arm(r);
}

static const struct io_ops mc146818_io = {
	.min_size = 1, .max_size = 1,
	.read = mc146818_read, .write = mc146818_write,
};

/* ---- what the board sets ---- */

void mc146818_connect(struct device *rtc, struct irq_sink irq)
{
	irq_connect(&rtc_of(rtc)->irq, irq);
}

void mc146818_set_time(struct device *rtc, int64_t unix_ns)
{
	struct mc146818 *r = rtc_of(rtc);
	int64_t s = unix_ns / NS_PER_S, ns = unix_ns % NS_PER_S;

	if (ns < 0) {
		ns += NS_PER_S;
		s--;
	}
	r->chain_ns = clock_now(clock_of(r)) - ns;
	r->base_s = s;
	r->seen_s = 0;
	r->day_shift = 0;
	r->seen_period = periods_now(r);
	if (is_held(r))
		store_date(r);
	if (rtc->attached)
		arm(r);
}

void mc146818_set_cmos(struct device *rtc, unsigned index, uint8_t v)
{
	if (index >= RAM_FIRST && index < CMOS_SIZE)
		rtc_of(rtc)->cmos[index] = v;
}

uint8_t mc146818_cmos(const struct device *rtc, unsigned index)
{
	const struct mc146818 *r = container_of(rtc, const struct mc146818,
						dev);

	return index < CMOS_SIZE ? r->cmos[index] : 0xff;
}

static void set_word(struct device *rtc, unsigned index, uint64_t v)
{
	if (v > 0xffff)
		v = 0xffff;
	mc146818_set_cmos(rtc, index, (uint8_t)v);
	mc146818_set_cmos(rtc, index + 1, (uint8_t)(v >> 8));
}

void mc146818_set_memory(struct device *rtc, uint64_t below_4g,
			 uint64_t above_4g)
{
	uint64_t extended = below_4g > MiB ? below_4g - MiB : 0;
	uint64_t above_16m = below_4g > 16 * MiB ? below_4g - 16 * MiB : 0;

	set_word(rtc, 0x15, 640);
	set_word(rtc, 0x17, extended / KiB);	/* as configured, */
	set_word(rtc, 0x30, extended / KiB);	/* and as found */
	set_word(rtc, 0x34, above_16m / (64 * KiB));
	for (unsigned i = 0; i < 3; i++)
		mc146818_set_cmos(rtc, 0x5b + i,
				  (uint8_t)(above_4g >> (16 + 8 * i)));
}

/* ---- life ---- */

static int mc146818_attach(struct device *d, struct err *e)
{
	struct mc146818 *r = rtc_of(d);

	if (!r->irq.sink.changed)
		irq_connect(&r->irq, bus_isa_irq(d->bus, 8));
	timer_init(&r->timer, expired, r);
	/* The battery has kept the usual rates: 32,768 Hz and 1,024 Hz. */
	r->cmos[REG_A] = 0x26;
	r->cmos[REG_B] = B_24;
	r->cmos[REG_D] = D_VRT;
	r->ports = (struct window){ "mc146818", &mc146818_io, r, 0, 0, false };
	return bus_map_ports(d->bus, &r->ports, 0x70, 2, e);
}

static void mc146818_detach(struct device *d)
{
	timer_cancel(clock_of(rtc_of(d)), &rtc_of(d)->timer);
	bus_unmap_ports(d->bus, &rtc_of(d)->ports);
}

/* RESET clears the enables and the flags; time and RAM are the battery's. */
static void mc146818_reset(struct device *d)
{
	struct mc146818 *r = rtc_of(d);

	advance(r);
	r->cmos[REG_B] &= ~(B_PIE | B_AIE | B_UIE | 0x08);
	r->cmos[REG_C] = 0;
	r->index = 0;
	update_irq(r);
	arm(r);
}

static const struct field mc146818_state[] = {
	FIELD(struct mc146818, index),	  FIELD(struct mc146818, cmos),
	FIELD(struct mc146818, chain_ns), FIELD(struct mc146818, base_s),
	FIELD(struct mc146818, seen_s),	  FIELD(struct mc146818, seen_period),
	FIELD(struct mc146818, day_shift),
	{ .name = NULL },
};

const struct device_class mc146818_class = {
	.name = "mc146818rtc",
	.summary = "MC146818 real-time clock",
	.bus = BUS_ISA,
	.category = DEVICE_MISC,
	.size = sizeof(struct mc146818),
	.state = mc146818_state,
	.attach = mc146818_attach,
	.reset = mc146818_reset,
	.detach = mc146818_detach,
};
