/* random.h - numbers that look random and depend on their seed alone
 * (splitmix64), and integers that are likely to be interesting.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RANDOM_H
#define RANDOM_H
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

static inline uint64_t random_next(uint64_t *r)
{
	uint64_t z = *r += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static inline unsigned below(uint64_t *r, unsigned n)
{
	return (unsigned)((random_next(r) >> 32) * n >> 32);
}

static inline bool one_in(uint64_t *r, unsigned n)
{
	return below(r, n) == 0;
}

static inline uint64_t some_integer(uint64_t *r)
{
	static const uint64_t edges[] = {
		0, 1, 2, ~0ull, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff,
		0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffffull,
		1ull << 63, 1ull << 32,
	};

	switch (below(r, 4)) {
	case 0:	 return edges[below(r, ARRAY_LEN(edges))];
	case 1:	 return (uint64_t)(int64_t)(int8_t)random_next(r);
	case 2:	 return random_next(r) >> below(r, 64);
	default: return random_next(r);
	}
}
#endif
