/* tests/scribble/main.c - random requests from many threads on one chain of images,
 * against a model in memory.
 *
 * Usage: scribble [-f FORMAT] [-o OPTIONS] [-d DEPTH] [-t THREADS] [-n REQUESTS]
 *                 [-s BYTES] [-r SEED] [-k] DIRECTORY
 *
 * The model is the disk's bytes.  No two requests that overlap run at once (a
 * table of ranges sees to that), so what a read must give is always known;
 * but requests share clusters all the time.  Now and then one thread stops the
 * others and does to the image as a whole what can be done: snapshots made, gone
 * to and deleted, another size, close, check and open again.
 *
 * The chain is DEPTH raw and FORMAT images with contents, and an image of FORMAT
 * on top.  -k keeps the files.  Exit status 1 after any difference.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "block/core/block.h"

#define MAX_THREADS	64u
#define MAX_REQUEST	(300 * KiB)
#define SECTOR		512u
#define MAX_SNAPSHOTS	3u

struct snapshot {
	char name[16];
	uint8_t *bytes;			/* owned */
	uint64_t size;
};

struct range {
	uint64_t start, end;		/* start == end: not in use */
};

static struct {
	const char *format, *options, *dir;
	unsigned depth, threads, seed;
	uint64_t requests, size, max_size;
	bool keep;
} args = { .format = "qcow2", .options = "", .threads = 8, .seed = 1,
	   .requests = 20000, .size = 8 * MiB };

static struct image *image;
static uint8_t *model;
static uint64_t size;			/* of the disk now */
static struct snapshot snapshots[MAX_SNAPSHOTS];
static unsigned snapshot_count, snapshot_number;

static pthread_rwlock_t whole = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t ranges_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ranges_free = PTHREAD_COND_INITIALIZER;
static struct range ranges[MAX_THREADS];
static _Atomic uint64_t done;
static _Atomic bool failed;

static void bad(const char *what, uint64_t at, int rc)
{
	if (!atomic_exchange(&failed, true))
		fprintf(stderr, "scribble: %s at %llu: %s\n", what,
			(unsigned long long)at, rc ? strerror(-rc) : "differs");
}

/* ---- chance ---- */

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;		/* xorshift64 */
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint64_t below(uint64_t *state, uint64_t n)
{
	return next_random(state) % n;
}

/* Mostly small, mostly whole sectors, sometimes neither. */
static void pick_range(uint64_t *state, uint64_t *at, uint64_t *len)
{
	uint64_t max = below(state, 8) ? 16 * KiB : MAX_REQUEST;

	*len = 1 + below(state, max);
	*at = below(state, size);
	if (below(state, 4)) {
		*at &= ~(uint64_t)(SECTOR - 1);
		*len = (*len + SECTOR - 1) & ~(uint64_t)(SECTOR - 1);
	}
	if (*len > size - *at)
		*len = size - *at;
}

static void fill_random(uint64_t *state, uint8_t *buf, size_t len)
{
	uint8_t v = (uint8_t)next_random(state);

	/* Half of the data can be packed, and some of it is zeroes. */
	if (below(state, 2)) {
		memset(buf, below(state, 4) ? v : 0, len);
		return;
	}
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)next_random(state);
}

/* ---- ranges ---- */

static bool taken(unsigned me, uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < args.threads; i++)
		if (i != me && ranges[i].start < end && start < ranges[i].end)
			return true;
	return false;
}

static void range_take(unsigned me, uint64_t start, uint64_t end)
{
	pthread_mutex_lock(&ranges_lock);
	while (taken(me, start, end))
		pthread_cond_wait(&ranges_free, &ranges_lock);
	ranges[me] = (struct range){ start, end };
	pthread_mutex_unlock(&ranges_lock);
}

static void range_give(unsigned me)
{
	pthread_mutex_lock(&ranges_lock);
	ranges[me] = (struct range){ 0, 0 };
	pthread_cond_broadcast(&ranges_free);
	pthread_mutex_unlock(&ranges_lock);
}

/* ---- requests ---- */

static void compare(uint64_t at, const uint8_t *buf, uint64_t len)
{
	for (uint64_t i = 0; i < len; i++)
		if (buf[i] != model[at + i]) {
			bad("read", at + i, 0);
			return;
		}
}

static void check_read(uint64_t at, uint8_t *buf, uint64_t len)
{
	int rc = image_read(image, at, buf, len);

	if (rc)
		bad("read", at, rc);
	else
		compare(at, buf, len);
}

static void try_write(uint64_t *state, uint64_t at, uint8_t *buf, uint64_t len)
{
	int rc;

	fill_random(state, buf, len);
	rc = image_write(image, at, buf, len,
			 below(state, 50) ? 0 : IMAGE_FUA);
	if (rc)
		bad("write", at, rc);
	memcpy(model + at, buf, len);
}

static void try_zero(uint64_t *state, uint64_t at, uint64_t len)
{
	int rc = image_zero(image, at, len,
			    below(state, 2) ? IMAGE_MAY_UNMAP : 0);

	if (rc)
		bad("zero", at, rc);
	memset(model + at, 0, len);
}

/* Each sector has its old contents afterwards, or zeroes. */
static void try_discard(uint64_t at, uint8_t *buf, uint64_t len)
{
	int rc = image_discard(image, at, len);

	if (!rc)
		rc = image_read(image, at, buf, len);
	if (rc)
		bad("discard", at, rc);
	for (uint64_t i = 0; i < len && !rc; i++)
		if (buf[i] != model[at + i] && buf[i])
			bad("discard", at + i, 0);
	memcpy(model + at, buf, len);
}

/* A whole cluster, packed. */
static void try_packed(uint64_t *state, unsigned me, uint64_t at, uint8_t *buf)
{
	uint64_t unit = image_cluster_size(image), len;
	int rc;

	if (!unit)
		unit = 64 * KiB;
	len = unit;
	range_give(me);
	at -= at % unit;
	if (len > size - at)
		len = size - at;
	range_take(me, at, at + len);
	fill_random(state, buf, len);
	rc = image_write_compressed(image, at, buf, len);
	if (rc)
		bad("compressed write", at, rc);
	memcpy(model + at, buf, len);
}

static void request(uint64_t *state, unsigned me, uint8_t *buf)
{
	uint64_t at, len, dice = below(state, 100);

	pick_range(state, &at, &len);
	range_take(me, at, at + len);
	if (dice < 45)
		try_write(state, at, buf, len);
	else if (dice < 55)
		try_zero(state, at, len);
	else if (dice < 60)
		try_discard(at, buf, len);
	else if (dice < 65 && image_can_compress(image))
		try_packed(state, me, at, buf);
	else if (dice < 98)
		check_read(at, buf, len);
	else if (image_flush(image))
		bad("flush", at, -EIO);
	range_give(me);
}

/* ---- the image as a whole ---- */

static int told(int rc, const struct err *e)
{
	if (rc && rc != -ENOTSUP)
		fprintf(stderr, "scribble: %s\n", e->text);
	return rc;
}

static void name_image(char *path, size_t room, unsigned n)
{
	(void)snprintf(path, room, "%s/scribble%u.img", args.dir, n);
}

static void open_top(void)
{
	struct err e = { "" };
	char path[256];
	int rc;

	name_image(path, sizeof(path), args.depth);
	rc = image_open(&image, path, args.format, IMAGE_WRITE | IMAGE_UNMAP,
			&e);
	if (rc) {
		fprintf(stderr, "scribble: %s\n", e.text);
		exit(1);
	}
}

static void say_fault(void *ctx, const char *line)
{
	fprintf(stderr, "scribble: check: %s\n", line);
}

static void close_and_check(void)
{
	struct image_check c = { .say = say_fault };
	struct err e = { "" };
	int rc = image_close(image);

	if (rc)
		bad("close", 0, rc);
	open_top();
	rc = image_check(image, 0, &c, &e);
	if (rc && rc != -ENOTSUP)
		bad("check", 0, rc);
	if (c.corruptions || c.leaks)
		bad("check finds faults", c.corruptions, 0);
}

static void snapshot_make(void)
{
	struct snapshot *s = &snapshots[snapshot_count];
	struct err e;

	(void)snprintf(s->name, sizeof(s->name), "s%u", ++snapshot_number);
	if (told(image_snapshot_create(image, s->name, &e), &e))
		return;
	s->bytes = malloc(args.max_size);
	memcpy(s->bytes, model, args.max_size);
	s->size = size;
	snapshot_count++;
}

static void snapshot_go(struct snapshot *s)
{
	struct err e;
	int rc = told(image_snapshot_apply(image, s->name, &e), &e);

	if (rc)
		bad("snapshot apply", 0, rc);
	memcpy(model, s->bytes, args.max_size);
	size = s->size;
	if (image_size(image) != size)
		bad("size after snapshot", image_size(image), 0);
}

static void snapshot_drop(struct snapshot *s)
{
	struct err e;
	int rc = told(image_snapshot_delete(image, s->name, &e), &e);

	if (rc)
		bad("snapshot delete", 0, rc);
	free(s->bytes);
	*s = snapshots[--snapshot_count];
}

static void another_size(uint64_t *state)
{
	uint64_t to = args.size / 2 + below(state, args.max_size -
					    args.size / 2 + 1);
	struct err e;

	to &= ~(uint64_t)(SECTOR - 1);
	if (told(image_resize(image, to, PREALLOC_OFF, &e), &e))
		return;
	if (to < size)
		memset(model + to, 0, size - to);
	size = to;
}

static void compare_all(void)
{
	static uint8_t buf[256 * KiB];

	for (uint64_t at = 0; at < size; at += sizeof(buf))
		check_read(at, buf, size - at < sizeof(buf) ? size - at :
			   sizeof(buf));
}

static void whole_change(uint64_t *state)
{
	pthread_rwlock_wrlock(&whole);
	switch (below(state, 6)) {
	case 0:
		if (snapshot_count < MAX_SNAPSHOTS)
			snapshot_make();
		break;
	case 1:
		if (snapshot_count)
			snapshot_go(&snapshots[below(state, snapshot_count)]);
		break;
	case 2:
		if (snapshot_count)
			snapshot_drop(&snapshots[below(state,
						       snapshot_count)]);
		break;
	case 3:
		another_size(state);
		break;
	case 4:
		close_and_check();
		break;
	default:
		compare_all();
	}
	pthread_rwlock_unlock(&whole);
}

/* ---- threads ---- */

static void *worker(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;
	uint64_t state = (args.seed * 64ull + me + 1) * 0x9e3779b97f4a7c15ull;
	uint8_t *buf = malloc(2 * MiB);

	while (!failed && atomic_fetch_add(&done, 1) < args.requests) {
		if (!below(&state, 300))
			whole_change(&state);
		pthread_rwlock_rdlock(&whole);
		request(&state, me, buf);
		pthread_rwlock_unlock(&whole);
	}
	free(buf);
	return NULL;
}

/* ---- the chain ---- */

static void make_image(unsigned n)
{
	/* The bottom is raw, so that what ends early is tried as well. */
	bool raw = n == 0 && args.depth;
	char path[256], above[64] = "", *text;
	struct optstr *opts;
	struct err e;

	name_image(path, sizeof(path), n);
	if (n)
		(void)snprintf(above, sizeof(above), ",backing_file="
			       "scribble%u.img", n - 1);
	text = xasprintf("size=%llu%s%s%s%s",
			 (unsigned long long)(raw ? args.size / 2 : args.size),
			 above, n ? n == 1 ? ",backing_fmt=raw" :
			 ",backing_fmt=qcow2" : "",
			 !raw && *args.options ? "," : "",
			 raw ? "" : args.options);
	if (optstr_parse(&opts, text, NULL, &e) ||
	    image_create(raw ? "raw" : args.format, path, opts, &e) ||
	    optstr_finish(opts, &e)) {
		fprintf(stderr, "scribble: %s\n", e.text);
		exit(1);
	}
	optstr_free(opts);
	free(text);
}

/* Contents for an image that will be below: a third of it. */
static void fill_image(unsigned n, uint64_t *state)
{
	static uint8_t buf[64 * KiB];
	struct image *im;
	char path[256];
	struct err e;

	name_image(path, sizeof(path), n);
	if (image_open(&im, path, n ? args.format : "raw", IMAGE_WRITE, &e)) {
		fprintf(stderr, "scribble: %s\n", e.text);
		exit(1);
	}
	for (unsigned i = 0; i < 40; i++) {
		uint64_t len = 1 + below(state, sizeof(buf));
		uint64_t at = below(state, image_size(im) - len);

		fill_random(state, buf, len);
		if (image_write(im, at, buf, len, 0))
			bad("base write", at, -EIO);
		memcpy(model + at, buf, len);
	}
	if (image_close(im))
		bad("base close", 0, -EIO);
}

static void remove_files(void)
{
	char path[256];

	for (unsigned n = 0; n <= args.depth && !args.keep; n++) {
		name_image(path, sizeof(path), n);
		unlink(path);
	}
}

static void parse_args(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "f:o:d:t:n:s:r:k")) != -1)
		switch (c) {
		case 'f': args.format = optarg; break;
		case 'o': args.options = optarg; break;
		case 'd': args.depth = (unsigned)atoi(optarg); break;
		case 't': args.threads = (unsigned)atoi(optarg); break;
		case 'n': args.requests = strtoull(optarg, NULL, 0); break;
		case 's': args.size = strtoull(optarg, NULL, 0); break;
		case 'r': args.seed = (unsigned)atoi(optarg); break;
		case 'k': args.keep = true; break;
		default: exit(2);
		}
	args.dir = argv[optind];
	if (!args.dir || !args.threads || args.threads > MAX_THREADS) {
		fprintf(stderr, "usage: scribble [options] DIRECTORY\n");
		exit(2);
	}
	args.max_size = args.size * 2;
}

int main(int argc, char **argv)
{
	pthread_t ids[MAX_THREADS];
	uint64_t state;

	parse_args(argc, argv);
	state = args.seed + 0x1234567ull;
	model = calloc(1, args.max_size);
	size = args.size;
	for (unsigned n = 0; n <= args.depth; n++) {
		make_image(n);
		if (n < args.depth)
			fill_image(n, &state);
	}
	open_top();
	for (unsigned i = 0; i < args.threads; i++)
		pthread_create(&ids[i], NULL, worker, (void *)(uintptr_t)i);
	for (unsigned i = 0; i < args.threads; i++)
		pthread_join(ids[i], NULL);
	compare_all();
	if (!failed)
		close_and_check();
	compare_all();
	if (image_close(image))
		bad("close", 0, -EIO);
	if (!failed)
		remove_files();
	printf("scribble: %s%s%s depth %u seed %u: %s\n", args.format,
	       *args.options ? " " : "", args.options, args.depth, args.seed,
	       failed ? "DIFFERENT" : "same");
	return failed;
}
