/* block/core/request.c - see request.h
 *
 * There are as many requests as threads, a few dozen at most, so a list serves.
 *
 * SPDX-License-Identifier: MIT
 */
#include "block/core/request.h"

bool request_blocked(const struct image *im, uint64_t start, uint64_t end,
		     bool exclusive)
{
	for (const struct request *rq = im->busy; rq; rq = rq->next)
		if ((exclusive || rq->exclusive) && rq->start < end &&
		    start < rq->end)
			return true;
	return false;
}

void request_wait(struct image *im)
{
	im->waiters++;
	pthread_cond_wait(&im->idle, &im->lock);
	im->waiters--;
}

void request_begin(struct image *im, struct request *rq, uint64_t start,
		   uint64_t end, bool exclusive)
{
	rq->start = start;
	rq->end = end;
	rq->exclusive = exclusive;
	rq->next = im->busy;
	rq->prev = &im->busy;
	if (rq->next)
		rq->next->prev = &rq->next;
	im->busy = rq;
}

void request_end(struct image *im, struct request *rq)
{
	*rq->prev = rq->next;
	if (rq->next)
		rq->next->prev = rq->prev;
	if (im->waiters)
		pthread_cond_broadcast(&im->idle);
}
