/* dev/pc/uart16550_test.c - the serial port as its driver and its line see it.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "base/test.h"
#include "bus/test_bus.h"
#include "char/stream.h"
#include "dev/core/devices.h"

#define COM1	0x3f8
#define DATA	(COM1 + 0)
#define IER	(COM1 + 1)
#define IIR	(COM1 + 2)
#define FCR	(COM1 + 2)
#define LCR	(COM1 + 3)
#define MCR	(COM1 + 4)
#define LSR	(COM1 + 5)
#define MSR	(COM1 + 6)
#define SCRATCH	(COM1 + 7)

struct line {
	struct stream s;
	uint8_t sent[64];
	unsigned count, readies;
};

struct rig {
	struct test_bus *t;
	struct device *d;
	struct line line;
};

static void line_put(struct stream *s, const uint8_t *buf, size_t len)
{
	struct line *l = container_of(s, struct line, s);

	for (size_t i = 0; i < len && l->count < sizeof(l->sent); i++)
		l->sent[l->count++] = buf[i];
}

static void line_ready(struct stream *s)
{
	container_of(s, struct line, s)->readies++;
}

static int rig_up(void **state)
{
	struct rig *r = test_calloc(1, sizeof(*r));

	r->t = test_bus_new();
	r->line.s = (struct stream){
		.id = "c0", .put = line_put, .ready = line_ready,
	};
	r->d = device_new(&isa_serial_class, r->t->bus);
	assert_int_equal(device_set_stream(r->d, "chardev", &r->line.s, NULL),
			 0);
	bus_lock(r->t->bus);
	assert_int_equal(device_attach(r->d, NULL), 0);
	bus_unlock(r->t->bus);
	*state = r;
	return 0;
}

static int rig_down(void **state)
{
	struct rig *r = *state;

	bus_lock(r->t->bus);
	device_free(r->d);
	bus_unlock(r->t->bus);
	test_bus_free(r->t);
	test_free(r);
	return 0;
}

/* What a back end does: never more than there is room for. */
static size_t type(struct rig *r, const char *text)
{
	const struct stream *s = &r->line.s;
	size_t n, len = strlen(text);

	bus_lock(r->t->bus);
	n = s->guest->room(s->dev);
	if (n > len)
		n = len;
	if (n)
		s->guest->input(s->dev, (const uint8_t *)text, n);
	bus_unlock(r->t->bus);
	return n;
}

static bool irq(struct rig *r)
{
	return r->t->isa[4].level;
}

static void bytes_written_leave_at_once(void **state)
{
	struct rig *r = *state;

	outb(r->t, DATA, 'o');
	outb(r->t, DATA, 'k');
	assert_memory_equal(r->line.sent, "ok", 2);
	assert_int_equal(inb(r->t, LSR), 0x60);
}

static void without_fifo_the_second_byte_waits(void **state)
{
	struct rig *r = *state;

	assert_int_equal(type(r, "ab"), 1);
	assert_int_equal(inb(r->t, LSR), 0x61);
	r->line.readies = 0;
	assert_int_equal(inb(r->t, DATA), 'a');
	assert_int_equal(r->line.readies, 1);
	assert_int_equal(inb(r->t, LSR), 0x60);
	assert_int_equal(type(r, "b"), 1);
	assert_int_equal(inb(r->t, DATA), 'b');
}

static void reading_the_cause_clears_a_transmit_interrupt(void **state)
{
	struct rig *r = *state;

	outb(r->t, IER, 0x02);
	assert_true(irq(r));
	assert_int_equal(inb(r->t, IIR), 0x02);
	assert_false(irq(r));
	assert_int_equal(inb(r->t, IIR), 0x01);
	outb(r->t, DATA, 'x');
	assert_true(irq(r));
}

static void each_byte_sent_is_an_edge_of_its_own(void **state)
{
	struct rig *r = *state;

	outb(r->t, IER, 0x02);
	assert_int_equal(r->t->isa[4].rises, 1);
	outb(r->t, DATA, 'x');
	outb(r->t, DATA, 'y');
	assert_int_equal(r->t->isa[4].rises, 3);
}

static void the_fifo_interrupts_at_its_trigger_level(void **state)
{
	struct rig *r = *state;

	outb(r->t, FCR, 0x81);	/* 8 bytes */
	outb(r->t, IER, 0x01);
	assert_int_equal(type(r, "1234567"), 7);
	assert_false(irq(r));
	assert_int_equal(type(r, "8"), 1);
	assert_true(irq(r));
	assert_int_equal(inb(r->t, IIR), 0xc4);
	assert_int_equal(inb(r->t, DATA), '1');
	assert_false(irq(r));
	assert_int_equal(type(r, "9abcdefghijk"), 9);	/* 16 in all */
	for (const char *p = "23456789abcdefgh"; *p; p++)
		assert_int_equal(inb(r->t, DATA), *p);
	assert_int_equal(inb(r->t, LSR), 0x60);
}

static void bytes_left_in_the_fifo_time_out(void **state)
{
	struct rig *r = *state;

	outb(r->t, LCR, 0x83);
	outb(r->t, DATA, 1);	/* 115200: 10 bits take 86.8 us */
	outb(r->t, IER, 0);
	outb(r->t, LCR, 0x03);
	outb(r->t, FCR, 0xc1);	/* 14 bytes */
	outb(r->t, IER, 0x01);
	type(r, "ab");
	test_bus_run(r->t, 340000);
	assert_false(irq(r));
	test_bus_run(r->t, 10000);
	assert_true(irq(r));
	assert_int_equal(inb(r->t, IIR), 0xcc);
	assert_int_equal(inb(r->t, DATA), 'a');
	assert_false(irq(r));
	test_bus_run(r->t, 350000);
	assert_true(irq(r));
	assert_int_equal(inb(r->t, DATA), 'b');
	test_bus_run(r->t, 1000000);
	assert_false(irq(r));
}

static void clearing_the_fifo_drops_what_came(void **state)
{
	struct rig *r = *state;

	outb(r->t, FCR, 0x01);
	type(r, "abc");
	outb(r->t, FCR, 0x03);
	assert_int_equal(inb(r->t, LSR), 0x60);
	assert_int_equal(inb(r->t, IIR), 0xc1);
}

static void a_break_is_a_zero_byte_with_its_error_bit(void **state)
{
	struct rig *r = *state;

	outb(r->t, FCR, 0x01);
	outb(r->t, IER, 0x05);
	bus_lock(r->t->bus);
	r->line.s.guest->event(r->line.s.dev, STREAM_BREAK);
	bus_unlock(r->t->bus);
	assert_int_equal(inb(r->t, IIR), 0xc6);
	assert_int_equal(inb(r->t, LSR), 0xf1);
	assert_int_equal(inb(r->t, LSR), 0x61);
	assert_int_equal(inb(r->t, IIR), 0xc4);
	assert_int_equal(inb(r->t, DATA), 0);
	assert_int_equal(inb(r->t, IIR), 0xc1);
}

static void loopback_returns_bytes_and_modem_lines(void **state)
{
	struct rig *r = *state;

	outb(r->t, MCR, 0x10);
	assert_int_equal(inb(r->t, MSR) & 0xf0, 0);
	outb(r->t, MCR, 0x1a);	/* RTS, OUT2 */
	assert_int_equal(inb(r->t, MSR), 0x99);
	assert_int_equal(inb(r->t, MSR), 0x90);
	outb(r->t, DATA, 0x5a);
	assert_int_equal(inb(r->t, DATA), 0x5a);
	assert_int_equal(r->line.count, 0);
	assert_int_equal(type(r, "a"), 0);
	outb(r->t, MCR, 0x00);
	assert_int_equal(type(r, "a"), 1);
}

static void a_full_receiver_overruns_in_loopback(void **state)
{
	struct rig *r = *state;

	outb(r->t, MCR, 0x10);
	outb(r->t, DATA, 'a');
	outb(r->t, DATA, 'b');
	assert_int_equal(inb(r->t, LSR), 0x63);
	assert_int_equal(inb(r->t, LSR), 0x61);
	assert_int_equal(inb(r->t, DATA), 'b');
	outb(r->t, FCR, 0x01);
	for (unsigned i = 0; i < 17; i++)
		outb(r->t, DATA, (uint8_t)i);
	assert_int_equal(inb(r->t, LSR), 0x63);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(inb(r->t, DATA), i);
	assert_int_equal(inb(r->t, LSR), 0x60);
}

static void only_the_trailing_edge_of_the_ring_counts(void **state)
{
	struct rig *r = *state;

	outb(r->t, MCR, 0x10);
	(void)inb(r->t, MSR);
	outb(r->t, IER, 0x08);
	outb(r->t, MCR, 0x14);
	assert_false(irq(r));
	outb(r->t, MCR, 0x10);
	assert_true(irq(r));
	assert_int_equal(inb(r->t, IIR), 0x00);
	assert_int_equal(inb(r->t, MSR), 0x04);
	assert_false(irq(r));
}

static void the_divisor_latch_hides_data_and_ier(void **state)
{
	struct rig *r = *state;

	outb(r->t, LCR, 0x83);
	outb(r->t, DATA, 0x34);
	outb(r->t, IER, 0x12);
	assert_int_equal(inw(r->t, DATA), 0x1234);
	outb(r->t, LCR, 0x03);
	assert_int_equal(inb(r->t, IER), 0);
	assert_int_equal(r->line.count, 0);
	outb(r->t, SCRATCH, 0x5a);
	assert_int_equal(inb(r->t, SCRATCH), 0x5a);
}

static void bad_properties_are_refused(void **state)
{
	static const char *const bad[][3] = {
		{ "index", "4", "isa-serial.index 4 is over the limit of 3" },
		{ "irq", "16", "isa-serial.irq 16 is over the limit of 15" },
		{ "iobase", "0xfff9", "isa-serial.iobase 0xfff9 is over the"
				      " limit of 0xfff8" },
	};
	struct rig *r = *state;
	struct err e;

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		struct device *d = device_new(&isa_serial_class, r->t->bus);

		device_set_prop(d, bad[i][0], bad[i][1], NULL);
		assert_int_equal(device_attach(d, &e), -EINVAL);
		assert_string_equal(e.text, bad[i][2]);
		device_free(d);
	}
}

static void a_stream_has_one_device(void **state)
{
	struct rig *r = *state;
	struct device *d = device_new(&isa_serial_class, r->t->bus);
	struct err e;

	device_set_prop(d, "index", "1", NULL);
	device_set_stream(d, "chardev", &r->line.s, NULL);
	assert_int_equal(device_attach(d, &e), -EBUSY);
	assert_string_equal(e.text, "chardev 'c0' is in use");
	device_free(d);
	assert_int_equal(inb(r->t, 0x2f8 + 5), 0xff);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, rig_up, rig_down)

TEST_MAIN("uart16550",
	T(bytes_written_leave_at_once),
	T(without_fifo_the_second_byte_waits),
	T(reading_the_cause_clears_a_transmit_interrupt),
	T(each_byte_sent_is_an_edge_of_its_own),
	T(the_fifo_interrupts_at_its_trigger_level),
	T(bytes_left_in_the_fifo_time_out),
	T(clearing_the_fifo_drops_what_came),
	T(a_break_is_a_zero_byte_with_its_error_bit),
	T(loopback_returns_bytes_and_modem_lines),
	T(a_full_receiver_overruns_in_loopback),
	T(only_the_trailing_edge_of_the_ring_counts),
	T(the_divisor_latch_hides_data_and_ier),
	T(bad_properties_are_refused),
	T(a_stream_has_one_device))
