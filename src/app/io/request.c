/* app/io/request.c - reading, writing, discarding; at once or by aio.
 *
 * An aio request is a thread that runs the same function and prints when it is
 * done.  io_wait() is what aio_flush and closing wait by.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/io/io.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/num.h"

#define PATTERN		0xcd	/* what is written unless -P says */
#define BUFFER_ALIGN	4096
#define LENGTH_MAX	(1u << 30)

enum request_kind { REQUEST_READ, REQUEST_WRITE, REQUEST_ZERO,
		    REQUEST_COMPRESSED, REQUEST_DISCARD };

struct request {
	struct io *io;
	enum request_kind kind;
	uint64_t at;
	size_t len;
	uint8_t *buf;		/* owned; NULL for zero and discard */
	unsigned flags;		/* enum image_request */
	bool quiet, machine, dump, verify, async;
	uint8_t pattern;
	uint64_t verify_from, verify_len;
	bool verify_part;	/* -l was given */
	const char *source;	/* -s of write: a file to fill the buffer from */
	bool unmap, no_fallback, zero, compress;
};

/* ---- what comes out ---- */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void report(const struct request *q, double took)
{
	const char *verb = q->kind == REQUEST_READ ? "read" :
			   q->kind == REQUEST_DISCARD ? "discard" : "wrote";
	char amount[IO_AMOUNT], rate[IO_AMOUNT];
	double per = took > 1e-9 ? took : 1e-9;

	if (q->quiet)
		return;
	if (q->machine) {
		printf("%zu,1,0:00:%05.2f,%.3f,%.3f\n", q->len, took,
		       (double)q->len / per, 1 / per);
		return;
	}
	printf("%s %zu/%zu bytes at offset %" PRIu64 "\n", verb, q->len,
	       q->len, q->at);
	printf("%s, 1 ops; %05.2f sec (%s/sec and %.4f ops/sec)\n",
	       io_amount((double)q->len, amount), took,
	       io_amount((double)q->len / per, rate), 1 / per);
}

static void dump(const struct request *q)
{
	for (size_t i = 0; i < q->len; i += 16) {
		size_t n = q->len - i < 16 ? q->len - i : 16;

		printf("%08" PRIx64 ":  ", q->at + i);
		for (size_t j = 0; j < n; j++)
			printf("%02x ", q->buf[i + j]);
		putchar(' ');
		for (size_t j = 0; j < n; j++)
			putchar(isalnum(q->buf[i + j]) ? q->buf[i + j] : '.');
		putchar('\n');
	}
}

static int verify(const struct request *q)
{
	uint64_t n = q->verify_part ? q->verify_len : q->len - q->verify_from;

	for (uint64_t i = 0; i < n; i++) {
		if (q->buf[q->verify_from + i] == q->pattern)
			continue;
		printf("Pattern verification failed at offset %" PRIu64 ", %"
		       PRIu64 " bytes\n", q->at + q->verify_from, n);
		return -1;
	}
	return 0;
}

/* ---- doing it ---- */

static int send_request(const struct request *q)
{
	struct image *im = q->io->im;

	if (q->at > image_size(im) || q->len > image_size(im) - q->at)
		return -EIO;
	switch (q->kind) {
	case REQUEST_READ:
		return image_read(im, q->at, q->buf, q->len);
	case REQUEST_WRITE:
		return image_write(im, q->at, q->buf, q->len, q->flags);
	case REQUEST_ZERO:
		return image_zero(im, q->at, q->len, q->flags);
	case REQUEST_COMPRESSED:
		return image_write_compressed(im, q->at, q->buf, q->len);
	case REQUEST_DISCARD:
		return image_discard(im, q->at, q->len);
	}
	return -EINVAL;
}

static int finish(struct request *q)
{
	static const char *const names[] = { "read", "write", "write", "write",
					     "discard" };
	double start = seconds(), took;
	int r = send_request(q), failed = 0;

	took = seconds() - start;
	flockfile(stdout);
	if (r) {
		printf("%s%s failed: %s\n", q->async ? "aio_" : "",
		       names[q->kind], strerror(-r));
		failed = -1;
	} else {
		if (q->verify)
			failed = verify(q);
		if (q->dump)
			dump(q);
		report(q, took);
	}
	funlockfile(stdout);
	return failed;
}

static void request_free(struct request *q)
{
	free(q->buf);
	free(q);
}

static void *aio_thread(void *ctx)
{
	struct request *q = ctx;
	struct io *io = q->io;

	(void)finish(q);	/* it has been said; nobody waits for more */
	request_free(q);
	pthread_mutex_lock(&io->lock);
	if (!--io->pending)
		pthread_cond_broadcast(&io->idle);
	pthread_mutex_unlock(&io->lock);
	return NULL;
}

void io_wait(struct io *io)
{
	pthread_mutex_lock(&io->lock);
	while (io->pending)
		pthread_cond_wait(&io->idle, &io->lock);
	pthread_mutex_unlock(&io->lock);
}

/* Takes q. */
static int start(struct request *q)
{
	struct io *io = q->io;
	pthread_t thread;
	int r;

	if (!q->async) {
		r = finish(q);
		request_free(q);
		return r;
	}
	pthread_mutex_lock(&io->lock);
	io->pending++;
	pthread_mutex_unlock(&io->lock);
	r = pthread_create(&thread, NULL, aio_thread, q);
	if (!r) {
		pthread_detach(thread);
		return 0;
	}
	printf("no thread: %s\n", strerror(r));
	pthread_mutex_lock(&io->lock);
	io->pending--;
	pthread_mutex_unlock(&io->lock);
	request_free(q);
	return -1;
}

/* ---- what is wanted ---- */

static int set_pattern(struct request *q, const char *text)
{
	uint64_t v;

	if (parse_u64("pattern", text, 0, 255, &v, NULL)) {
		printf("%s is not a valid pattern byte\n", text);
		return -1;
	}
	q->pattern = (uint8_t)v;
	return 0;
}

static int option(struct request *q, int o, const char *command)
{
	bool reads = q->kind == REQUEST_READ;

	switch (o) {
	case 'C':
		q->machine = true;
		return 0;
	case 'q':
		q->quiet = true;
		return 0;
	case 'P':
		q->verify = reads;
		return set_pattern(q, optarg);
	case 'v':
		q->dump = true;
		return 0;
	case 's':
		if (reads)
			return io_number(optarg, &q->verify_from);
		q->source = optarg;
		return 0;
	case 'l':
		q->verify_part = true;
		return io_number(optarg, &q->verify_len);
	case 'f':
		q->flags |= IMAGE_FUA;
		return 0;
	case 'u':
		q->flags |= IMAGE_MAY_UNMAP;
		q->unmap = true;
		return 0;
	case 'n':
		q->flags |= IMAGE_NO_FALLBACK;
		q->no_fallback = true;
		return 0;
	case 'z':
		q->zero = true;
		return 0;
	case 'c':
		q->compress = true;
		return 0;
	case 'p':
		return 0;	/* an old way to say that it is no vm state */
	case 'b':
	case 'i':
		printf("%s -%c: not in this version\n", command, o);
		return -1;
	default:
		return io_wrong_option(command, optopt);
	}
}

static int settle(struct request *q)
{
	const char *wrong = NULL;

	if (q->no_fallback && !q->zero)
		wrong = "-n requires -z to be specified";
	else if (q->unmap && !q->zero)
		wrong = "-u requires -z to be specified";
	if (wrong) {
		puts(wrong);
		return -1;
	}
	if (q->zero)
		q->kind = REQUEST_ZERO;
	else if (q->compress)
		q->kind = REQUEST_COMPRESSED;
	return 0;
}

/* off len [len..] */
static int place(struct request *q, int argc, char *argv[])
{
	uint64_t n, sum = 0;

	if (argc - optind < 2) {
		log_error("bad argument count %d to %s, expected at least 2 "
			  "arguments", argc - optind, argv[0]);
		return -1;
	}
	if (io_number(argv[optind], &q->at))
		return -1;
	for (int i = optind + 1; i < argc; i++) {
		if (io_number(argv[i], &n))
			return -1;
		if (!checked_add(sum, n, &sum))
			sum = UINT64_MAX;
	}
	if (sum > LENGTH_MAX && q->kind != REQUEST_ZERO &&
	    q->kind != REQUEST_DISCARD) {
		printf("length cannot exceed %u, given %s\n", LENGTH_MAX,
		       argv[optind + 1]);
		return -1;
	}
	q->len = (size_t)sum;
	if (q->verify && (q->verify_from > q->len ||
			  q->verify_len > q->len - q->verify_from)) {
		printf("pattern verification range exceeds end of read "
		       "data\n");
		return -1;
	}
	return 0;
}

/* The buffer is the file's contents, over and over. */
static int fill_from(struct request *q)
{
	FILE *f = fopen(q->source, "re");
	size_t n;

	if (!f) {
		printf("%s: %s\n", q->source, strerror(errno));
		return -1;
	}
	n = fread(q->buf, 1, q->len, f);
	fclose(f);
	if (!n) {
		printf("%s: file is empty\n", q->source);
		return -1;
	}
	for (size_t i = n; i < q->len; i++)
		q->buf[i] = q->buf[i - n];
	return 0;
}

static int make_buffer(struct request *q)
{
	void *buf;

	if (q->kind == REQUEST_ZERO || q->kind == REQUEST_DISCARD)
		return 0;
	if (posix_memalign(&buf, BUFFER_ALIGN, q->len ? q->len : 1)) {
		printf("no memory for %zu bytes\n", q->len);
		return -1;
	}
	q->buf = buf;
	memset(buf, q->kind == REQUEST_READ ? 0xab : q->pattern, q->len);
	return q->source ? fill_from(q) : 0;
}

static int run(struct io *io, int argc, char *argv[], const char *letters,
	       enum request_kind kind, bool async)
{
	struct request *q = xcalloc(1, sizeof(*q));
	int o;

	*q = (struct request){ .io = io, .kind = kind, .async = async,
			       .pattern = PATTERN };
	optind = 0;
	opterr = 0;
	while ((o = getopt(argc, argv, letters)) != -1)
		if (option(q, o, argv[0]))
			goto bad;
	if (settle(q) || place(q, argc, argv) || make_buffer(q))
		goto bad;
	if (kind != REQUEST_READ && !image_writable(io->im)) {
		log_error("the image is open for reading only");
		goto bad;
	}
	return start(q);
bad:
	request_free(q);
	return -1;
}

static int read_now(struct io *io, int argc, char *argv[])
{
	return run(io, argc, argv, "bCl:pP:qs:v", REQUEST_READ, false);
}

static int write_now(struct io *io, int argc, char *argv[])
{
	return run(io, argc, argv, "bcCfnpP:qs:uz", REQUEST_WRITE, false);
}

static int discard(struct io *io, int argc, char *argv[])
{
	return run(io, argc, argv, "Cq", REQUEST_DISCARD, false);
}

static int aio_read(struct io *io, int argc, char *argv[])
{
	return run(io, argc, argv, "CiP:qv", REQUEST_READ, true);
}

static int aio_write(struct io *io, int argc, char *argv[])
{
	return run(io, argc, argv, "CfiP:quz", REQUEST_WRITE, true);
}

static int aio_flush(struct io *io, int argc, char *argv[])
{
	io_wait(io);
	return 0;
}

const struct io_command io_request_commands[] = {
	{ "read", "r", 2, -1, "[-Cqv] [-P pattern [-s off] [-l len]] off len",
	  "reads bytes", true, read_now },
	{ "readv", "rv", 2, -1, "[-Cqv] [-P pattern] off len [len..]",
	  "reads bytes", true, read_now },
	{ "write", "w", 2, -1, "[-cCfnquz] [-P pattern | -s source_file] off "
	  "len", "writes bytes", true, write_now },
	{ "writev", "wv", 2, -1, "[-Cfq] [-P pattern] off len [len..]",
	  "writes bytes", true, write_now },
	{ "discard", "d", 2, -1, "[-Cq] off len", "gives bytes up", true,
	  discard },
	{ "aio_read", NULL, 2, -1, "[-Cqv] [-P pattern] off len [len..]",
	  "reads bytes without waiting", true, aio_read },
	{ "aio_write", NULL, 2, -1, "[-Cfquz] [-P pattern] off len [len..]",
	  "writes bytes without waiting", true, aio_write },
	{ "aio_flush", NULL, 0, 0, NULL, "waits for all aio requests", true,
	  aio_flush },
	{ NULL, NULL, 0, 0, NULL, NULL, false, NULL },
};
