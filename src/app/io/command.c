/* app/io/command.c - a line becomes words, and its first word a command.
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/img/size.h"
#include "app/io/io.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/num.h"

#define WORDS_MAX	64

static const struct io_command *const lists[] = {
	io_request_commands, io_file_commands, io_program_commands,
};

static const struct io_command *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		for (const struct io_command *c = lists[i]; c->name; c++)
			if (!strcmp(c->name, name) ||
			    (c->alias && !strcmp(c->alias, name)))
				return c;
	return NULL;
}

static void print_one(const struct io_command *c)
{
	printf("%s %s%s-- %s\n", c->name, c->args ? c->args : "",
	       c->args ? " " : "", c->summary);
}

int io_wrong_option(const char *command, int option)
{
	printf("%s: invalid option -- '%c'\n", command, option);
	print_one(find(command));
	return -1;
}

int io_number(const char *text, uint64_t *out)
{
	if (!size_parse("number", text, 0, SIZE_LIMIT, out, NULL))
		return 0;
	printf("Parsing error: non-numeric argument, or extraneous/"
	       "unrecognized suffix -- %s\n", text);
	return -1;
}

const char *io_amount(double bytes, char text[IO_AMOUNT])
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB",
					     "TiB", "PiB", "EiB" };
	size_t n = 0, len;

	for (; bytes >= 1024 && n + 1 < ARRAY_LEN(units); n++)
		bytes /= 1024;
	snprintf(text, IO_AMOUNT, "%.3f", bytes);
	len = strlen(text);
	if (!strcmp(text + len - 4, ".000"))
		text[len -= 4] = '\0';
	snprintf(text + len, IO_AMOUNT - len, " %s", units[n]);
	return text;
}

/* Words apart by blanks; quotes hold some together.  -1: too many. */
static int split(char *line, char *words[])
{
	int n = 0;

	for (char *p = line; *p;) {
		char *to;

		p += strspn(p, " \t");
		if (!*p)
			break;
		if (n == WORDS_MAX)
			return -1;
		words[n++] = to = p;
		for (char quote = 0; *p && (quote || !strchr(" \t", *p)); p++) {
			if (*p == quote)
				quote = 0;
			else if (!quote && (*p == '"' || *p == '\''))
				quote = *p;
			else
				*to++ = *p;
		}
		if (*p)
			p++;
		*to = '\0';
	}
	words[n] = NULL;
	return n;
}

static int check(const struct io *io, const struct io_command *c,
		 const char *name, int args)
{
	if (c->max < 0 && args < c->min) {
		log_error("bad argument count %d to %s, expected at least %d "
			  "arguments", args, name, c->min);
		return -1;
	}
	if (args < c->min || (c->max >= 0 && args > c->max)) {
		if (c->min == c->max)
			log_error("bad argument count %d to %s, expected %d "
				  "arguments", args, name, c->min);
		else
			log_error("bad argument count %d to %s, expected "
				  "between %d and %d arguments", args, name,
				  c->min, c->max);
		return -1;
	}
	if (c->needs_image && !io->im) {
		log_error("no file open, try 'help open'");
		return -1;
	}
	return 0;
}

static int run(struct io *io, int n, char *words[])
{
	const struct io_command *c = find(words[0]);

	if (!c) {
		log_error("command \"%s\" not found", words[0]);
		return -1;
	}
	return check(io, c, words[0], n - 1) ? -1 : c->run(io, n, words);
}

int io_execute(struct io *io, const char *line)
{
	char *copy = xstrdup(line), *words[WORDS_MAX + 1];
	int n = split(copy, words), r = 0;

	if (n < 0) {
		log_error("over %d words", WORDS_MAX);
		r = -1;
	} else if (n) {
		r = run(io, n, words);
	}
	fflush(stdout);
	free(copy);
	return r;
}

/* ---- commands about the program ---- */

static int by_name(const void *a, const void *b)
{
	const struct io_command *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int help(struct io *io, int argc, char *argv[])
{
	const struct io_command *all[64], *c = NULL;
	size_t n = 0;

	if (argc == 2) {
		c = find(argv[1]);
		if (c)
			print_one(c);
		else
			printf("command %s not found\n", argv[1]);
		return c ? 0 : -1;
	}
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		for (c = lists[i]; c->name && n < ARRAY_LEN(all); c++)
			all[n++] = c;
	qsort(all, n, sizeof(all[0]), by_name);
	for (size_t i = 0; i < n; i++)
		print_one(all[i]);
	printf("\nUse 'help commandname' for extended help.\n");
	return 0;
}

static int quit(struct io *io, int argc, char *argv[])
{
	io->quit = true;
	return 0;
}

static int sleep_ms(struct io *io, int argc, char *argv[])
{
	struct timespec t;
	uint64_t ms;

	if (parse_u64("time", argv[1], 0, INT32_MAX, &ms, NULL)) {
		printf("%s is not a valid number\n", argv[1]);
		return -1;
	}
	t.tv_sec = (time_t)(ms / 1000);
	t.tv_nsec = (long)(ms % 1000) * 1000000;
	nanosleep(&t, NULL);
	return 0;
}

static int crash(struct io *io, int argc, char *argv[])
{
	fflush(stdout);
	abort();
}

static int sigraise(struct io *io, int argc, char *argv[])
{
	uint64_t sig;

	if (io_number(argv[1], &sig))
		return -1;
	if (sig > 64) {
		printf("signal argument '%s' is too large to be a valid "
		       "signal number\n", argv[1]);
		return -1;
	}
	/* What is buffered would be lost. */
	fflush(stdout);
	raise((int)sig);
	return 0;
}

const struct io_command io_program_commands[] = {
	{ "help", "?", 0, 1, "[command]", "lists commands, or shows one",
	  false, help },
	{ "quit", "q", 0, 0, NULL, "ends the program", false, quit },
	{ "sleep", NULL, 1, 1, "ms", "waits that many milliseconds", false,
	  sleep_ms },
	{ "abort", NULL, 0, 0, NULL, "dies as if by a mistake of its own",
	  false, crash },
	{ "sigraise", NULL, 1, 1, "signal", "sends itself a signal", false,
	  sigraise },
	{ NULL, NULL, 0, 0, NULL, NULL, false, NULL },
};
