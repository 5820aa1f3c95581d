/* bus/clock_test.c - guest time and timers on a host clock the test sets.
 * SPDX-License-Identifier: MIT
 */
#include "base/bytes.h"
#include "base/test.h"
#include "bus/test_bus.h"

static void guest_time_stands_still_while_stopped(void **state)
{
	struct test_bus *t = test_bus_new();

	test_bus_run(t, 1000);
	assert_int_equal(clock_now(t->clock), 1000);
	clock_stop(t->clock);
	assert_false(clock_running(t->clock));
	t->host_ns += 777;
	assert_int_equal(clock_now(t->clock), 1000);
	clock_start(t->clock);
	t->host_ns += 5;
	assert_int_equal(clock_now(t->clock), 1005);
	assert_int_equal(clock_tsc(t->clock), 1005);
	test_bus_free(t);
}

struct alarm {
	struct clock_timer timer;
	struct test_bus *t;
	int64_t fired_ns;
	unsigned fires;
	int64_t period_ns;	/* re-arms itself unless 0 */
};

static void fire(void *ctx)
{
	struct alarm *a = ctx;

	a->fired_ns = clock_now(a->t->clock);
	a->fires++;
	if (a->period_ns)
		timer_arm(a->t->clock, &a->timer,
			  a->timer.deadline_ns + a->period_ns);
}

static struct alarm alarm_on(struct test_bus *t)
{
	return (struct alarm){ .t = t };
}

static void timers_fire_in_order_at_their_time(void **state)
{
	struct test_bus *t = test_bus_new();
	struct alarm a[50];

	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		a[i] = alarm_on(t);
		timer_init(&a[i].timer, fire, &a[i]);
		/* 17 and 50 share no factor: every order of arrival. */
		timer_arm(t->clock, &a[i].timer, 100 + 17 * i % 50);
	}
	for (unsigned i = 0; i < ARRAY_LEN(a); i += 5)
		timer_cancel(t->clock, &a[i].timer);
	test_bus_run(t, 1000);
	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		assert_int_equal(a[i].fires, i % 5 != 0);
		if (i % 5)
			assert_int_equal(a[i].fired_ns, 100 + 17 * i % 50);
		assert_false(timer_armed(&a[i].timer));
	}
	assert_int_equal(t->deadline_ns, CLOCK_NEVER);
	test_bus_free(t);
}

static void a_timer_may_arm_itself_again(void **state)
{
	struct test_bus *t = test_bus_new();
	struct alarm a = alarm_on(t);

	a.period_ns = 10;
	timer_init(&a.timer, fire, &a);
	timer_arm(t->clock, &a.timer, 10);
	test_bus_run(t, 105);
	assert_int_equal(a.fires, 10);
	assert_true(timer_armed(&a.timer));
	timer_cancel(t->clock, &a.timer);
	timer_cancel(t->clock, &a.timer);
	test_bus_free(t);
}

static void moving_a_deadline_tells_the_loop(void **state)
{
	struct test_bus *t = test_bus_new();
	struct alarm a = alarm_on(t), b = alarm_on(t);
	int64_t start = t->host_ns;

	timer_init(&a.timer, fire, &a);
	timer_init(&b.timer, fire, &b);
	timer_arm(t->clock, &a.timer, 500);
	assert_int_equal(t->deadline_ns, start + 500);
	timer_arm(t->clock, &b.timer, 300);
	assert_int_equal(t->deadline_ns, start + 300);
	timer_arm(t->clock, &b.timer, 900);
	assert_int_equal(t->deadline_ns, start + 500);
	clock_stop(t->clock);
	assert_int_equal(t->deadline_ns, CLOCK_NEVER);
	t->host_ns += 1000;
	clock_start(t->clock);
	assert_int_equal(t->deadline_ns, start + 1500);
	timer_arm(t->clock, &a.timer, CLOCK_NEVER);
	assert_false(timer_armed(&a.timer));
	timer_arm(t->clock, &b.timer, CLOCK_NEVER - 1);
	assert_int_equal(t->deadline_ns, CLOCK_NEVER);
	test_bus_free(t);
}

static void a_timer_that_is_always_late_does_not_hold_the_loop(void **state)
{
	struct test_bus *t = test_bus_new();
	struct alarm a = alarm_on(t);

	a.period_ns = 1;
	timer_init(&a.timer, fire, &a);
	timer_arm(t->clock, &a.timer, 1);
	t->host_ns += 1000000;
	clock_run(t->clock);
	assert_in_range(a.fires, 1, 1000);
	assert_true(t->deadline_ns < t->host_ns);
	test_bus_free(t);
}

static void conversions_do_not_overflow(void **state)
{
	assert_int_equal(clock_ns_to_ticks(3600 * NS_PER_S, 1193182),
			 3600ull * 1193182);
	assert_int_equal(clock_ticks_to_ns(1193182ull << 30, 1193182),
			 NS_PER_S << 30);
	assert_int_equal(clock_ns_to_ticks(999999999, 32768), 32767);
}

TEST_MAIN("clock",
	TEST(guest_time_stands_still_while_stopped),
	TEST(timers_fire_in_order_at_their_time),
	TEST(a_timer_may_arm_itself_again),
	TEST(moving_a_deadline_tells_the_loop),
	TEST(a_timer_that_is_always_late_does_not_hold_the_loop),
	TEST(conversions_do_not_overflow))
