/* tests/bench/work/sieve.c - the sieve of Eratosthenes, a byte a number.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "row.h"

enum { N = 500000 };

static uint8_t composite[N];

static uint64_t run(uint64_t rounds)
{
	uint64_t sum = 3;

	while (rounds--) {
		unsigned primes = 0;

		memset(composite, 0, N);
		for (unsigned i = 2; i < N; i++) {
			if (composite[i])
				continue;
			primes++;
			for (unsigned j = 2 * i; j < N; j += i)
				composite[j] = 1;
		}
		sum = mix(sum, primes);
	}
	return sum;
}

const struct row sieve_row = {
	.name = "sieve", .groups = "compute", .rounds = 400, .run = run,
};
