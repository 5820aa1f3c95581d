/* app/io/io.c - the exerciser's command line, and its loop over commands.
 * SPDX-License-Identifier: MIT
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/img/img.h"
#include "app/io/io.h"
#include "base/alloc.h"
#include "base/log.h"

#define COMMANDS_MAX	1024	/* -c options */

struct start {
	const char *commands[COMMANDS_MAX];
	int count;
	bool read_only, help, version;
};

enum { OPTION_OBJECT = 256, OPTION_IMAGE_OPTS };

static const struct option options[] = {
	{ "help", 0, NULL, 'h' },	{ "version", 0, NULL, 'V' },
	{ "cmd", 1, NULL, 'c' },	{ "format", 1, NULL, 'f' },
	{ "read-only", 0, NULL, 'r' },	{ "snapshot", 0, NULL, 's' },
	{ "nocache", 0, NULL, 'n' },	{ "copy-on-read", 0, NULL, 'C' },
	{ "misalign", 0, NULL, 'm' },	{ "native-aio", 0, NULL, 'k' },
	{ "aio", 1, NULL, 'i' },	{ "discard", 1, NULL, 'd' },
	{ "cache", 1, NULL, 't' },	{ "trace", 1, NULL, 'T' },
	{ "force-share", 0, NULL, 'U' },
	{ "object", 1, NULL, OPTION_OBJECT },
	{ "image-opts", 0, NULL, OPTION_IMAGE_OPTS },
	{ NULL, 0, NULL, 0 },
};

static int print_help(void)
{
	printf("usage: %s [OPTION...] [-c COMMAND]... [FILE]\n"
	       "Sends single requests to a disk image\n\n"
	       "  -c, --cmd COMMAND   run it, and end after the last of them\n"
	       "  -f, --format FMT    the image's format\n"
	       "  --image-opts        FILE is driver=...,file.filename=...\n"
	       "  -r, --read-only     do not open it for writing\n"
	       "  -n, --nocache       as -t none\n"
	       "  -t, --cache MODE    none, writeback, writethrough, "
	       "directsync, unsafe\n"
	       "  -d, --discard MODE  ignore or unmap\n"
	       "  -U, --force-share   mind nobody's lock\n"
	       "  -h, -V              this help, the version\n\n"
	       "The command 'help' lists the commands.\n", log_program());
	return 0;
}

static int print_version(void)
{
	printf("qemu-io version 7.2.0 (husk 0.1.0)\n"
	       "This is Husk, which takes qemu-io's command line and shares "
	       "none of its code\n");
	return 0;
}

static bool set_discard(struct io *io, const char *mode)
{
	if (!strcmp(mode, "ignore") || !strcmp(mode, "off"))
		io->flags &= ~(unsigned)IMAGE_UNMAP;
	else if (strcmp(mode, "unmap") && strcmp(mode, "on"))
		return false;
	return true;
}

/* One option; false, and said, if it is wrong. */
static bool option(struct io *io, struct start *s, int c, const char *value)
{
	switch (c) {
	case 'c':
		if (s->count == COMMANDS_MAX) {
			log_error("over %d commands", COMMANDS_MAX);
			return false;
		}
		s->commands[s->count++] = value;
		break;
	case 'f':
		free(io->format);
		io->format = xstrdup(value);
		break;
	case 'r':
		s->read_only = true;
		break;
	case 'n':
		io->flags |= IMAGE_DIRECT;
		break;
	case 't':
		return img_cache_flags(value, &io->flags);
	case 'd':
		if (set_discard(io, value))
			break;
		log_error("Invalid discard option: %s", value);
		return false;
	case 'U':
		io->flags |= IMAGE_SHARE;
		break;
	case 'h':
		s->help = true;
		break;
	case 'V':
		s->version = true;
		break;
	case OPTION_IMAGE_OPTS:
		io->is_opts = true;
		break;
	case 'm':
	case 'k':
	case 'i':
		break;		/* how requests are sent is not ours to say */
	default:
		log_error("option '%s': not in this version, or unknown",
			  value ? value : "");
		return false;
	}
	return true;
}

static int parse(struct io *io, struct start *s, int argc, char *argv[])
{
	int c;

	opterr = 0;
	optind = 0;
	while ((c = getopt_long(argc, argv, "hVc:d:f:rsnCmki:t:T:U", options,
				NULL)) != -1) {
		bool known = c != '?' && strchr("sCT", c) == NULL &&
			     c != OPTION_OBJECT;

		if (!option(io, s, known ? c : '?',
			    known ? optarg : argv[optind - 1]))
			return 1;
	}
	if (optind + 1 < argc) {
		log_error("one image at most, and '%s' is another",
			  argv[optind + 1]);
		return 1;
	}
	if (optind < argc)
		io->name = xstrdup(argv[optind]);
	if (!s->read_only)
		io->flags |= IMAGE_WRITE;
	if (io->name && !s->read_only && io->flags & IMAGE_SHARE) {
		log_error("can't open device %s: -U is for reading only (-r)",
			  io->name);
		return 1;
	}
	return 0;
}

/* From stdin, with a prompt. */
static int converse(struct io *io)
{
	char *line = NULL;
	size_t room = 0;
	int failed = 0;

	while (!io->quit) {
		printf("%s> ", log_program());
		fflush(stdout);
		if (getline(&line, &room, stdin) < 0)
			break;
		line[strcspn(line, "\n")] = '\0';
		failed |= io_execute(io, line);
	}
	free(line);
	return failed ? 1 : 0;
}

static int run(struct io *io, const struct start *s)
{
	int failed = 0;

	if (s->help)
		return print_help();
	if (s->version)
		return print_version();
	if (io->name && io_open(io))
		return 1;
	if (!s->count)
		return converse(io);
	for (int i = 0; i < s->count && !io->quit; i++)
		failed |= io_execute(io, s->commands[i]);
	return failed ? 1 : 0;
}

int io_main(int argc, char *argv[])
{
	struct io io = { .flags = IMAGE_UNMAP,
			 .lock = PTHREAD_MUTEX_INITIALIZER,
			 .idle = PTHREAD_COND_INITIALIZER };
	struct start *s = xcalloc(1, sizeof(*s));
	int status = parse(&io, s, argc, argv);

	if (!status)
		status = run(&io, s);
	if (io.im && io_close(&io))
		status = 1;
	free(io.name);
	free(io.format);
	free(s);
	return status;
}
