/* app/img/walk_test.c
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "app/img/walk.h"
#include "base/test.h"

#define SIZE	(1u << 16)

struct field {
	_Atomic unsigned char seen[SIZE];
	unsigned looks;
	uint64_t fail_at[2];	/* spans that hold these fail; 0: none */
};

/* Skipped: the second quarter.  Whole: the third. */
static int look(void *ctx, uint64_t at, uint64_t max, struct span *s)
{
	struct field *f = ctx;
	uint64_t quarter = at / (SIZE / 4);

	f->looks++;
	s->len = (quarter + 1) * (SIZE / 4) - at;
	if (s->len > max)
		s->len = max;
	s->skip = quarter == 1;
	s->whole = quarter == 2;
	s->kind = (int)quarter;
	return 0;
}

static int work(void *ctx, const struct span *s, uint8_t *buf)
{
	struct field *f = ctx;

	assert_true(s->whole ? s->len == SIZE / 4 : s->len <= 1000);
	assert_int_equal(s->kind, s->start / (SIZE / 4));
	memset(buf, 1, 1000);
	for (uint64_t i = 0; i < s->len; i++)
		f->seen[s->start + i]++;
	for (int i = 0; i < 2; i++)
		if (f->fail_at[i] && f->fail_at[i] >= s->start &&
		    f->fail_at[i] < s->start + s->len)
			return -(int)f->fail_at[i];
	return 0;
}

static struct walk walk_of(struct field *f)
{
	return (struct walk){ .end = SIZE, .chunk = 1000, .threads = 5,
			      .buffer = 1000, .look = look, .work = work,
			      .ctx = f };
}

static void every_byte_is_worked_on_once(void **state)
{
	static struct field f;
	struct walk w = walk_of(&f);

	assert_int_equal(walk_run(&w), 0);
	assert_int_equal(f.looks, 4);
	for (unsigned i = 0; i < SIZE; i++)
		assert_int_equal(f.seen[i], i / (SIZE / 4) != 1);
}

static void the_lowest_failure_is_the_result(void **state)
{
	for (int i = 0; i < 50; i++) {
		struct field f = { .fail_at = { 9100, 5100 } };
		struct walk w = walk_of(&f);

		assert_int_equal(walk_run(&w), -5100);
	}
}

static void a_range_that_is_empty_is_done(void **state)
{
	static struct field f;
	struct walk w = walk_of(&f);

	w.start = w.end;
	assert_int_equal(walk_run(&w), 0);
	assert_int_equal(f.looks, 0);
}

static void zeroes_are_told_from_other_bytes(void **state)
{
	uint8_t b[4096] = { 0 };

	assert_true(walk_is_zero(b, sizeof(b)));
	assert_true(walk_is_zero(b, 0));
	for (unsigned i = 0; i < sizeof(b); i += 13) {
		b[i] = 1;
		assert_false(walk_is_zero(b, sizeof(b)));
		b[i] = 0;
	}
	b[4095] = 0x80;
	assert_true(walk_is_zero(b, 4095));
	assert_false(walk_is_zero(b, 4096));
	memset(b, 7, sizeof(b));
	assert_false(walk_is_zero(b, sizeof(b)));
}

TEST_MAIN("walk", TEST(every_byte_is_worked_on_once),
	  TEST(the_lowest_failure_is_the_result),
	  TEST(a_range_that_is_empty_is_done),
	  TEST(zeroes_are_told_from_other_bytes))
