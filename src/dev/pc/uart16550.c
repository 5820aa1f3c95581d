/* dev/pc/uart16550.c - isa-serial: a 16550A serial port.
 *
 * Sending is instant: a byte written to THR leaves through the stream before
 * the write returns, so the transmitter is always empty, and what has to be
 * remembered is only the interrupt "became empty" (thre_pending).  Receiving
 * goes through a FIFO of 16 (1 while FIFOs are off); the stream is told how
 * much room there is, so that input waits instead of being lost, also while
 * loopback cuts the receiver off from the line.  The one timer is the character
 * timeout: bytes below the trigger level that nobody fetched for four
 * character times.
 *
 * The baud rate only sets that time.  OUT2 does not gate the interrupt, as a
 * PC's card does: in loopback OUT2 is off, yet the data sheet (8.6, bit 4) and
 * self tests want interrupts there.
 *
 * Source: National Semiconductor PC16550D data sheet, section 8.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "bus/clock.h"
#include "char/stream.h"
#include "dev/core/devices.h"

enum reg { DATA, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCRATCH };

#define IER_RX		0x01	/* data available, and character timeout */
#define IER_THRE	0x02
#define IER_LINE	0x04
#define IER_MODEM	0x08

#define IIR_MODEM	0x00
#define IIR_NONE	0x01
#define IIR_THRE	0x02
#define IIR_RX		0x04
#define IIR_LINE	0x06
#define IIR_TIMEOUT	0x0c
#define IIR_FIFOS	0xc0

#define FCR_ENABLE	0x01
#define FCR_CLEAR_RX	0x02

#define LCR_BREAK	0x40
#define LCR_DLAB	0x80	/* DATA and IER become the divisor */

#define MCR_DTR		0x01
#define MCR_RTS		0x02
#define MCR_OUT1	0x04
#define MCR_OUT2	0x08
#define MCR_LOOP	0x10

#define LSR_DR		0x01
#define LSR_OE		0x02
#define LSR_BI		0x10
#define LSR_ERRORS	0x1e
#define LSR_TX_EMPTY	0x60	/* THRE and TEMT */
#define LSR_FIFO_ERROR	0x80

#define MSR_DELTAS	0x0f
#define MSR_TERI	0x04
#define MSR_CTS		0x10
#define MSR_DSR		0x20
#define MSR_RI		0x40
#define MSR_DCD		0x80
#define MSR_CONNECTED	(MSR_CTS | MSR_DSR | MSR_DCD)

#define FIFO_LEN	16
#define PORTS		8

struct uart {
	struct device dev;
	struct stream *stream;
	uint32_t index, iobase, irq_line, baudbase;	/* UINT32_MAX: preset */
	struct window window;
	struct irq irq;			/* level derived by update_irq() */
	struct clock_timer timer;	/* armed: timeout_ns holds its time */

	uint8_t ier, fcr, lcr, mcr, msr, scratch, last;
	uint8_t divisor[2];
	bool thre_pending, timeout_pending, overrun;
	uint8_t rx[FIFO_LEN];		/* rx[0] is the oldest */
	uint8_t rx_errors[FIFO_LEN];	/* LSR bits that came with each byte */
	uint8_t rx_count;
	int64_t timeout_ns;		/* guest time, or CLOCK_NEVER */
};

static const struct {
	uint16_t iobase;
	uint8_t irq;
} presets[] = { { 0x3f8, 4 }, { 0x2f8, 3 }, { 0x3e8, 4 }, { 0x2e8, 3 } };

/* ---- interrupts ---- */

static unsigned rx_capacity(const struct uart *u)
{
	return u->fcr & FCR_ENABLE ? FIFO_LEN : 1;
}

static unsigned rx_trigger(const struct uart *u)
{
	static const uint8_t levels[] = { 1, 4, 8, 14 };

	return u->fcr & FCR_ENABLE ? levels[u->fcr >> 6] : 1;
}

static uint8_t line_errors(const struct uart *u)
{
	uint8_t v = u->overrun ? LSR_OE : 0;

	return u->rx_count ? v | u->rx_errors[0] : v;
}

/* In order of priority: table II of the data sheet. */
static uint8_t irq_cause(const struct uart *u)
{
	if ((u->ier & IER_LINE) && line_errors(u))
		return IIR_LINE;
	if ((u->ier & IER_RX) && u->rx_count >= rx_trigger(u))
		return IIR_RX;
	if ((u->ier & IER_RX) && u->timeout_pending)
		return IIR_TIMEOUT;
	if ((u->ier & IER_THRE) && u->thre_pending)
		return IIR_THRE;
	if ((u->ier & IER_MODEM) && (u->msr & MSR_DELTAS))
		return IIR_MODEM;
	return IIR_NONE;
}

static void update_irq(struct uart *u)
{
	irq_set(&u->irq, irq_cause(u) != IIR_NONE);
}

/* ---- receiving ---- */

static int64_t four_characters_ns(const struct uart *u)
{
	uint64_t divisor = load_le16(u->divisor);
	unsigned bits = 7u + (u->lcr & 3) + ((u->lcr & 4) ? 1 : 0) +
			((u->lcr & 8) ? 1 : 0);	/* with start and stop */

	return clock_ticks_to_ns(4 * bits * (divisor ? divisor : 1),
				 u->baudbase);
}

static void set_timeout(struct uart *u, int64_t at_ns)
{
	struct clock *k = bus_clock(u->dev.bus);

	u->timeout_ns = at_ns;
	if (at_ns == CLOCK_NEVER)
		timer_cancel(k, &u->timer);
	else
		timer_arm(k, &u->timer, at_ns);
}

/* Each byte that comes or is fetched starts the four characters again. */
static void restart_timeout(struct uart *u)
{
	u->timeout_pending = false;
	if (u->rx_count && (u->fcr & FCR_ENABLE) &&
	    u->rx_count < rx_trigger(u))
		set_timeout(u, clock_now(bus_clock(u->dev.bus)) +
				       four_characters_ns(u));
	else if (u->timeout_ns != CLOCK_NEVER)
		set_timeout(u, CLOCK_NEVER);
}

static void timeout(void *ctx)
{
	struct uart *u = ctx;

	u->timeout_ns = CLOCK_NEVER;
	u->timeout_pending = u->rx_count != 0;
	update_irq(u);
}

static void receive(struct uart *u, uint8_t byte, uint8_t errors)
{
	if (u->rx_count == rx_capacity(u)) {
		u->overrun = true;
		if (u->fcr & FCR_ENABLE)
			return;		/* only the shift register is lost */
		u->rx_count = 0;
	}
	u->rx[u->rx_count] = byte;
	u->rx_errors[u->rx_count++] = errors;
}

static uint8_t fetch(struct uart *u)
{
	if (!u->rx_count)
		return u->last;
	u->last = u->rx[0];
	u->rx_count--;
	memmove(u->rx, u->rx + 1, u->rx_count);
	memmove(u->rx_errors, u->rx_errors + 1, u->rx_count);
	restart_timeout(u);
	return u->last;
}

static void clear_rx(struct uart *u)
{
	u->rx_count = 0;
	u->overrun = false;
	restart_timeout(u);
}

static size_t uart_room(void *dev)
{
	const struct uart *u = dev;

	return u->mcr & MCR_LOOP ? 0 : rx_capacity(u) - u->rx_count;
}

static void uart_input(void *dev, const uint8_t *buf, size_t len)
{
	struct uart *u = dev;

	for (size_t i = 0; i < len; i++)
		receive(u, buf[i], 0);
	restart_timeout(u);
	update_irq(u);
}

static void uart_event(void *dev, enum stream_event ev)
{
	struct uart *u = dev;

	if (ev != STREAM_BREAK || (u->mcr & MCR_LOOP))
		return;
	receive(u, 0, LSR_BI);
	restart_timeout(u);
	update_irq(u);
}

/* ---- registers ---- */

static void set_modem_lines(struct uart *u, uint8_t lines)
{
	uint8_t changed = (u->msr ^ lines) >> 4;
	uint8_t deltas = changed & ~MSR_TERI;

	/* The ring indicator counts only its trailing edge. */
	if ((changed & MSR_TERI) && !(lines & MSR_RI))
		deltas |= MSR_TERI;
	u->msr = lines | (u->msr & MSR_DELTAS) | deltas;
}

static void write_mcr(struct uart *u, uint8_t v)
{
	uint8_t lines = MSR_CONNECTED;

	u->mcr = v & 0x1f;
	if (u->mcr & MCR_LOOP)
		lines = (uint8_t)((v & MCR_RTS ? MSR_CTS : 0) |
				  (v & MCR_DTR ? MSR_DSR : 0) |
				  (v & MCR_OUT1 ? MSR_RI : 0) |
				  (v & MCR_OUT2 ? MSR_DCD : 0));
	set_modem_lines(u, lines);
}

static void write_lcr(struct uart *u, uint8_t v)
{
	if ((v & ~u->lcr & LCR_BREAK) && (u->mcr & MCR_LOOP)) {
		receive(u, 0, LSR_BI);
		restart_timeout(u);
	}
	u->lcr = v;
}

static void write_fcr(struct uart *u, uint8_t v)
{
	bool toggled = (v ^ u->fcr) & FCR_ENABLE;

	/* The other bits count only while FIFOs are being or stay enabled. */
	u->fcr = v & FCR_ENABLE ? v & (IIR_FIFOS | FCR_ENABLE) : 0;
	if (toggled || ((v & FCR_ENABLE) && (v & FCR_CLEAR_RX)))
		clear_rx(u);
	else
		restart_timeout(u);
}

static void write_thr(struct uart *u, uint8_t v)
{
	/* The line goes down while the byte is in THR: an edge-triggered
	 * controller needs to see that. */
	u->thre_pending = false;
	update_irq(u);
	if (u->mcr & MCR_LOOP) {
		receive(u, v, 0);
		restart_timeout(u);
	} else {
		stream_put(u->stream, &v, 1);
	}
	u->thre_pending = true;
}

static uint8_t read_iir(struct uart *u)
{
	uint8_t cause = irq_cause(u);

	if (cause == IIR_THRE)
		u->thre_pending = false;
	return cause | (u->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

static uint8_t read_lsr(struct uart *u)
{
	uint8_t v = LSR_TX_EMPTY | line_errors(u) | (u->rx_count ? LSR_DR : 0);

	for (unsigned i = 0; (u->fcr & FCR_ENABLE) && i < u->rx_count; i++)
		if (u->rx_errors[i])
			v |= LSR_FIFO_ERROR;
	u->overrun = false;
	u->rx_errors[0] = 0;
	return v;
}

static uint8_t read_reg(struct uart *u, enum reg r)
{
	uint8_t v;

	switch (r) {
	case DATA:	return fetch(u);
	case IER:	return u->ier;
	case IIR_FCR:	return read_iir(u);
	case LCR:	return u->lcr;
	case MCR:	return u->mcr;
	case LSR:	return read_lsr(u);
	case MSR:	v = u->msr;
			u->msr &= (uint8_t)~MSR_DELTAS;
			return v;
	case SCRATCH:	return u->scratch;
	}
	return 0xff;
}

static void write_reg(struct uart *u, enum reg r, uint8_t v)
{
	switch (r) {
	case DATA:	write_thr(u, v); break;
	case IER:	if (v & ~u->ier & IER_THRE)
				u->thre_pending = true;
			u->ier = v & 0x0f;
			break;
	case IIR_FCR:	write_fcr(u, v); break;
	case LCR:	write_lcr(u, v); break;
	case MCR:	write_mcr(u, v); break;
	case LSR: case MSR: break;	/* read-only */
	case SCRATCH:	u->scratch = v; break;
	}
}

/* The back end hears of room that an access has made. */
static void access_done(struct uart *u, size_t room_before)
{
	update_irq(u);
	if (!room_before && uart_room(u))
		stream_ready(u->stream);
}

static uint64_t uart_read(void *dev, uint64_t off, unsigned size)
{
	struct uart *u = dev;
	size_t room = uart_room(u);
	uint8_t v;

	if ((u->lcr & LCR_DLAB) && off <= IER)
		return u->divisor[off];
	v = read_reg(u, (enum reg)off);
	access_done(u, room);
	return v;
}

static void uart_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct uart *u = dev;
	size_t room = uart_room(u);

	if ((u->lcr & LCR_DLAB) && off <= IER) {
		u->divisor[off] = (uint8_t)val;
		return;
	}
	write_reg(u, (enum reg)off, (uint8_t)val);
	access_done(u, room);
}

static const struct io_ops uart_io = {
	.min_size = 1, .max_size = 1, .read = uart_read, .write = uart_write,
};

static const struct stream_guest uart_guest = {
	.room = uart_room, .input = uart_input, .event = uart_event,
};

/* ---- life ---- */

static int check_props(struct uart *u, struct err *e)
{
	unsigned n = u->index == UINT32_MAX ? 0 : u->index;

	if (n >= ARRAY_LEN(presets))
		return fail(e, EINVAL,
			    "isa-serial.index %u is over the limit of %u", n,
			    (unsigned)ARRAY_LEN(presets) - 1);
	if (u->iobase == UINT32_MAX)
		u->iobase = presets[n].iobase;
	if (u->irq_line == UINT32_MAX)
		u->irq_line = presets[n].irq;
	if (u->iobase > 0x10000 - PORTS)
		return fail(e, EINVAL,
			    "isa-serial.iobase 0x%x is over the limit of 0x%x",
			    u->iobase, 0x10000 - PORTS);
	if (u->irq_line > 15)
		return fail(e, EINVAL, "isa-serial.irq %u is over the limit"
			    " of 15", u->irq_line);
	if (!u->baudbase)
		return fail(e, EINVAL, "isa-serial.baudbase 0 is below 1");
	return 0;
}

static int uart_attach(struct device *d, struct err *e)
{
	struct uart *u = container_of(d, struct uart, dev);
	int r = check_props(u, e);

	if (r < 0)
		return r;
	timer_init(&u->timer, timeout, u);
	irq_connect(&u->irq, bus_isa_irq(d->bus, u->irq_line));
	u->window = (struct window){
		.name = "serial", .ops = &uart_io, .dev = u,
	};
	r = bus_map_ports(d->bus, &u->window, (uint16_t)u->iobase, PORTS, e);
	if (r < 0 || !u->stream || stream_attach(u->stream, &uart_guest, u))
		return r;
	bus_unmap_ports(d->bus, &u->window);
	return fail(e, EBUSY, "chardev '%s' is in use", u->stream->id);
}

static void uart_reset(struct device *d)
{
	struct uart *u = container_of(d, struct uart, dev);

	u->ier = u->fcr = u->lcr = u->mcr = u->scratch = 0;
	u->msr = MSR_CONNECTED;
	u->divisor[0] = 0x0c;	/* 9600, as firmware leaves it */
	u->divisor[1] = 0;
	u->thre_pending = false;
	clear_rx(u);
	update_irq(u);
	stream_ready(u->stream);
}

static void uart_detach(struct device *d)
{
	struct uart *u = container_of(d, struct uart, dev);

	timer_cancel(bus_clock(d->bus), &u->timer);
	bus_unmap_ports(d->bus, &u->window);
	if (u->stream)
		u->stream->guest = NULL;
}

static const struct prop uart_props[] = {
	PROP(struct uart, stream, "chardev", PROP_STREAM, 0,
	     "ID of a chardev to use as a backend"),
	PROP(struct uart, index, "index", PROP_U32, UINT32_MAX, NULL),
	PROP(struct uart, iobase, "iobase", PROP_U32, UINT32_MAX, NULL),
	PROP(struct uart, irq_line, "irq", PROP_U32, UINT32_MAX, NULL),
	PROP(struct uart, baudbase, "baudbase", PROP_U32, 115200, NULL),
	{ .name = NULL },
};

static const struct field uart_state[] = {
	FIELD(struct uart, ier), FIELD(struct uart, fcr),
	FIELD(struct uart, lcr), FIELD(struct uart, mcr),
	FIELD(struct uart, msr), FIELD(struct uart, scratch),
	FIELD(struct uart, last), FIELD(struct uart, divisor),
	FIELD(struct uart, thre_pending), FIELD(struct uart, timeout_pending),
	FIELD(struct uart, overrun), FIELD(struct uart, rx),
	FIELD(struct uart, rx_errors), FIELD(struct uart, rx_count),
	FIELD(struct uart, timeout_ns),
	{ .name = NULL },
};

const struct device_class isa_serial_class = {
	.name = "isa-serial",
	.category = DEVICE_INPUT,
	.bus = BUS_ISA,
	.user_creatable = true,
	.size = sizeof(struct uart),
	.props = uart_props,
	.state = uart_state,
	.attach = uart_attach,
	.reset = uart_reset,
	.detach = uart_detach,
};
