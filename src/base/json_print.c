/* base/json_print.c - the JSON writer.
 *
 * QEMU keeps the members of an object in a hash table of 512 lists and prints
 * list by list, the member that came last first.  Scripts and tests have such
 * output on file, so the order is part of the format here: members are sorted
 * by the same hash, which is the one of the TDB data base.
 *
 * Characters outside of printable ASCII are printed as \uXXXX; bytes that are
 * no UTF-8 (a file name may hold any) as U+FFFD each.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/json_inside.h"

#define BUCKETS	512

struct printer {
	FILE *to;
	enum json_style style;
	unsigned depth;
};

static unsigned bucket(const char *key)
{
	uint32_t v = 0x238f13afu * (uint32_t)strlen(key);

	for (unsigned i = 0; key[i]; i++)
		v += (uint32_t)(uint8_t)key[i] << (i * 5 % 24);
	return (v * 1103515243u + 12345u) % BUCKETS;
}

struct member {
	unsigned bucket;
	size_t n;		/* place in the object */
};

static int by_bucket(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->bucket != y->bucket)
		return x->bucket < y->bucket ? -1 : 1;
	return x->n > y->n ? -1 : 1;
}

/* Free the result. */
static struct member *in_order(const struct json *object)
{
	struct member *m = xcalloc(object->list.count + 1, sizeof(*m));

	for (size_t i = 0; i < object->list.count; i++)
		m[i] = (struct member){ bucket(object->list.items[i]->key), i };
	qsort(m, object->list.count, sizeof(*m), by_bucket);
	return m;
}

void json_sort(struct json *j)
{
	struct member *order;
	struct json **items;

	for (size_t i = 0; i < json_count(j); i++)
		json_sort(j->list.items[i]);
	if (j->kind != JSON_OBJECT)
		return;
	order = in_order(j);
	items = xcalloc(j->list.count + 1, sizeof(struct json *));
	for (size_t i = 0; i < j->list.count; i++)
		items[i] = j->list.items[order[i].n];
	free(j->list.items);
	j->list.items = items;
	j->list.room = j->list.count + 1;
	free(order);
}

/* ---- strings ---- */

/* The code point at *s, moved past it. */
static uint32_t code_point(const char **s)
{
	const uint8_t *p = (const uint8_t *)*s;
	unsigned n = p[0] < 0x80 ? 0 : p[0] >= 0xc2 && p[0] < 0xe0 ? 1 :
		     p[0] >= 0xe0 && p[0] < 0xf0 ? 2 :
		     p[0] >= 0xf0 && p[0] < 0xf5 ? 3 : 9;
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	uint32_t c;

	++*s;
	if (!n)
		return p[0];
	if (n == 9)
		return 0xfffd;
	c = p[0] & (0x3fu >> n);
	for (unsigned i = 1; i <= n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0xfffd;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0xfffd;
	*s += n;
	return c;
}

static void print_char(FILE *to, uint32_t c)
{
	static const char named[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
	const char *at = c < 0x80 ? strchr(named, (int)c) : NULL;

	if (at)
		fprintf(to, "\\%c", names[at - named]);
	else if (c > 0xffff)
		fprintf(to, "\\u%04X\\u%04X", 0xd800 + ((c - 0x10000) >> 10),
			0xdc00 + ((c - 0x10000) & 0x3ff));
	else if (c < 0x20 || c >= 0x7f)
		fprintf(to, "\\u%04X", c);
	else
		fputc((int)c, to);
}

static void print_string(FILE *to, const char *s)
{
	fputc('"', to);
	while (*s)
		print_char(to, code_point(&s));
	fputc('"', to);
}

/* ---- values ---- */

static void new_line(const struct printer *p)
{
	if (p->style == JSON_PRETTY)
		fprintf(p->to, "\n%*s", (int)p->depth * 4, "");
}

static void separate(const struct printer *p, bool first)
{
	if (!first)
		fputs(p->style == JSON_PRETTY ? "," : ", ", p->to);
	new_line(p);
}

static void print_value(struct printer *p, const struct json *j);

static void print_members(struct printer *p, const struct json *j)
{
	struct member *order = in_order(j);

	for (size_t i = 0; i < j->list.count; i++) {
		const struct json *v = j->list.items[order[i].n];

		separate(p, !i);
		print_string(p->to, v->key);
		fputs(": ", p->to);
		print_value(p, v);
	}
	free(order);
}

static void print_list(struct printer *p, const struct json *j)
{
	bool array = j->kind == JSON_ARRAY;

	fputc(array ? '[' : '{', p->to);
	p->depth++;
	if (array) {
		for (size_t i = 0; i < j->list.count; i++) {
			separate(p, !i);
			print_value(p, j->list.items[i]);
		}
	} else {
		print_members(p, j);
	}
	p->depth--;
	new_line(p);
	fputc(array ? ']' : '}', p->to);
}

static void print_value(struct printer *p, const struct json *j)
{
	switch (j->kind) {
	case JSON_NULL:
		fputs("null", p->to);
		break;
	case JSON_BOOL:
		fputs(j->boolean ? "true" : "false", p->to);
		break;
	case JSON_INT:
		fprintf(p->to, "%" PRId64, j->i);
		break;
	case JSON_UINT:
		fprintf(p->to, "%" PRIu64, j->u);
		break;
	case JSON_DOUBLE:
		fprintf(p->to, "%.17g", j->d);
		break;
	case JSON_STRING:
		print_string(p->to, j->text);
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
		print_list(p, j);
		break;
	}
}

char *json_print(const struct json *j, enum json_style style)
{
	char *text = NULL;
	size_t size = 0;
	struct printer p = { .to = open_memstream(&text, &size),
			     .style = style };

	if (!p.to)
		return xstrdup("null");
	print_value(&p, j);
	fclose(p.to);
	return text ? text : xstrdup("null");
}
