/* base/json.c - JSON values: building, looking up, freeing.
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/json_inside.h"

static bool is_list(const struct json *j)
{
	return j->kind == JSON_ARRAY || j->kind == JSON_OBJECT;
}

void json_free(struct json *j)
{
	if (!j)
		return;
	if (is_list(j)) {
		for (size_t i = 0; i < j->list.count; i++)
			json_free(j->list.items[i]);
		free(j->list.items);
	} else if (j->kind == JSON_STRING) {
		free(j->text);
	}
	free(j->key);
	free(j);
}

/* ---- looking up ---- */

enum json_kind json_kind(const struct json *j)
{
	return j->kind;
}

const char *json_kind_name(enum json_kind k)
{
	static const char *const names[] = {
		"null", "boolean", "integer", "integer", "number", "string",
		"array", "object",
	};

	return names[k];
}

size_t json_count(const struct json *j)
{
	return is_list(j) ? j->list.count : 0;
}

const struct json *json_at(const struct json *j, size_t n)
{
	return n < json_count(j) ? j->list.items[n] : NULL;
}

const char *json_key(const struct json *j)
{
	return j->key;
}

static size_t find(const struct json *object, const char *key)
{
	size_t n = 0;

	while (n < object->list.count &&
	       strcmp(object->list.items[n]->key, key))
		n++;
	return n;
}

const struct json *json_get(const struct json *object, const char *key)
{
	if (object->kind != JSON_OBJECT)
		return NULL;
	return json_at(object, find(object, key));
}

const char *json_text(const struct json *j)
{
	return j->kind == JSON_STRING ? j->text : NULL;
}

bool json_bool(const struct json *j)
{
	return j->kind == JSON_BOOL && j->boolean;
}

double json_double(const struct json *j)
{
	switch (j->kind) {
	case JSON_INT:
		return (double)j->i;
	case JSON_UINT:
		return (double)j->u;
	case JSON_DOUBLE:
		return j->d;
	default:
		return 0;
	}
}

bool json_int(const struct json *j, int64_t *out)
{
	if (j->kind != JSON_INT)
		return false;
	*out = j->i;
	return true;
}

bool json_uint(const struct json *j, uint64_t *out)
{
	if (j->kind == JSON_UINT)
		*out = j->u;
	else if (j->kind == JSON_INT && j->i >= 0)
		*out = (uint64_t)j->i;
	else
		return false;
	return true;
}

/* ---- building ---- */

static struct json *new_value(enum json_kind kind)
{
	struct json *j = xcalloc(1, sizeof(*j));

	j->kind = kind;
	return j;
}

struct json *json_new_null(void)
{
	return new_value(JSON_NULL);
}

struct json *json_new_bool(bool v)
{
	struct json *j = new_value(JSON_BOOL);

	j->boolean = v;
	return j;
}

struct json *json_new_int(int64_t v)
{
	struct json *j = new_value(JSON_INT);

	j->i = v;
	return j;
}

struct json *json_new_uint(uint64_t v)
{
	struct json *j;

	if (v <= INT64_MAX)
		return json_new_int((int64_t)v);
	j = new_value(JSON_UINT);
	j->u = v;
	return j;
}

struct json *json_new_double(double v)
{
	struct json *j = new_value(JSON_DOUBLE);

	j->d = v;
	return j;
}

struct json *json_new_string(const char *s)
{
	struct json *j = new_value(JSON_STRING);

	j->text = xstrdup(s);
	return j;
}

struct json *json_new_array(void)
{
	return new_value(JSON_ARRAY);
}

struct json *json_new_object(void)
{
	return new_value(JSON_OBJECT);
}

struct json *json_copy(const struct json *j)
{
	struct json *copy = new_value(j->kind);

	if (is_list(j)) {
		for (size_t i = 0; i < j->list.count; i++) {
			const struct json *item = j->list.items[i];

			if (j->kind == JSON_OBJECT)
				json_put(copy, item->key, json_copy(item));
			else
				json_push(copy, json_copy(item));
		}
	} else if (j->kind == JSON_STRING) {
		copy->text = xstrdup(j->text);
	} else {
		copy->u = j->u;
	}
	return copy;
}

static void append(struct json *list, struct json *v)
{
	if (list->list.count == list->list.room) {
		list->list.room = list->list.room ? list->list.room * 2 : 4;
		list->list.items = xrealloc(list->list.items,
					    list->list.room *
					    sizeof(struct json *));
	}
	list->list.items[list->list.count++] = v;
}

struct json *json_put(struct json *object, const char *key, struct json *v)
{
	size_t n = find(object, key);

	free(v->key);
	v->key = xstrdup(key);
	if (n < object->list.count) {
		json_free(object->list.items[n]);
		object->list.items[n] = v;
	} else {
		append(object, v);
	}
	return v;
}

struct json *json_push(struct json *array, struct json *v)
{
	append(array, v);
	return v;
}

void json_remove(struct json *object, const char *key)
{
	size_t n = find(object, key);

	if (n == object->list.count)
		return;
	json_free(object->list.items[n]);
	object->list.count--;
	memmove(object->list.items + n, object->list.items + n + 1,
		(object->list.count - n) * sizeof(struct json *));
}
