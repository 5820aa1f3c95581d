/* app/img/walk.c - see walk.h
 *
 * Workers take their spans under one lock.  As spans are handed out in order,
 * everything below a span that failed is done or in work by then, and the
 * lowest failure is known when all workers have come back.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/img/progress.h"
#include "app/img/walk.h"

#define BUFFER_ALIGN	4096

struct run {
	const struct walk *w;
	pthread_mutex_t lock;	/* guards what follows */
	uint64_t at;		/* handed out up to here */
	struct span rest;	/* looked at and not handed out; len may be 0 */
	uint64_t done;		/* bytes */
	int result;
	uint64_t failed_at;
};

static void failed_locked(struct run *r, int result, uint64_t at)
{
	if (!r->result || at < r->failed_at) {
		r->result = result;
		r->failed_at = at;
	}
}

static void cut(const struct walk *w, struct span *s)
{
	uint64_t most = w->chunk - s->start % w->chunk;

	if (!s->whole && s->len > most)
		s->len = most;
}

static bool next_locked(struct run *r, struct span *s)
{
	const struct walk *w = r->w;
	int result;

	while (!r->result && (r->rest.len || r->at < w->end)) {
		if (!r->rest.len) {
			r->rest = (struct span){ .start = r->at };
			result = w->look(w->ctx, r->at, w->end - r->at,
					 &r->rest);
			if (result) {
				failed_locked(r, result, r->at);
				return false;
			}
		}
		*s = r->rest;
		if (!s->skip)
			cut(w, s);
		r->rest.start += s->len;
		r->rest.len -= s->len;
		r->at = r->rest.start;
		if (!s->skip)
			return true;
		r->done += s->len;
	}
	return false;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Wait until `done` bytes may have passed since `since`. */
static void keep_rate(const struct walk *w, uint64_t done, double since)
{
	double early;
	struct timespec t;

	if (!w->rate)
		return;
	early = (double)done / (double)w->rate - (seconds() - since);
	if (early <= 0)
		return;
	t.tv_sec = (time_t)early;
	t.tv_nsec = (long)((early - (double)t.tv_sec) * 1e9);
	nanosleep(&t, NULL);
}

static void *worker(void *ctx)
{
	struct run *r = ctx;
	const struct walk *w = r->w;
	double since = seconds();
	void *buf = NULL;
	struct span s;
	uint64_t done;
	int result = 0;

	if (w->buffer && posix_memalign(&buf, BUFFER_ALIGN, w->buffer))
		result = -ENOMEM;
	pthread_mutex_lock(&r->lock);
	if (result)
		failed_locked(r, result, r->at);
	while (next_locked(r, &s)) {
		pthread_mutex_unlock(&r->lock);
		result = w->work(w->ctx, &s, buf);
		pthread_mutex_lock(&r->lock);
		if (result)
			failed_locked(r, result, s.start);
		r->done += s.len;
		done = r->done;
		pthread_mutex_unlock(&r->lock);
		progress_report(w->done_before + done,
				w->total ? w->total : w->end - w->start);
		keep_rate(w, done, since);
		pthread_mutex_lock(&r->lock);
	}
	pthread_mutex_unlock(&r->lock);
	free(buf);
	return NULL;
}

int walk_run(const struct walk *w)
{
	struct run r = { .w = w, .lock = PTHREAD_MUTEX_INITIALIZER,
			 .at = w->start };
	uint64_t chunks = (w->end - w->start) / w->chunk + 1;
	unsigned wanted = w->threads < chunks ? w->threads : (unsigned)chunks;
	pthread_t threads[WALK_THREADS_MAX];
	unsigned n = 0;

	/* This thread is a worker too; with fewer of them it takes longer. */
	while (n + 1 < wanted &&
	       !pthread_create(threads + n, NULL, worker, &r))
		n++;
	worker(&r);
	while (n)
		pthread_join(threads[--n], NULL);
	return r.result;
}

bool walk_is_zero(const uint8_t *p, size_t n)
{
	/* Each byte is as the one before it, and the first is 0. */
	return !n || (!p[0] && !memcmp(p, p + 1, n - 1));
}
