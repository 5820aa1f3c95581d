/* tests/bench/work/kernel.c - what the guest's kernel does for programs.
 *
 * getppid: the shortest system call.  pipe: a byte to another process and
 * back.  spawn: fork, execute ourselves, wait.  fault: first touches of pages.
 * signal: to ourselves, with a handler.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "row.h"

enum { PAGES = 1024, PAGE = 4096 };

static uint64_t run_getppid(uint64_t rounds)
{
	uint64_t sum = 19;
	long parent = syscall(SYS_getppid);

	while (rounds--)
		sum = mix(sum, syscall(SYS_getppid) == parent);
	return sum;
}

/* Adds one to each byte that comes, until the pipe ends. */
static void answer(int in, int out)
{
	uint8_t byte;

	while (read(in, &byte, 1) == 1) {
		byte++;
		if (write(out, &byte, 1) != 1)
			break;
	}
	_exit(0);
}

static uint64_t run_pipe(uint64_t rounds)
{
	uint64_t sum = 20;
	int there[2], back[2];
	uint8_t byte = 0;

	if (pipe(there) || pipe(back))
		die("pipe");
	switch (fork()) {
	case -1:
		die("fork");
	case 0:
		close(there[1]);
		answer(there[0], back[1]);
	}
	while (rounds--) {
		if (write(there[1], &byte, 1) != 1 ||
		    read(back[0], &byte, 1) != 1)
			die("the other end of the pipe");
		sum = mix(sum, byte);
	}
	close(there[1]);
	wait(NULL);
	return sum;
}

static uint64_t run_spawn(uint64_t rounds)
{
	char *const args[] = { "work", "nothing", NULL };
	uint64_t sum = 21;

	while (rounds--) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			execv("/proc/self/exe", args);
			_exit(1);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			die("fork");
		sum = mix(sum, status);
	}
	return sum;
}

static uint64_t run_fault(uint64_t rounds)
{
	uint64_t sum = 22;

	while (rounds--) {
		uint8_t *p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			die("mmap");
		madvise(p, PAGES * PAGE, MADV_NOHUGEPAGE);
		for (int i = 0; i < PAGES; i++)
			p[i * PAGE] += i;
		sum = mix(sum, p[7 * PAGE]);
		munmap(p, PAGES * PAGE);
	}
	return sum;
}

static volatile uint64_t caught;

static void handler(int number)
{
	caught += number;
}

static uint64_t run_signal(uint64_t rounds)
{
	struct sigaction action = { .sa_handler = handler };

	if (sigaction(SIGUSR1, &action, NULL))
		die("sigaction");
	while (rounds--)
		raise(SIGUSR1);
	return mix(23, caught);
}

const struct row getppid_row = {
	.name = "getppid", .groups = "system", .rounds = 3000000,
	.run = run_getppid,
};

const struct row pipe_row = {
	.name = "pipe", .groups = "system", .rounds = 40000, .run = run_pipe,
};

const struct row spawn_row = {
	.name = "spawn", .groups = "system", .rounds = 600, .run = run_spawn,
};

const struct row fault_row = {
	.name = "fault", .groups = "system", .rounds = 100, .run = run_fault,
};

const struct row signal_row = {
	.name = "signal", .groups = "system", .rounds = 150000,
	.run = run_signal,
};
