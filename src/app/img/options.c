/* app/img/options.c - -o: the options with which an image is made.
 *
 * Options of formats come from the format's table.  Those of the file below it
 * are here: they only make sense together with a file's name, and the help
 * leaves them out without one, as qemu-img does.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/img/img.h"
#include "app/img/size.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/num.h"

static const struct image_option file_options[] = {
	{ "preallocation", "off, falloc or full", OPTION_STRING, NULL },
	{ "nocow", "switch copy-on-write of the file system off",
	  OPTION_BOOL, NULL },
	{ "extent_size_hint", "how much the file system allocates at a "
	  "time, 0 for its own choice", OPTION_SIZE, NULL },
};

/* ---- building the string ---- */

void img_option_add(char **list, const char *key, const char *value)
{
	size_t used = *list ? strlen(*list) : 0;
	char *s = xmalloc(used + strlen(key) + 2 * strlen(value) + 3), *p = s;

	if (used) {
		memcpy(p, *list, used);
		p += used;
		*p++ = ',';
	}
	p = stpcpy(p, key);
	*p++ = '=';
	for (; *value; value++) {
		if (*value == ',')
			*p++ = ',';
		*p++ = *value;
	}
	*p = '\0';
	free(*list);
	*list = s;
}

void img_option_add_size(char **list, uint64_t bytes)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, bytes);
	img_option_add(list, "size", text);
}

bool img_options_want_help(const char *list)
{
	struct optstr *o;
	bool help;

	if (!list || optstr_parse(&o, list, NULL, NULL))
		return false;
	help = optstr_wants_help(o);
	optstr_free(o);
	return help;
}

/* ---- help ---- */

static int by_name(const void *a, const void *b)
{
	const struct image_option *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static void print_option(const struct image_option *o)
{
	static const char *const kinds[] = { "str", "bool (on/off)", "num",
					     "size" };
	char head[80];

	snprintf(head, sizeof(head), "%s=<%s>", o->name, kinds[o->kind]);
	printf("  %-22s - %s\n", head, o->help);
}

static size_t count(const struct image_option *rows)
{
	size_t n = 0;

	while (rows[n].name)
		n++;
	return n;
}

static const struct image_option *find(const struct image_option *rows,
				       size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(rows[i].name, name))
			return rows + i;
	return NULL;
}

/* format NULL: rows alone.  Without a file, options that are the file's are
 * left out; that a qcow2 image has a preallocation is its own, too. */
static void print_sorted(const struct image_option *rows, bool with_file,
			 const char *format)
{
	size_t n = count(rows), total = 0, files = ARRAY_LEN(file_options);
	const struct image_option **order = xcalloc(n + files,
						    sizeof(*order));
	bool raw = format && !strcmp(format, "raw");

	for (size_t i = 0; i < n; i++) {
		bool own = !find(file_options, files, rows[i].name) ||
			   (!raw && !strcmp(rows[i].name, "preallocation"));

		if (own || with_file)
			order[total++] = rows + i;
	}
	for (size_t i = 0; with_file && i < files; i++)
		if (!find(rows, n, file_options[i].name))
			order[total++] = file_options + i;
	qsort(order, total, sizeof(*order), by_name);
	for (size_t i = 0; i < total; i++)
		print_option(order[i]);
	free(order);
}

void img_print_options(const char *title, const struct image_option *rows)
{
	puts(title);
	print_sorted(rows, false, NULL);
}

int img_print_create_options(const char *format, bool with_file)
{
	const struct image_option *rows = image_create_options(format);

	if (!rows) {
		log_error(image_format_known(format) ?
			  "format '%s' does not support image creation" :
			  "unknown file format '%s'", format);
		return 1;
	}
	if (with_file)
		puts("Supported options:");
	else
		printf("Supported %s options:\n", format);
	print_sorted(rows, with_file, format);
	if (!with_file)
		puts("\nThe protocol level may support further options.\n"
		     "Specify the target filename to include those options.");
	return 0;
}

/* ---- the line that create prints ---- */

static void print_value(const struct image_option *o, const char *value)
{
	uint64_t v;

	printf(" %s=", o->name);
	if (o->kind == OPTION_STRING)
		for (; *value; value++)
			printf(*value == ',' ? ",," : "%c", *value);
	else if ((o->kind == OPTION_SIZE || o->kind == OPTION_NUMBER) &&
		 !parse_size(o->name, value, 1, &v, NULL))
		printf("%" PRIu64, v);
	else
		fputs(value, stdout);
}

void img_print_formatting(const char *name, const char *format,
			  struct optstr *opts)
{
	const struct image_option *rows = image_create_options(format);
	size_t n = count(rows);
	const char *value;

	printf("Formatting '%s', fmt=%s", name, format);
	for (size_t i = 0; i < n; i++) {
		value = optstr_get(opts, rows[i].name);
		if (!value)
			value = rows[i].preset;
		if (value)
			print_value(rows + i, value);
	}
	for (size_t i = 0; i < ARRAY_LEN(file_options); i++) {
		value = optstr_get(opts, file_options[i].name);
		if (value && !find(rows, n, file_options[i].name))
			print_value(file_options + i, value);
	}
	putchar('\n');
	fflush(stdout);
}

/* ---- checking ---- */

static int check_value(const struct image_option *o, const char *value,
		       struct err *e)
{
	uint64_t v;
	bool b;

	switch (o->kind) {
	case OPTION_BOOL:
		return parse_bool(o->name, value, &b, e);
	case OPTION_NUMBER:
		return parse_u64(o->name, value, 0, UINT64_MAX, &v, e);
	case OPTION_SIZE:
		return parse_size(o->name, value, 1, &v, e);
	case OPTION_STRING:
		break;
	}
	return 0;
}

static int check_options(struct optstr *opts, const struct image_option *rows,
			 const char *context)
{
	const char *key, *value;
	struct err e = { "" };

	for (size_t i = 0; optstr_at(opts, i, &key, &value); i++) {
		const struct image_option *o = find(rows, count(rows), key);

		if (!o)
			o = find(file_options, ARRAY_LEN(file_options), key);
		if (!o) {
			log_error("%s: invalid parameter '%s', '-o help' lists "
				  "them", context, key);
			return 1;
		}
		if (check_value(o, value, &e))
			return img_fail(&e, "%s", context);
	}
	return 0;
}

int img_options_parse(const char *list, const char *format,
		      const char *context, struct optstr **opts)
{
	const struct image_option *rows = image_create_options(format);
	struct err e = { "" };
	int status;

	if (!rows) {
		log_error(image_format_known(format) ?
			  "%s: format '%s' does not support image creation" :
			  "%s: unknown file format '%s'", context, format);
		return 1;
	}
	if (optstr_parse(opts, list ? list : "", NULL, &e))
		return img_fail(&e, "%s: invalid option list", context);
	status = check_options(*opts, rows, context);
	if (status)
		optstr_free(*opts);
	return status;
}

bool img_takes_backing(const char *format)
{
	const struct image_option *rows = image_create_options(format);

	if (!rows || find(rows, count(rows), "backing_file"))
		return true;
	log_error("backing file not supported for file format '%s'", format);
	return false;
}
