/* app/img/walk.h - go through an image in parallel.
 *
 * look() says what comes next, in order and by one thread at a time; work()
 * does something with it, in as many threads as are wanted.  What work() is
 * given is cut at multiples of `chunk`, so two of them are never in the same
 * cluster if chunk is a multiple of the cluster size.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef APP_IMG_WALK_H
#define APP_IMG_WALK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WALK_CHUNK	(512u << 10)
#define WALK_THREADS	8	/* preset of -m */
#define WALK_THREADS_MAX 16

struct span {
	uint64_t start, len;
	bool skip;		/* nothing to do here */
	bool whole;		/* not to be cut */
	int kind;		/* look()'s own */
};

struct walk {
	uint64_t start, end;
	uint64_t chunk;
	unsigned threads;	/* 1 to WALK_THREADS_MAX */
	size_t buffer;		/* bytes of buf for work(), page-aligned */
	uint64_t rate;		/* bytes a second at most; 0: no limit */
	/* Of progress: what is before start, and all there is. */
	uint64_t done_before, total;
	/* Sets s but for start; len at most max and never 0. */
	int (*look)(void *ctx, uint64_t at, uint64_t max, struct span *s);
	int (*work)(void *ctx, const struct span *s, uint8_t *buf);
	void *ctx;
};

/* 0, or what a call returned that was not 0: the one at the lowest place, if
 * several did.  It ends with the first. */
int walk_run(const struct walk *w);

/* Do n bytes hold nothing but zeroes? */
bool walk_is_zero(const uint8_t *p, size_t n);

#endif
