/* base/num.h - arithmetic that notices overflow, and numbers out of text.
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* True and *out set if the result fits; false and *out untouched if not. */
static inline bool checked_add(uint64_t a, uint64_t b, uint64_t *out)
{
	uint64_t r;

	if (__builtin_add_overflow(a, b, &r))
		return false;
	*out = r;
	return true;
}

static inline bool checked_mul(uint64_t a, uint64_t b, uint64_t *out)
{
	uint64_t r;

	if (__builtin_mul_overflow(a, b, &r))
		return false;
	*out = r;
	return true;
}

static inline bool is_power_of_2(uint64_t v)
{
	return v && !(v & (v - 1));
}

/* The whole of s as decimal, 0x hexadecimal or 0 octal, from min to max.
 * `what` names the thing in the error: "port: 70000 is over 65535". */
int parse_u64(const char *what, const char *s, uint64_t min, uint64_t max,
	      uint64_t *out, struct err *e);

/* A size in bytes: a number with an optional fraction ("1.5G") and an optional
 * suffix b, k, M, G, T, P or E of either case, powers of 1024.  A bare number
 * counts `unit` bytes (a power of 1024).  A fraction of a byte is dropped. */
int parse_size(const char *what, const char *s, uint64_t unit, uint64_t *out,
	       struct err *e);

/* "on", "yes", "true", "y" or the reverse. */
int parse_bool(const char *what, const char *s, bool *out, struct err *e);
#endif
