/* host/loop_test.c
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/test.h"
#include "host/loop.h"

static struct loop *loop;
static unsigned calls, depth;
static unsigned seen;
static struct loop_watch *watch;

static int set_up(void **state)
{
	struct err e;

	calls = depth = seen = 0;
	loop = loop_new(&e);
	return loop ? 0 : -1;
}

static int tear_down(void **state)
{
	loop_free(loop);
	return 0;
}

static void on_readable(void *ctx, unsigned events)
{
	char c;

	seen = events;
	calls++;
	if (read(*(int *)ctx, &c, 1) == 0)
		loop_quit(loop, 3);
}

static void readable_descriptors_are_called_until_end(void **state)
{
	int p[2];

	assert_int_equal(pipe(p), 0);
	watch = loop_watch(loop, p[0], LOOP_READ, on_readable, &p[0]);
	assert_int_equal(write(p[1], "ab", 2), 2);
	close(p[1]);
	assert_int_equal(loop_run(loop), 3);
	assert_int_equal(calls, 3);
	assert_int_equal(seen, LOOP_READ);
	close(p[0]);
}

static void a_regular_file_is_always_ready(void **state)
{
	char path[] = "/tmp/husk-loop-XXXXXX";
	int fd = mkstemp(path);

	unlink(path);
	assert_int_equal(write(fd, "xyz", 3), 3);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	watch = loop_watch(loop, fd, LOOP_READ, on_readable, &fd);
	assert_int_equal(loop_run(loop), 3);
	assert_int_equal(calls, 4);
	close(fd);
}

static void end_it(void *ctx)
{
	loop_quit(loop, 0);
}

static void unwatch_self(void *ctx, unsigned events)
{
	calls++;
	loop_unwatch(watch);
	loop_post(loop, end_it, NULL);
}

static void an_unwatched_descriptor_is_silent(void **state)
{
	int p[2];

	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "ab", 2), 2);
	watch = loop_watch(loop, p[0], LOOP_READ, unwatch_self, NULL);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(calls, 1);
	close(p[0]);
	close(p[1]);
}

static void on_hangup(void *ctx, unsigned events)
{
	seen = events;
	loop_quit(loop, 0);
}

static void a_sleeping_watch_wakes_for_a_hangup_only_if_asked(void **state)
{
	int p[2];

	assert_int_equal(pipe(p), 0);
	watch = loop_watch(loop, p[0], 0, on_hangup, NULL);
	close(p[1]);
	loop_post(loop, end_it, NULL);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(seen, 0);

	loop_free(loop);
	assert_int_equal(set_up(state), 0);
	watch = loop_watch(loop, p[0], LOOP_HANGUP, on_hangup, NULL);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(seen, LOOP_HANGUP);
	close(p[0]);
}

static void count_post(void *ctx)
{
	assert_int_equal(depth, 1);
	if (++calls == 1000)
		loop_quit(loop, 7);
}

static void *post_many(void *arg)
{
	for (int i = 0; i < 500; i++)
		loop_post(loop, count_post, NULL);
	return NULL;
}

static void enter(void *ctx)
{
	depth++;
}

static void leave(void *ctx)
{
	depth--;
}

static void posts_of_two_threads_run_inside_the_bracket(void **state)
{
	pthread_t t[2];

	loop_set_bracket(loop, enter, leave, NULL);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, post_many, NULL),
				 0);
	assert_int_equal(loop_run(loop), 7);
	assert_int_equal(calls, 1000);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
}

static int64_t alarm_at;

static void on_alarm(void *ctx)
{
	alarm_at = loop_now_ns();
	loop_quit(loop, 0);
}

static void the_alarm_can_be_moved_both_ways_and_is_never_early(void **state)
{
	int64_t t0 = loop_now_ns();

	loop_set_alarm_handler(loop, on_alarm, NULL);
	loop_set_alarm(loop, t0 + 3600 * 1000000000ll);
	loop_set_alarm(loop, t0 + 1000000);
	loop_set_alarm(loop, t0 + 4000000);
	assert_int_equal(loop_run(loop), 0);
	assert_true(alarm_at >= t0 + 4000000);
	assert_true(alarm_at < t0 + 60 * 1000000000ll);
}

static void an_alarm_in_the_past_rings_at_once(void **state)
{
	loop_set_alarm_handler(loop, on_alarm, NULL);
	loop_set_alarm(loop, 0);
	assert_int_equal(loop_run(loop), 0);
}

static void on_signal(void *ctx, int signo)
{
	seen = (unsigned)signo;
	loop_quit(loop, 0);
}

static void signals_become_calls(void **state)
{
	struct err e;

	assert_int_equal(loop_on_signal(loop, SIGHUP, on_signal, NULL, &e), 0);
	assert_int_equal(loop_on_signal(loop, SIGTERM, on_signal, NULL, &e),
			 0);
	kill(getpid(), SIGTERM);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(seen, SIGTERM);
}

static void on_tick(void *ctx)
{
	if (++calls == 3)
		loop_quit(loop, 0);
}

static void a_periodic_call_repeats_until_unwatched(void **state)
{
	struct loop_watch *w = loop_every(loop, 1, on_tick, NULL);

	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(calls, 3);
	loop_unwatch(w);
}

#define LOOP_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

TEST_MAIN("loop", LOOP_TEST(readable_descriptors_are_called_until_end),
	  LOOP_TEST(a_regular_file_is_always_ready),
	  LOOP_TEST(an_unwatched_descriptor_is_silent),
	  LOOP_TEST(a_sleeping_watch_wakes_for_a_hangup_only_if_asked),
	  LOOP_TEST(posts_of_two_threads_run_inside_the_bracket),
	  LOOP_TEST(the_alarm_can_be_moved_both_ways_and_is_never_early),
	  LOOP_TEST(an_alarm_in_the_past_rings_at_once),
	  LOOP_TEST(signals_become_calls),
	  LOOP_TEST(a_periodic_call_repeats_until_unwatched))
