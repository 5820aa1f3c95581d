/* machine/memmap.c - see memmap.h
 * SPDX-License-Identifier: MIT
 */
#include "machine/memmap.h"

struct memmap memmap_split(uint64_t ram_size)
{
	struct memmap m = { .below_4g = ram_size };

	if (ram_size >= MEMMAP_LOW_MAX)
		m.below_4g = MEMMAP_LOW_SPLIT;
	m.above_4g = ram_size - m.below_4g;
	return m;
}

/* Adds the part of [from, to) that lies below `limit`. */
static unsigned add(struct e820_entry *out, unsigned n, uint64_t from,
		    uint64_t to, uint64_t limit, uint32_t type)
{
	if (to > limit)
		to = limit;
	if (from >= to)
		return n;
	out[n] = (struct e820_entry){ from, to - from, type };
	return n + 1;
}

unsigned memmap_e820(const struct memmap *m,
		     struct e820_entry out[MEMMAP_E820_MAX])
{
	uint64_t low = m->below_4g;
	unsigned n = 0;

	n = add(out, n, 0, MEMMAP_EBDA, low, E820_RAM);
	n = add(out, n, MEMMAP_EBDA, MEMMAP_VGA, low, E820_RESERVED);
	n = add(out, n, MEMMAP_TABLES, MEMMAP_TABLES + MEMMAP_TABLES_LEN,
		UINT64_MAX, E820_RESERVED);
	n = add(out, n, 0x100000, low, low, E820_RAM);
	n = add(out, n, MEMMAP_FIRMWARE, MEMMAP_HIGH, UINT64_MAX,
		E820_RESERVED);
	return add(out, n, MEMMAP_HIGH, MEMMAP_HIGH + m->above_4g, UINT64_MAX,
		   E820_RAM);
}
