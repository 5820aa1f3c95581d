/* tests/bench/work/hash.c - inserts, look-ups and removals in a hash table.
 *
 * Open addressing with tombstones would grow; here a removal moves the later
 * entries of its run back, so the table stays as it is for any number of
 * rounds.  1 MiB of entries, about half full.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "row.h"

enum { SLOTS = 65536, KEYS = 40000 };

static struct slot {
	uint64_t key;	/* 0: free */
	uint64_t value;
} table[SLOTS];

static unsigned home(uint64_t key)
{
	return key * 0x9e3779b97f4a7c15 >> 48;
}

static unsigned find(uint64_t key)
{
	unsigned i = home(key);

	while (table[i].key && table[i].key != key)
		i = (i + 1) % SLOTS;
	return i;
}

static void drop(unsigned hole)
{
	for (unsigned i = (hole + 1) % SLOTS; table[i].key;
	     i = (i + 1) % SLOTS) {
		unsigned h = home(table[i].key);

		if ((i - h) % SLOTS >= (i - hole) % SLOTS) {
			table[hole] = table[i];
			hole = i;
		}
	}
	table[hole].key = 0;
}

static uint64_t run(uint64_t rounds)
{
	uint64_t sum = 4, seed = 99;

	memset(table, 0, sizeof(table));
	while (rounds--) {
		uint64_t r = next_random(&seed), key = r % KEYS + 1;
		unsigned i = find(key);

		if (table[i].key && (r >> 62) == 0) {
			sum = mix(sum, table[i].value);
			drop(i);
		} else {
			table[i].key = key;
			table[i].value += r;
		}
	}
	return sum;
}

const struct row hash_row = {
	.name = "hash", .groups = "compute", .rounds = 40000000, .run = run,
};
