/* tests/bench/work/copy.c - memory copied: small, large, and by REP MOVSB.
 *
 * Our own loops, for a C library chooses by processor and would run different
 * code on the three machines.
 *
 * SPDX-License-Identifier: MIT
 */
#include <emmintrin.h>

#include "row.h"

enum { SMALL = 16384, LARGE = 4 << 20 };

static uint8_t from[LARGE] __attribute__((aligned(64)));
static uint8_t to[LARGE] __attribute__((aligned(64)));

static void prepare(void)
{
	uint64_t seed = 1001;

	for (int i = 0; i < LARGE; i++) {
		from[i] = next_random(&seed) >> 56;
		to[i] = 0;
	}
}

/* Any alignment; len is a multiple of 16. */
static void copy_sse(uint8_t *d, const uint8_t *s, unsigned len)
{
	for (; len >= 64; len -= 64, d += 64, s += 64) {
		__m128i a = _mm_loadu_si128((const void *)s);
		__m128i b = _mm_loadu_si128((const void *)(s + 16));
		__m128i c = _mm_loadu_si128((const void *)(s + 32));
		__m128i e = _mm_loadu_si128((const void *)(s + 48));

		_mm_storeu_si128((void *)d, a);
		_mm_storeu_si128((void *)(d + 16), b);
		_mm_storeu_si128((void *)(d + 32), c);
		_mm_storeu_si128((void *)(d + 48), e);
	}
	for (; len; len -= 16, d += 16, s += 16)
		_mm_storeu_si128((void *)d,
				 _mm_loadu_si128((const void *)s));
}

static void copy_rep(uint8_t *d, const uint8_t *s, unsigned len)
{
	uint64_t count = len;

	__asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(count)
			 : : "memory");
}

/* 16 to 1,008 bytes from and to anywhere in 16 KiB. */
static uint64_t run_small(uint64_t rounds)
{
	uint64_t seed = 5;

	while (rounds--) {
		uint64_t r = next_random(&seed);
		unsigned len = (r >> 58) * 16;

		copy_sse(to + (r >> 8 & (SMALL - 1024)) + (r & 63),
			 from + (r >> 24 & (SMALL - 1024)), len);
	}
	return mix_bytes(13, to, SMALL);
}

static uint64_t run_large(uint64_t rounds)
{
	uint64_t sum = 14;

	while (rounds--) {
		copy_sse(to, from, LARGE);
		from[rounds * 4099 % LARGE]++;
		sum = mix(sum, to[rounds * 17 % LARGE]);
	}
	return sum;
}

/* As many bytes of each size: 32 B to 1 MiB. */
static uint64_t run_rep(uint64_t rounds)
{
	uint64_t sum = 15;

	while (rounds--) {
		for (unsigned len = 32; len <= 1 << 20; len *= 32)
			for (unsigned i = 0; i < 1 << 20; i += len)
				copy_rep(to + i, from + i, len);
		from[rounds * 4099 % (1 << 20)]++;
		sum = mix(sum, to[rounds * 17 % (1 << 20)]);
	}
	return sum;
}

const struct row copy_small_row = {
	.name = "copy-small", .groups = "compute", .rounds = 18000000,
	.prepare = prepare, .run = run_small,
};

const struct row copy_large_row = {
	.name = "copy-large", .groups = "compute", .rounds = 1500,
	.prepare = prepare, .run = run_large,
};

const struct row rep_movsb_row = {
	.name = "rep-movsb", .groups = "compute", .rounds = 100,
	.prepare = prepare, .run = run_rep,
};
