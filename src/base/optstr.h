/* base/optstr.h - QEMU's option strings: key=value,key2=value2.
 *
 *   isa-serial,id=x       an implied key for the first value
 *   path=a,,b             two commas are one comma of the value
 *   server,wait=off       a bare key is a flag that is on
 *   server,nowait         "no" before a key, without a value: the key is off
 *
 * Pairs keep their order.  Every lookup marks its key as known, so that after
 * the last lookup optstr_finish() can name the key that nobody asked for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_OPTSTR_H
#define BASE_OPTSTR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct optstr;

/* implied: the key of a first value without "key="; NULL: none, the first
 * word is a flag like any other.  A key given twice has its later value. */
int optstr_parse(struct optstr **out, const char *s, const char *implied,
		 struct err *e);
void optstr_free(struct optstr *o);	/* o may be NULL */

/* The value, borrowed until optstr_free(); NULL if the key is not there. */
const char *optstr_get(struct optstr *o, const char *key);
/* Likewise, but a missing key or an empty value is refused. */
int optstr_need(struct optstr *o, const char *key, const char **out,
		struct err *e);
/* A missing key leaves *out as it is.  Errors name key, value and limit. */
int optstr_bool(struct optstr *o, const char *key, bool *out, struct err *e);
int optstr_u64(struct optstr *o, const char *key, uint64_t min, uint64_t max,
	       uint64_t *out, struct err *e);
int optstr_size(struct optstr *o, const char *key, uint64_t unit,
		uint64_t *out, struct err *e);

/* "help" or "?" as a flag, or as the implied value. */
bool optstr_wants_help(const struct optstr *o);

/* Pair n in the order given; false past the end.  Marks nothing. */
bool optstr_at(const struct optstr *o, size_t n, const char **key,
	       const char **value);
/* Call it known, for those who walk with optstr_at(). */
void optstr_use(struct optstr *o, size_t n);

/* The first key nobody asked for, or NULL. */
const char *optstr_unused(const struct optstr *o);
/* The same as an error: "key 'bogus' is unknown". */
int optstr_finish(const struct optstr *o, struct err *e);
#endif
