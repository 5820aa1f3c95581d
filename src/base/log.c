/* base/log.c - messages for the operator, and the log that -d fills.
 *
 * A message is one stdio call, so lines of different threads do not mix.  The
 * categories are one table with QEMU's names; a row without a bit exists there
 * and not here, and is refused by name.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/trace.h"

uint32_t log_mask;

static const char *program = "husk";
static FILE *log_file;		/* NULL: stderr */
static bool timestamps;

static const struct category {
	const char *name;
	uint32_t bit;		/* 0: not in this version */
	const char *help;
} categories[] = {
	{ "guest_errors", LOG_GUEST_ERRORS,
	  "what the guest does to a device that makes no sense" },
	{ "unimp", LOG_UNIMP, "features a guest asks for that Husk lacks" },
	{ "int", LOG_INT, "interrupts and exceptions, one line each" },
	{ "cpu_reset", LOG_CPU_RESET, "registers at each processor reset" },
	{ "in_asm", LOG_IN_ASM, "guest instructions when first decoded" },
	{ "out_asm", LOG_OUT_ASM, "host code of each block when translated" },
	{ "op_stats", LOG_OP_STATS, "at the end, what was left to the "
	  "interpreter, by instruction" },
	{ "exec", LOG_EXEC, "each block of instructions when entered" },
	{ "cpu", LOG_CPU, "registers before each block" },
	{ "op", 0, NULL },      { "op_opt", 0, NULL },  { "op_ind", 0, NULL },
	{ "fpu", 0, NULL },     { "mmu", 0, NULL },     { "pcall", 0, NULL },
	{ "page", 0, NULL },    { "nochain", 0, NULL }, { "plugin", 0, NULL },
	{ "strace", 0, NULL },  { "tid", 0, NULL },
};

void log_set_program(const char *name)
{
	program = name;
}

const char *log_program(void)
{
	return program;
}

void log_set_timestamps(bool on)
{
	timestamps = on;
}

static void print_timestamp(void)
{
	struct timespec now;
	struct tm tm;
	char text[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	fprintf(stderr, "%s.%06ldZ ", text, now.tv_nsec / 1000);
}

static void say(const char *kind, const char *fmt, va_list ap)
{
	flockfile(stderr);
	if (timestamps)
		print_timestamp();
	fprintf(stderr, "%s: %s", program, kind);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	funlockfile(stderr);
}

void log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
}

void log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("warning: ", fmt, ap);
	va_end(ap);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("info: ", fmt, ap);
	va_end(ap);
}

static void write_line(const char *fmt, va_list ap)
{
	FILE *to = log_file ? log_file : stderr;
	size_t len = strlen(fmt);

	flockfile(to);
	vfprintf(to, fmt, ap);
	if (!len || fmt[len - 1] != '\n')
		fputc('\n', to);
	funlockfile(to);
}

void log_write(enum log_category c, const char *fmt, ...)
{
	va_list ap;

	if (!log_on(c))
		return;
	va_start(ap, fmt);
	write_line(fmt, ap);
	va_end(ap);
}

/* Two threads that see a new second at once may let a line too many through. */
static bool site_open(struct log_site *s)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (atomic_exchange(&s->second, now.tv_sec) != now.tv_sec)
		atomic_store(&s->lines, 0);
	return atomic_fetch_add(&s->lines, 1) < LOG_SITE_LINES;
}

void log_guest_at(struct log_site *site, const char *fmt, ...)
{
	va_list ap;

	if (!log_on(LOG_GUEST_ERRORS) || !site_open(site))
		return;
	va_start(ap, fmt);
	write_line(fmt, ap);
	va_end(ap);
}

/* "trace:PATTERN" */
static int trace_item(const char *name, size_t len, struct err *e)
{
	char pattern[64];

	if (len >= sizeof(pattern))
		return fail(e, EINVAL, "trace pattern '%.*s' has over %zu "
			    "characters", (int)len, name, sizeof(pattern) - 1);
	memcpy(pattern, name, len);
	pattern[len] = '\0';
	return trace_enable(pattern, e);
}

static int category_bit(const char *name, size_t len, uint32_t *bit,
			struct err *e)
{
	if (len > 6 && !memcmp(name, "trace:", 6))
		return trace_item(name + 6, len - 6, e);
	if (len == 3 && !memcmp(name, "all", 3)) {
		for (size_t i = 0; i < ARRAY_LEN(categories); i++)
			*bit |= categories[i].bit;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(categories); i++) {
		const struct category *c = &categories[i];

		if (strlen(c->name) != len || memcmp(c->name, name, len))
			continue;
		if (!c->bit)
			return fail(e, ENOTSUP, "log item '%s': not in this "
				    "version", c->name);
		*bit |= c->bit;
		return 0;
	}
	return fail(e, EINVAL, "log item '%.*s' is unknown, '-d help' lists "
		    "them", (int)len, name);
}

int log_set_categories(const char *list, struct err *e)
{
	uint32_t mask = 0;

	for (const char *p = list;; p++) {
		size_t len = strcspn(p, ",");
		int r = category_bit(p, len, &mask, e);

		if (r)
			return r;
		p += len;
		if (!*p)
			break;
	}
	log_mask |= mask;
	return 0;
}

int log_set_file(const char *path, struct err *e)
{
	FILE *f;

	if (strchr(path, '%'))
		return fail(e, ENOTSUP, "log file '%s': a file per process or "
			    "thread ('%%d') is not in this version", path);
	f = fopen(path, "we");
	if (!f)
		return fail(e, errno, "log file '%s': %s", path,
			    strerror(errno));
	setvbuf(f, NULL, _IOLBF, 0);
	if (log_file)
		fclose(log_file);
	log_file = f;
	return 0;
}

bool log_category_row(unsigned n, const char **name, const char **help)
{
	for (size_t i = 0; i < ARRAY_LEN(categories); i++) {
		if (!categories[i].bit || n--)
			continue;
		*name = categories[i].name;
		*help = categories[i].help;
		return true;
	}
	return false;
}
