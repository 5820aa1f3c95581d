/* tests/bench/work/squeeze.c - gzip and xz of a real text, there and back.
 *
 * The text is the licences that every Debian has: 126 KiB of English.  The
 * libraries are Debian's, linked in.  xz gets a dictionary as small as the
 * text, so that it is the coding that is timed and not the zeroing of tables.
 *
 * SPDX-License-Identifier: MIT
 */
#include <lzma.h>
#include <malloc.h>
#include <string.h>
#include <zlib.h>

#include "row.h"

#define LICENCE(name) ".incbin \"/usr/share/common-licenses/" name "\"\n"

__asm__(".section .rodata\n"
	"text:\n"
	LICENCE("GPL-3") LICENCE("LGPL-2.1") LICENCE("GFDL-1.3")
	LICENCE("MPL-2.0") LICENCE("Apache-2.0") LICENCE("GPL-1")
	"text_end:\n"
	".previous\n");

extern const uint8_t text[], text_end[];

enum { ROOM = 256 << 10 };

static uint8_t squeezed[ROOM], back[ROOM];

/* Tables are given back and taken again each round: keep them mapped. */
static void prepare(void)
{
	mallopt(M_MMAP_THRESHOLD, 256 << 20);
	mallopt(M_TRIM_THRESHOLD, 256 << 20);
	memset(squeezed, 1, ROOM);
	memset(back, 1, ROOM);
}

static void check_back(size_t len)
{
	if (len != (size_t)(text_end - text) || memcmp(text, back, len))
		die("the text did not come back");
}

static uint64_t run_gzip(uint64_t rounds)
{
	uint64_t sum = 17;

	while (rounds--) {
		uLongf small = ROOM, large = ROOM;

		if (compress2(squeezed, &small, text, text_end - text, 6) ||
		    uncompress(back, &large, squeezed, small))
			die("zlib");
		check_back(large);
		sum = mix_bytes(sum, squeezed, small);
	}
	return sum;
}

static uint64_t run_xz(uint64_t rounds)
{
	lzma_options_lzma options;
	lzma_filter filters[] = {
		{ LZMA_FILTER_LZMA2, &options }, { LZMA_VLI_UNKNOWN, NULL },
	};
	uint64_t sum = 18;

	lzma_lzma_preset(&options, 6);
	options.dict_size = ROOM;
	while (rounds--) {
		size_t small = 0, at = 0, large = 0;
		uint64_t limit = UINT64_MAX;

		if (lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC64, NULL,
					      text, text_end - text, squeezed,
					      &small, ROOM) ||
		    lzma_stream_buffer_decode(&limit, 0, NULL, squeezed, &at,
					      small, back, &large, ROOM))
			die("lzma");
		check_back(large);
		sum = mix_bytes(sum, squeezed, small);
	}
	return sum;
}

const struct row gzip_row = {
	.name = "gzip", .groups = "compute", .rounds = 80, .prepare = prepare,
	.run = run_gzip,
};

const struct row xz_row = {
	.name = "xz", .groups = "compute", .rounds = 12, .prepare = prepare,
	.run = run_xz,
};
