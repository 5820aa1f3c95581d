/* base/json_parse.c - the JSON reader.
 *
 * Recursive descent over the text, at most JSON_DEPTH_MAX deep.  The first
 * mistake ends it; its place is counted in lines and characters from 1.
 *
 * Duplicate keys are found by a search through the object, so members per
 * object are limited too, which keeps a hostile text from costing quadratic
 * time.
 *
 * Source: RFC 8259; RFC 3629 for UTF-8.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/num.h"

#define MEMBERS_MAX	4096	/* of one object */
#define NUMBER_MAX	400	/* characters; the largest double has 309 */

struct reader {
	const char *text, *p, *end;
	struct err *e;
	unsigned depth, values;
	char *buf;		/* owned: the string being read */
	size_t len, room;
};

/* ---- mistakes ---- */

static void place(const struct reader *r, const char *at, unsigned *line,
		  unsigned *column)
{
	*line = *column = 1;
	for (const char *c = r->text; c < at; c++) {
		if (*c == '\n') {
			++*line;
			*column = 1;
		} else if ((*c & 0xc0) != 0x80) {
			++*column;
		}
	}
}

__attribute__((format(printf, 3, 4)))
static bool wrong(struct reader *r, const char *at, const char *fmt, ...)
{
	unsigned line, column;
	char what[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	place(r, at, &line, &column);
	(void)fail(r->e, EINVAL, "line %u, column %u: %s", line, column, what);
	return false;
}

/* ---- characters ---- */

static void skip_blanks(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' ||
				 *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

static bool at_char(const struct reader *r, char c)
{
	return r->p < r->end && *r->p == c;
}

static bool take(struct reader *r, char c)
{
	if (!at_char(r, c))
		return false;
	r->p++;
	return true;
}

static bool is_digit(const struct reader *r)
{
	return r->p < r->end && *r->p >= '0' && *r->p <= '9';
}

/* Bytes of the UTF-8 sequence at p; 0 if it is none: too short, too long for
 * its value, a surrogate, or past U+10FFFF. */
static unsigned utf8_length(const char *p, const char *end)
{
	const uint8_t *s = (const uint8_t *)p;
	unsigned n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 :
		     s[0] >= 0xe0 && s[0] < 0xf0 ? 3 :
		     s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

	if (!n || (size_t)(end - p) < n)
		return 0;
	for (unsigned i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

static void keep(struct reader *r, const char *bytes, size_t n)
{
	if (r->len + n + 1 > r->room) {
		r->room = (r->len + n + 1) * 2;
		r->buf = xrealloc(r->buf, r->room);
	}
	memcpy(r->buf + r->len, bytes, n);
	r->len += n;
	r->buf[r->len] = '\0';
}

static void keep_code_point(struct reader *r, uint32_t c)
{
	char b[4];
	size_t n = 0;

	if (c < 0x80) {
		b[n++] = (char)c;
	} else if (c < 0x800) {
		b[n++] = (char)(0xc0 | c >> 6);
		b[n++] = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		b[n++] = (char)(0xe0 | c >> 12);
		b[n++] = (char)(0x80 | (c >> 6 & 0x3f));
		b[n++] = (char)(0x80 | (c & 0x3f));
	} else {
		b[n++] = (char)(0xf0 | c >> 18);
		b[n++] = (char)(0x80 | (c >> 12 & 0x3f));
		b[n++] = (char)(0x80 | (c >> 6 & 0x3f));
		b[n++] = (char)(0x80 | (c & 0x3f));
	}
	keep(r, b, n);
}

/* ---- strings ---- */

static bool hex4(struct reader *r, uint32_t *out)
{
	uint32_t v = 0;

	if (r->end - r->p < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = r->p[i];
		unsigned d = c >= '0' && c <= '9' ? c - '0' :
			     c >= 'a' && c <= 'f' ? c - 'a' + 10 :
			     c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;

		if (d > 15)
			return false;
		v = v << 4 | d;
	}
	r->p += 4;
	*out = v;
	return true;
}

/* Behind \u; start is the backslash. */
static bool read_u(struct reader *r, const char *start)
{
	uint32_t c, low;

	if (!hex4(r, &c))
		return wrong(r, start, "\\u wants four hexadecimal digits");
	if (c >= 0xd800 && c < 0xdc00) {
		if (r->end - r->p < 2 || r->p[0] != '\\' || r->p[1] != 'u')
			return wrong(r, start, "half a surrogate pair");
		r->p += 2;
		if (!hex4(r, &low) || low < 0xdc00 || low > 0xdfff)
			return wrong(r, start, "half a surrogate pair");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	} else if (c >= 0xdc00 && c < 0xe000) {
		return wrong(r, start, "half a surrogate pair");
	}
	if (!c)
		return wrong(r, start, "\\u0000 is not allowed");
	keep_code_point(r, c);
	return true;
}

static bool read_escape(struct reader *r)
{
	static const char from[] = "\"'\\/bfnrt", to[] = "\"'\\/\b\f\n\r\t";
	const char *start = r->p++, *at;

	if (r->p == r->end)
		return wrong(r, start, "the text ends inside a string");
	if (take(r, 'u'))
		return read_u(r, start);
	at = *r->p ? strchr(from, *r->p) : NULL;
	if (!at)
		return wrong(r, start, "unknown escape in a string");
	r->p++;
	keep(r, to + (at - from), 1);
	return true;
}

/* Leaves the string in r->buf. */
static bool read_string(struct reader *r)
{
	const char *start = r->p;
	char quote = *r->p++;

	r->len = 0;
	keep(r, "", 0);
	for (;;) {
		const char *plain = r->p;
		unsigned n;

		if (r->p == r->end)
			return wrong(r, start, "the string has no end");
		if (take(r, quote))
			return true;
		if (*r->p == '\\') {
			if (!read_escape(r))
				return false;
			continue;
		}
		if ((uint8_t)*r->p < 0x20)
			return wrong(r, r->p, "control character %u in a "
				     "string", (uint8_t)*r->p);
		n = utf8_length(r->p, r->end);
		if (!n)
			return wrong(r, r->p, "the text is not UTF-8");
		r->p += n;
		keep(r, plain, n);
	}
}

/* ---- numbers ---- */

static bool read_digits(struct reader *r)
{
	if (!is_digit(r))
		return false;
	while (is_digit(r))
		r->p++;
	return true;
}

/* Moves past a number; *whole: it has neither fraction nor exponent. */
static bool scan_number(struct reader *r, bool *whole)
{
	*whole = true;
	(void)take(r, '-');
	if (take(r, '0')) {
		if (is_digit(r))
			return false;
	} else if (!read_digits(r)) {
		return false;
	}
	if (take(r, '.')) {
		*whole = false;
		if (!read_digits(r))
			return false;
	}
	if (take(r, 'e') || take(r, 'E')) {
		*whole = false;
		if (!take(r, '+'))
			(void)take(r, '-');
		if (!read_digits(r))
			return false;
	}
	return true;
}

/* Decimal digits at s; false if they do not fit. */
static bool to_u64(const char *s, uint64_t *out)
{
	uint64_t v = 0;

	for (; *s; s++)
		if (!checked_mul(v, 10, &v) ||
		    !checked_add(v, (uint64_t)(*s - '0'), &v))
			return false;
	*out = v;
	return true;
}

static struct json *read_number(struct reader *r)
{
	const char *start = r->p;
	char text[NUMBER_MAX + 1];
	uint64_t v;
	bool whole;
	size_t n;

	if (!scan_number(r, &whole)) {
		(void)wrong(r, start, "not a number");
		return NULL;
	}
	n = (size_t)(r->p - start);
	if (n > NUMBER_MAX) {
		(void)wrong(r, start, "a number of %zu characters, and the "
			    "limit is %d", n, NUMBER_MAX);
		return NULL;
	}
	memcpy(text, start, n);
	text[n] = '\0';
	if (whole && text[0] != '-' && to_u64(text, &v))
		return json_new_uint(v);
	if (whole && text[0] == '-' && to_u64(text + 1, &v) &&
	    v <= 1ull << 63)
		return json_new_int((int64_t)(0 - v));
	return json_new_double(strtod(text, NULL));
}

/* ---- values ---- */

static struct json *read_value(struct reader *r);

static bool enter(struct reader *r)
{
	if (r->depth == JSON_DEPTH_MAX)
		return wrong(r, r->p, "nested more than %d deep",
			     JSON_DEPTH_MAX);
	r->depth++;
	r->p++;
	skip_blanks(r);
	return true;
}

static bool leave(struct reader *r)
{
	r->depth--;
	return true;
}

/* Between elements: true and *more, or the closing bracket, or a mistake. */
static bool next_element(struct reader *r, char close, bool *more)
{
	skip_blanks(r);
	*more = take(r, ',');
	if (!*more && !take(r, close))
		return wrong(r, r->p, "'%c' or ',' is missing", close);
	skip_blanks(r);
	return true;
}

static bool read_array(struct reader *r, struct json *list)
{
	bool more = true;

	if (!enter(r))
		return false;
	if (take(r, ']'))
		return leave(r);
	while (more) {
		struct json *v = read_value(r);

		if (!v)
			return false;
		json_push(list, v);
		if (!next_element(r, ']', &more))
			return false;
	}
	return leave(r);
}

static bool read_member(struct reader *r, struct json *object)
{
	const char *start = r->p;
	struct json *v;
	char *key;

	if (!at_char(r, '"') && !at_char(r, '\''))
		return wrong(r, start, "a key in quotes is missing");
	if (!read_string(r))
		return false;
	if (json_get(object, r->buf))
		return wrong(r, start, "key '%.60s' occurs twice", r->buf);
	if (json_count(object) == MEMBERS_MAX)
		return wrong(r, start, "over %d members", MEMBERS_MAX);
	skip_blanks(r);
	if (!take(r, ':'))
		return wrong(r, r->p, "':' is missing");
	skip_blanks(r);
	key = xstrdup(r->buf);
	v = read_value(r);
	if (v)
		json_put(object, key, v);
	free(key);
	return v != NULL;
}

static bool read_object(struct reader *r, struct json *object)
{
	bool more = true;

	if (!enter(r))
		return false;
	if (take(r, '}'))
		return leave(r);
	while (more)
		if (!read_member(r, object) || !next_element(r, '}', &more))
			return false;
	return leave(r);
}

static struct json *read_list(struct reader *r)
{
	struct json *j = *r->p == '[' ? json_new_array() : json_new_object();

	if (*r->p == '[' ? read_array(r, j) : read_object(r, j))
		return j;
	json_free(j);
	return NULL;
}

static struct json *read_word(struct reader *r)
{
	static const char *const words[] = { "null", "true", "false" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t n = strlen(words[i]);

		if ((size_t)(r->end - r->p) < n || memcmp(r->p, words[i], n))
			continue;
		r->p += n;
		return i ? json_new_bool(i == 1) : json_new_null();
	}
	(void)wrong(r, r->p, "a value is missing");
	return NULL;
}

static struct json *read_value(struct reader *r)
{
	if (++r->values > JSON_VALUES_MAX) {
		(void)wrong(r, r->p, "over %u values", JSON_VALUES_MAX);
		return NULL;
	}
	if (at_char(r, '{') || at_char(r, '['))
		return read_list(r);
	if (at_char(r, '"') || at_char(r, '\''))
		return read_string(r) ? json_new_string(r->buf) : NULL;
	if (is_digit(r) || at_char(r, '-'))
		return read_number(r);
	return read_word(r);
}

struct json *json_parse(const char *text, size_t len, struct err *e)
{
	struct reader r = { .text = text, .p = text, .end = text + len,
			    .e = e };
	struct json *j;

	if (len > JSON_TEXT_MAX) {
		(void)fail(e, EFBIG, "%zu bytes of JSON, and the limit is %u",
			   len, JSON_TEXT_MAX);
		return NULL;
	}
	skip_blanks(&r);
	j = read_value(&r);
	skip_blanks(&r);
	if (j && r.p != r.end) {
		(void)wrong(&r, r.p, "something follows the value");
		json_free(j);
		j = NULL;
	}
	free(r.buf);
	return j;
}
