/* dev/pc/i8254_test.c - the interval timer as its programs see it.
 * SPDX-License-Identifier: MIT
 */
#include "base/bytes.h"
#include "base/test.h"
#include "bus/test_bus.h"
#include "dev/pc/i8254.h"

static struct device *pit;

static struct test_bus *set_up(void)
{
	struct test_bus *t = test_bus_new();

	pit = device_new(&i8254_class, t->bus);
	assert_int_equal(device_attach(pit, NULL), 0);
	return t;
}

static void tear_down(struct test_bus *t)
{
	device_free(pit);
	test_bus_free(t);
}

/* Go to the first nanosecond of a tick, counted from time 0. */
static void go_to_tick(struct test_bus *t, uint64_t tick)
{
	int64_t ns = clock_ticks_to_ns(tick, 1193182) + 1;

	test_bus_run(t, ns - clock_now(t->clock));
}

static void program(struct test_bus *t, unsigned counter, uint8_t rw_mode,
		    uint16_t n)
{
	outb(t, 0x43, (uint8_t)(counter << 6 | rw_mode));
	outb(t, (uint16_t)(0x40 + counter), (uint8_t)n);
	outb(t, (uint16_t)(0x40 + counter), (uint8_t)(n >> 8));
}

static uint16_t latched(struct test_bus *t, unsigned counter)
{
	uint16_t port = (uint16_t)(0x40 + counter);
	uint8_t lsb;

	outb(t, 0x43, (uint8_t)(counter << 6));
	lsb = inb(t, port);
	return (uint16_t)(inb(t, port) << 8 | lsb);
}

static uint8_t status(struct test_bus *t, unsigned counter)
{
	outb(t, 0x43, (uint8_t)(0xe0 | 2 << counter));
	return inb(t, (uint16_t)(0x40 + counter));
}

static bool out2(struct test_bus *t)
{
	return inb(t, 0x61) & 0x20;
}

static void mode_2_interrupts_every_n_ticks(void **state)
{
	struct test_bus *t = set_up();

	program(t, 0, 0x34, 11932);	/* 100 Hz */
	assert_true(t->isa[0].level);
	test_bus_run(t, NS_PER_S);
	/* One more: OUT rose when mode 2 was set. */
	assert_int_equal(t->isa[0].rises, 100);
	test_bus_run(t, 99 * NS_PER_S);
	assert_int_equal(t->isa[0].rises - 1, 100ull * 1193182 / 11932);
	tear_down(t);
}

static void edges_do_not_drift(void **state)
{
	struct test_bus *t = set_up();

	program(t, 0, 0x34, 0);		/* 65536 */
	go_to_tick(t, 1 + 65536 * 1000);
	assert_int_equal(t->isa[0].rises, 1001);
	assert_in_range(t->isa[0].rise_ns,
			clock_ticks_to_ns(65536 * 1000, 1193182),
			clock_ticks_to_ns(65536 * 1000 + 1, 1193182) + 1);
	tear_down(t);
}

static void mode_2_counts_n_down_to_1(void **state)
{
	struct test_bus *t = set_up();

	program(t, 0, 0x34, 10);
	for (uint64_t i = 0; i < 25; i++) {
		go_to_tick(t, 1 + i);
		assert_int_equal(latched(t, 0), 10 - i % 10);
		assert_int_equal(status(t, 0), i % 10 == 9 ? 0x34 : 0xb4);
	}
	tear_down(t);
}

static void mode_3_is_high_for_the_longer_half(void **state)
{
	static const uint16_t counts[] = { 4, 2, 0, 4, 2 };
	struct test_bus *t = set_up();

	outb(t, 0x61, 1);
	program(t, 2, 0x36, 5);
	for (uint64_t i = 0; i < 20; i++) {
		go_to_tick(t, 1 + i);
		assert_int_equal(out2(t), i % 5 < 3);
		assert_int_equal(latched(t, 2), counts[i % 5]);
	}
	tear_down(t);
}

static void mode_0_rises_once_at_terminal_count(void **state)
{
	struct test_bus *t = set_up();

	program(t, 0, 0x30, 100);
	assert_false(t->isa[0].level);
	assert_int_equal(status(t, 0), 0x70);	/* not loaded yet */
	go_to_tick(t, 100);
	assert_false(t->isa[0].level);
	assert_int_equal(status(t, 0), 0x30);
	assert_int_equal(latched(t, 0), 1);
	go_to_tick(t, 101);
	assert_true(t->isa[0].level);
	assert_int_equal(status(t, 0), 0xb0);
	/* It counts on, through FFFFh. */
	go_to_tick(t, 102);
	assert_int_equal(latched(t, 0), 0xffff);
	test_bus_run(t, NS_PER_S);
	assert_int_equal(t->isa[0].rises, 1);
	tear_down(t);
}

static void half_a_count_stops_mode_0(void **state)
{
	struct test_bus *t = set_up();

	program(t, 0, 0x30, 100);
	go_to_tick(t, 50);
	outb(t, 0x40, 200);
	test_bus_run(t, NS_PER_S);
	assert_false(t->isa[0].level);
	outb(t, 0x40, 0);
	test_bus_run(t, NS_PER_S);
	assert_true(t->isa[0].level);
	tear_down(t);
}

static void mode_4_strobes_low_for_one_tick(void **state)
{
	struct test_bus *t = set_up();

	outb(t, 0x61, 1);
	program(t, 2, 0x38, 3);
	for (uint64_t i = 0; i < 8; i++) {
		go_to_tick(t, 1 + i);
		assert_int_equal(out2(t), i != 3);
	}
	tear_down(t);
}

static void modes_1_and_5_wait_for_their_gate(void **state)
{
	struct test_bus *t = set_up();

	program(t, 2, 0x32, 3);
	go_to_tick(t, 10);
	assert_true(out2(t));
	outb(t, 0x61, 1);
	assert_false(out2(t));
	go_to_tick(t, 13);
	assert_false(out2(t));
	go_to_tick(t, 14);
	assert_true(out2(t));
	outb(t, 0x61, 0);
	outb(t, 0x61, 1);		/* again */
	assert_false(out2(t));
	program(t, 2, 0x3a, 3);
	outb(t, 0x61, 0);
	outb(t, 0x61, 1);
	assert_true(out2(t));
	go_to_tick(t, 18);
	assert_false(out2(t));
	go_to_tick(t, 19);
	assert_true(out2(t));
	tear_down(t);
}

static void a_low_gate_holds_mode_0_and_restarts_mode_2(void **state)
{
	struct test_bus *t = set_up();

	outb(t, 0x61, 1);
	program(t, 2, 0x30, 100);
	go_to_tick(t, 41);
	outb(t, 0x61, 0);
	go_to_tick(t, 500);
	assert_int_equal(latched(t, 2), 60);
	outb(t, 0x61, 1);
	go_to_tick(t, 520);
	assert_int_equal(latched(t, 2), 40);
	program(t, 2, 0x34, 100);
	go_to_tick(t, 600);
	outb(t, 0x61, 0);
	assert_true(out2(t));
	outb(t, 0x61, 1);
	go_to_tick(t, 611);
	assert_int_equal(latched(t, 2), 90);
	tear_down(t);
}

static void a_new_count_waits_for_the_end_of_the_period(void **state)
{
	struct test_bus *t = set_up();

	program(t, 0, 0x34, 100);
	go_to_tick(t, 51);
	outb(t, 0x40, 40);
	outb(t, 0x40, 0);
	assert_int_equal(status(t, 0) & 0x40, 0x40);
	assert_int_equal(latched(t, 0), 50);
	go_to_tick(t, 101);
	assert_int_equal(latched(t, 0), 40);
	assert_int_equal(t->isa[0].rises, 2);
	go_to_tick(t, 141);
	assert_int_equal(t->isa[0].rises, 3);
	tear_down(t);
}

static void mode_3_takes_a_new_count_at_half_time(void **state)
{
	struct test_bus *t = set_up();

	program(t, 0, 0x36, 100);
	go_to_tick(t, 11);
	outb(t, 0x40, 40);
	outb(t, 0x40, 0);
	go_to_tick(t, 70);
	assert_int_equal(t->isa[0].rises, 1);
	go_to_tick(t, 71);		/* 50 high, then 20 low */
	assert_int_equal(t->isa[0].rises, 2);
	go_to_tick(t, 111);
	assert_int_equal(t->isa[0].rises, 3);
	tear_down(t);
}

static void counting_in_bcd_borrows_at_ten(void **state)
{
	struct test_bus *t = set_up();

	program(t, 0, 0x31, 0x1000);
	go_to_tick(t, 2);
	assert_int_equal(latched(t, 0), 0x0999);
	program(t, 0, 0x35, 0);		/* 10000 */
	go_to_tick(t, 4);
	assert_int_equal(latched(t, 0), 0x9999);
	tear_down(t);
}

static void a_latch_stands_until_it_is_read(void **state)
{
	struct test_bus *t = set_up();
	uint8_t lsb;

	program(t, 0, 0x34, 1000);
	go_to_tick(t, 101);
	outb(t, 0x43, 0x00);
	go_to_tick(t, 301);
	outb(t, 0x43, 0x00);		/* a second latch is ignored */
	lsb = inb(t, 0x40);
	assert_int_equal(inb(t, 0x40) << 8 | lsb, 900);
	lsb = inb(t, 0x40);
	assert_int_equal(inb(t, 0x40) << 8 | lsb, 700);
	/* Read-back latches several; the status comes first. */
	outb(t, 0x43, 0xc2);
	assert_int_equal(inb(t, 0x40), 0xb4);
	lsb = inb(t, 0x40);
	assert_int_equal(inb(t, 0x40) << 8 | lsb, 700);
	tear_down(t);
}

static void single_bytes_are_read_and_written_as_rw_says(void **state)
{
	struct test_bus *t = set_up();

	outb(t, 0x43, 0x14);		/* LSB only */
	outb(t, 0x40, 0x80);
	go_to_tick(t, 2);
	assert_int_equal(inb(t, 0x40), 0x7f);
	assert_int_equal(inb(t, 0x40), 0x7f);
	outb(t, 0x43, 0x24);		/* MSB only */
	outb(t, 0x40, 0x80);
	go_to_tick(t, 4);
	assert_int_equal(inb(t, 0x40), 0x7f);
	assert_int_equal(inb(t, 0x43), 0xff);
	tear_down(t);
}

static void port_61h_toggles_with_refresh(void **state)
{
	struct test_bus *t = set_up();
	unsigned toggles = 0;
	uint8_t last = inb(t, 0x61) & 0x10;

	outb(t, 0x61, 0xff);
	assert_int_equal(inb(t, 0x61) & 0xcf, 0x0f);
	for (unsigned i = 0; i < 1000; i++) {
		uint8_t now;

		test_bus_run(t, 1000);
		now = inb(t, 0x61) & 0x10;
		toggles += now != last;
		last = now;
	}
	assert_int_equal(toggles, 66);
	tear_down(t);
}

static void a_tiny_count_does_not_storm(void **state)
{
	struct test_bus *t = set_up();

	program(t, 0, 0x34, 1);
	test_bus_run(t, 10000000);
	assert_in_range(t->isa[0].rises, 400, 600);
	tear_down(t);
}

TEST_MAIN("i8254",
	TEST(mode_2_interrupts_every_n_ticks),
	TEST(edges_do_not_drift),
	TEST(mode_2_counts_n_down_to_1),
	TEST(mode_3_is_high_for_the_longer_half),
	TEST(mode_0_rises_once_at_terminal_count),
	TEST(half_a_count_stops_mode_0),
	TEST(mode_4_strobes_low_for_one_tick),
	TEST(modes_1_and_5_wait_for_their_gate),
	TEST(a_low_gate_holds_mode_0_and_restarts_mode_2),
	TEST(a_new_count_waits_for_the_end_of_the_period),
	TEST(mode_3_takes_a_new_count_at_half_time),
	TEST(counting_in_bcd_borrows_at_ten),
	TEST(a_latch_stands_until_it_is_read),
	TEST(single_bytes_are_read_and_written_as_rw_says),
	TEST(port_61h_toggles_with_refresh),
	TEST(a_tiny_count_does_not_storm))
