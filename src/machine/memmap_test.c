/* machine/memmap_test.c
 * SPDX-License-Identifier: MIT
 */
#include "base/bytes.h"
#include "base/test.h"
#include "machine/memmap.h"

static void ram_splits_where_qemu_splits_it(void **state)
{
	static const struct { uint64_t ram, below, above; } rows[] = {
		{ 1 * MiB, 1 * MiB, 0 },
		{ 3 * GiB, 3 * GiB, 0 },
		{ 3584 * MiB, 3072 * MiB, 512 * MiB },
		{ 4 * GiB, 3 * GiB, 1 * GiB },
		{ 64 * GiB, 3 * GiB, 61 * GiB },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct memmap m = memmap_split(rows[i].ram);

		assert_int_equal(m.below_4g, rows[i].below);
		assert_int_equal(m.above_4g, rows[i].above);
	}
}

static void e820_is_sorted_disjoint_and_covers_all_ram_above_1m(void **state)
{
	static const uint64_t sizes[] = { 640 * KiB, 2 * MiB, 4 * GiB };

	for (unsigned s = 0; s < ARRAY_LEN(sizes); s++) {
		struct memmap m = memmap_split(sizes[s]);
		struct e820_entry map[MEMMAP_E820_MAX];
		unsigned n = memmap_e820(&m, map);
		uint64_t end = 0, ram = 0;

		for (unsigned i = 0; i < n; i++) {
			assert_true(map[i].base >= end);
			assert_true(map[i].len > 0);
			end = map[i].base + map[i].len;
			if (map[i].type == E820_RAM && map[i].base >= MiB)
				ram += map[i].len;
		}
		assert_int_equal(ram, sizes[s] > MiB ? sizes[s] - MiB : 0);
	}
}

TEST_MAIN("memmap",
	TEST(ram_splits_where_qemu_splits_it),
	TEST(e820_is_sorted_disjoint_and_covers_all_ram_above_1m))
