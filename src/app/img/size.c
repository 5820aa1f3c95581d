/* app/img/size.c - see size.h
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/img/size.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/num.h"

int size_parse(const char *what, const char *s, uint64_t min, uint64_t max,
	       uint64_t *out, struct err *e)
{
	uint64_t v;
	int r = parse_size(what, s, 1, &v, e);

	if (r)
		return r;
	/* Of "1.5" half a byte would be lost. */
	if (strchr(s, '.') && s[strspn(s, "0123456789.")] == '\0')
		return fail(e, EINVAL, "%s: '%s' is not a whole number of "
			    "bytes", what, s);
	if (v < min || v > max)
		return fail(e, ERANGE, "%s: %s is not between %" PRIu64
			    " and %" PRIu64, what, s, min, max);
	*out = v;
	return 0;
}

bool size_option(const char *what, const char *s, uint64_t min, uint64_t max,
		 uint64_t *out)
{
	struct err e = { "" };

	if (!size_parse(what, s, min, max, out, &e))
		return true;
	log_error("invalid %s", e.text);
	return false;
}

const char *size_human(uint64_t bytes, char text[SIZE_TEXT])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB",
					     "PiB", "EiB" };
	double v = (double)bytes;
	size_t n = 0;

	for (; v >= 1000 && n + 1 < ARRAY_LEN(units); n++)
		v /= 1024;
	snprintf(text, SIZE_TEXT, "%.3g %s", v, units[n]);
	return text;
}
