/* tests/bench/work/sse.c - four floats at a time, with SSE2 only.
 *
 * mandelbrot: all in registers.  matrix: products of 128x128 matrices, a load
 * for each multiplication.
 *
 * SPDX-License-Identifier: MIT
 */
#include <emmintrin.h>

#include "row.h"

enum { SIDE = 64, DEEP = 200, DIM = 128 };

/* The steps four points at x, x+1, x+2, x+3 take to leave the circle, added. */
static unsigned escape(__m128 cr, __m128 ci)
{
	__m128 zr = _mm_setzero_ps(), zi = zr, four = _mm_set1_ps(4);
	__m128i steps = _mm_setzero_si128();

	for (int i = 0; i < DEEP; i++) {
		__m128 r2 = _mm_mul_ps(zr, zr), i2 = _mm_mul_ps(zi, zi);
		__m128 in = _mm_cmplt_ps(_mm_add_ps(r2, i2), four);
		__m128 ri = _mm_mul_ps(zr, zi);

		if (!_mm_movemask_ps(in))
			break;
		steps = _mm_sub_epi32(steps, _mm_castps_si128(in));
		zr = _mm_add_ps(_mm_sub_ps(r2, i2), cr);
		zi = _mm_add_ps(_mm_add_ps(ri, ri), ci);
	}
	steps = _mm_add_epi32(steps, _mm_shuffle_epi32(steps, 0x4e));
	steps = _mm_add_epi32(steps, _mm_shuffle_epi32(steps, 0xb1));
	return _mm_cvtsi128_si32(steps);
}

static uint64_t run_mandelbrot(uint64_t rounds)
{
	uint64_t sum = 8;

	while (rounds--)
		for (int y = 0; y < SIDE; y++)
			for (int x = 0; x < SIDE; x += 4) {
				__m128 cr = _mm_set_ps(x + 3, x + 2, x + 1, x);
				__m128 ci = _mm_set1_ps(y);

				cr = _mm_sub_ps(_mm_mul_ps(cr,
					_mm_set1_ps(3.0f / SIDE)),
					_mm_set1_ps(2.1f));
				ci = _mm_sub_ps(_mm_mul_ps(ci,
					_mm_set1_ps(2.4f / SIDE)),
					_mm_set1_ps(1.2f));
				sum = mix(sum, escape(cr, ci));
			}
	return sum;
}

static float a[DIM][DIM] __attribute__((aligned(64)));
static float b[DIM][DIM] __attribute__((aligned(64)));
static float c[DIM][DIM] __attribute__((aligned(64)));

static void prepare_matrix(void)
{
	for (int i = 0; i < DIM; i++)
		for (int j = 0; j < DIM; j++) {
			a[i][j] = (i * 7 + j * 3) % 31 / 16.0f - 1;
			b[i][j] = (i * 5 + j * 11) % 29 / 16.0f - 1;
		}
}

static void multiply(void)
{
	for (int i = 0; i < DIM; i++)
		for (int j = 0; j < DIM; j += 8) {
			__m128 s0 = _mm_setzero_ps(), s1 = s0;

			for (int k = 0; k < DIM; k++) {
				__m128 f = _mm_set1_ps(a[i][k]);

				s0 = _mm_add_ps(s0, _mm_mul_ps(f,
					_mm_load_ps(&b[k][j])));
				s1 = _mm_add_ps(s1, _mm_mul_ps(f,
					_mm_load_ps(&b[k][j + 4])));
			}
			_mm_store_ps(&c[i][j], s0);
			_mm_store_ps(&c[i][j + 4], s1);
		}
}

static uint64_t run_matrix(uint64_t rounds)
{
	uint64_t sum = 9;

	while (rounds--) {
		multiply();
		sum = mix(sum, c[rounds % DIM][3] * 4096);
		a[rounds % DIM][rounds % 7] += 0.5f;
	}
	return mix_bytes(sum, c, sizeof(c));
}

const struct row mandelbrot_row = {
	.name = "mandelbrot", .groups = "compute float", .rounds = 1000,
	.run = run_mandelbrot,
};

const struct row matrix_row = {
	.name = "matrix", .groups = "compute float", .rounds = 250,
	.prepare = prepare_matrix, .run = run_matrix,
};
