/* base/err.h - how a function says no: a negative errno, and one sentence.
 *
 * The sentence is for the person who typed the command.  It starts in lower
 * case, names the thing, the value found and the limit, and has no full stop,
 * because callers put context in front of it (err_prefix).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

struct err {
	char text[512];
};

/* Record the sentence; return -code, so that `return fail(...)` reads well.
 * e may be NULL when the caller does not care why.
 */
int fail(struct err *e, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Put "context: " before what e says; */
void err_prefix(struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
