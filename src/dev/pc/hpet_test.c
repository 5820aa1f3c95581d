/* dev/pc/hpet_test.c - the HPET as its drivers see it.
 * SPDX-License-Identifier: MIT
 */
#include "base/test.h"
#include "bus/test_bus.h"
#include "dev/pc/hpet.h"

#define HPET	0xfed00000ull
#define CONF	(HPET + 0x10)
#define STATUS	(HPET + 0x20)
#define COUNTER	(HPET + 0xf0)
#define TCONF(n) (HPET + 0x100 + 0x20 * (n))
#define TCOMP(n) (HPET + 0x108 + 0x20 * (n))
#define LEVEL	0x02
#define ENABLE	0x04
#define PERIODIC 0x08
#define VAL_SET	0x40
#define BITS_32	0x100
#define GSI(n)	((n) << 9)

static struct device *hpet;

static struct test_bus *set_up(void)
{
	struct test_bus *t = test_bus_new();

	hpet = device_new(&hpet_class, t->bus);
	assert_int_equal(device_attach(hpet, NULL), 0);
	return t;
}

static void tear_down(struct test_bus *t)
{
	device_free(hpet);
	test_bus_free(t);
}

static uint64_t readq(struct test_bus *t, gpa_t at)
{
	return bus_mmio_read(t->bus, at, 8);
}

static void writeq(struct test_bus *t, gpa_t at, uint64_t v)
{
	bus_mmio_write(t->bus, at, v, 8);
}

static void the_capabilities_say_what_there_is(void **state)
{
	struct test_bus *t = set_up();

	assert_int_equal(readq(t, HPET), 0x009896808086a201ull);
	assert_int_equal(readl(t, HPET + 4), 10000000);
	assert_int_equal(readq(t, TCONF(0)), 0x00ff010400000430ull);
	assert_int_equal(readq(t, TCOMP(0)), ~0ull);
	tear_down(t);
}

static void the_counter_counts_at_100_mhz_while_enabled(void **state)
{
	struct test_bus *t = set_up();

	test_bus_run(t, 1000);
	assert_int_equal(readq(t, COUNTER), 0);
	writeq(t, COUNTER, 0xfffffff0);
	writel(t, CONF, 1);
	test_bus_run(t, 1000);
	assert_int_equal(readq(t, COUNTER), 0xfffffff0ull + 100);
	assert_int_equal(readl(t, COUNTER + 4), 1);
	writel(t, CONF, 0);
	test_bus_run(t, 1000);
	assert_int_equal(readq(t, COUNTER), 0xfffffff0ull + 100);
	tear_down(t);
}

static void a_one_shot_matches_once(void **state)
{
	struct test_bus *t = set_up();

	writel(t, TCONF(2), ENABLE | GSI(20));
	writeq(t, TCOMP(2), 500);
	writel(t, CONF, 1);
	test_bus_run(t, 4999);
	assert_int_equal(t->gsi[20].rises, 0);
	test_bus_run(t, 1);
	assert_int_equal(t->gsi[20].rises, 1);
	test_bus_run(t, 100 * NS_PER_S);
	assert_int_equal(t->gsi[20].rises, 1);
	/* One that has passed waits for the wrap. */
	writeq(t, TCOMP(2), 400);
	test_bus_run(t, 100 * NS_PER_S);
	assert_int_equal(t->gsi[20].rises, 1);
	tear_down(t);
}

static void a_32_bit_timer_matches_at_each_wrap(void **state)
{
	struct test_bus *t = set_up();

	writel(t, TCONF(0), ENABLE | BITS_32 | GSI(2));
	writel(t, TCOMP(0), 500);
	writel(t, CONF, 1);
	test_bus_run(t, 5000);
	assert_int_equal(t->gsi[2].rises, 1);
	test_bus_run(t, 10 * (1ll << 32) - 10);
	assert_int_equal(t->gsi[2].rises, 1);
	test_bus_run(t, 10);
	assert_int_equal(t->gsi[2].rises, 2);
	tear_down(t);
}

static void a_periodic_timer_repeats(void **state)
{
	struct test_bus *t = set_up();

	writel(t, CONF, 1);
	test_bus_run(t, 77770);
	writel(t, TCONF(0), ENABLE | PERIODIC | VAL_SET | BITS_32 | GSI(2));
	writel(t, TCOMP(0), 7777 + 10000);
	writel(t, TCOMP(0), 20000);
	test_bus_run(t, 100000);
	assert_int_equal(t->gsi[2].rises, 1);
	assert_int_equal(t->gsi[2].rise_ns, 177770);
	assert_int_equal(readl(t, TCOMP(0)), 37777);
	test_bus_run(t, 10 * 200000);
	assert_int_equal(t->gsi[2].rises, 11);
	assert_int_equal(t->gsi[2].rise_ns, 177770 + 2000000);
	tear_down(t);
}

static void one_write_sets_match_and_period(void **state)
{
	struct test_bus *t = set_up();

	writel(t, TCONF(1), ENABLE | PERIODIC | VAL_SET | GSI(16));
	writeq(t, TCOMP(1), 10000);
	writel(t, CONF, 1);
	test_bus_run(t, 1000000);
	assert_int_equal(t->gsi[16].rises, 10);
	tear_down(t);
}

static void a_level_stays_until_its_status_is_cleared(void **state)
{
	struct test_bus *t = set_up();

	writel(t, TCONF(1), ENABLE | LEVEL | GSI(17));
	writeq(t, TCOMP(1), 100);
	writel(t, CONF, 1);
	test_bus_run(t, 1000);
	assert_true(t->gsi[17].level);
	assert_int_equal(readl(t, STATUS), 2);
	writel(t, STATUS, 5);
	assert_true(t->gsi[17].level);
	writel(t, STATUS, 2);
	assert_false(t->gsi[17].level);
	assert_int_equal(readl(t, STATUS), 0);
	tear_down(t);
}

static void a_route_that_is_not_offered_does_not_stick(void **state)
{
	struct test_bus *t = set_up();

	writel(t, TCONF(0), GSI(5));
	assert_int_equal(readl(t, TCONF(0)), 0x30 | GSI(2));
	writel(t, TCONF(0), GSI(23));
	assert_int_equal(readl(t, TCONF(0)), 0x30 | GSI(23));
	tear_down(t);
}

static void legacy_replacement_takes_the_old_lines(void **state)
{
	struct test_bus *t = set_up();
	struct irq pit = { 0 }, rtc = { 0 };

	irq_connect(&pit, hpet_i8254_input(hpet));
	irq_connect(&rtc, hpet_rtc_input(hpet));
	irq_pulse(&pit);
	irq_set(&rtc, true);
	assert_int_equal(t->isa[0].rises, 1);
	assert_true(t->isa[8].level);

	writel(t, TCONF(0), ENABLE);
	writel(t, TCONF(1), ENABLE);
	writeq(t, TCOMP(0), 100);
	writeq(t, TCOMP(1), 200);
	writel(t, CONF, 3);
	assert_false(t->isa[8].level);
	irq_pulse(&pit);
	assert_int_equal(t->isa[0].rises, 1);
	test_bus_run(t, 5000);
	assert_int_equal(t->isa[0].rises, 2);
	assert_int_equal(t->isa[8].rises, 2);
	assert_int_equal(t->gsi[2].rises, 0);
	writel(t, CONF, 1);
	assert_true(t->isa[8].level);
	tear_down(t);
}

static void a_disabled_timer_is_silent(void **state)
{
	struct test_bus *t = set_up();

	writeq(t, TCOMP(0), 100);
	writel(t, CONF, 1);
	test_bus_run(t, 5000);
	assert_int_equal(t->gsi[2].rises, 0);
	assert_int_equal(readl(t, STATUS), 0);
	tear_down(t);
}

static void a_tiny_period_does_not_storm(void **state)
{
	struct test_bus *t = set_up();

	writel(t, TCONF(0), ENABLE | PERIODIC | VAL_SET);
	writeq(t, TCOMP(0), 1);
	writel(t, CONF, 1);
	test_bus_run(t, 10000000);
	assert_in_range(t->gsi[2].rises, 400, 600);
	writel(t, TCONF(0), ENABLE | PERIODIC | VAL_SET);
	writeq(t, TCOMP(0), 0);
	test_bus_run(t, 10000000);
	tear_down(t);
}

TEST_MAIN("hpet",
	TEST(the_capabilities_say_what_there_is),
	TEST(the_counter_counts_at_100_mhz_while_enabled),
	TEST(a_one_shot_matches_once),
	TEST(a_32_bit_timer_matches_at_each_wrap),
	TEST(a_periodic_timer_repeats),
	TEST(one_write_sets_match_and_period),
	TEST(a_level_stays_until_its_status_is_cleared),
	TEST(a_route_that_is_not_offered_does_not_stick),
	TEST(legacy_replacement_takes_the_old_lines),
	TEST(a_disabled_timer_is_silent),
	TEST(a_tiny_period_does_not_storm))
