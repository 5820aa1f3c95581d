/* block/core/cache_test.c
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/test.h"
#include "block/core/cache.h"

#define PAGE	512u
#define PAGES	64u

/* A file in memory that counts. */
static uint8_t disk[PAGE * PAGES];
static unsigned reads, writes, cleans;
static uint64_t last_write;
static bool rising;

static int mem_read(struct image_file *f, uint64_t at, void *buf, size_t len)
{
	memcpy(buf, disk + at, len);
	reads++;
	return 0;
}

static int mem_write(struct image_file *f, uint64_t at, const void *buf,
		     size_t len)
{
	memcpy(disk + at, buf, len);
	rising &= !writes || at > last_write;
	last_write = at;
	writes++;
	return 0;
}

static const struct image_proto mem_proto = {
	.name = "memory", .read = mem_read, .write = mem_write,
};
static struct image_file file = { .proto = &mem_proto, .writable = true,
				  .size = sizeof(disk) };
static struct table_cache *cache;

static int clean(void *ctx)
{
	cleans++;
	return table_cache_write(cache);
}

static int fresh(void **state)
{
	memset(disk, 0, sizeof(disk));
	reads = writes = cleans = 0;
	rising = true;
	cache = table_cache_new(&file, PAGE, 16 * PAGE, clean, NULL);
	return 0;
}

static int gone(void **state)
{
	table_cache_free(cache);
	return 0;
}

static uint8_t *get(uint64_t n)
{
	uint8_t *page;

	assert_int_equal(table_cache_get(cache, n * PAGE, &page), 0);
	return page;
}

static void a_page_is_read_once(void **state)
{
	disk[PAGE * 3] = 7;
	assert_int_equal(get(3)[0], 7);
	assert_int_equal(get(4)[0], 0);
	assert_int_equal(get(3)[0], 7);
	assert_int_equal(reads, 2);
}

static void the_oldest_page_makes_room(void **state)
{
	for (unsigned n = 0; n < 16; n++)
		get(n);
	get(0);
	get(16);	/* takes the place of 1 */
	get(0);
	assert_int_equal(reads, 17);
	get(1);
	assert_int_equal(reads, 18);
}

static void dirty_pages_are_cleaned_before_they_go(void **state)
{
	for (unsigned n = 0; n < 40; n++) {
		uint8_t *page = get(n);

		page[1] = (uint8_t)(n + 1);
		table_cache_mark(cache, page);
	}
	assert_int_equal(cleans, 2);
	assert_true(table_cache_dirty(cache));
	assert_int_equal(table_cache_write(cache), 0);
	assert_false(table_cache_dirty(cache));
	for (unsigned n = 0; n < 40; n++)
		assert_int_equal(disk[n * PAGE + 1], n + 1);
	assert_int_equal(writes, 40);
}

static void pages_are_written_by_rising_place(void **state)
{
	static const unsigned order[] = { 9, 2, 30, 11, 0 };

	for (unsigned i = 0; i < ARRAY_LEN(order); i++)
		table_cache_mark(cache, get(order[i]));
	assert_int_equal(table_cache_write(cache), 0);
	assert_int_equal(writes, 5);
	assert_true(rising);
}

static void a_dropped_page_is_forgotten_unwritten(void **state)
{
	uint8_t *page = get(5);

	page[0] = 1;
	table_cache_mark(cache, page);
	table_cache_drop(cache, 4 * PAGE, 3 * PAGE);
	assert_false(table_cache_dirty(cache));
	assert_int_equal(get(5)[0], 0);
	assert_int_equal(writes, 0);
}

static void a_made_page_is_zero_whatever_the_file_has(void **state)
{
	uint8_t *page;

	disk[PAGE * 2] = 9;
	assert_int_equal(table_cache_make(cache, 2 * PAGE, &page), 0);
	assert_int_equal(page[0], 0);
	assert_int_equal(reads, 0);
	assert_int_equal(table_cache_write(cache), 0);
	assert_int_equal(disk[PAGE * 2], 0);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, fresh, gone)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_page_is_read_once),
		T(the_oldest_page_makes_room),
		T(dirty_pages_are_cleaned_before_they_go),
		T(pages_are_written_by_rising_place),
		T(a_dropped_page_is_forgotten_unwritten),
		T(a_made_page_is_zero_whatever_the_file_has),
	};

	return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
