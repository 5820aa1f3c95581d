/* tests/bench/work/aes.c - AES-128 in counter mode over 64 KiB, with AES-NI.
 *
 * Four blocks at a time, as programs do it to hide the instruction's latency.
 * Source: FIPS 197 for the key schedule, NIST SP 800-38A, 6.5 for the mode.
 *
 * SPDX-License-Identifier: MIT
 */
#include <immintrin.h>

#include "row.h"

enum { BYTES = 65536, LAST = 10 };

static uint8_t buffer[BYTES] __attribute__((aligned(16)));
static __m128i schedule[LAST + 1];

/* SP 800-38A, F.1.1 */
static const uint8_t key[16] = {
	0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
	0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c,
};

static __m128i next_key(__m128i k, __m128i assist)
{
	k = _mm_xor_si128(k, _mm_slli_si128(k, 4));
	k = _mm_xor_si128(k, _mm_slli_si128(k, 8));
	return _mm_xor_si128(k, _mm_shuffle_epi32(assist, 0xff));
}

/* The round constant is part of the instruction, so a line for each. */
__attribute__((target("aes")))
static void expand_key(void)
{
	__m128i *s = schedule;

	s[0] = _mm_loadu_si128((const void *)key);
	s[1] = next_key(s[0], _mm_aeskeygenassist_si128(s[0], 0x01));
	s[2] = next_key(s[1], _mm_aeskeygenassist_si128(s[1], 0x02));
	s[3] = next_key(s[2], _mm_aeskeygenassist_si128(s[2], 0x04));
	s[4] = next_key(s[3], _mm_aeskeygenassist_si128(s[3], 0x08));
	s[5] = next_key(s[4], _mm_aeskeygenassist_si128(s[4], 0x10));
	s[6] = next_key(s[5], _mm_aeskeygenassist_si128(s[5], 0x20));
	s[7] = next_key(s[6], _mm_aeskeygenassist_si128(s[6], 0x40));
	s[8] = next_key(s[7], _mm_aeskeygenassist_si128(s[7], 0x80));
	s[9] = next_key(s[8], _mm_aeskeygenassist_si128(s[8], 0x1b));
	s[10] = next_key(s[9], _mm_aeskeygenassist_si128(s[9], 0x36));
}

__attribute__((target("aes,ssse3")))
static __m128i crypt(__m128i counter)
{
	const __m128i swap = _mm_set_epi64x(0x0001020304050607,
					    0x08090a0b0c0d0e0f);
	__m128i b[4], *p = (__m128i *)buffer;

	for (int i = 0; i < BYTES / 16; i += 4) {
		for (int k = 0; k < 4; k++) {
			b[k] = _mm_shuffle_epi8(counter, swap);
			b[k] = _mm_xor_si128(b[k], schedule[0]);
			counter = _mm_add_epi64(counter,
						_mm_set_epi64x(0, 1));
		}
		for (int r = 1; r < LAST; r++)
			for (int k = 0; k < 4; k++)
				b[k] = _mm_aesenc_si128(b[k], schedule[r]);
		for (int k = 0; k < 4; k++) {
			b[k] = _mm_aesenclast_si128(b[k], schedule[LAST]);
			p[i + k] = _mm_xor_si128(p[i + k], b[k]);
		}
	}
	return counter;
}

static uint64_t run(uint64_t rounds)
{
	__m128i counter = _mm_set_epi64x(0x0123456789abcdef, 1);

	expand_key();
	while (rounds--)
		counter = crypt(counter);
	return mix_bytes(12, buffer, BYTES);
}

const struct row aes_row = {
	.name = "aes", .groups = "compute float", .rounds = 6000, .run = run,
	.needs = "aes",
};
