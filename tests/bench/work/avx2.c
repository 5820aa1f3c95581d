/* tests/bench/work/avx2.c - 256-bit integers and floats, with FMA.
 *
 * avx2-integer: sums of absolute differences, shuffles, compares and shifts
 * over 16 KiB of pixels.  avx2-float: a filter of 16 taps over 8 KiB of samples
 * by fused multiply-add.
 *
 * SPDX-License-Identifier: MIT
 */
#include <immintrin.h>

#include "row.h"

enum { PIXELS = 16384, SAMPLES = 2048, TAPS = 16 };

static uint8_t now[PIXELS] __attribute__((aligned(32)));
static uint8_t old[PIXELS] __attribute__((aligned(32)));
static float in[SAMPLES + TAPS], out[SAMPLES], tap[TAPS];

static void prepare_integer(void)
{
	uint64_t seed = 31337;

	for (int i = 0; i < PIXELS; i++) {
		now[i] = next_random(&seed) >> 56;
		old[i] = now[i] + (next_random(&seed) >> 61);
	}
}

__attribute__((target("avx2")))
static __m256i compare_frames(__m256i acc, __m256i threshold)
{
	const __m256i swap = _mm256_set1_epi64x(0x0001020304050607);

	for (int i = 0; i < PIXELS; i += 32) {
		__m256i p = _mm256_load_si256((const void *)(now + i));
		__m256i q = _mm256_load_si256((const void *)(old + i));
		__m256i sad = _mm256_sad_epu8(p, q);
		__m256i d = _mm256_subs_epu8(p, q);
		__m256i big = _mm256_cmpgt_epi8(d, threshold);

		q = _mm256_avg_epu8(_mm256_shuffle_epi8(p, swap), q);
		q = _mm256_blendv_epi8(q, d, big);
		acc = _mm256_add_epi64(acc, sad);
		acc = _mm256_xor_si256(acc, _mm256_srli_epi32(q, 3));
		acc = _mm256_permute4x64_epi64(acc, 0x39);
		acc = _mm256_add_epi32(acc, _mm256_mullo_epi32(q, p));
	}
	return acc;
}

__attribute__((target("avx2")))
static uint64_t run_integer(uint64_t rounds)
{
	__m256i acc = _mm256_setzero_si256();

	while (rounds--)
		acc = compare_frames(acc, _mm256_set1_epi8(rounds & 15));
	return mix_bytes(10, &acc, sizeof(acc));
}

static void prepare_float(void)
{
	for (int i = 0; i < SAMPLES + TAPS; i++)
		in[i] = (i * 37 % 101) / 64.0f - 0.75f;
	for (int i = 0; i < TAPS; i++)
		tap[i] = (i + 1) / 160.0f;
}

__attribute__((target("avx2,fma")))
static void filter(void)
{
	for (int i = 0; i < SAMPLES; i += 16) {
		__m256 s0 = _mm256_setzero_ps(), s1 = s0;

		for (int k = 0; k < TAPS; k++) {
			__m256 f = _mm256_broadcast_ss(&tap[k]);
			const float *p = &in[i + k];

			s0 = _mm256_fmadd_ps(f, _mm256_loadu_ps(p), s0);
			s1 = _mm256_fmadd_ps(f, _mm256_loadu_ps(p + 8), s1);
		}
		_mm256_storeu_ps(&out[i], s0);
		_mm256_storeu_ps(&out[i + 8], s1);
	}
}

static uint64_t run_float(uint64_t rounds)
{
	uint64_t sum = 11;

	while (rounds--) {
		filter();
		sum = mix(sum, (int64_t)(out[rounds % SAMPLES] * 65536));
		in[rounds % SAMPLES] = out[rounds * 7 % SAMPLES];
	}
	return mix_bytes(sum, out, sizeof(out));
}

const struct row avx2_integer_row = {
	.name = "avx2-integer", .groups = "compute", .rounds = 150000,
	.prepare = prepare_integer, .run = run_integer, .needs = "avx2",
};

const struct row avx2_float_row = {
	.name = "avx2-float", .groups = "compute float", .rounds = 60000,
	.prepare = prepare_float, .run = run_float, .needs = "avx2",
};
