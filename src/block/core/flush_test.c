/* block/core/flush_test.c - a flush answers for all that was written before it.
 *
 * On a file whose flush takes until the test lets it end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/test.h"
#include "block/core/format.h"

static sem_t begun, may_end;
static _Atomic int flushed;

static int slow_flush(struct image_file *f)
{
	sem_post(&begun);
	sem_wait(&may_end);
	flushed++;
	return 0;
}

static int take(struct image_file *f, uint64_t at, const void *buf, size_t len)
{
	return 0;
}

static void nothing(struct image_file *f)
{
}

static const struct image_proto slow = {
	.name = "slow", .close = nothing, .write = take, .flush = slow_flush,
};

static struct image *open_slow(void)
{
	struct image_file *f = xcalloc(1, sizeof(*f));
	struct image *im = NULL;
	struct err e;

	f->proto = &slow;
	f->name = xstrdup("slow");
	f->size = 4096;
	f->writable = true;
	assert_int_equal(image_open_file(&im, f, image_format_find("raw"),
					 IMAGE_WRITE, &e), 0);
	return im;
}

static void *flush(void *im)
{
	assert_int_equal(image_flush(im), 0);
	return NULL;
}

/* The second has nothing of its own to write, but the first is not done. */
static void a_flush_waits_for_the_one_before(void **state)
{
	struct image *im = open_slow();
	struct timespec soon;
	pthread_t first, second;

	sem_init(&begun, 0, 0);
	sem_init(&may_end, 0, 0);
	assert_int_equal(image_write(im, 0, "x", 1, 0), 0);
	pthread_create(&first, NULL, flush, im);
	sem_wait(&begun);
	pthread_create(&second, NULL, flush, im);
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_nsec += 50 * 1000 * 1000;
	if (soon.tv_nsec >= 1000 * 1000 * 1000) {
		soon.tv_nsec -= 1000 * 1000 * 1000;
		soon.tv_sec++;
	}
	assert_int_not_equal(pthread_timedjoin_np(second, NULL, &soon), 0);
	assert_int_equal(flushed, 0);
	sem_post(&may_end);
	pthread_join(first, NULL);
	pthread_join(second, NULL);
	assert_int_equal(flushed, 1);
	sem_post(&may_end);
	assert_int_equal(image_close(im), 0);
}

TEST_MAIN("flush", TEST(a_flush_waits_for_the_one_before))
