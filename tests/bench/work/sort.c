/* tests/bench/work/sort.c - quicksort of 64-bit keys, insertion sort below 16.
 *
 * SPDX-License-Identifier: MIT
 */
#include "row.h"

enum { N = 20000, SMALL = 16 };

static uint64_t keys[N];

static void insertion_sort(uint64_t *v, long n)
{
	for (long i = 1; i < n; i++) {
		uint64_t key = v[i];
		long j = i;

		for (; j > 0 && v[j - 1] > key; j--)
			v[j] = v[j - 1];
		v[j] = key;
	}
}

static uint64_t median(uint64_t a, uint64_t b, uint64_t c)
{
	if (a < b)
		return b < c ? b : a < c ? c : a;
	return a < c ? a : b < c ? c : b;
}

static void quicksort(uint64_t *v, long n)
{
	while (n > SMALL) {
		uint64_t pivot = median(v[0], v[n / 2], v[n - 1]), t;
		long i = -1, j = n;

		for (;;) {
			while (v[++i] < pivot)
				;
			while (v[--j] > pivot)
				;
			if (i >= j)
				break;
			t = v[i];
			v[i] = v[j];
			v[j] = t;
		}
		quicksort(v, j + 1);
		v += j + 1;
		n -= j + 1;
	}
	insertion_sort(v, n);
}

static uint64_t run(uint64_t rounds)
{
	uint64_t sum = 2, seed = 12345;

	while (rounds--) {
		for (int i = 0; i < N; i++)
			keys[i] = next_random(&seed);
		quicksort(keys, N);
		sum = mix(sum, keys[N / 3]);
		for (int i = 1; i < N; i++)
			if (keys[i - 1] > keys[i])
				return 0;
	}
	return sum;
}

const struct row sort_row = {
	.name = "sort", .groups = "compute", .rounds = 400, .run = run,
};
