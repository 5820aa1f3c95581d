/* block/core/names.c - see names.h
 *
 * json: text is read by json-c.  Nested objects become dotted keys; what stands
 * in a list gets its number for a key, as QEMU has it ("server.0.host").
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "block/core/block.h"
#include "block/core/names.h"

#define JSON_MAX_BYTES	(1 << 20)
#define JSON_MAX_DEPTH	24

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

static int flatten(char **text, const char *key, struct json_object *v,
		   unsigned depth, struct err *e);

static int flatten_dict(char **text, const char *at, struct json_object *v,
			unsigned depth, struct err *e)
{
	int rc = 0;

	json_object_object_foreach(v, name, child) {
		char *key = *at ? xasprintf("%s.%s", at, name) : xstrdup(name);

		if (!*name || strpbrk(name, "=,"))
			rc = fail(e, EINVAL, "json: the key '%s' is no name",
				  name);
		if (!rc)
			rc = flatten(text, key, child, depth + 1, e);
		free(key);
		if (rc)
			break;
	}
	return rc;
}

static int flatten_list(char **text, const char *at, struct json_object *v,
			unsigned depth, struct err *e)
{
	size_t n = json_object_array_length(v);
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		char *key = xasprintf("%s.%zu", at, i);

		rc = flatten(text, key, json_object_array_get_idx(v, i),
			     depth + 1, e);
		free(key);
	}
	return rc;
}

static int flatten(char **text, const char *key, struct json_object *v,
		   unsigned depth, struct err *e)
{
	if (depth > JSON_MAX_DEPTH)
		return fail(e, EINVAL, "json: more than %d levels",
			    JSON_MAX_DEPTH);
	switch (json_object_get_type(v)) {
	case json_type_object:
		return flatten_dict(text, key, v, depth, e);
	case json_type_array:
		return flatten_list(text, key, v, depth, e);
	case json_type_boolean:
		append(text, key, json_object_get_boolean(v) ? "on" : "off");
		return 0;
	case json_type_null:
		append(text, key, "");
		return 0;
	default:
		append(text, key, json_object_get_string(v));
		return 0;
	}
}

int options_from_json(char **out, const char *json, struct err *e)
{
	size_t len = strlen(json);
	struct json_tokener *t;
	struct json_object *v;
	char *text = NULL;
	int rc = 0;

	if (len > JSON_MAX_BYTES)
		return fail(e, EINVAL, "json: %zu bytes, and the limit is %d",
			    len, JSON_MAX_BYTES);
	t = json_tokener_new_ex(JSON_MAX_DEPTH);
	if (!t)
		return fail(e, ENOMEM, "json: no memory");
	v = json_tokener_parse_ex(t, json, (int)len + 1);
	if (json_tokener_get_error(t) != json_tokener_success)
		rc = fail(e, EINVAL, "json: %s", json_tokener_error_desc(
				  json_tokener_get_error(t)));
	else if (!json_object_is_type(v, json_type_object))
		rc = fail(e, EINVAL, "json: an object is wanted");
	else
		rc = flatten(&text, "", v, 0, e);
	json_object_put(v);
	json_tokener_free(t);
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
