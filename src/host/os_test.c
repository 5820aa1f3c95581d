/* host/os_test.c
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/test.h"
#include "host/fd.h"
#include "host/os.h"

static void guest_memory_is_zero_and_aligned(void **state)
{
	struct os_ram ram;
	struct err e;

	assert_int_equal(os_ram_alloc(&ram, 3 * MiB, "ram", &e), 0);
	assert_int_equal((uintptr_t)ram.hva % (2 * MiB), 0);
	for (size_t n = 0; n < 3 * MiB; n += 4096)
		assert_int_equal(ram.hva[n], 0);
	ram.hva[3 * MiB - 1] = 0x5a;
	os_ram_free(&ram);
	os_ram_free(&ram);
}

static void too_much_memory_is_refused(void **state)
{
	struct os_ram ram;
	struct err e;

	assert_true(os_ram_alloc(&ram, 1ull << 60, "ram", &e) < 0);
	assert_int_equal(os_ram_alloc(&ram, 0, "ram", &e), -EINVAL);
	assert_int_equal(os_ram_alloc(&ram, 100, "ram", &e), -EINVAL);
}

static int run(void (*fn)(void *arg), void *arg)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		fn(arg);
		_exit(99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void take_pidfile(void *path)
{
	exit(os_pidfile(path, NULL) == 0 ? 0 : 1);
}

static void low_memory_is_below_two_gib(void **state)
{
	struct err e = { "" };
	uint8_t *p = os_map_low(300001, &e);

	assert_non_null(p);
	assert_true((uintptr_t)p + 300001 <= 2 * GiB);
	assert_int_equal(p[0] | p[300000], 0);
	p[300000] = 1;
	os_unmap_low(p, 300001);
	os_unmap_low(NULL, 300001);
	assert_null(os_map_low(2 * GiB, &e));
	assert_non_null(strstr(e.text, "2097152 KiB below 2 GiB"));
}

static void a_pidfile_is_held_once_and_goes_away(void **state)
{
	char path[64];
	struct err e;
	FILE *f;
	int pid = 0;

	snprintf(path, sizeof(path), "/tmp/husk-pid-%d", getpid());
	assert_int_equal(WEXITSTATUS(run(take_pidfile, path)), 0);
	assert_int_equal(access(path, F_OK), -1);

	assert_int_equal(os_pidfile(path, &e), 0);
	assert_int_equal(WEXITSTATUS(run(take_pidfile, path)), 1);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &pid), 1);
	fclose(f);	/* and with it our lock */
	assert_int_equal(pid, getpid());
}

/* In the "parent" that a shell would see; child_fails as a pointer value. */
static void start_daemon(void *child_fails)
{
	int status = 77;

	if (os_daemonize(&status, NULL))
		_exit(status);
	if (child_fails)
		_exit(5);
	_exit(os_daemonize_ready(NULL));
}

static void the_parent_reports_whether_the_child_got_ready(void **state)
{
	assert_int_equal(WEXITSTATUS(run(start_daemon, NULL)), 0);
	assert_int_equal(WEXITSTATUS(run(start_daemon, "")), 1);
}

struct tty_case {
	int fd;
	int signo;		/* 0: exit() */
};

static void go_raw_and_die(void *arg)
{
	const struct tty_case *c = arg;

	signal(c->signo, SIG_DFL);	/* cmocka has a handler */
	os_init();
	if (os_tty_raw(c->fd, false, NULL))
		_exit(1);
	if (c->signo)
		raise(c->signo);
	exit(0);
}

static void the_terminal_is_restored_on_every_way_out(void **state)
{
	static const int signals[] = { 0, SIGTERM, SIGSEGV, SIGABRT, SIGQUIT };
	struct termios was, now;
	struct tty_case c;
	char name[64];
	int master = fd_open_pty(name, sizeof(name), NULL);

	assert_true(master >= 0);
	c.fd = fd_open(name, O_RDWR, NULL);
	assert_int_equal(tcgetattr(c.fd, &was), 0);
	was.c_lflag |= ECHO | ICANON | ISIG;
	assert_int_equal(tcsetattr(c.fd, TCSANOW, &was), 0);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		int status;

		c.signo = signals[i];
		status = run(go_raw_and_die, &c);
		assert_int_equal(WTERMSIG(status), signals[i]);
		assert_int_equal(tcgetattr(c.fd, &now), 0);
		assert_int_equal(now.c_lflag, was.c_lflag);
	}
	assert_int_equal(os_tty_raw(c.fd, false, NULL), 0);
	assert_int_equal(tcgetattr(c.fd, &now), 0);
	assert_int_equal(now.c_lflag & (ECHO | ICANON | ISIG), 0);
	os_tty_restore();
	close(c.fd);
	close(master);
}

static void a_shared_pipe_keeps_its_flags(void **state)
{
	int p[2], own;
	char byte;

	assert_int_equal(pipe(p), 0);
	own = fd_reopen_nonblocking(p[0], NULL);
	assert_true(own > 2);
	assert_true(fcntl(own, F_GETFL) & O_NONBLOCK);
	assert_false(fcntl(p[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_read(own, &byte, 1), -EAGAIN);
	close(own);
	close(p[0]);
	close(p[1]);
}

TEST_MAIN("os", TEST(guest_memory_is_zero_and_aligned),
	  TEST(too_much_memory_is_refused),
	  TEST(low_memory_is_below_two_gib),
	  TEST(a_pidfile_is_held_once_and_goes_away),
	  TEST(the_parent_reports_whether_the_child_got_ready),
	  TEST(the_terminal_is_restored_on_every_way_out),
	  TEST(a_shared_pipe_keeps_its_flags))
