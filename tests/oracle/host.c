/* host.c - run cases on the host's own processor.
 *
 * A signal handler on its own stack puts the case into its frame - general
 * registers, flags, CS and SS, and the x87 and vector state in XSAVE form - and
 * returning from it runs the case.  Of a single instruction, TF brings the next
 * signal, or a fault does; of a block, a fault or the HLT at its end, which is
 * one.  That signal's frame has the state after it, and is given the context
 * in which host_run() waits.  32-bit and 16-bit code is reached by the frame's
 * CS, a flat one of the kernel's or one of our LDT.
 *
 * Husk's own SIGFPE handler (host/fptrap.c) is called while it runs.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>
#include <xmmintrin.h>

#include "base/bytes.h"
#include "cpu/x86/fault.h"
#include "host/fptrap.h"
#include "oracle.h"

#define XSAVE_HEADER	512
#define XSAVE_YMMH	576
#define XSTATE_USED	7u
#define SIGNAL_STACK	(1u << 20)
#define PATIENCE_S	20	/* a case takes microseconds */
#define EXIT_CANNOT	77	/* this kernel gives no LDT: nothing was run */

#define DATA_ATTR	(SEG_P | SEG_S | 3u << SEG_DPL_SHIFT | SEG_ACCESSED)
#define RW_ATTR		(DATA_ATTR | SEG_WRITABLE)
#define CODE_ATTR	(RW_ATTR | SEG_CODE)
#define LDT_SELECTOR(n)	(((n) - LDT_FIRST) << 3 | 7)

const struct oracle_segment oracle_segments[ORACLE_SEGMENTS] = {
	[FLAT_CODE64] = { 0x33, 0, ~0u, CODE_ATTR | SEG_L | SEG_G },
	[FLAT_CODE32] = { 0x23, 0, ~0u, CODE_ATTR | SEG_DB | SEG_G },
	[FLAT_DATA] = { 0x2b, 0, ~0u, RW_ATTR | SEG_DB | SEG_G },
	[NULL_DATA] = { 0, 0, 0, SEG_UNUSABLE },
	[LDT_CODE32] = { LDT_SELECTOR(LDT_CODE32), CODE_AT, 0xfff,
			 CODE_ATTR | SEG_DB },
	[LDT_CODE16] = { LDT_SELECTOR(LDT_CODE16), CODE_AT, 0xfff, CODE_ATTR },
	[LDT_STACK16] = { LDT_SELECTOR(LDT_STACK16), DATA_AT, 0xffff,
			  RW_ATTR },
	[LDT_STACK32] = { LDT_SELECTOR(LDT_STACK32), DATA_AT, 0xffff,
			  RW_ATTR | SEG_DB },
	[LDT_SHORT] = { LDT_SELECTOR(LDT_SHORT), DATA_AT, 0x7fff,
			RW_ATTR | SEG_DB },
	[LDT_DOWN] = { LDT_SELECTOR(LDT_DOWN), DATA_AT, 0x1fff,
		       RW_ATTR | SEG_EXPAND_DOWN },
	[LDT_READ_ONLY] = { LDT_SELECTOR(LDT_READ_ONLY), DATA_AT, 0xffff,
			    DATA_ATTR | SEG_DB },
	[LDT_HIGH] = { LDT_SELECTOR(LDT_HIGH), DATA_AT + 0x2000, 0xffff,
		       RW_ATTR | SEG_DB },
};

uint8_t *host_data;

static uint8_t *code;
static struct sigaction husk_fpe;
static struct test *running;
static enum { IDLE, STARTING, RUNNING } phase;
volatile uint64_t host_watch;

/* host_run()'s context, with its floating-point state. */
static mcontext_t home;
static uint8_t home_fp[XSAVE_YMMH];

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* ---- between frames and states ---- */

static const uint8_t greg_of[16] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};


static void put_fp(uint8_t *fp, const struct state *s)
{
	memset(fp, 0, 24);
	store_le16(fp, s->fcw);
	store_le16(fp + 2, s->fsw);
	fp[4] = s->ftw;
	store_le32(fp + 24, s->mxcsr);
	for (unsigned k = 0; k < 8; k++) {
		memset(fp + 32 + 16 * k, 0, 16);
		memcpy(fp + 32 + 16 * k, s->st[k], 10);
	}
	for (unsigned k = 0; k < 16; k++) {
		memcpy(fp + 160 + 16 * k, s->ymm[k], 16);
		memcpy(fp + XSAVE_YMMH + 16 * k, s->ymm[k] + 16, 16);
	}
	memset(fp + XSAVE_HEADER, 0, 64);
	store_le64(fp + XSAVE_HEADER, XSTATE_USED);
}

static void get_fp(const uint8_t *fp, struct state *s)
{
	uint64_t bv = load_le64(fp + XSAVE_HEADER);

	s->fcw = bv & 1 ? load_le16(fp) : 0x37f;
	s->fsw = bv & 1 ? load_le16(fp + 2) : 0;
	s->ftw = bv & 1 ? fp[4] : 0;
	s->mxcsr = load_le32(fp + 24);
	for (unsigned k = 0; k < 8; k++)
		if (bv & 1)
			memcpy(s->st[k], fp + 32 + 16 * k, 10);
		else
			memset(s->st[k], 0, 10);
	for (unsigned k = 0; k < 16; k++) {
		memset(s->ymm[k], 0, 32);
		if (bv & 2)
			memcpy(s->ymm[k], fp + 160 + 16 * k, 16);
		if (bv & 4)
			memcpy(s->ymm[k] + 16, fp + XSAVE_YMMH + 16 * k, 16);
	}
}

static void load_segments(const struct places *p)
{
	static struct places now = { 255, 255, 255, 255 };

	if (p->ds != now.ds)
		__asm__ volatile("mov %0, %%ds" ::"r"(
			(uint32_t)oracle_segments[p->ds].selector));
	if (p->es != now.es)
		__asm__ volatile("mov %0, %%es" ::"r"(
			(uint32_t)oracle_segments[p->es].selector));
	now = *p;
}

static void put_state(mcontext_t *m, const struct test *t)
{
	const struct state *s = &t->before;
	greg_t *g = m->gregs;
	uint64_t keep = (uint64_t)g[REG_CSGSFS] & 0x0000ffffffff0000ull;

	for (unsigned r = 0; r < 16; r++)
		g[greg_of[r]] = (greg_t)s->gpr[r];
	g[REG_RIP] = (greg_t)s->rip;
	g[REG_EFL] = (greg_t)(s->flags | FLAG_IF | (t->count ? 0 : FLAG_TF));
	g[REG_CSGSFS] =
		(greg_t)(keep | oracle_segments[t->places.cs].selector |
			 (uint64_t)oracle_segments[t->places.ss].selector
				 << 48);
	put_fp((uint8_t *)m->fpregs, s);
	load_segments(&t->places);
}

static void get_state(const mcontext_t *m, struct state *s)
{
	const greg_t *g = m->gregs;

	for (unsigned r = 0; r < 16; r++)
		s->gpr[r] = (uint64_t)g[greg_of[r]];
	s->rip = (uint64_t)g[REG_RIP];
	s->flags = (uint32_t)g[REG_EFL];
	s->trap = (int)g[REG_TRAPNO] == VEC_DB ? NO_TRAP
					       : (int)g[REG_TRAPNO];
	s->code = (uint32_t)g[REG_ERR];
	s->cr2 = (uint64_t)g[REG_CR2];
	get_fp((const uint8_t *)m->fpregs, s);
}

/* ---- the handler ---- */

/* TF also traps between the rounds of a REP string, and after the elements of
 * a gather that came before one that faults. */
static bool between_rounds(const struct test *t)
{
	const struct insn *i = &t->insn;
	bool string = insn_how(i) & HOW_REP &&
		      i->prefix & (PREFIX_REP | PREFIX_REPNE);

	return t->host.trap == NO_TRAP && t->host.rip == t->before.rip &&
	       t->decoded == DECODE_OK &&
	       (string || insn_row_of(i)->op[1] == VMx);
}

static void start(mcontext_t *m)
{
	home = *m;
	memcpy(home_fp, m->fpregs, sizeof(home_fp));
	memcpy(code + CODE_IP, running->bytes, sizeof(running->bytes));
	put_state(m, running);
	phase = RUNNING;
}

static void go_home(mcontext_t *m)
{
	struct _libc_fpstate *fp = m->fpregs;

	*m = home;
	m->fpregs = fp;
	memcpy(fp, home_fp, sizeof(home_fp));
	phase = IDLE;
}

static _Noreturn void give_up(const char *what, const ucontext_t *u)
{
	fprintf(stderr, "oracle: %s at %p, seed %llu\n", what,
		(void *)u->uc_mcontext.gregs[REG_RIP],
		(unsigned long long)host_watch);
	_exit(2);
}

/* Code that runs for ever, on either side. */
static void look_at_watch(const ucontext_t *u)
{
	static uint64_t seen;

	if (seen == host_watch)
		give_up("no end", u);
	seen = host_watch;
}

static void __attribute__((used)) handle(int sig, siginfo_t *info, void *frame)
{
	ucontext_t *u = frame;

	if (sig == SIGALRM) {
		look_at_watch(u);
	} else if (guest_running && sig == SIGFPE) {
		husk_fpe.sa_sigaction(sig, info, frame);
	} else if (phase == STARTING && sig == SIGUSR1) {
		start(&u->uc_mcontext);
	} else if (phase == RUNNING && sig != SIGUSR1) {
		get_state(&u->uc_mcontext, &running->host);
		if (!running->count && between_rounds(running))
			return;
		go_home(&u->uc_mcontext);
	} else {
		give_up(strsignal(sig), u);
	}
}

/* The kernel leaves AC, NT and ID as the case had them, and NT and ID are not
 * in what it restores: they would get into the next case. */
__asm__(".text\n"
	"oracle_handler:\n"
	"	pushfq\n"
	"	andq $~0x244000, (%rsp)\n"
	"	popfq\n"
	"	jmp handle\n");
void oracle_handler(int sig, siginfo_t *info, void *frame);

/* ---- set-up ---- */

static void *map_at(uint32_t at, size_t len, int prot)
{
	void *p = mmap((void *)(uintptr_t)at, len, prot,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		       0);

	if (p != (void *)(uintptr_t)at)
		die("mmap");
	return p;
}

static void map_memory(void)
{
	code = map_at(CODE_AT, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	memset(code, HLT, 4096);
	host_data = map_at(DATA_AT, DATA_BYTES, PROT_READ | PROT_WRITE);
	for (unsigned p = 0; p < DATA_PAGES; p++) {
		int prot = DATA_RIGHTS[p] == 'w' ? PROT_READ | PROT_WRITE
			   : DATA_RIGHTS[p] == 'r' ? PROT_READ
						   : PROT_NONE;

		if (mprotect(host_data + 4096 * p, 4096, prot))
			die("mprotect");
	}
}

static void make_ldt(void)
{
	for (unsigned n = LDT_FIRST; n < ORACLE_SEGMENTS; n++) {
		const struct oracle_segment *s = &oracle_segments[n];
		struct user_desc d = {
			.entry_number = n - LDT_FIRST,
			.base_addr = s->base,
			.limit = s->limit,
			.seg_32bit = !!(s->attr & SEG_DB),
			.contents = s->attr & SEG_CODE		? 2
				    : s->attr & SEG_EXPAND_DOWN ? 1
								: 0,
			.read_exec_only = !(s->attr & SEG_WRITABLE),
			.useable = 1,
		};

		if (syscall(SYS_modify_ldt, 1, &d, sizeof(d))) {
			perror("oracle: modify_ldt");
			exit(EXIT_CANNOT);
		}
	}
}

static void nothing(void *ctx)
{
	(void)ctx;
}

static void catch_signals(void)
{
	static const int caught[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP,
				      SIGUSR1, SIGALRM };
	static uint8_t stack[SIGNAL_STACK] __attribute__((aligned(64)));
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = {
		.sa_sigaction = oracle_handler,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER,
	};
	const struct itimerval patience = { { PATIENCE_S, 0 },
					    { PATIENCE_S, 0 } };
	uint32_t mxcsr = _mm_getcsr();

	(void)fptrap_call(nothing, NULL, &mxcsr);	/* installs its own */
	(void)sigaction(SIGFPE, NULL, &husk_fpe);
	(void)sigaltstack(&ss, NULL);
	(void)setitimer(ITIMER_REAL, &patience, NULL);
	for (unsigned n = 0; n < ARRAY_LEN(caught); n++)
		(void)sigaction(caught[n], &sa, NULL);
}

void host_setup(void)
{
	map_memory();
	make_ldt();
	catch_signals();
	if (syscall(SYS_arch_prctl, ARCH_SET_GS, (unsigned long)GS_BASE))
		die("arch_prctl");
}

void host_run(struct test *t)
{
	running = t;
	phase = STARTING;
	(void)raise(SIGUSR1);
	if (t->count)
		block_settle(t, &t->host);
}
