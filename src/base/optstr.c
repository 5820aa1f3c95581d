/* base/optstr.c - see optstr.h
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/num.h"
#include "base/optstr.h"

struct pair {
	char *key, *value;	/* owned */
	bool flag;		/* came without "=value" */
	bool used;
};

struct optstr {
	char *implied;		/* owned; may be NULL */
	struct pair *pairs;
	size_t count;
};

/* Where the value at s ends: at a comma that has no second one behind it. */
static const char *value_end(const char *s)
{
	for (; *s; s++) {
		if (*s != ',')
			continue;
		if (s[1] != ',')
			break;
		s++;
	}
	return s;
}

static char *unescape(const char *s, const char *end)
{
	char *text = xmalloc((size_t)(end - s) + 1), *to = text;

	while (s < end) {
		*to++ = *s;
		s += *s == ',' ? 2 : 1;
	}
	*to = '\0';
	return text;
}

static struct pair *find(const struct optstr *o, const char *key)
{
	for (size_t i = 0; i < o->count; i++)
		if (!strcmp(o->pairs[i].key, key))
			return &o->pairs[i];
	return NULL;
}

/* Takes key and value. */
static int add(struct optstr *o, char *key, char *value, bool flag,
	       struct err *e)
{
	struct pair *p = find(o, key);
	int r = 0;

	if (!*key)
		r = fail(e, EINVAL, "a key is missing before '%s'", value);
	if (p) {
		free(p->key);
		free(p->value);
	} else {
		o->pairs = xrealloc(o->pairs,
				    (o->count + 1) * sizeof(*o->pairs));
		p = &o->pairs[o->count++];
	}
	*p = (struct pair){ .key = key, .value = value, .flag = flag };
	return r;
}

static int parse_pair(struct optstr *o, const char **s, bool first,
		      struct err *e)
{
	const char *p = *s, *end, *key_end = p + strcspn(p, "=,");
	char *key, *value;
	bool flag = false;

	if (*key_end == '=') {
		key = xstrndup(p, (size_t)(key_end - p));
		end = value_end(key_end + 1);
		value = unescape(key_end + 1, end);
	} else if (first && o->implied) {
		end = value_end(p);
		key = xstrdup(o->implied);
		value = unescape(p, end);
	} else {
		end = key_end;
		key = xstrndup(p, (size_t)(end - p));
		value = xstrdup("on");
		flag = true;
	}
	*s = end;
	return add(o, key, value, flag, e);
}

int optstr_parse(struct optstr **out, const char *s, const char *implied,
		 struct err *e)
{
	struct optstr *o = xcalloc(1, sizeof(*o));

	if (implied)
		o->implied = xstrdup(implied);
	for (bool first = true; *s; first = false) {
		int r = parse_pair(o, &s, first, e);

		if (r) {
			optstr_free(o);
			return r;
		}
		if (*s)
			s++;
	}
	*out = o;
	return 0;
}

void optstr_free(struct optstr *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < o->count; i++) {
		free(o->pairs[i].key);
		free(o->pairs[i].value);
	}
	free(o->pairs);
	free(o->implied);
	free(o);
}

const char *optstr_get(struct optstr *o, const char *key)
{
	struct pair *p = find(o, key);

	if (p) {
		p->used = true;
		return p->value;
	}
	for (size_t i = 0; i < o->count; i++) {
		p = &o->pairs[i];
		if (p->flag && !strncmp(p->key, "no", 2) &&
		    !strcmp(p->key + 2, key)) {
			p->used = true;
			return "off";
		}
	}
	return NULL;
}

int optstr_need(struct optstr *o, const char *key, const char **out,
		struct err *e)
{
	const char *v = optstr_get(o, key);

	if (!v)
		return fail(e, EINVAL, "%s= is missing", key);
	if (!*v)
		return fail(e, EINVAL, "%s= is empty", key);
	*out = v;
	return 0;
}

int optstr_bool(struct optstr *o, const char *key, bool *out, struct err *e)
{
	const char *v = optstr_get(o, key);

	return v ? parse_bool(key, v, out, e) : 0;
}

int optstr_u64(struct optstr *o, const char *key, uint64_t min, uint64_t max,
	       uint64_t *out, struct err *e)
{
	const char *v = optstr_get(o, key);

	return v ? parse_u64(key, v, min, max, out, e) : 0;
}

int optstr_size(struct optstr *o, const char *key, uint64_t unit,
		uint64_t *out, struct err *e)
{
	const char *v = optstr_get(o, key);

	return v ? parse_size(key, v, unit, out, e) : 0;
}

static bool is_help(const char *s)
{
	return !strcmp(s, "help") || !strcmp(s, "?");
}

bool optstr_wants_help(const struct optstr *o)
{
	for (size_t i = 0; i < o->count; i++) {
		const struct pair *p = &o->pairs[i];

		if (p->flag ? is_help(p->key)
			    : !i && o->implied && !strcmp(p->key, o->implied) &&
			      is_help(p->value))
			return true;
	}
	return false;
}

bool optstr_at(const struct optstr *o, size_t n, const char **key,
	       const char **value)
{
	if (n >= o->count)
		return false;
	*key = o->pairs[n].key;
	*value = o->pairs[n].value;
	return true;
}

void optstr_use(struct optstr *o, size_t n)
{
	o->pairs[n].used = true;
}

const char *optstr_unused(const struct optstr *o)
{
	for (size_t i = 0; i < o->count; i++)
		if (!o->pairs[i].used)
			return o->pairs[i].key;
	return NULL;
}

int optstr_finish(const struct optstr *o, struct err *e)
{
	const char *key = optstr_unused(o);

	return key ? fail(e, EINVAL, "key '%s' is unknown", key) : 0;
}
