/* machine/mptable_test.c
 * SPDX-License-Identifier: MIT
 */
#include "base/test.h"
#include "dev/pci/pci.h"
#include "machine/mptable.h"

static uint8_t area[0x10000];
static const uint32_t ids[] = { 0, 1, 300 };
static const uint8_t irqs[] = { 10, 10, 11, 11 };
static const struct mptable_config config = { 3, ids, irqs };

static const uint8_t *build(void)
{
	struct tables t = { 0xf0000, area, 0, sizeof(area) };
	gpa_t at = mptable_build(&config, &t, NULL);

	assert_in_range(at, 0xf0000, 0xffff0);
	return area + (at - 0xf0000);
}

static void the_pointer_leads_to_a_sound_table(void **state)
{
	const uint8_t *p = build(), *table;

	assert_memory_equal(p, "_MP_", 4);
	assert_int_equal(tables_checksum(p, 16), 0);
	table = area + (load_le32(p + 4) - 0xf0000);
	assert_memory_equal(table, "PCMP", 4);
	assert_int_equal(tables_checksum(table, load_le16(table + 4)), 0);
}

static void entries_fill_the_table_and_cover_all_sources(void **state)
{
	const uint8_t *p = build(), *end;
	const uint8_t *table = area + (load_le32(p + 4) - 0xf0000);
	unsigned left = load_le16(table + 34), count[5] = { 0 }, timer = 0;

	end = table + load_le16(table + 4);
	for (p = table + 44; left--; p += p[0] ? 8 : 20) {
		assert_in_range(p[0], 0, 4);
		count[p[0]]++;
		if (p[0] == 3 && p[4] == 1 && p[5] == 0)
			timer = p[7];
		if (p[0] == 3 && p[4] == 0 && p[5] == 1 << 2)
			assert_int_equal(p[7], 10);
	}
	assert_ptr_equal(p, end);
	assert_int_equal(count[0], 2);
	assert_int_equal(count[1], 2);
	assert_int_equal(count[2], 1);
	assert_int_equal(count[3], 13 + 31 * 4);
	assert_int_equal(count[4], 2);
	assert_int_equal(timer, 2);
}

static void too_small_an_area_is_refused(void **state)
{
	struct tables t = { 0xf0000, area, 0, 512 };

	assert_int_equal(mptable_build(&config, &t, NULL), 0);
}

TEST_MAIN("mptable",
	TEST(the_pointer_leads_to_a_sound_table),
	TEST(entries_fill_the_table_and_cover_all_sources),
	TEST(too_small_an_area_is_refused))
