/* app/img/img.c - which command of the image tool is wanted.
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "app/img/img.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/log.h"

static const struct img_command *const commands[] = {
	&img_amend, &img_bench, &img_bitmap, &img_check, &img_commit,
	&img_compare, &img_convert, &img_create, &img_dd, &img_info, &img_map,
	&img_measure, &img_snapshot, &img_rebase, &img_resize,
};

int img_usage(const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_error("%s, '%s --help' shows how it goes", text, log_program());
	return 1;
}

int img_fail(const struct err *e, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_error("%s: %s", text, e->text);
	return 1;
}

bool img_output_format(const char *s, bool *json)
{
	*json = s && !strcmp(s, "json");
	if (!s || *json || !strcmp(s, "human"))
		return true;
	log_error("--output %s: neither 'human' nor 'json'", s);
	return false;
}

void img_print_json(struct json *j)
{
	char *text = json_print(j, JSON_PRETTY);

	puts(text);
	free(text);
	json_free(j);
}

/* ---- help ---- */

static void print_formats(void)
{
	printf("Supported formats:");
	for (unsigned i = 0; image_format_at(i); i++)
		printf(" %s", image_format_at(i));
	putchar('\n');
}

static int print_version(void)
{
	printf("qemu-img version 7.2.0 (husk 0.1.0)\n"
	       "This is Husk, which takes qemu-img's command line and shares "
	       "none of its code\n");
	return 0;
}

static int print_help(void)
{
	print_version();
	printf("usage: %s [-h | -V] COMMAND [OPTION...] FILE...\n"
	       "Makes, inspects, converts and repairs disk images\n\n",
	       log_program());
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		printf("  %s %s\n", commands[i]->name, commands[i]->usage);
	printf("\n"
	       "FILE is a path, json:{...}, or with --image-opts "
	       "driver=FORMAT,file.filename=PATH\n"
	       "FMT is a format; without it, reading commands look into the "
	       "file, others take raw\n"
	       "CACHE is none, writeback, writethrough, directsync or unsafe\n"
	       "SIZE is in bytes, or ends in k, M, G, T, P or E\n"
	       "-o help lists the options of a format, -p shows progress, -q "
	       "keeps quiet,\n"
	       "-U reads what another program has open for writing\n\n");
	print_formats();
	return 0;
}

/* ---- running one ---- */

static int run_parsed(const struct img_command *c, void *args, int argc,
		      char *argv[])
{
	bool size_last = c->last_is_size && argc > 2;
	char *last = argc ? argv[argc - 1] : NULL;
	char **operands;
	int first, n, status;

	switch (args_parse(c->rows, args, size_last ? argc - 1 : argc, argv,
			   &first)) {
	case ARGS_HELPED:
		return print_help();
	case ARGS_WRONG:
		return 1;
	case ARGS_OK:
		break;
	}
	n = argc - first;
	operands = xcalloc((size_t)n + 1, sizeof(*operands));
	memcpy(operands, argv + first, (size_t)n * sizeof(*operands));
	if (size_last && n)
		operands[n - 1] = last;
	status = c->run(args, n, operands);
	free(operands);
	return status;
}

static int run(const struct img_command *c, int argc, char *argv[])
{
	void *args = xcalloc(1, c->size);
	int status = run_parsed(c, args, argc, argv);

	args_free(c->rows, args);
	free(args);
	return status;
}

static const struct img_command *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

int img_main(int argc, char *argv[])
{
	const struct img_command *c;
	const char *word = argc > 1 ? argv[1] : NULL;

	if (!word)
		return img_usage("not enough arguments");
	if (!strcmp(word, "-h") || !strcmp(word, "--help"))
		return print_help();
	if (!strcmp(word, "-V") || !strcmp(word, "--version"))
		return print_version();
	if (*word == '-')
		return img_usage("unrecognized option '%s'", word);
	c = find(word);
	return c ? run(c, argc - 1, argv + 1)
		 : img_usage("command not found: %s", word);
}
