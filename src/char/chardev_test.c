/* char/chardev_test.c
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/test.h"
#include "char/chardev.h"
#include "char/fake_guest.h"
#include "char/pump.h"
#include "host/fd.h"
#include "host/socket.h"

static struct loop *loop;
static struct chardev_set *set;
static struct fake_guest guest;
static char dir[32], path[64];

static int set_up(void **state)
{
	strcpy(dir, "/tmp/husk-char-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/x", dir);
	memset(&guest, 0, sizeof(guest));
	guest.room = sizeof(guest.got);
	loop = loop_new(NULL);
	set = chardev_set_new(loop);
	return loop ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const suffixes[] = { "", ".in", ".out", ".log" };

	chardev_set_free(set);
	loop_free(loop);
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		char name[80];

		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		unlink(name);
	}
	return rmdir(dir);
}

static struct stream *open_ok(const char *fmt)
{
	char spec[256];
	struct stream *s;
	struct err e = { "" };

	snprintf(spec, sizeof(spec), fmt, path);
	if (chardev_open(set, spec, "serial0", &s, &e))
		print_error("%s: %s\n", spec, e.text);
	else if (s)
		assert_true(stream_attach(s, &fake_guest, &guest));
	return s;
}

static void put(struct stream *s, const char *text)
{
	stream_put(s, (const uint8_t *)text, strlen(text));
}

static void assert_file_holds(const char *name, const char *text)
{
	char buf[256] = { 0 };
	int fd = open(name, O_RDONLY);

	assert_true(fd >= 0);
	assert_true(read(fd, buf, sizeof(buf) - 1) >= 0);
	close(fd);
	assert_string_equal(buf, text);
}

static bool got_something(void *ctx)
{
	return guest.count != 0;
}

static bool is_closed(void *ctx)
{
	return guest.closed != 0;
}

static bool is_opened(void *ctx)
{
	return guest.opened != 0;
}

static void a_file_is_emptied_or_appended_to(void **state)
{
	char spec[128];

	put(open_ok("file:%s"), "one");
	assert_file_holds(path, "one");
	snprintf(spec, sizeof(spec), "file,id=a,path=%s,append=on", path);
	assert_int_equal(chardev_add(set, spec, NULL), 0);
	put(open_ok("chardev:a"), "two");
	assert_file_holds(path, "onetwo");
}

static void a_file_gives_what_input_path_holds(void **state)
{
	char spec[160];
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_int_equal(write(fd, "hello", 5), 5);
	close(fd);
	snprintf(spec, sizeof(spec), "file,id=a,path=%s.out,input-path=%s",
		 path, path);
	assert_int_equal(chardev_add(set, spec, NULL), 0);
	assert_non_null(open_ok("chardev:a"));
	assert_true(run_until(loop, is_closed, NULL));
	assert_string_equal(guest.got, "hello");
}

static void a_log_file_gets_a_copy(void **state)
{
	char spec[128], log[80];

	snprintf(log, sizeof(log), "%s.log", path);
	snprintf(spec, sizeof(spec), "null,id=a,logfile=%s", log);
	assert_int_equal(chardev_add(set, spec, NULL), 0);
	put(open_ok("chardev:a"), "copy");
	assert_file_holds(log, "copy");
}

static void a_pipe_is_two_fifos(void **state)
{
	char name[80];
	struct stream *s;
	int in, out;
	char c;

	snprintf(name, sizeof(name), "%s.in", path);
	assert_int_equal(mkfifo(name, 0600), 0);
	in = open(name, O_RDWR | O_NONBLOCK);
	snprintf(name, sizeof(name), "%s.out", path);
	assert_int_equal(mkfifo(name, 0600), 0);
	out = open(name, O_RDWR | O_NONBLOCK);
	s = open_ok("pipe:%s");
	put(s, "q");
	assert_int_equal(read(out, &c, 1), 1);
	assert_int_equal(c, 'q');
	assert_int_equal(write(in, "abc", 3), 3);
	assert_true(run_until(loop, got_something, NULL));
	assert_string_equal(guest.got, "abc");
	close(in);
	close(out);
}

static bool all_arrived(void *ctx)
{
	static char buf[65536];
	size_t *left = ctx;
	ssize_t n = fd_read((int)left[1], buf, sizeof(buf));

	if (n > 0)
		left[0] -= (size_t)n;
	return !left[0];
}

static int client(void)
{
	struct socket_where w = { .path = path };
	struct socket_addrs a;

	assert_int_equal(socket_resolve(&a, &w, false, NULL), 0);
	return socket_connect(&a, 1000, NULL);
}

static void a_server_takes_one_peer_after_another(void **state)
{
	struct stream *s = open_ok("unix:%s,server=on,wait=off");
	int fd = client();
	char buf[16] = { 0 };

	assert_true(fd >= 0);
	assert_true(run_until(loop, is_opened, NULL));
	assert_int_equal(write(fd, "hi", 2), 2);
	assert_true(run_until(loop, got_something, NULL));
	put(s, "ho");
	assert_int_equal(fd_read(fd, buf, sizeof(buf)), 2);
	close(fd);
	assert_true(run_until(loop, is_closed, NULL));

	put(s, "meanwhile");
	fd = client();
	guest.opened = 0;
	assert_true(run_until(loop, is_opened, NULL));
	assert_int_equal(fd_read(fd, buf, sizeof(buf)), 9);
	assert_memory_equal(buf, "meanwhile", 9);
	close(fd);
}

static void a_peer_that_reads_late_loses_nothing(void **state)
{
	static const char block[1000];
	struct stream *s = open_ok("unix:%s,server,nowait");
	size_t left[2] = { 0, (size_t)client() };

	assert_true(run_until(loop, is_opened, NULL));
	for (int i = 0; i < 60; i++) {
		stream_put(s, (const uint8_t *)block, sizeof(block));
		left[0] += sizeof(block);
	}
	assert_true(run_until(loop, all_arrived, left));
	close((int)left[1]);
}

static void without_a_peer_the_newest_output_is_kept(void **state)
{
	struct stream *s = open_ok("unix:%s,server,nowait");
	char block[1024], last[PUMP_ROOM];
	int fd;

	for (int i = 0; i < 100; i++) {
		memset(block, i, sizeof(block));
		stream_put(s, (const uint8_t *)block, sizeof(block));
	}
	fd = client();
	assert_true(run_until(loop, is_opened, NULL));
	assert_int_equal(fd_read(fd, last, sizeof(last)), PUMP_ROOM);
	assert_int_equal(last[0], 36);
	assert_int_equal(last[PUMP_ROOM - 1], 99);
	close(fd);
}

static void a_client_comes_back_when_told_to(void **state)
{
	struct socket_where w = { .path = path };
	struct socket_addrs a;
	int fd;

	assert_int_equal(socket_resolve(&a, &w, true, NULL), 0);
	assert_non_null(open_ok("unix:%s,reconnect=1"));
	fd = socket_listen(&a, NULL);
	assert_true(run_until(loop, is_opened, NULL));
	close(socket_accept(fd, NULL));
	assert_true(run_until(loop, is_closed, NULL));
	guest.opened = 0;
	assert_true(run_until(loop, is_opened, NULL));
	close(fd);
}

static void input_waits_until_the_device_is_ready(void **state)
{
	struct stream *s = open_ok("unix:%s,server,nowait");
	int fd = client();

	assert_true(run_until(loop, is_opened, NULL));
	guest.room = 2;
	assert_int_equal(write(fd, "abcd", 4), 4);
	assert_true(run_until(loop, got_something, NULL));
	guest.count = 0;
	guest.room = 0;
	assert_int_equal(write(fd, "", 0), 0);
	guest.room = 9;
	stream_ready(s);
	assert_true(run_until(loop, got_something, NULL));
	assert_memory_equal(guest.got, "cd", 2);
	close(fd);
}

static void a_pty_is_printed_and_connects(void **state)
{
	char name[64] = { 0 }, line[128] = { 0 };
	int keep = dup(1), p[2], fd;
	struct stream *s;

	assert_int_equal(pipe(p), 0);
	fflush(stdout);
	dup2(p[1], 1);
	s = open_ok("pty");
	dup2(keep, 1);
	close(keep);
	close(p[1]);
	assert_true(read(p[0], line, sizeof(line) - 1) > 0);
	close(p[0]);
	assert_int_equal(sscanf(line, "char device redirected to %63s (label "
				"serial0)", name), 1);
	put(s, "early");
	fd = open(name, O_RDWR | O_NOCTTY);
	assert_true(fd >= 0);
	assert_true(run_until(loop, is_opened, NULL));
	assert_int_equal(read(fd, line, sizeof(line)), 5);
	assert_int_equal(write(fd, "\rx", 2), 2);
	assert_true(run_until(loop, got_something, NULL));
	assert_memory_equal(guest.got, "\rx", 2);
	close(fd);
	assert_true(run_until(loop, is_closed, NULL));
}

/* In a child whose descriptors 0 and 1 are pipes. */
static void echo_stdin(int in, int out)
{
	struct stream *s;

	dup2(in, 0);
	dup2(out, 1);
	s = open_ok("stdio");
	if (!s || !run_until(loop, is_closed, NULL))
		_exit(1);
	stream_put(s, (const uint8_t *)guest.got, guest.count);
	/* More than a pipe holds: what is left is written on the way out. */
	for (int i = 0; i < 100; i++)
		stream_put(s, (const uint8_t *)guest.got, 1000);
	chardev_set_free(set);
	_exit(0);
}

static void stdio_reads_to_the_end_and_writes_all(void **state)
{
	int in[2], out[2], status;
	size_t total = 0;
	char buf[4096];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (!pid) {
		close(in[1]);
		close(out[0]);
		echo_stdin(in[0], out[1]);
	}
	close(in[0]);
	close(out[1]);
	assert_int_equal(write(in[1], "hello", 5), 5);
	close(in[1]);
	while ((n = read(out[0], buf, sizeof(buf))) > 0) {
		if (!total)
			assert_memory_equal(buf, "hello", 5);
		total += (size_t)n;
	}
	assert_int_equal(total, 100005);
	close(out[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void a_ring_buffer_keeps_the_last_bytes(void **state)
{
	uint8_t buf[16];

	assert_int_equal(chardev_add(set, "ringbuf,id=r,size=8", NULL), 0);
	put(open_ok("chardev:r"), "0123456789");
	assert_int_equal(chardev_ring_read(set, "r", buf, 16, NULL), 8);
	assert_memory_equal(buf, "23456789", 8);
	assert_int_equal(chardev_ring_read(set, "r", buf, 16, NULL), 0);
}

static void bad_specifications_are_refused_by_name(void **state)
{
	static const struct {
		const char *spec, *says;
	} rows[] = {
		{ "null", "id= is missing" },
		{ "null,id=1a", "'1a'" },
		{ "nul,id=a", "'nul' is unknown" },
		{ "vc,id=a", "'vc': not in this version" },
		{ "null,id=a,size=3", "'size' is unknown" },
		{ "ringbuf,id=a,size=3", "3 is not a power of two" },
		{ "file,id=a", "path= is missing" },
		{ "file,id=a,path=/nonexistent/x", "'/nonexistent/x'" },
		{ "socket,id=a", "port= is missing" },
		{ "socket,id=a,host=h,port=70000", "70000 is over 65535" },
		{ "socket,id=a,path=/x,telnet=on", "telnet: not in this" },
		{ "socket,id=a,path=/nonexistent", "unix:/nonexistent" },
		{ "socket,id=a,path=/x,server=on,reconnect=3", "reconnect" },
		{ "socket,id=a,path=/x,server=maybe", "'maybe'" },
		{ "socket,id=a,path=/x,server=on,bogus=1", "'bogus'" },
	};
	struct stream *s;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(chardev_add(set, rows[i].spec, &e) < 0);
		if (!strstr(e.text, rows[i].says))
			print_error("%s: %s\n", rows[i].spec, e.text);
		assert_non_null(strstr(e.text, rows[i].says));
	}
	assert_int_equal(chardev_add(set, "null,id=a", &e), 0);
	assert_int_equal(chardev_add(set, "null,id=a", &e), -EEXIST);
	assert_int_equal(chardev_open(set, "chardev:b", "x", &s, &e), -ENOENT);
	assert_int_equal(chardev_open(set, "chardev:a", "x", &s, &e), 0);
	assert_int_equal(chardev_open(set, "chardev:a", "x", &s, &e), -EBUSY);
	assert_true(chardev_open(set, "udp::3", "x", &s, &e) < 0);
	assert_true(chardev_open(set, "tcp:3", "x", &s, &e) < 0);
	assert_int_equal(chardev_open(set, "none", "x", &s, &e), 0);
	assert_null(s);
}

#define CHAR_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

TEST_MAIN("chardev", CHAR_TEST(a_file_is_emptied_or_appended_to),
	  CHAR_TEST(a_file_gives_what_input_path_holds),
	  CHAR_TEST(a_log_file_gets_a_copy), CHAR_TEST(a_pipe_is_two_fifos),
	  CHAR_TEST(a_server_takes_one_peer_after_another),
	  CHAR_TEST(a_peer_that_reads_late_loses_nothing),
	  CHAR_TEST(without_a_peer_the_newest_output_is_kept),
	  CHAR_TEST(a_client_comes_back_when_told_to),
	  CHAR_TEST(input_waits_until_the_device_is_ready),
	  CHAR_TEST(a_pty_is_printed_and_connects),
	  CHAR_TEST(stdio_reads_to_the_end_and_writes_all),
	  CHAR_TEST(a_ring_buffer_keeps_the_last_bytes),
	  CHAR_TEST(bad_specifications_are_refused_by_name))
