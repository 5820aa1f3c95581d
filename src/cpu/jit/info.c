/* cpu/jit/info.c - what the translator has done so far, as text: `info jit`.
 *
 * Nothing is counted in translated code, so how often it found its way by
 * itself is not known, only how often it did not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/bytes.h"
#include "cpu/jit/cache.h"
#include "cpu/jit/info.h"
#include "cpu/jit/ops.h"
#include "cpu/vcpu.h"

#define OPS_MAX		40	/* rows of op_stats; the log has them all */

typedef unsigned long long ull;

static void put_blocks(const struct jit *j, FILE *out)
{
	const struct jit_stats *s = &j->stats;
	unsigned valid = jit_count(j);

	fprintf(out, "  blocks      %u valid; %llu made, %llu dropped, %llu "
		"times all flushed\n", valid, (ull)s->blocks, (ull)s->drops,
		(ull)s->flushes);
	fprintf(out, "  guest code  %llu instructions translated, %.1f a "
		"block\n", (ull)s->insns,
		s->blocks ? (double)s->insns / (double)s->blocks : 0.0);
	fprintf(out, "  joins       %llu links between blocks; entered %llu "
		"times from C; jump cache missed %llu times\n", (ull)s->links,
		(ull)s->enters, (ull)s->misses);
}

static void put_room(FILE *out, const char *what, size_t used, size_t max)
{
	fprintf(out, "  %-12s%llu of %llu KiB\n", what, used / KiB, max / KiB);
}

static void put_memory(const struct jit *j, FILE *out)
{
	size_t hot = (size_t)(j->hot - j->mem.write);
	size_t cold = (size_t)(j->cold - j->cold_start);
	size_t insns = j->insns_used * sizeof(struct insn);
	size_t fixed = jit_table_bytes() + sizeof(*j);

	put_room(out, "hot code", hot, (size_t)(j->hot_end - j->mem.write));
	put_room(out, "cold code", cold, (size_t)(j->cold_end - j->cold_start));
	put_room(out, "kept", insns, j->insns_max * sizeof(struct insn));
	put_room(out, "blocks", j->blocks_used, j->blocks_max);
	put_room(out, "memory", hot + cold + insns + j->blocks_used + fixed,
		 j->mem.size + j->insns_max * sizeof(struct insn) +
			 j->blocks_max + fixed);
}

void jit_info(struct vcpus *v, FILE *out)
{
	for (unsigned n = 0; n < vcpus_count(v); n++) {
		const struct jit *j = vcpus_get(v, n)->jit;

		if (!j) {
			fprintf(out, "there is no translated code: another "
				"accelerator runs\n");
			return;
		}
		fprintf(out, "CPU #%u\n", n);
		put_blocks(j, out);
		put_memory(j, out);
	}
	jit_ops_print(v, out, OPS_MAX);
}
