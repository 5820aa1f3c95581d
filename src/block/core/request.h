/* block/core/request.h - requests in flight in one image, and who waits.
 *
 * A shared request moves bytes where map() says they are.  An exclusive one
 * changes what map() says for its units, so it waits until no other is
 * inside them, and others wait for it.  All calls: the image's lock is held;
 * waiting gives it up meanwhile.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BLOCK_CORE_REQUEST_H
#define BLOCK_CORE_REQUEST_H
#include "block/core/format.h"

struct request {
	uint64_t start, end;	/* guest bytes */
	bool exclusive;
	struct request *next, **prev;
};

/* Is another in the way?  For a shared one only the exclusive are. */
bool request_blocked(const struct image *im, uint64_t start, uint64_t end,
		     bool exclusive);
/* Sleep until some request has ended; then look again at everything. */
void request_wait(struct image *im);
/* rq lives until request_end(). */
void request_begin(struct image *im, struct request *rq, uint64_t start,
		   uint64_t end, bool exclusive);
void request_end(struct image *im, struct request *rq);
#endif
