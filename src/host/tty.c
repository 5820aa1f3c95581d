/* host/tty.c - the terminal, raw while we run and as it was afterwards.
 *
 * Every way out passes here: atexit() for exits, and a handler for the signals
 * that kill, which restores the terminal (tcsetattr is safe in a handler),
 * puts the default action back and sends itself the signal again, so that the
 * exit status and the core file are what they would have been.
 *
 * Background processes that touch the terminal are stopped by SIGTTOU; it is
 * ignored for that one call.
 *
 * Source: termios(3), signal-safety(7).
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/bytes.h"
#include "host/os.h"

static struct termios before, raw;
static int tty_fd = -1;
/* Set last and cleared first: the handler may look at any time. */
static volatile sig_atomic_t is_raw;

static void set_termios(const struct termios *t)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, was;

	sigaction(SIGTTOU, &ignore, &was);
	tcsetattr(tty_fd, TCSANOW, t);
	sigaction(SIGTTOU, &was, NULL);
}

void os_tty_restore(void)
{
	if (!is_raw)
		return;
	is_raw = 0;
	set_termios(&before);
}

void os_tty_raw_again(void)
{
	if (is_raw)
		set_termios(&raw);
}

int os_tty_raw(int fd, bool signals, struct err *e)
{
	os_tty_restore();
	if (tcgetattr(fd, &before))
		return fail(e, errno, "terminal: %s", strerror(errno));
	raw = before;
	raw.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR |
				   IGNCR | ICRNL | IXON);
	raw.c_oflag |= OPOST;
	raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN);
	if (!signals)
		raw.c_lflag &= ~(tcflag_t)ISIG;
	raw.c_cflag &= ~(tcflag_t)(CSIZE | PARENB);
	raw.c_cflag |= CS8;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	tty_fd = fd;
	set_termios(&raw);
	is_raw = 1;
	return 0;
}

static void on_fatal(int signo)
{
	os_tty_restore();
	/* SA_RESETHAND has put the default action back. */
	raise(signo);
}

void os_init(void)
{
	static const int fatal[] = {
		SIGHUP,  SIGINT,  SIGQUIT, SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
		SIGFPE,  SIGSEGV, SIGTERM, SIGALRM, SIGXCPU, SIGXFSZ, SIGSYS,
		SIGUSR1, SIGUSR2,
	};
	struct sigaction sa = { .sa_handler = on_fatal,
				.sa_flags = SA_RESETHAND | SA_NODEFER |
					    SA_ONSTACK };

	for (size_t i = 0; i < ARRAY_LEN(fatal); i++) {
		struct sigaction was;

		/* nohup and shells ignore some on our behalf: leave those. */
		if (!sigaction(fatal[i], NULL, &was) &&
		    was.sa_handler == SIG_DFL)
			sigaction(fatal[i], &sa, NULL);
	}
	/* A reader that went away is an error of write(), not our death. */
	signal(SIGPIPE, SIG_IGN);
	atexit(os_tty_restore);
}
