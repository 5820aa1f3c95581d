/* tests/stress/code/pages.c - one piece of code, in all the ways that it can
 * come to be other code: written in place, by itself, through another mapping,
 * under another protection, moved, and copied on write.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "code.h"

#define RWX (PROT_READ | PROT_WRITE | PROT_EXEC)
#define RW  (PROT_READ | PROT_WRITE)
#define RX  (PROT_READ | PROT_EXEC)

/* ---- rewrite: new values in the same and in neighbouring places ---- */

static void rewrite(uint64_t *random)
{
	uint8_t *page = pages_map(PAGE, RWX);

	for (int n = 0; n < 200; n++) {
		uint32_t v = (uint32_t)next_random(random);
		uint8_t *p = page + v % 97 * 8;

		put_return(p, v);
		check("rewrite", "first", as_fn(p)(0), v);
		put32(p + 1, ~v);
		check("rewrite", "then", as_fn(p)(0), ~v);
	}
	pages_unmap(page, PAGE);
}

const struct row rewrite_row = { "rewrite", rewrite };

/* ---- beside: a loop whose counter is in its own line ---- */

static void beside(uint64_t *random)
{
	static const uint8_t code[] = {
		0xff, 0x05, 0x1a, 0, 0, 0,	/* 0: inc dword [rip + 1ah] */
		0xff, 0xcf,			/* 6: dec edi */
		0x75, 0xf6,			/* 8: jnz 0 */
		0x8b, 0x05, 0x10, 0, 0, 0,	/* a: mov eax, [rip + 10h] */
		0xc3,				/* 10: ret */
	};
	enum { COUNTER = 0x20 };
	uint8_t *page = pages_map(PAGE, RWX);
	uint32_t start = (uint32_t)next_random(random);

	memcpy(page, code, sizeof(code));
	put32(page + COUNTER, start);
	for (uint32_t n = 1; n < 20; n++) {
		start += 10 * n;
		check("beside", "counter", as_fn(page)(10 * n), start);
	}
	pages_unmap(page, PAGE);
}

const struct row beside_row = { "beside", beside };

/* ---- itself: code that writes the instruction it comes to ---- */

static void itself(uint64_t *random)
{
	static const uint8_t code[] = {
		0x89, 0x3d, 0x0b, 0, 0, 0,	/* 0: mov [rip + 0bh], edi */
		0xeb, 0x08,			/* 6: jmp 10h */
		0, 0, 0, 0, 0, 0, 0, 0,
		0xb8, 0, 0, 0, 0,		/* 10: mov eax, 0 */
		0xc3,				/* 15: ret */
	};
	uint8_t *page = pages_map(PAGE, RWX);

	memcpy(page, code, sizeof(code));
	for (int n = 0; n < 200; n++) {
		uint32_t v = (uint32_t)next_random(random);

		check("itself", "value", as_fn(page)(v), v);
	}
	pages_unmap(page, PAGE);
}

const struct row itself_row = { "itself", itself };

/* ---- straddle: an instruction in two pages, of which one changes ---- */

static void straddle(uint64_t *random)
{
	uint8_t *pages = pages_map(2 * PAGE, RWX), *p = pages + PAGE - 3;
	uint32_t v = (uint32_t)next_random(random);

	put_return(p, v);
	for (int n = 0; n < 100; n++) {
		check("straddle", "value", as_fn(p)(0), v);
		v = (v & 0xffff) | (uint32_t)next_random(random) << 16;
		memcpy(pages + PAGE, (uint8_t *)&v + 2, 2);
		check("straddle", "second page", as_fn(p)(0), v);
		v = (v & ~0xffffu) | (next_random(random) & 0xffff);
		memcpy(p + 1, &v, 2);
	}
	pages_unmap(pages, 2 * PAGE);
}

const struct row straddle_row = { "straddle", straddle };

/* ---- protect: write, then execute, never both ---- */

static __thread sigjmp_buf after_fault;
static __thread volatile sig_atomic_t fault_is_due;

static void on_fault(int number)
{
	if (!fault_is_due)
		(void)signal(number, SIG_DFL);	/* a real one: again, and die */
	else
		siglongjmp(after_fault, 1);
}

/* Does calling p fault? */
static int faults(const uint8_t *p)
{
	struct sigaction act = { .sa_handler = on_fault };

	(void)sigaction(SIGSEGV, &act, NULL);
	fault_is_due = 1;
	if (!sigsetjmp(after_fault, 1)) {
		(void)as_fn(p)(0);
		fault_is_due = 0;
		return 0;
	}
	fault_is_due = 0;
	return 1;
}

static void protect(uint64_t *random)
{
	uint8_t *page = pages_map(PAGE, RW);

	for (int n = 0; n < 50; n++) {
		uint32_t v = (uint32_t)next_random(random);

		put_return(page + 64, v);
		if (n % 8 == 0)
			check("protect", "fault", faults(page + 64), 1);
		pages_protect(page, PAGE, RX);
		check("protect", "value", as_fn(page + 64)(0), v);
		pages_protect(page, PAGE, RW);
	}
	pages_unmap(page, PAGE);
}

const struct row protect_row = { "protect", protect };

/* ---- alias: written at one address, run at another ---- */

static void alias(uint64_t *random)
{
	int fd = memfd_create("code", 0);
	uint8_t *w, *x;

	if (fd < 0 || ftruncate(fd, PAGE))
		wrong("alias", "memfd", 0, 0);
	w = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	x = mmap(NULL, PAGE, RX, MAP_SHARED, fd, 0);
	if (w == MAP_FAILED || x == MAP_FAILED)
		wrong("alias", "mmap", 0, 0);
	for (int n = 0; n < 100; n++) {
		uint32_t v = (uint32_t)next_random(random);
		uint32_t at = v % 500 * 8;

		put_return(w + at, v);
		serialize();
		check("alias", "value", as_fn(x + at)(0), v);
	}
	pages_unmap(w, PAGE);
	pages_unmap(x, PAGE);
	close(fd);
}

const struct row alias_row = { "alias", alias };

/* ---- moved: the same code elsewhere, other code in the same place ---- */

static void moved(uint64_t *random)
{
	uint8_t *a = pages_map(PAGE, RWX);

	for (int n = 0; n < 20; n++) {
		uint8_t *b = pages_map(PAGE, RWX);
		uint32_t va = (uint32_t)next_random(random), vb = ~va;

		put_return(a, va);
		put_return(b, vb);
		check("moved", "old", as_fn(a)(0), va);
		check("moved", "new", as_fn(b)(0), vb);
		if (mremap(b, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, a) !=
		    a)
			wrong("moved", "mremap", 0, 0);
		check("moved", "new in old's place", as_fn(a)(0), vb);
	}
	pages_unmap(a, PAGE);
}

const struct row moved_row = { "moved", moved };

/* ---- forked: a page of code that is two after the first store ---- */

static void forked(uint64_t *random)
{
	uint8_t *page = pages_map(PAGE, RWX);
	uint32_t v = (uint32_t)next_random(random);
	int status;
	pid_t child;

	put_return(page, v);
	check("forked", "before", as_fn(page)(0), v);
	child = fork();
	if (child < 0)
		wrong("forked", "fork", 0, 0);
	if (!child) {
		int bad = as_fn(page)(0) != v;

		put32(page + 1, ~v);
		_exit(bad || as_fn(page)(0) != (uint32_t)~v);
	}
	check("forked", "parent meanwhile", as_fn(page)(0), v);
	put32(page + 1, v + 1);
	check("forked", "parent's own", as_fn(page)(0), (uint32_t)(v + 1));
	if (waitpid(child, &status, 0) != child)
		wrong("forked", "waitpid", 0, 0);
	check("forked", "child", (unsigned)status, 0);
	check("forked", "parent after", as_fn(page)(0), (uint32_t)(v + 1));
	pages_unmap(page, PAGE);
}

const struct row forked_row = { "forked", forked };
