/* base/json.h - JSON texts read into trees, and trees written as QEMU does.
 *
 * The reader is strict (RFC 8259) with QEMU's one addition: strings may also
 * stand in single quotes, which is what people type behind json: on a shell's
 * command line.  Texts are hostile: they have to be UTF-8 without NUL, each
 * key of an object may occur once, and the limits below hold.
 *
 * A tree is owned by its root; values that are looked up are borrowed from it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define JSON_TEXT_MAX	(16u << 20)	/* bytes of text */
#define JSON_VALUES_MAX	(1u << 18)	/* values in one text */
#define JSON_DEPTH_MAX	256		/* objects and arrays in each other */

enum json_kind {
	JSON_NULL,
	JSON_BOOL,
	JSON_INT,	/* fits int64_t */
	JSON_UINT,	/* fits uint64_t only */
	JSON_DOUBLE,	/* has a fraction, an exponent or too many digits */
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json;

/* ---- read ---- */

/* The whole of the text is one value, or e says what is wrong where:
 * "line 1, column 7: a value is missing".  NULL then. */
struct json *json_parse(const char *text, size_t len, struct err *e);
void json_free(struct json *j);		/* j may be NULL */

enum json_kind json_kind(const struct json *j);
/* Name of a kind for messages: "string". */
const char *json_kind_name(enum json_kind k);

/* Members or elements; 0 for other kinds. */
size_t json_count(const struct json *j);
/* Number n of an array or object, in the order of the text; NULL past the
 * end. */
const struct json *json_at(const struct json *j, size_t n);
/* The key under which an object holds j; NULL for others. */
const char *json_key(const struct json *j);
/* A member, or NULL. */
const struct json *json_get(const struct json *object, const char *key);

/* What j holds; a neutral value (NULL, false, 0) if it is of another kind. */
const char *json_text(const struct json *j);
bool json_bool(const struct json *j);
double json_double(const struct json *j);	/* of any number */
/* False if j is no integer, or does not fit. */
bool json_int(const struct json *j, int64_t *out);
bool json_uint(const struct json *j, uint64_t *out);

/* ---- build ---- */

struct json *json_new_null(void);
struct json *json_new_bool(bool v);
struct json *json_new_int(int64_t v);
struct json *json_new_uint(uint64_t v);
struct json *json_new_double(double v);
struct json *json_new_string(const char *s);
struct json *json_new_array(void);
struct json *json_new_object(void);
struct json *json_copy(const struct json *j);

/* Take v.  A key that is there gets the new value.  Return v, borrowed. */
struct json *json_put(struct json *object, const char *key, struct json *v);
struct json *json_push(struct json *array, struct json *v);
/* Does nothing without such a key. */
void json_remove(struct json *object, const char *key);

/* ---- write ---- */

enum json_style {
	JSON_COMPACT,	/* {"a": 1, "b": []} */
	JSON_PRETTY,	/* a line per member, indented by four */
};

/* Members are printed in the order QEMU prints them, which depends on their
 * keys only, so that texts can be compared byte by byte.  Free the result. */
char *json_print(const struct json *j, enum json_style style);
/* Bring the members of an object, and of those in it, into that order. */
void json_sort(struct json *j);

#endif
