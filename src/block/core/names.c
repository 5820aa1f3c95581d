/* block/core/names.c - see names.h
 *
 * Nested objects of a json: text become dotted keys; what stands in a list gets
 * its number for a key, as QEMU has it ("server.0.host").
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "block/core/block.h"
#include "block/core/names.h"

#define NAME_MAX_BYTES	(1 << 16)
#define DEPTH_MAX	24	/* of objects and lists in each other */

char *option_text(const char *key, const char *value)
{
	size_t n = strlen(key), commas = 0;
	char *text, *to;

	for (const char *c = value; *c; c++)
		commas += *c == ',';
	text = xcalloc(1, n + 1 + strlen(value) + commas + 1);
	memcpy(text, key, n);
	to = text + n;
	*to++ = '=';
	for (; *value; value++) {
		*to++ = *value;
		if (*value == ',')
			*to++ = ',';
	}
	return text;
}

/* *text becomes "*text,key=value". */
static void append(char **text, const char *key, const char *value)
{
	char *one = option_text(key, value), *all;

	all = *text ? xasprintf("%s,%s", *text, one) : xstrdup(one);
	free(*text);
	free(one);
	*text = all;
}

int options_below(struct optstr **out, struct optstr *from,
		  const char *prefix, struct err *e)
{
	size_t n = strlen(prefix);
	const char *key, *value;
	char *text = NULL;
	int rc = 0;

	*out = NULL;
	for (size_t i = 0; optstr_at(from, i, &key, &value); i++) {
		if (strncmp(key, prefix, n) || !key[n])
			continue;
		append(&text, key + n, value);
		optstr_use(from, i);
	}
	if (text)
		rc = optstr_parse(out, text, NULL, e);
	free(text);
	return rc;
}

static int flatten(char **text, const char *key, const struct json *v,
		   unsigned depth, struct err *e);

static int flatten_members(char **text, const char *at, const struct json *v,
			   unsigned depth, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < json_count(v) && !rc; i++) {
		const struct json *child = json_at(v, i);
		const char *name = json_key(child);
		char *key = name ? xstrdup(name) : xasprintf("%zu", i);

		if (!*key || strpbrk(key, "=,"))
			rc = fail(e, EINVAL, "json: the key '%s' is no name",
				  key);
		if (!rc && *at) {
			char *whole = xasprintf("%s.%s", at, key);

			free(key);
			key = whole;
		}
		if (!rc)
			rc = flatten(text, key, child, depth + 1, e);
		free(key);
	}
	return rc;
}

static int flatten(char **text, const char *key, const struct json *v,
		   unsigned depth, struct err *e)
{
	char *number;

	if (depth > DEPTH_MAX)
		return fail(e, EINVAL, "json: more than %d levels", DEPTH_MAX);
	switch (json_kind(v)) {
	case JSON_OBJECT: case JSON_ARRAY:
		return flatten_members(text, key, v, depth, e);
	case JSON_BOOL:
		append(text, key, json_bool(v) ? "on" : "off");
		return 0;
	case JSON_NULL: case JSON_STRING:
		append(text, key, json_kind(v) == JSON_NULL ? "" : json_text(v));
		return 0;
	default:
		number = json_print(v, JSON_COMPACT);
		append(text, key, number);
		free(number);
		return 0;
	}
}

int options_from_json(char **out, const char *json, struct err *e)
{
	size_t len = strlen(json);
	char *text = NULL;
	struct json *v;
	int rc;

	if (len > NAME_MAX_BYTES)
		return fail(e, EINVAL, "json: %zu bytes, and the limit is %d",
			    len, NAME_MAX_BYTES);
	v = json_parse(json, len, e);
	if (!v) {
		err_prefix(e, "json");
		return -EINVAL;
	}
	if (json_kind(v) == JSON_OBJECT)
		rc = flatten(&text, "", v, 0, e);
	else
		rc = fail(e, EINVAL, "json: an object is wanted");
	json_free(v);
	if (rc) {
		free(text);
		return rc;
	}
	*out = text ? text : xstrdup("");
	return 0;
}

/* "nbd:...", "json:..." - a colon before any slash. */
static bool has_prefix(const char *name)
{
	const char *colon = strpbrk(name, ":/");

	return colon && *colon == ':' && colon != name;
}

char *image_resolve_name(const char *above, const char *name)
{
	const char *slash = strrchr(above, '/');

	if (*name == '/' || has_prefix(name) || !slash)
		return xstrdup(name);
	return xasprintf("%.*s/%s", slash == above ? 0 : (int)(slash - above),
			 above, name);
}
