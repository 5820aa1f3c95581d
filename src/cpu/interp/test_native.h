/* cpu/interp/test_native.h - run one instruction on the host's own processor,
 * in 64-bit or 32-bit code, from registers to registers.
 *
 *   native_open(); native_catch_all();
 *   struct native n = { .gpr = {...}, .flags = 0x202 };
 *   native_run(&n, bytes, len, CODE64);
 *   ... n.gpr, n.flags, n.signal
 *
 * Code and data have the guest's addresses (test_guest.h).  The instruction is
 * put at GUEST_CODE, followed by a jump back.  All general
 * registers, RSP too, are the caller's while it runs, so it may be given
 * GUEST_DATA to point to.  A fault is caught as its signal, on a stack of its
 * own.  32-bit code is reached by a far jump, with the flat segments that Linux
 * gives to 32-bit programs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_INTERP_TEST_NATIVE_H
#define CPU_INTERP_TEST_NATIVE_H
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "cpu/interp/test_guest.h"

#define LINUX_CS32	0x23
#define LINUX_CS64	0x33
#define LINUX_DS	0x2b

struct native {
	uint64_t gpr[16];
	uint64_t flags;
	int signal;		/* 0, or what the instruction raised */
};

struct native_frame {		/* the assembly below knows the offsets */
	struct native n;
	uint64_t host_rsp;
	uint64_t entry;		/* where the jump goes */
};

__attribute__((used)) static struct native_frame native_frame;
void native_enter(void);
void native_back(void);

#define LOAD(reg, n)	"mov native_frame+8*" #n "(%rip), %" #reg "\n"
#define SAVE(reg, n)	"mov %" #reg ", native_frame+8*" #n "(%rip)\n"
#define REGISTERS(X)                                                          \
	X(rax, 0) X(rcx, 1) X(rdx, 2) X(rbx, 3) X(rsp, 4) X(rbp, 5)           \
	X(rsi, 6) X(rdi, 7) X(r8, 8) X(r9, 9) X(r10, 10) X(r11, 11)           \
	X(r12, 12) X(r13, 13) X(r14, 14) X(r15, 15)

/* 128: flags; 144: host_rsp; 152: entry. */
__asm__(".text\n"
	"native_enter:\n"
	"push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n"
	"push %r15\n"
	"mov %rsp, native_frame+144(%rip)\n"
	"push native_frame+128(%rip)\n"
	"popfq\n"
	REGISTERS(LOAD)
	"jmp *native_frame+152(%rip)\n"
	"native_back:\n"
	REGISTERS(SAVE)
	"mov native_frame+144(%rip), %rsp\n"
	"pushfq\n"
	"pop native_frame+128(%rip)\n"
	"cld\n"
	"pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
	"ret\n");
#undef LOAD
#undef SAVE

static void native_signal(int signal, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	greg_t *r = u->uc_mcontext.gregs;

	(void)info;
	if ((uint64_t)r[REG_RIP] - GUEST_CODE >= 64)
		_exit(99);	/* a fault of the test's own */
	native_frame.n.signal = signal;
	r[REG_RIP] = (greg_t)(uintptr_t)native_back;
	r[REG_CSGSFS] = (r[REG_CSGSFS] & ~0xffffll) | LINUX_CS64;
}

static void native_catch(int signal)
{
	struct sigaction a = { .sa_sigaction = native_signal,
			       .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigaction(signal, &a, NULL);
}

static void *native_map(uint64_t at, uint64_t bytes, int prot)
{
	void *p = mmap((void *)(uintptr_t)at, bytes, prot,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		       0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

/* Maps code and data; once. */
static void native_open(void)
{
	native_map(GUEST_CODE, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	native_map(GUEST_DATA, GUEST_BYTES, PROT_READ | PROT_WRITE);
}

/* In each test that runs native code: cmocka has its own handlers. */
static void native_catch_all(void)
{
	static uint8_t stack[64 * 1024];
	stack_t s = { .ss_sp = stack, .ss_size = sizeof(stack) };

	sigaltstack(&s, NULL);
	native_catch(SIGFPE);
	native_catch(SIGSEGV);
	native_catch(SIGBUS);
	native_catch(SIGILL);
	native_catch(SIGTRAP);
}

static uint8_t *put(uint8_t *to, const void *from, size_t n)
{
	return (uint8_t *)memcpy(to, from, n) + n;
}

/* jmp *0(%rip), and the address. */
static uint8_t *put_jump(uint8_t *to, uint64_t target)
{
	to = put(to, "\xff\x25\0\0\0\0", 6);
	return put(to, &target, 8);
}

/* The instruction and the way back, in 64-bit code. */
static void native_code64(const uint8_t *insn, unsigned len)
{
	uint8_t *code = (uint8_t *)GUEST_CODE;

	put_jump(put(code, insn, len), (uint64_t)(uintptr_t)native_back);
	native_frame.entry = GUEST_CODE;
}

/* In 32-bit code, and around it 64-bit code that jumps there and back. */
static void native_code32(const uint8_t *insn, unsigned len)
{
	uint8_t *code = (uint8_t *)GUEST_CODE, *p;
	uint32_t back = (uint32_t)GUEST_CODE + 128;
	uint32_t to = (uint32_t)GUEST_CODE;

	p = put(code, insn, len);
	p = put(p, "\xea", 1);			/* ljmp LINUX_CS64:back */
	p = put(p, &back, 4);
	put(p, "\x33\0", 2);
	put_jump(code + 128, (uint64_t)(uintptr_t)native_back);
	p = put(code + 160, "\xff\x2d\0\0\0\0", 6);	/* ljmp *0(%rip) */
	p = put(p, &to, 4);
	put(p, "\x23\0", 2);
	native_frame.entry = GUEST_CODE + 160;
	__asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(LINUX_DS));
}

static void native_run(struct native *n, const uint8_t *insn, unsigned len,
		       enum code_mode mode)
{
	native_frame.n = *n;
	native_frame.n.signal = 0;
	if (mode == CODE64)
		native_code64(insn, len);
	else
		native_code32(insn, len);
	native_enter();
	*n = native_frame.n;
}
#endif
