/* host/socket_test.c
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/test.h"
#include "host/fd.h"
#include "host/socket.h"

static void talk(struct socket_addrs *there, int listener)
{
	int client = socket_connect(there, 1000, NULL), server;
	char c = 0;

	assert_true(client >= 0);
	assert_true(fd_wait_readable(listener, 1000));
	server = socket_accept(listener, NULL);
	assert_true(server >= 0);
	socket_set_nodelay(client);
	assert_int_equal(fd_write(client, "x", 1), 1);
	assert_true(fd_wait_readable(server, 1000));
	assert_int_equal(fd_read(server, &c, 1), 1);
	assert_int_equal(c, 'x');
	assert_int_equal(fd_read(server, &c, 1), -EAGAIN);
	close(client);
	close(server);
}

static void tcp_listens_on_the_first_free_port(void **state)
{
	struct socket_where w = { .host = "127.0.0.1" };
	struct socket_addrs a, b;
	struct err e;
	int first, second;

	assert_int_equal(socket_resolve(&a, &w, true, &e), 0);
	first = socket_listen(&a, &e);
	assert_true(first >= 0);
	assert_true(a.port != 0);
	talk(&a, first);

	w.port = a.port;
	assert_int_equal(socket_resolve(&b, &w, true, &e), 0);
	assert_int_equal(socket_listen(&b, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, "tcp:127.0.0.1:"));
	w.last_port = (uint16_t)(w.port + 20);
	assert_int_equal(socket_resolve(&b, &w, true, &e), 0);
	second = socket_listen(&b, &e);
	assert_true(second >= 0);
	assert_true(b.port > a.port);
	close(first);
	close(second);
}

static void unix_paths_are_replaced_and_removed(void **state)
{
	char path[64];
	struct socket_where w = { .path = path };
	struct socket_addrs a;
	struct err e;
	int fd;

	snprintf(path, sizeof(path), "/tmp/husk-sock-%d", getpid());
	assert_int_equal(socket_resolve(&a, &w, true, &e), 0);
	close(socket_listen(&a, &e));
	assert_int_equal(socket_connect(&a, 100, &e), -ECONNREFUSED);
	fd = socket_listen(&a, &e);
	assert_true(fd >= 0);
	talk(&a, fd);
	socket_unlink(&a);
	assert_int_equal(access(path, F_OK), -1);
	close(fd);
}

static void a_long_path_is_refused(void **state)
{
	char path[200];
	struct socket_where w = { .path = path };
	struct socket_addrs a;
	struct err e;

	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(socket_resolve(&a, &w, true, &e), -EINVAL);
	assert_non_null(strstr(e.text, "199 bytes"));
}

TEST_MAIN("socket", TEST(tcp_listens_on_the_first_free_port),
	  TEST(unix_paths_are_replaced_and_removed),
	  TEST(a_long_path_is_refused))
