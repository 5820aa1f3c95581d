/* base/err.c - see err.h
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

int fail(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return -code;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return -code;
}

void err_prefix(struct err *e, const char *fmt, ...)
{
	char said[sizeof(e->text)];
	va_list ap;
	int n;

	memcpy(said, e->text, sizeof(said));
	va_start(ap, fmt);
	n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(e->text) - 2)
		(void)snprintf(e->text + n, sizeof(e->text) - n, ": %.*s",
			       (int)sizeof(e->text) - n - 3, said);
}
