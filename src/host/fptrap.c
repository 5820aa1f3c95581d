/* host/fptrap.c - run code that may take an unmasked SIMD exception.
 *
 * A SIGFPE handler, installed at the first call, jumps back to the calling
 * thread's fptrap_call().  The flags are in the signal frame: the kernel gives
 * the handler itself a fresh MXCSR.  A SIGFPE outside of such a call is a
 * mistake of ours and has its default effect.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <ucontext.h>
#include <xmmintrin.h>

#include "host/fptrap.h"

struct landing {
	sigjmp_buf env;
	uint32_t mxcsr;
};

static _Thread_local struct landing *volatile landing;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void on_sigfpe(int sig, siginfo_t *info, void *frame)
{
	const ucontext_t *u = frame;
	struct landing *l = landing;

	(void)info;
	if (!l) {
		(void)signal(sig, SIG_DFL);
		return;		/* the instruction faults again */
	}
	l->mxcsr = u->uc_mcontext.fpregs->mxcsr;
	siglongjmp(l->env, 1);
}

static void install(void)
{
	/* NODEFER, so that jumping out leaves nothing blocked. */
	struct sigaction sa = { .sa_sigaction = on_sigfpe,
				.sa_flags = SA_SIGINFO | SA_NODEFER };

	(void)sigemptyset(&sa.sa_mask);
	(void)sigaction(SIGFPE, &sa, NULL);
}

bool fptrap_call(void (*fn)(void *ctx), void *ctx, uint32_t *mxcsr)
{
	uint32_t own = _mm_getcsr();
	struct landing here;
	bool trapped;

	(void)pthread_once(&once, install);
	trapped = sigsetjmp(here.env, 0);
	if (!trapped) {
		landing = &here;
		_mm_setcsr(*mxcsr);
		fn(ctx);
		here.mxcsr = _mm_getcsr();
	}
	_mm_setcsr(own);
	landing = NULL;
	*mxcsr = here.mxcsr;
	return trapped;
}
