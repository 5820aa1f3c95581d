/* tests/bench/work/calls.c - calls and returns, direct and through pointers.
 *
 * calls: the recursive Fibonacci function.  virtual: a list of shapes of five
 * kinds in no order, each asked through its table of functions, so the target
 * of the one call site changes all the time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "row.h"

/* The empty statement keeps the second call from becoming a loop. */
__attribute__((noinline)) static uint64_t fib(unsigned n)
{
	uint64_t sum;

	if (n < 2)
		return n;
	sum = fib(n - 1);
	sum += fib(n - 2);
	__asm__("" : "+r"(sum));
	return sum;
}

static uint64_t run_calls(uint64_t rounds)
{
	uint64_t sum = 5;

	while (rounds--)
		sum = mix(sum, fib(20 + rounds % 3));
	return sum;
}

struct shape;

struct shape_ops {
	uint32_t (*area)(const struct shape *s);
	uint32_t (*edge)(const struct shape *s);
};

struct shape {
	const struct shape_ops *ops;
	uint32_t a, b;
};

static uint32_t square_area(const struct shape *s)
{
	return s->a * s->a;
}

static uint32_t square_edge(const struct shape *s)
{
	return 4 * s->a;
}

static uint32_t oblong_area(const struct shape *s)
{
	return s->a * s->b;
}

static uint32_t oblong_edge(const struct shape *s)
{
	return 2 * (s->a + s->b);
}

static uint32_t triangle_area(const struct shape *s)
{
	return s->a * s->b / 2;
}

static uint32_t triangle_edge(const struct shape *s)
{
	return s->a + s->b + (s->a > s->b ? s->a : s->b);
}

static uint32_t circle_area(const struct shape *s)
{
	return s->a * s->a * 355 / 113;
}

static uint32_t circle_edge(const struct shape *s)
{
	return 2 * s->a * 355 / 113;
}

static uint32_t point_none(const struct shape *s)
{
	return s->b & 1;
}

static const struct shape_ops kinds[] = {
	{ square_area, square_edge }, { oblong_area, oblong_edge },
	{ triangle_area, triangle_edge }, { circle_area, circle_edge },
	{ point_none, point_none },
};

enum { SHAPES = 512 };

static struct shape shapes[SHAPES];

static void prepare_virtual(void)
{
	uint64_t seed = 4711;

	for (int i = 0; i < SHAPES; i++) {
		shapes[i].ops = &kinds[(next_random(&seed) >> 33) % 5];
		shapes[i].a = next_random(&seed) >> 56;
		shapes[i].b = next_random(&seed) >> 56;
	}
}

static uint64_t run_virtual(uint64_t rounds)
{
	uint64_t sum = 6;

	while (rounds--) {
		uint32_t total = 0;

		for (int i = 0; i < SHAPES; i++) {
			const struct shape *s = &shapes[i];

			total += s->ops->area(s) ^ s->ops->edge(s);
		}
		sum = mix(sum, total);
	}
	return sum;
}

const struct row calls_row = {
	.name = "calls", .groups = "compute calls", .rounds = 7000,
	.run = run_calls,
};

const struct row virtual_row = {
	.name = "virtual", .groups = "compute calls", .rounds = 140000,
	.prepare = prepare_virtual, .run = run_virtual,
};
