/* base/log.h - what the operator is told, and what -d and -trace switch on.
 *
 * log_error, log_warn and log_info are for the operator and rare.  Guest
 * mistakes go to log_guest(), which is silent unless -d guest_errors asks and
 * is rate-limited per call site.  log_on() guards the -d categories.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* The -d categories, named as QEMU names them (log.c has the table). */
enum log_category {
	LOG_GUEST_ERRORS = 1 << 0,
	LOG_UNIMP = 1 << 1,
	LOG_INT = 1 << 2,	/* interrupts and exceptions */
	LOG_CPU_RESET = 1 << 3,
	LOG_IN_ASM = 1 << 4,	/* each instruction when first decoded */
	LOG_EXEC = 1 << 5,	/* each block when entered */
	LOG_CPU = 1 << 6,	/* registers before each block */
	LOG_TRACE = 1 << 7,	/* -trace events */
	LOG_OUT_ASM = 1 << 8,	/* host code of each block translated */
	LOG_OP_STATS = 1 << 9,	/* what was left to the interpreter */
};

extern uint32_t log_mask;

static inline bool log_on(enum log_category c)
{
	return __builtin_expect(log_mask & c, 0);
}

/* The name in front of each message: "husk" until told.  Borrowed. */
void log_set_program(const char *name);
const char *log_program(void);

/* -msg timestamp=on: the date and time, UTC, in front of that. */
void log_set_timestamps(bool on);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* One line to the -D file (stderr without -D), if the category is on. */
void log_write(enum log_category c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* One line about a guest mistake: LOG_GUEST_ERRORS, and at most
 * LOG_SITE_LINES a second from each place that calls it. */
#define LOG_SITE_LINES 20
struct log_site {
	_Atomic int64_t second;		/* of the lines counted below */
	_Atomic uint32_t lines;
};
void log_guest_at(struct log_site *site, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
#define log_guest(...)                                                        \
	do {                                                                  \
		static struct log_site log_site_;                             \
									      \
		if (log_on(LOG_GUEST_ERRORS))                                 \
			log_guest_at(&log_site_, __VA_ARGS__);                \
	} while (0)

/* -d a,b,c: sets log_mask.  "help" is the caller's to handle. */
int log_set_categories(const char *list, struct err *e);
/* -D file: written from now on; the file starts empty. */
int log_set_file(const char *path, struct err *e);
/* Name and meaning of the nth category there is, for -d help; false past the
 * last. */
bool log_category_row(unsigned n, const char **name, const char **help);

#endif
