/* cpu/jit/codelog.c - what is told of code as it is made: -d in_asm and
 * out_asm, -perfmap, the translator's part of -d op_stats.
 *
 * A block's host code is in two places (tr.h): its own, with each guest
 * instruction in front of what became of it, and the cold parts, with the
 * instruction that each belongs to.  Jumps are shown as they are before blocks
 * are linked.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "base/log.h"
#include "cpu/jit/codelog.h"
#include "cpu/jit/disasm.h"
#include "cpu/jit/names.h"
#include "cpu/jit/tr.h"
#include "host/perfmap.h"

/* ---- instructions ---- */

static uint64_t rip_of(const struct tr *t, unsigned n)
{
	return t->c->rip + (t->insn[n].end - t->insn[0].end) +
	       t->insn[0].len - t->insn[n].len;
}

static void log_guest_code(const struct tr *t)
{
	char text[96];

	for (unsigned n = 0; n < t->count; n++) {
		insn_format(&t->insn[n], text, sizeof(text));
		log_write(LOG_IN_ASM, "0x%08llx:  %s",
			  (unsigned long long)rip_of(t, n), text);
	}
}

/* ---- host code ---- */

static const uint8_t *hot_end(const struct tr *t, unsigned n)
{
	return n + 1 < t->written ? t->hot_of[n + 1] : t->j->hot;
}

static const uint8_t *cold_end(const struct tr *t, unsigned n)
{
	return n + 1 < t->colds ? t->cold[n + 1].code : t->j->cold;
}

static void put_title(FILE *out, const struct tr *t, unsigned n,
		      const char *what)
{
	char text[96];

	insn_format(&t->insn[n], text, sizeof(text));
	fprintf(out, "  -- %s0x%08llx: %s\n", what,
		(unsigned long long)rip_of(t, n), text);
}

static void put_hot(FILE *out, const struct tr *t)
{
	if (t->hot_of[0] > t->hot) {
		fprintf(out, "  -- entry\n");
		jit_disassemble(out, t->c, t->hot, t->hot_of[0]);
	}
	for (unsigned n = 0; n < t->written; n++) {
		put_title(out, t, n, "");
		jit_disassemble(out, t->c, t->hot_of[n], hot_end(t, n));
	}
}

static void put_cold(FILE *out, const struct tr *t)
{
	for (unsigned n = 0; n < t->colds; n++) {
		unsigned at = t->cold[n].at;

		if (at < t->written && (!n || t->cold[n - 1].at != at))
			put_title(out, t, at, "cold, ");
		jit_disassemble(out, t->c, t->cold[n].code, cold_end(t, n));
	}
}

/* One log_write(), so that blocks of several vCPUs do not mix. */
static void log_host_code(const struct tr *t)
{
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	fprintf(out, "OUT: [size=%zu+%zu]\n", (size_t)(t->j->hot - t->hot),
		(size_t)(t->j->cold - t->cold_code));
	put_hot(out, t);
	put_cold(out, t);
	if (!fclose(out))
		log_write(LOG_OUT_ASM, "%s", text);
	free(text);
}

static void log_stub(const struct cpu *c, const struct stub_name *s)
{
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	fprintf(out, "STUB: %s [size=%zu]\n", s->name, s->bytes);
	jit_disassemble(out, c, s->code, s->code + s->bytes);
	if (!fclose(out))
		log_write(LOG_OUT_ASM, "%s", text);
	free(text);
}

/* ---- the whole ---- */

void jit_log_stubs(const struct cpu *c)
{
	struct stub_name s;

	for (unsigned n = 0; jit_stub_at(c->jit, n, &s); n++) {
		perfmap_add(jit_run_address(c->jit, s.code), s.bytes,
			    "husk:%s vcpu%u", s.name, c->index);
		if (log_on(LOG_OUT_ASM))
			log_stub(c, &s);
	}
}

static void map_block(const struct tr *t)
{
	unsigned long long rip = t->c->rip;

	perfmap_add(jit_run_address(t->j, t->hot),
		    (size_t)(t->j->hot - t->hot), "husk:%llx vcpu%u", rip,
		    t->c->index);
	perfmap_add(jit_run_address(t->j, t->cold_code),
		    (size_t)(t->j->cold - t->cold_code),
		    "husk:%llx.cold vcpu%u", rip, t->c->index);
}

void jit_log_block(const struct tr *t)
{
	if (log_on(LOG_IN_ASM))
		log_guest_code(t);
	if (log_on(LOG_OUT_ASM))
		log_host_code(t);
	if (t->j->ops)
		jit_ops_translated(t->j->ops, t->insn, t->written);
	if (perfmap_is_open())
		map_block(t);
}
