/* app/img/args.h - a subcommand's options, from a table into its own struct.
 *
 * As getopt_long() reads them: letters may be joined, long names shortened,
 * and options may stand behind operands.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef APP_IMG_ARGS_H
#define APP_IMG_ARGS_H
#include <stdbool.h>
#include <stddef.h>

enum arg_kind {
	ARG_FLAG,	/* bool: set */
	ARG_TEXT,	/* const char *: the last one given, borrowed of argv */
	ARG_LIST,	/* char *: all that were given, joined by commas; owned */
	ARG_ABSENT,	/* takes a value, and is refused by name */
	ARG_HELP,	/* -h: ends the parsing */
};

struct arg_row {
	char letter;		/* 0: none */
	const char *name;	/* of the long form; NULL: none */
	enum arg_kind kind;
	size_t offset;		/* in the struct that is filled */
};

enum args_result { ARGS_OK, ARGS_HELPED, ARGS_WRONG };

/* rows end with one that has neither letter nor name.  *first: where the
 * operands begin in argv, which is reordered.  What is wrong has been said on
 * return. */
enum args_result args_parse(const struct arg_row *rows, void *into, int argc,
			    char *argv[], int *first);
/* Frees the ARG_LIST values. */
void args_free(const struct arg_row *rows, void *into);

#endif
