/* base/num.c - see num.h
 *
 * Written out rather than left to strtoull(), which takes signs, blanks and
 * the locale's opinion.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/num.h"

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

/* Digits of `base` at *s; moves *s past them.  False: none, or too many. */
static bool digits(const char **s, int base, uint64_t *out)
{
	const char *p = *s;
	uint64_t v = 0;

	for (; digit(*p) < base; p++)
		if (!checked_mul(v, (uint64_t)base, &v) ||
		    !checked_add(v, (uint64_t)digit(*p), &v))
			return false;
	if (p == *s)
		return false;
	*s = p;
	*out = v;
	return true;
}

static int base_of(const char **s)
{
	if ((*s)[0] != '0' || !(*s)[1])
		return 10;
	if ((*s)[1] == 'x' || (*s)[1] == 'X') {
		*s += 2;
		return 16;
	}
	return 8;
}

static bool whole_u64(const char *s, uint64_t *out)
{
	int base = base_of(&s);

	return digits(&s, base, out) && !*s;
}

int parse_u64(const char *what, const char *s, uint64_t min, uint64_t max,
	      uint64_t *out, struct err *e)
{
	uint64_t v;

	if (!whole_u64(s, &v))
		return fail(e, EINVAL, "%s: '%s' is not a number from %" PRIu64
			    " to %" PRIu64, what, s, min, max);
	if (v < min)
		return fail(e, ERANGE, "%s: %s is under %" PRIu64, what, s,
			    min);
	if (v > max)
		return fail(e, ERANGE, "%s: %s is over %" PRIu64, what, s,
			    max);
	*out = v;
	return 0;
}

/* Bytes in one of suffix c; 0 for no suffix. */
static uint64_t suffix_unit(char c)
{
	static const char suffixes[] = "bkmgtpe";
	const char *at;

	if (c >= 'A' && c <= 'Z')
		c += 'a' - 'A';
	at = c ? strchr(suffixes, c) : NULL;
	return at ? 1ull << (10 * (at - suffixes)) : 0;
}

/* ".5" in units of `unit`: at most 18 digits count, the rest cannot matter
 * below an exbibyte's last byte by more than rounding down does. */
static uint64_t fraction(const char **s, uint64_t unit)
{
	uint64_t v = 0, scale = 1;

	for (; digit(**s) < 10; (*s)++) {
		if (scale >= 1000000000000000000ull)
			continue;
		v = v * 10 + (uint64_t)digit(**s);
		scale *= 10;
	}
	return (uint64_t)((unsigned __int128)v * unit / scale);
}

int parse_size(const char *what, const char *s, uint64_t unit, uint64_t *out,
	       struct err *e)
{
	const char *p = s, *frac = NULL;
	uint64_t v, u, part = 0;
	bool hex = p[0] == '0' && (p[1] == 'x' || p[1] == 'X');

	if (hex)
		p += 2;
	if (!digits(&p, hex ? 16 : 10, &v))
		goto bad;
	if (*p == '.' && !hex) {
		frac = ++p;
		p += strspn(p, "0123456789");
	}
	u = suffix_unit(*p);
	if (u)
		p++;
	else
		u = unit;
	if (*p)
		goto bad;
	if (frac)
		part = fraction(&frac, u);
	if (!checked_mul(v, u, &v) || !checked_add(v, part, out))
		return fail(e, ERANGE, "%s: %s is over 16E-1 bytes", what, s);
	return 0;
bad:
	return fail(e, EINVAL, "%s: '%s' is not a size (a number with b, K, M, "
		    "G, T, P or E behind it)", what, s);
}

int parse_bool(const char *what, const char *s, bool *out, struct err *e)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{ "on", true },   { "yes", true }, { "true", true },
		{ "y", true },    { "off", false }, { "no", false },
		{ "false", false }, { "n", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!strcmp(s, words[i].word)) {
			*out = words[i].value;
			return 0;
		}
	}
	return fail(e, EINVAL, "%s: '%s' is neither 'on' nor 'off'", what, s);
}
