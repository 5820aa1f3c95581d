/* tests/stress/code/threads.c - code that one thread writes and another runs.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "code.h"

#define RWX (PROT_READ | PROT_WRITE | PROT_EXEC)

struct pair {
	uint8_t *page;
	_Atomic uint32_t turn;	/* odd: the runner's */
	uint64_t random;
	uint32_t value;		/* handshake: what the code returns now */
	uint64_t word[2];	/* unasked: the code, either way */
};

/* Frees the page. */
static void with_partner(struct pair *p, void *(*partner)(void *),
			 void (*run)(struct pair *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, partner, p))
		wrong("threads", "pthread_create", 0, 0);
	run(p);
	pthread_join(thread, NULL);
	pages_unmap(p->page, PAGE);
}

static void wait_for(struct pair *p, uint32_t turn)
{
	for (unsigned n = 0; atomic_load(&p->turn) != turn; n++)
		if (n % 64 == 63)
			sched_yield();	/* the other may need this CPU */
}

/* ---- handshake: SDM 3A 8.1.3, cross-modifying code ---- */

enum { HANDS = 50 };

static void *handshake_writer(void *arg)
{
	struct pair *p = arg;

	for (uint32_t n = 0; n < HANDS; n++) {
		wait_for(p, 2 * n);
		p->value = (uint32_t)next_random(&p->random);
		put_return(p->page + 128, p->value);
		atomic_store(&p->turn, 2 * n + 1);
	}
	return NULL;
}

static void handshake_runner(struct pair *p)
{
	for (uint32_t n = 0; n < HANDS; n++) {
		wait_for(p, 2 * n + 1);
		serialize();
		check("handshake", "value", as_fn(p->page + 128)(0), p->value);
		atomic_store(&p->turn, 2 * n + 2);
	}
}

static void handshake(uint64_t *random)
{
	struct pair p = {
		.page = pages_map(PAGE, RWX), .random = next_random(random),
	};

	with_partner(&p, handshake_writer, handshake_runner);
}

const struct row handshake_row = { "handshake", handshake };

/* ---- unasked: APM 2 7.6.1, one aligned quadword at any moment ---- */

enum { STORES = 50, UNASKED_AT = 192 };

static void *unasked_writer(void *arg)
{
	struct pair *p = arg;
	_Atomic uint64_t *w = (_Atomic uint64_t *)(p->page + UNASKED_AT);

	for (uint32_t n = 0; n < STORES; n++) {
		atomic_store(w, p->word[~n & 1]);
		for (unsigned spin = next_random(&p->random) % 2000; spin;
		     spin--)
			__builtin_ia32_pause();
	}
	atomic_store(&p->turn, 1);
	return NULL;
}

/* Each answer is the old or the new one; when all is written, the last. */
static void unasked_runner(struct pair *p)
{
	const uint8_t *code = p->page + UNASKED_AT;
	uint32_t value[2];

	for (int n = 0; n < 2; n++)
		memcpy(&value[n], (uint8_t *)&p->word[n] + 1, sizeof(value[n]));
	while (!atomic_load(&p->turn)) {
		uint64_t got = as_fn(code)(0);

		if (got != value[1])
			check("unasked", "value", got, value[0]);
	}
	serialize();
	check("unasked", "last value", as_fn(code)(0), value[~(STORES - 1) & 1]);
}

static void unasked(uint64_t *random)
{
	struct pair p = {
		.page = pages_map(PAGE, RWX), .random = next_random(random),
	};

	for (int n = 0; n < 2; n++)
		put_return((uint8_t *)&p.word[n],
			   (uint32_t)next_random(random));
	memcpy(p.page + UNASKED_AT, &p.word[0], sizeof(p.word[0]));
	with_partner(&p, unasked_writer, unasked_runner);
}

const struct row unasked_row = { "unasked", unasked };
