/* host/os.h - what the program asks of Linux besides events and descriptors:
 * guest memory, threads, the pid file, the background, the terminal, the date.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_OS_H
#define HOST_OS_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Call first thing in main(): from then on the terminal and the pid file are
 * put right on every way out, fatal signals included.  CPU engines install
 * their handlers after this one and hand on what is not theirs. */
void os_init(void);

/* ---- guest memory ---- */

struct os_ram {
	uint8_t *hva;
	uint64_t size;		/* a multiple of the page size */
};

/* Zeroed, taken from the host only as it is touched, in huge pages if it has
 * some.  Refuses what memory and swap of the host could never hold. */
int os_ram_alloc(struct os_ram *ram, uint64_t size, const char *name,
		 struct err *e);
void os_ram_free(struct os_ram *ram);

/* ---- memory that code names by 32-bit addresses ---- */

/* Zeroed whole pages below 2 GiB, or NULL. */
void *os_map_low(uint64_t size, struct err *e);
void os_unmap_low(void *p, uint64_t size);	/* p may be NULL */

/* ---- this process ---- */

/* At most 15 characters count.  The calling thread. */
void os_thread_name(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));
/* -name process=: also what ps shows for the whole process. */
void os_process_name(const char *name);

/* Let another thread have this host CPU, if one waits for it. */
void os_yield(void);

/* Create, lock and fill it; it goes away when we exit.  Refused while another
 * living process holds it. */
int os_pidfile(const char *path, struct err *e);

/* -daemonize, in two steps.  The first forks before there are threads: the
 * child gets 0, the parent gets 1 when it is to exit with *status, which is 0
 * only after the child has come to os_daemonize_ready(). */
int os_daemonize(int *status, struct err *e);
/* Lets the parent go, and leaves terminal and working directory. */
int os_daemonize_ready(struct err *e);

/* ---- the terminal ---- */

/* No echo, no line editing, no flow control; output is still processed.  With
 * `signals`, Ctrl-C and friends still act.  One terminal at a time. */
int os_tty_raw(int fd, bool signals, struct err *e);
/* Again, after we were stopped and continued. */
void os_tty_raw_again(void);
/* Nothing to do is fine. */
void os_tty_restore(void);

/* ---- the date ---- */

/* Nanoseconds since 1970, UTC. */
int64_t os_realtime_ns(void);
/* What to add to UTC seconds `at` for the host's local time. */
int64_t os_local_offset_s(int64_t at);
#endif
