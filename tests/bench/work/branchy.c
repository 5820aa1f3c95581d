/* tests/bench/work/branchy.c - integer arithmetic full of branches.
 *
 * Collatz walks, whose next step nothing predicts well, and a small state
 * machine over pseudo-random characters, as a lexer is one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "row.h"

static unsigned collatz(uint64_t n)
{
	unsigned steps = 0;

	while (n != 1) {
		if (n & 1)
			n = n * 3 + 1;
		else
			n /= 2;
		steps++;
	}
	return steps;
}

static unsigned lex(uint64_t *seed, unsigned len)
{
	enum { SPACE, WORD, NUMBER, STRING } state = SPACE;
	unsigned tokens = 0;

	while (len--) {
		unsigned c = next_random(seed) >> 57;

		if (state == STRING) {
			if (c == '"')
				state = SPACE;
		} else if (c == '"') {
			state = STRING;
			tokens++;
		} else if (c >= '0' && c <= '9') {
			if (state == SPACE) {
				state = NUMBER;
				tokens++;
			}
		} else if ((c | 32) >= 'a' && (c | 32) <= 'z') {
			if (state != WORD)
				tokens++;
			state = WORD;
		} else {
			state = SPACE;
		}
	}
	return tokens;
}

static uint64_t run(uint64_t rounds)
{
	uint64_t sum = 1, seed = 88172645463325252;

	for (uint64_t i = 1; i <= rounds; i++) {
		sum = mix(sum, collatz(i));
		sum = mix(sum, lex(&seed, 64));
	}
	return sum;
}

const struct row branchy_row = {
	.name = "branchy", .groups = "compute", .rounds = 550000, .run = run,
};
