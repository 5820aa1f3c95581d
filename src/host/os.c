/* host/os.c - see os.h
 *
 * The pid file is locked the way QEMU locks it (fcntl, whole file), so either
 * program respects the other's.  fcntl locks are not inherited, so the file is
 * written after os_daemonize().
 *
 * Leaving the background's parent waiting needs one pipe: a byte means ready,
 * end of file means that the child has died and has said why.
 *
 * Source: fcntl(2), madvise(2), daemon(7).
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "host/os.h"

#define HUGE_PAGE	(2 * MiB)	/* of x86 */

/* ---- guest memory ---- */

/* Does the operator let processes reserve more than there is (proc(5))? */
static bool overcommit_always(void)
{
	FILE *f = fopen("/proc/sys/vm/overcommit_memory", "re");
	int c = f ? fgetc(f) : '0';

	if (f)
		fclose(f);
	return c == '1';
}

static int check_host_memory(uint64_t size, struct err *e)
{
	struct sysinfo si;
	uint64_t have;

	if (sysinfo(&si) || overcommit_always())
		return 0;
	have = ((uint64_t)si.totalram + si.totalswap) * si.mem_unit;
	if (size > have)
		return fail(e, ENOMEM, "%" PRIu64 " MiB is over the host's %"
			    PRIu64 " MiB of memory and swap",
			    (uint64_t)(size / MiB), (uint64_t)(have / MiB));
	return 0;
}

/* Of size + unit bytes at p the part that begins at a multiple of unit. */
static void *cut_aligned(uint8_t *p, uint64_t size, uint64_t unit)
{
	uint64_t skip = -(uintptr_t)p & (unit - 1);

	if (skip)
		munmap(p, skip);
	if (skip < unit)
		munmap(p + skip + size, unit - skip);
	return p + skip;
}

int os_ram_alloc(struct os_ram *ram, uint64_t size, const char *name,
		 struct err *e)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	int r;
	void *p;

	if (!size || size % page || size > INT64_MAX - HUGE_PAGE)
		return fail(e, EINVAL, "%s: %" PRIu64 " bytes is not a number "
			    "of whole pages", name, size);
	r = check_host_memory(size, e);
	if (r)
		return r;
	p = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return fail(e, errno, "%s: the host cannot map %" PRIu64
			    " MiB: %s", name, (uint64_t)(size / MiB),
			    strerror(errno));
	p = cut_aligned(p, size, HUGE_PAGE);
	/* Fewer misses of the host's TLB; a host without them says no. */
	(void)madvise(p, size, MADV_HUGEPAGE);
	*ram = (struct os_ram){ .hva = p, .size = size };
	return 0;
}

void os_ram_free(struct os_ram *ram)
{
	if (!ram->hva)
		return;
	munmap(ram->hva, ram->size);
	*ram = (struct os_ram){ .hva = NULL };
}

/* ---- memory that code names by 32-bit addresses ---- */

void *os_map_low(uint64_t size, struct err *e)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (p != MAP_FAILED)
		return p;
	fail(e, errno, "the host has no room for %" PRIu64 " KiB below 2 GiB: "
	     "%s", size / 1024, strerror(errno));
	return NULL;
}

void os_unmap_low(void *p, uint64_t size)
{
	if (p)
		munmap(p, size);
}

/* ---- this process ---- */

void os_thread_name(const char *fmt, ...)
{
	char name[16];		/* the kernel's limit, TASK_COMM_LEN */
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	pthread_setname_np(pthread_self(), name);
}

void os_yield(void)
{
	(void)sched_yield();	/* cannot fail on Linux */
}

void os_process_name(const char *name)
{
	(void)prctl(PR_SET_NAME, name);	/* a long name is cut: fine */
}

static char *pidfile;			/* owned; absolute */
static pid_t pidfile_owner;

static void remove_pidfile(void)
{
	if (pidfile && pidfile_owner == getpid())
		unlink(pidfile);
}

static int lock_whole(int fd)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_SETLK, &whole) ? -errno : 0;
}

/* The one that had the lock before us may have unlinked the file since. */
static bool still_at(int fd, const char *path)
{
	struct stat ours, theirs;

	return !fstat(fd, &ours) && !stat(path, &theirs) &&
	       ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

static int open_locked(const char *path, struct err *e)
{
	for (;;) {
		int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600), r;

		if (fd < 0)
			return fail(e, errno, "pid file '%s': %s", path,
				    strerror(errno));
		r = lock_whole(fd);
		if (r) {
			close(fd);
			return fail(e, -r, "pid file '%s' is held by another "
				    "process", path);
		}
		if (still_at(fd, path))
			return fd;
		close(fd);
	}
}

int os_pidfile(const char *path, struct err *e)
{
	int fd = open_locked(path, e);

	if (fd < 0)
		return fd;
	if (ftruncate(fd, 0) || dprintf(fd, "%d\n", getpid()) < 0) {
		int r = fail(e, errno, "pid file '%s': %s", path,
			     strerror(errno));

		close(fd);
		return r;
	}
	/* fd stays open: closing it would give the lock back. */
	pidfile = realpath(path, NULL);
	pidfile_owner = getpid();
	atexit(remove_pidfile);
	return 0;
}

/* ---- the background ---- */

static int ready_fd = -1;

static int wait_for_child(int fd)
{
	char said = 1;
	ssize_t n;

	do
		n = read(fd, &said, 1);
	while (n < 0 && errno == EINTR);
	return n == 1 && !said ? 0 : 1;
}

int os_daemonize(int *status, struct err *e)
{
	int p[2];
	pid_t pid;

	if (pipe2(p, O_CLOEXEC))
		return fail(e, errno, "daemonize: %s", strerror(errno));
	pid = fork();
	if (pid < 0) {
		int code = errno;

		close(p[0]);
		close(p[1]);
		return fail(e, code, "daemonize: %s", strerror(code));
	}
	if (pid) {
		close(p[1]);
		*status = wait_for_child(p[0]);
		close(p[0]);
		return 1;
	}
	close(p[0]);
	ready_fd = p[1];
	setsid();
	/* A session leader could get a terminal again: leave that to a
	 * parent that ends here. */
	pid = fork();
	if (pid < 0)
		return fail(e, errno, "daemonize: %s", strerror(errno));
	if (pid)
		_exit(0);
	umask(027);
	return 0;
}

int os_daemonize_ready(struct err *e)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null_fd < 0)
		return fail(e, errno, "/dev/null: %s", strerror(errno));
	if (chdir("/")) {
		int r = fail(e, errno, "/: %s", strerror(errno));

		close(null_fd);
		return r;
	}
	fflush(NULL);
	for (int fd = 0; fd < 3; fd++)
		dup2(null_fd, fd);
	close(null_fd);
	(void)!write(ready_fd, "", 1);	/* the parent may have been killed */
	close(ready_fd);
	ready_fd = -1;
	return 0;
}

/* ---- the date ---- */

int64_t os_realtime_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

int64_t os_local_offset_s(int64_t at)
{
	time_t t = (time_t)at;
	struct tm tm;

	return localtime_r(&t, &tm) ? tm.tm_gmtoff : 0;
}
