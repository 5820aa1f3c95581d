/* app/io/file.c - commands about the image as a whole.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/img/img.h"
#include "app/io/io.h"
#include "base/alloc.h"
#include "base/log.h"

#define SECTOR	512u

int io_open(struct io *io)
{
	struct err e = { "" };
	int r;

	if (io->is_opts)
		r = image_open_opts(&io->im, io->name, io->flags, &e);
	else
		r = image_open(&io->im, io->name, io->format, io->flags, &e);
	if (!r)
		return 0;
	io->im = NULL;
	return -img_fail(&e, "can't open device %s", io->name);
}

int io_close(struct io *io)
{
	int r;

	io_wait(io);
	r = image_close(io->im);
	io->im = NULL;
	if (!r)
		return 0;
	log_error("closing the image: %s", strerror(-r));
	return -1;
}

/* ---- open, close, reopen ---- */

struct choice {
	unsigned flags;
	bool read_only, write, keep;	/* keep: no discards */
	const char *options;
};

/* Options of open and reopen; -1, and said, for others. */
static int choose(struct choice *c, int argc, char *argv[],
		  const char *letters)
{
	int o;

	optind = 0;
	opterr = 0;
	while ((o = getopt(argc, argv, letters)) != -1) {
		switch (o) {
		case 'r':
			c->read_only = true;
			break;
		case 'w':
			c->write = true;
			break;
		case 'n':
			c->flags |= IMAGE_DIRECT;
			break;
		case 'U':
			c->flags |= IMAGE_SHARE;
			break;
		case 't':
		case 'c':
			if (!img_cache_flags(optarg, &c->flags))
				return -1;
			break;
		case 'd':
			c->keep = !strcmp(optarg, "ignore") ||
				  !strcmp(optarg, "off");
			break;
		case 'o':
			c->options = optarg;
			break;
		case 'k':
			break;
		default:
			return io_wrong_option(argv[0], optopt);
		}
	}
	return 0;
}

static int open_file(struct io *io, int argc, char *argv[])
{
	struct choice c = { 0 };

	if (choose(&c, argc, argv, "rnkUt:d:o:"))
		return -1;
	if (io->im) {
		log_error("file open already, try 'help close'");
		return -1;
	}
	free(io->name);
	free(io->format);
	io->format = NULL;
	io->is_opts = c.options != NULL;
	if (c.options && optind < argc)
		io->name = xasprintf("%s,file.filename=%s", c.options,
				     argv[optind]);
	else
		io->name = xstrdup(c.options ? c.options :
				   optind < argc ? argv[optind] : "");
	io->flags = c.flags | IMAGE_UNMAP | (c.read_only ? 0 : IMAGE_WRITE);
	if (c.keep)
		io->flags &= ~(unsigned)IMAGE_UNMAP;
	return io_open(io);
}

static int close_file(struct io *io, int argc, char *argv[])
{
	return io_close(io);
}

static int reopen(struct io *io, int argc, char *argv[])
{
	const unsigned cache = IMAGE_DIRECT | IMAGE_WRITETHROUGH |
			       IMAGE_UNSAFE;
	struct choice c = { .flags = 0 };

	if (choose(&c, argc, argv, "rwc:o:"))
		return -1;
	if (c.options) {
		printf("reopen -o: not in this version\n");
		return -1;
	}
	if (c.read_only)
		io->flags &= ~(unsigned)IMAGE_WRITE;
	if (c.write)
		io->flags |= IMAGE_WRITE;
	if (c.flags)
		io->flags = (io->flags & ~cache) | c.flags;
	return io_close(io) ? -1 : io_open(io);
}

/* ---- size and place ---- */

static int length(struct io *io, int argc, char *argv[])
{
	char text[IO_AMOUNT];

	puts(io_amount((double)image_size(io->im), text));
	return 0;
}

static int truncate_image(struct io *io, int argc, char *argv[])
{
	enum image_prealloc how = PREALLOC_OFF;
	struct err e = { "" };
	uint64_t size;
	int o;

	optind = 0;
	opterr = 0;
	while ((o = getopt(argc, argv, "m:")) != -1) {
		if (o != 'm')
			return io_wrong_option(argv[0], optopt);
		if (image_prealloc_parse(optarg, &how, &e)) {
			printf("%s\n", e.text);
			return -1;
		}
	}
	if (optind == argc || io_number(argv[optind], &size))
		return -1;
	io_wait(io);
	if (!image_resize(io->im, size, how, &e))
		return 0;
	log_error("%s", e.text);
	return -1;
}

static int flush(struct io *io, int argc, char *argv[])
{
	int r = image_flush(io->im);

	if (r)
		printf("flush failed: %s\n", strerror(-r));
	return r ? -1 : 0;
}

/* How many bytes from `at` are alike, and are they in this very image. */
static int allocated(struct io *io, uint64_t at, uint64_t max, bool *is,
		     uint64_t *len)
{
	struct image_status st;
	int r = 0;

	*len = 0;
	while (*len < max) {
		r = image_map_status(io->im, image_below(io->im), at + *len,
				     max - *len, &st);
		if (r || (*len && *is != !!(st.bits & STATUS_ALLOCATED)))
			break;
		*is = st.bits & STATUS_ALLOCATED;
		*len += st.len;
	}
	if (r)
		printf("cannot map offset %" PRIu64 ": %s\n", at + *len,
		       strerror(-r));
	return r;
}

static int map(struct io *io, int argc, char *argv[])
{
	uint64_t size = image_size(io->im), len;
	char amount[IO_AMOUNT], place[IO_AMOUNT];
	bool is = false;

	for (uint64_t at = 0; at < size; at += len) {
		if (allocated(io, at, size - at, &is, &len))
			return -1;
		printf("%s (0x%" PRIx64 ") bytes %s allocated at offset %s "
		       "(0x%" PRIx64 ")\n", io_amount((double)len, amount),
		       len, is ? "   " : "not",
		       io_amount((double)at, place), at);
	}
	return 0;
}

static int alloc(struct io *io, int argc, char *argv[])
{
	uint64_t start, count = SECTOR, sum = 0, len;
	uint64_t size = image_size(io->im);
	char place[IO_AMOUNT];
	bool is = false;

	if (io_number(argv[1], &start) ||
	    (argc == 3 && io_number(argv[2], &count)))
		return -1;
	if (start > size || count > size - start)
		count = start > size ? 0 : size - start;
	for (uint64_t at = start; at < start + count; at += len) {
		if (allocated(io, at, start + count - at, &is, &len))
			return -1;
		sum += is ? len : 0;
	}
	printf("%" PRIu64 "/%" PRIu64 " bytes allocated at offset %s\n", sum,
	       count, io_amount((double)start, place));
	return 0;
}

static int info(struct io *io, int argc, char *argv[])
{
	char text[IO_AMOUNT];

	printf("format name: %s\n", image_format_name(io->im));
	if (image_cluster_size(io->im))
		printf("cluster size: %s\n",
		       io_amount(image_cluster_size(io->im), text));
	return 0;
}

const struct io_command io_file_commands[] = {
	{ "open", "o", 0, -1, "[-rnkU] [-t cache] [-d discard] [-o options] "
	  "[path]", "opens an image", false, open_file },
	{ "close", "c", 0, 0, NULL, "closes the image", true, close_file },
	{ "reopen", NULL, 0, -1, "[-r | -w] [-c cache]",
	  "opens the image again, otherwise", true, reopen },
	{ "length", "l", 0, 0, NULL, "prints the size of the disk", true,
	  length },
	{ "truncate", "t", 1, 3, "[-m prealloc_mode] off",
	  "makes the disk end there", true, truncate_image },
	{ "flush", "f", 0, 0, NULL, "makes what was written durable", true,
	  flush },
	{ "map", NULL, 0, 0, NULL, "prints what the image itself holds", true,
	  map },
	{ "alloc", "a", 1, 2, "offset [count]",
	  "prints how much of it the image itself holds", true, alloc },
	{ "info", "i", 0, 0, NULL, "prints what the image is", true, info },
	{ NULL, NULL, 0, 0, NULL, NULL, false, NULL },
};
