/* app/img/img.h - the image tool: its commands, and what they share.
 *
 * A command is a row in img.c: name, options, and a function that gets them
 * parsed.  It says what is wrong by log_error() and returns the exit status,
 * which is 1 for any failure unless the command says otherwise.
 *
 * Texts on stdout are qemu-img's, since scripts read them; what goes to stderr
 * is for people and is one line.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef APP_IMG_IMG_H
#define APP_IMG_IMG_H
#include <stdio.h>

#include "app/img/args.h"
#include "base/json.h"
#include "block/core/block.h"

/* argv[0] is the program, argv[1] the command. */
int img_main(int argc, char *argv[]);

struct img_command {
	const char *name, *usage;
	const struct arg_row *rows;
	size_t size;		/* of the struct that rows fill */
	/* n operands; args is that struct. */
	int (*run)(void *args, int n, char *operands[]);
	bool last_is_size;	/* "-1M" as last word is an operand */
};

extern const struct img_command
	img_amend, img_bench, img_bitmap, img_check, img_commit, img_compare,
	img_convert, img_create, img_dd, img_info, img_map, img_measure,
	img_rebase, img_resize, img_snapshot;

#define ARG_ROW_HELP	{ 'h', "help", ARG_HELP, 0 }
#define ARG_ROW_OBJECT	{ 0, "object", ARG_ABSENT, 0 }
#define ARG_ROW_END	{ 0, NULL, ARG_FLAG, 0 }

/* ---- said, and the status that goes with it ---- */

/* A wrong command line: the message, and where help is. */
int img_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* What e says behind "context: ". */
int img_fail(const struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* "human", "json" or NULL; false, and said, for others. */
bool img_output_format(const char *s, bool *json);
/* Prints and frees it. */
void img_print_json(struct json *j);

/* ---- opening images ---- */

struct img_source {
	const char *name, *format;	/* format NULL: guess */
	bool is_opts;			/* --image-opts: name is driver=... */
	const char *cache;		/* -t, -T; NULL: writeback */
	bool share;			/* -U */
};

/* flags of image_open() besides those that the source implies.  NULL, and it
 * has been said why. */
struct image *img_open(const struct img_source *src, unsigned flags);
/* "none", "writeback" etc. as flags; false, and said, for others. */
bool img_cache_flags(const char *cache, unsigned *flags);
/* Close; an error of that is said and makes the status 1. */
int img_close(struct image *im, int status);

/* ---- creating images ---- */

/* Option strings: add ",key=value" to *list (owned, may hold NULL). */
void img_option_add(char **list, const char *key, const char *value);
void img_option_add_size(char **list, uint64_t bytes);
/* Does "-o help" or "-o ?" stand in it.  list may be NULL. */
bool img_options_want_help(const char *list);
/* The rows for -o help, in order of the alphabet. */
void img_print_options(const char *title, const struct image_option *rows);
/* -o help of create and convert.  Returns the status. */
int img_print_create_options(const char *format, bool with_file);
/* "Formatting 'x', fmt=raw size=512": what was given, and presets. */
void img_print_formatting(const char *name, const char *format,
			  struct optstr *opts);
/* Refuse keys the format does not have, and values that are no number or
 * size; *opts is the caller's to free.  context is the message's. */
int img_options_parse(const char *list, const char *format,
		      const char *context, struct optstr **opts);
/* Can the format be created with a name of an image below?  Said if not. */
bool img_takes_backing(const char *format);

#endif
