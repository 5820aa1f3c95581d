/* char/mux_test.c
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/test.h"
#include "char/chardev.h"
#include "char/fake_guest.h"
#include "host/fd.h"
#include "host/socket.h"

static struct loop *loop;
static struct chardev_set *set;
static struct fake_guest guests[2];
static struct stream *streams[2];
static int peer;
static unsigned quits;

static void count_quit(void *ctx)
{
	quits++;
}

static bool is_opened(void *ctx)
{
	return guests[0].opened != 0;
}

/* A mux on a Unix socket, with two guest ends. */
static int set_up(void **state)
{
	char path[64], spec[128];
	struct socket_where w = { .path = path };
	struct socket_addrs a;

	quits = 0;
	memset(guests, 0, sizeof(guests));
	loop = loop_new(NULL);
	set = chardev_set_new(loop);
	chardev_set_on_quit(set, count_quit, NULL);
	snprintf(path, sizeof(path), "/tmp/husk-mux-%d", getpid());
	snprintf(spec, sizeof(spec),
		 "socket,id=m,path=%s,server=on,wait=off,mux=on", path);
	if (chardev_add(set, spec, NULL))
		return -1;
	for (int i = 0; i < 2; i++) {
		guests[i].room = sizeof(guests[i].got);
		if (chardev_take(set, "m", &streams[i], NULL))
			return -1;
		stream_attach(streams[i], &fake_guest, &guests[i]);
	}
	if (socket_resolve(&a, &w, false, NULL))
		return -1;
	peer = socket_connect(&a, 1000, NULL);
	return peer >= 0 && run_until(loop, is_opened, NULL) ? 0 : -1;
}

static int tear_down(void **state)
{
	close(peer);
	chardev_set_free(set);
	loop_free(loop);
	return 0;
}

static bool typed_is_read(void *ctx)
{
	size_t *want = ctx;

	return guests[0].count + guests[1].count + quits + guests[0].breaks +
	       guests[1].breaks >= *want;
}

/* Type, and wait until `want` things have happened to the guests. */
static void type(const char *keys, size_t want)
{
	assert_int_equal(write(peer, keys, strlen(keys)), strlen(keys));
	assert_true(run_until(loop, typed_is_read, &want));
}

static void input_goes_to_one_and_moves_on(void **state)
{
	type("one\1ctwo\1cthree", 11);
	assert_int_equal(guests[0].count, 8);
	assert_memory_equal(guests[0].got, "onethree", 8);
	assert_int_equal(guests[1].count, 3);
	assert_memory_equal(guests[1].got, "two", 3);
}

static void ctrl_a_twice_sends_one(void **state)
{
	type("a\1\1b", 3);
	assert_memory_equal(guests[0].got, "a\1b", 3);
}

static void a_break_goes_to_the_focus(void **state)
{
	type("\1c\1b", 1);
	assert_int_equal(guests[0].breaks, 0);
	assert_int_equal(guests[1].breaks, 1);
}

static void quitting_works_while_a_guest_hangs(void **state)
{
	char buf[64] = { 0 };

	guests[0].room = 0;
	type("typed in vain\1x", 1);
	assert_int_equal(quits, 1);
	assert_int_equal(guests[0].count, 0);
	assert_true(fd_read(peer, buf, sizeof(buf) - 1) > 0);
	assert_string_equal(buf, "QEMU: Terminated\r\n");
}

static void what_a_hanging_guest_missed_arrives_later(void **state)
{
	guests[0].room = 0;
	type("abc\1b", 1);
	guests[0].room = 2;
	stream_ready(streams[0]);
	type("", 3);
	assert_memory_equal(guests[0].got, "ab", 2);
}

static void all_guests_write_to_the_one_peer(void **state)
{
	char buf[16] = { 0 };

	stream_put(streams[0], (const uint8_t *)"a", 1);
	stream_put(streams[1], (const uint8_t *)"b", 1);
	assert_int_equal(fd_read(peer, buf, sizeof(buf)), 2);
	assert_string_equal(buf, "ab");
}

static void a_mux_has_four_places(void **state)
{
	struct stream *s;
	struct err e;

	assert_int_equal(chardev_take(set, "m", &s, &e), 0);
	assert_int_equal(chardev_take(set, "m", &s, &e), 0);
	assert_int_equal(chardev_take(set, "m", &s, &e), -EBUSY);
}

static void the_escape_key_can_be_another(void **state)
{
	chardev_set_escape(set, 20);
	type("\1x\24\24\24x", 4);
	assert_memory_equal(guests[0].got, "\1x\24", 3);
	assert_int_equal(quits, 1);
}

#define MUX_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

TEST_MAIN("mux", MUX_TEST(input_goes_to_one_and_moves_on),
	  MUX_TEST(ctrl_a_twice_sends_one), MUX_TEST(a_break_goes_to_the_focus),
	  MUX_TEST(quitting_works_while_a_guest_hangs),
	  MUX_TEST(what_a_hanging_guest_missed_arrives_later),
	  MUX_TEST(all_guests_write_to_the_one_peer),
	  MUX_TEST(a_mux_has_four_places),
	  MUX_TEST(the_escape_key_can_be_another))
