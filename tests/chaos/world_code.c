/* world_code.c - the code of a world: random bytes, or instructions made from
 * rows of the table, and handlers that keep the run going.
 *
 * A run that dies of its first fault finds little, so most gates lead to
 * handlers that return some bytes further on, or jump into other code.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "../oracle/encode.h"
#include "../oracle/random.h"
#include "world.h"

/* Which rows a stretch of code is made of. */
enum taste { ANYTHING, SYSTEM, MEMORY, VECTORS, BYTES, TASTES };

static bool row_suits(const struct insn_row *row, enum taste taste)
{
	const uint32_t vector = HOW_X87 | HOW_MMX | HOW_SSE | HOW_AVX;

	switch (taste) {
	case SYSTEM:
		return row->how & (HOW_SYS | HOW_CPL0 | HOW_PROT | HOW_END |
				   HOW_RFAULT);
	case MEMORY:
		return row->how & (HOW_LOCK | HOW_REP | HOW_RMW | HOW_SAVES);
	case VECTORS:
		return row->how & vector;
	default:
		return true;
	}
}

static const struct insn_row *some_row(struct world *w, enum taste taste)
{
	const struct insn_row *row;

	do
		row = &insn_rows[below(&w->r, insn_row_count)];
	while (!row_suits(row, taste));
	return row;
}

/* Returns how many bytes it takes. */
static unsigned put_insn(struct world *w, struct rig *g, uint8_t *at,
			 enum taste taste)
{
	enum code_mode mode = w->mode;
	struct encoding e = { .bytes = at };
	struct insn i;

	if (one_in(&w->r, 64))
		mode = (enum code_mode)below(&w->r, 3);
	encode_row(&e, some_row(w, taste), mode, &w->r);
	if (insn_decode(&i, at, 15, mode, &g->c->features) == DECODE_OK &&
	    !one_in(&w->r, 256))
		return i.len;
	return 1 + below(&w->r, 15);
}

static void put_code(struct world *w, struct rig *g, uint8_t *at, unsigned len)
{
	enum taste taste = (enum taste)below(&w->r, TASTES);

	for (unsigned n = 0; n < len; n += 8)
		store_le64(at + n, random_next(&w->r));
	if (taste == BYTES)
		return;
	for (unsigned n = 0; n + SNIPPET_MAX < len; )
		n += one_in(&w->r, 6) ? world_snippet(w, at + n)
				      : put_insn(w, g, at + n, taste);
}

static void put_handlers(struct world *w, uint8_t *ram)
{
	/* The byte 0x11 stands for how many bytes to skip. */
	static const struct {
		enum code_mode mode;
		enum handler handler;
		uint8_t len;
		const char *code;
	} rows[] = {
		{ CODE16, SKIP_SOME, 9, "\x55\x89\xe5\x83\x46\x02\x11\x5d\xcf" },
		{ CODE16, SKIP_WITH_CODE, 10,
		  "\x58\x55\x89\xe5\x83\x46\x02\x11\x5d\xcf" },
		{ CODE16, RETURN, 1, "\xcf" },
		{ CODE32, SKIP_SOME, 5, "\x83\x04\x24\x11\xcf" },
		{ CODE32, SKIP_WITH_CODE, 8,
		  "\x83\xc4\x04\x83\x04\x24\x11\xcf" },
		{ CODE32, RETURN, 1, "\xcf" },
		{ CODE64, SKIP_SOME, 7, "\x48\x83\x04\x24\x11\x48\xcf" },
		{ CODE64, SKIP_WITH_CODE, 11,
		  "\x48\x83\xc4\x08\x48\x83\x04\x24\x11\x48\xcf" },
		{ CODE64, RETURN, 2, "\x48\xcf" },
	};

	for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
		uint8_t *at = ram + handler_at(rows[n].mode, rows[n].handler);
		uint8_t *skip;

		memcpy(at, rows[n].code, rows[n].len);
		skip = memchr(at, 0x11, rows[n].len);
		if (skip)
			*skip = (uint8_t)(1 + below(&w->r, 15));
	}
	for (unsigned mode = CODE16; mode <= CODE64; mode++) {
		uint32_t from = handler_at((enum code_mode)mode, JUMP_AWAY);
		uint32_t to = AT_CODE + below(&w->r, CODE_LEN);

		ram[from] = 0xe9;
		if (mode == CODE16)
			store_le16(ram + from + 1, (uint16_t)(to - from - 3));
		else
			store_le32(ram + from + 1, to - from - 5);
	}
}

void world_code(struct world *w, struct rig *g)
{
	for (unsigned n = 0; n < CODE_LEN; n += 0x800)
		put_code(w, g, g->ram + AT_CODE + n, 0x800);
	put_handlers(w, g->ram);
}
