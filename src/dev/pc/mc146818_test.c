/* dev/pc/mc146818_test.c - the real-time clock as firmware and kernels see it.
 * SPDX-License-Identifier: MIT
 */
#include "base/test.h"
#include "bus/test_bus.h"
#include "dev/pc/mc146818.h"

/* 2024-02-28 23:59:50 UTC, a Wednesday, and a quarter of a second. */
#define START_S	 1709164790ll
#define START_NS (START_S * NS_PER_S + NS_PER_S / 4)

static struct device *rtc;

static struct test_bus *set_up(void)
{
	struct test_bus *t = test_bus_new();

	rtc = device_new(&mc146818_class, t->bus);
	assert_int_equal(device_attach(rtc, NULL), 0);
	mc146818_set_time(rtc, START_NS);
	return t;
}

static void tear_down(struct test_bus *t)
{
	device_free(rtc);
	test_bus_free(t);
}

static uint8_t get(struct test_bus *t, uint8_t reg)
{
	outb(t, 0x70, reg);
	return inb(t, 0x71);
}

static void put(struct test_bus *t, uint8_t reg, uint8_t v)
{
	outb(t, 0x70, reg);
	outb(t, 0x71, v);
}

/* The bytes of century, year, month, date, hour, minute, second. */
static uint64_t date(struct test_bus *t)
{
	static const uint8_t regs[] = { 0x32, 9, 8, 7, 4, 2, 0 };
	uint64_t v = 0;

	for (unsigned i = 0; i < sizeof(regs); i++)
		v = v << 8 | get(t, regs[i]);
	return v;
}

static void the_calendar_follows_guest_time(void **state)
{
	struct test_bus *t = set_up();

	assert_int_equal(date(t), 0x20240228235950);
	assert_int_equal(get(t, 6), 4);
	test_bus_run(t, 9 * NS_PER_S + NS_PER_S * 3 / 4 - 1);
	assert_int_equal(date(t), 0x20240228235959);
	test_bus_run(t, 1);
	assert_int_equal(date(t), 0x20240229000000);
	assert_int_equal(get(t, 6), 5);
	assert_int_equal(get(t, 0x0d), 0x80);
	assert_int_equal(inb(t, 0x70), 0xff);
	tear_down(t);
}

static void binary_and_12_hour_forms_are_offered(void **state)
{
	struct test_bus *t = set_up();

	put(t, 0x0b, 0x06);
	assert_int_equal(get(t, 4), 23);
	assert_int_equal(get(t, 0), 50);
	put(t, 0x0b, 0x00);
	assert_int_equal(get(t, 4), 0x91);	/* 11 pm */
	test_bus_run(t, 10 * NS_PER_S);
	assert_int_equal(get(t, 4), 0x12);	/* midnight */
	put(t, 4, 0x92);
	put(t, 0x0b, 0x02);
	assert_int_equal(get(t, 4), 0x12);	/* noon */
	tear_down(t);
}

static void set_holds_the_calendar_while_it_is_written(void **state)
{
	struct test_bus *t = set_up();

	put(t, 0x0b, 0x92);
	assert_int_equal(get(t, 0x0b), 0x82);	/* SET clears UIE */
	put(t, 0, 0x59);
	put(t, 7, 0x31);	/* the month is still February */
	put(t, 8, 0x12);
	put(t, 9, 0x99);
	put(t, 0x32, 0x19);
	test_bus_run(t, 5 * NS_PER_S);
	assert_int_equal(date(t), 0x19991231235959);
	assert_int_equal(get(t, 0x0a) & 0x80, 0);
	put(t, 0x0b, 0x02);
	assert_int_equal(date(t), 0x19991231235959);
	/* The chain of dividers has not been held. */
	test_bus_run(t, NS_PER_S * 3 / 4);
	assert_int_equal(date(t), 0x20000101000000);
	tear_down(t);
}

static void a_running_calendar_may_be_written_too(void **state)
{
	struct test_bus *t = set_up();

	put(t, 2, 0x30);
	put(t, 6, 0x01);
	assert_int_equal(date(t), 0x20240228233050);
	assert_int_equal(get(t, 6), 1);
	test_bus_run(t, 86400 * NS_PER_S);
	assert_int_equal(get(t, 6), 2);
	tear_down(t);
}

static void the_divider_starts_with_half_a_second(void **state)
{
	struct test_bus *t = set_up();

	put(t, 0x0a, 0x76);
	test_bus_run(t, 10 * NS_PER_S);
	assert_int_equal(get(t, 0), 0x50);
	put(t, 0x0a, 0x26);
	test_bus_run(t, NS_PER_S / 2 - 1);
	assert_int_equal(get(t, 0), 0x50);
	test_bus_run(t, 1);
	assert_int_equal(get(t, 0), 0x51);
	tear_down(t);
}

static void uip_announces_the_update(void **state)
{
	struct test_bus *t = set_up();

	test_bus_run(t, NS_PER_S * 3 / 4 - 2228000 - 1);
	assert_int_equal(get(t, 0x0a), 0x26);
	test_bus_run(t, 1);
	assert_int_equal(get(t, 0x0a), 0xa6);
	test_bus_run(t, 2227999);
	assert_int_equal(get(t, 0x0a), 0xa6);
	test_bus_run(t, 1);
	assert_int_equal(get(t, 0x0a), 0x26);
	assert_int_equal(get(t, 0), 0x51);
	tear_down(t);
}

static void flags_come_up_without_their_enables(void **state)
{
	struct test_bus *t = set_up();

	(void)get(t, 0x0c);
	test_bus_run(t, NS_PER_S / 2);
	assert_int_equal(get(t, 0x0c), 0x40);
	test_bus_run(t, NS_PER_S);
	assert_int_equal(get(t, 0x0c), 0x50);
	assert_int_equal(get(t, 0x0c), 0);
	assert_int_equal(t->isa[8].rises, 0);
	assert_int_equal(t->deadline_ns, CLOCK_NEVER);
	tear_down(t);
}

static void the_update_interrupts_once_a_second(void **state)
{
	struct test_bus *t = set_up();

	(void)get(t, 0x0c);
	put(t, 0x0b, 0x12);
	test_bus_run(t, NS_PER_S * 3 / 4 - 1);
	assert_false(t->isa[8].level);
	test_bus_run(t, 1);
	assert_true(t->isa[8].level);
	test_bus_run(t, 5 * NS_PER_S);
	assert_int_equal(t->isa[8].rises, 1);
	assert_int_equal(get(t, 0x0c), 0xd0);
	assert_false(t->isa[8].level);
	test_bus_run(t, NS_PER_S);
	assert_int_equal(t->isa[8].rises, 2);
	tear_down(t);
}

static void the_periodic_interrupt_has_its_rate(void **state)
{
	static const struct { uint8_t rs; unsigned hz; } rows[] = {
		{ 1, 256 }, { 2, 128 }, { 3, 8192 }, { 6, 1024 }, { 15, 2 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct test_bus *t = set_up();
		unsigned count = 0;

		put(t, 0x0a, 0x20 | rows[i].rs);
		put(t, 0x0b, 0x42);
		test_bus_run(t, 1000);	/* past the edge at the start */
		(void)get(t, 0x0c);
		for (unsigned step = 0; step < 20000; step++) {
			test_bus_run(t, 50000);
			if (t->isa[8].level) {
				count++;
				assert_int_equal(get(t, 0x0c) & 0xc0, 0xc0);
			}
		}
		assert_int_equal(count, rows[i].hz);
		tear_down(t);
	}
}

static void the_alarm_matches_or_ignores_each_field(void **state)
{
	struct test_bus *t = set_up();

	put(t, 1, 0x05);
	put(t, 3, 0x00);
	put(t, 5, 0x00);
	put(t, 0x0b, 0x22);
	(void)get(t, 0x0c);
	test_bus_run(t, 14 * NS_PER_S + NS_PER_S / 2);
	assert_false(t->isa[8].level);
	test_bus_run(t, NS_PER_S);
	assert_true(t->isa[8].level);
	assert_int_equal(get(t, 0x0c) & 0xa0, 0xa0);
	test_bus_run(t, 86399 * NS_PER_S);
	assert_false(t->isa[8].level);
	test_bus_run(t, NS_PER_S);
	assert_true(t->isa[8].level);
	put(t, 5, 0xff);
	put(t, 3, 0xc0);
	(void)get(t, 0x0c);
	test_bus_run(t, 60 * NS_PER_S);
	assert_true(t->isa[8].level);
	/* A minute that never comes. */
	put(t, 3, 0x77);
	(void)get(t, 0x0c);
	test_bus_run(t, 2 * 86400 * NS_PER_S);
	assert_false(t->isa[8].level);
	tear_down(t);
}

static void reset_keeps_time_and_memory(void **state)
{
	struct test_bus *t = set_up();

	put(t, 0x0b, 0x72);
	put(t, 0x40, 0x5a);
	test_bus_run(t, NS_PER_S);
	assert_true(t->isa[8].level);
	rtc->class->reset(rtc);
	assert_false(t->isa[8].level);
	assert_int_equal(get(t, 0x0b), 0x02);
	assert_int_equal(get(t, 0x40), 0x5a);
	assert_int_equal(date(t), 0x20240228235951);
	tear_down(t);
}

static void the_memory_registers_say_how_much_there_is(void **state)
{
	struct test_bus *t = set_up();

	mc146818_set_memory(rtc, 3ull << 30, 5ull << 30);
	assert_int_equal(get(t, 0x15), 0x80);
	assert_int_equal(get(t, 0x16), 0x02);
	assert_int_equal(get(t, 0x17), 0xff);
	assert_int_equal(get(t, 0x31), 0xff);
	assert_int_equal(get(t, 0x34), 0x00);
	assert_int_equal(get(t, 0x35), 0xbf);
	assert_int_equal(get(t, 0x5b), 0x00);
	assert_int_equal(get(t, 0x5c), 0x40);
	assert_int_equal(get(t, 0x5d), 0x01);
	mc146818_set_memory(rtc, 8 << 20, 0);
	assert_int_equal(get(t, 0x18), 0x1c);
	assert_int_equal(get(t, 0x35), 0);
	mc146818_set_cmos(rtc, 0x38, 0x21);
	assert_int_equal(get(t, 0x38), 0x21);
	assert_int_equal(mc146818_cmos(rtc, 0x38), 0x21);
	tear_down(t);
}

TEST_MAIN("mc146818",
	TEST(the_calendar_follows_guest_time),
	TEST(binary_and_12_hour_forms_are_offered),
	TEST(set_holds_the_calendar_while_it_is_written),
	TEST(a_running_calendar_may_be_written_too),
	TEST(the_divider_starts_with_half_a_second),
	TEST(uip_announces_the_update),
	TEST(flags_come_up_without_their_enables),
	TEST(the_update_interrupts_once_a_second),
	TEST(the_periodic_interrupt_has_its_rate),
	TEST(the_alarm_matches_or_ignores_each_field),
	TEST(reset_keeps_time_and_memory),
	TEST(the_memory_registers_say_how_much_there_is))
