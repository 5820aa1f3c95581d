/* app/img/args.c - see args.h
 * SPDX-License-Identifier: MIT
 */
#include <getopt.h>
#include <stdlib.h>

#include "app/img/args.h"
#include "base/alloc.h"
#include "base/log.h"

#define ROWS_MAX	32
#define FIRST_LONG	256	/* what getopt_long() returns for row 0 */

struct tables {
	char letters[2 * ROWS_MAX + 2];
	struct option names[ROWS_MAX + 1];
};

static bool wants_value(const struct arg_row *row)
{
	return row->kind != ARG_FLAG && row->kind != ARG_HELP;
}

static bool is_row(const struct arg_row *row)
{
	return row->letter || row->name;
}

/* The ':' in front makes getopt_long() tell a missing value from an unknown
 * option, and print neither. */
static void make_tables(const struct arg_row *rows, struct tables *t)
{
	char *letter = t->letters;
	int n = 0;

	*letter++ = ':';
	for (int i = 0; is_row(rows + i) && i < ROWS_MAX; i++) {
		if (rows[i].letter) {
			*letter++ = rows[i].letter;
			if (wants_value(rows + i))
				*letter++ = ':';
		}
		if (rows[i].name)
			t->names[n++] = (struct option){
				.name = rows[i].name,
				.has_arg = wants_value(rows + i),
				.val = FIRST_LONG + i,
			};
	}
	*letter = '\0';
	t->names[n] = (struct option){ .name = NULL };
}

static const struct arg_row *find(const struct arg_row *rows, int c)
{
	if (c >= FIRST_LONG)
		return rows + (c - FIRST_LONG);
	while (rows->letter != c)
		rows++;
	return rows;
}

static void join(char **list, const char *more)
{
	char *old = *list;

	*list = old ? xasprintf("%s,%s", old, more) : xstrdup(more);
	free(old);
}

static enum args_result take(const struct arg_row *row, void *into,
			     const char *value)
{
	void *at = (char *)into + row->offset;

	switch (row->kind) {
	case ARG_FLAG:
		*(bool *)at = true;
		break;
	case ARG_TEXT:
		*(const char **)at = value;
		break;
	case ARG_LIST:
		join(at, value);
		break;
	case ARG_ABSENT:
		log_error("--%s %s: not in this version", row->name, value);
		return ARGS_WRONG;
	case ARG_HELP:
		return ARGS_HELPED;
	}
	return ARGS_OK;
}

enum args_result args_parse(const struct arg_row *rows, void *into, int argc,
			    char *argv[], int *first)
{
	enum args_result r = ARGS_OK;
	struct tables t;
	int c;

	make_tables(rows, &t);
	optind = 0;
	while (r == ARGS_OK) {
		c = getopt_long(argc, argv, t.letters, t.names, NULL);
		if (c == -1)
			break;
		if (c == ':') {
			log_error("missing argument for option '%s'",
				  argv[optind - 1]);
			return ARGS_WRONG;
		}
		if (c == '?') {
			log_error("unrecognized option '%s'",
				  argv[optind - 1]);
			return ARGS_WRONG;
		}
		r = take(find(rows, c), into, optarg);
	}
	*first = optind;
	return r;
}

void args_free(const struct arg_row *rows, void *into)
{
	for (; is_row(rows); rows++) {
		char **at = (char **)((char *)into + rows->offset);

		if (rows->kind != ARG_LIST)
			continue;
		free(*at);
		*at = NULL;
	}
}
