/* cpu/jit/ops.c - what the translator leaves to the interpreter, counted by row
 * of the instruction table: -d op_stats.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "cpu/jit/jit.h"
#include "cpu/jit/ops.h"
#include "cpu/vcpu.h"

struct op_count {
	uint64_t run[OP_WHYS];
	uint64_t translated;	/* times written in a block, and of these */
	uint64_t calls;		/* as a call of the interpreter */
};

struct jit_ops {
	exec_fn *exec;		/* of the kept instruction of that number */
	struct op_count row[];	/* as insn_rows[] */
};

struct jit_ops *jit_ops_new(size_t insns)
{
	struct jit_ops *o = xcalloc(1, sizeof(*o) + insn_row_count *
						    sizeof(o->row[0]));

	o->exec = xcalloc(insns, sizeof(o->exec[0]));
	return o;
}

void jit_ops_free(struct jit_ops *o)
{
	if (!o)
		return;
	free(o->exec);
	free(o);
}

/* ---- counting ---- */

static void count(struct cpu *c, const struct insn *i, enum op_why why)
{
	struct jit *j = c->jit;

	j->ops->row[i->row].run[why]++;
	j->ops->exec[i - j->insns](c, i);
}

static void count_untranslated(struct cpu *c, const struct insn *i)
{
	count(c, i, OP_UNTRANSLATED);
}

static void count_slow(struct cpu *c, const struct insn *i)
{
	count(c, i, OP_SLOW);
}

static void count_jump(struct cpu *c, const struct insn *i)
{
	count(c, i, OP_JUMP);
}

void jit_ops_count(struct jit *j, struct insn *kept, enum op_why why)
{
	static const exec_fn counting[OP_WHYS] = {
		[OP_UNTRANSLATED] = count_untranslated,
		[OP_SLOW] = count_slow,
		[OP_JUMP] = count_jump,
	};

	j->ops->exec[kept - j->insns] = kept->exec;
	kept->exec = counting[why];
	j->ops->row[kept->row].calls += why == OP_UNTRANSLATED;
}

void jit_ops_translated(struct jit_ops *o, const struct insn *i,
			unsigned insns)
{
	for (unsigned n = 0; n < insns; n++)
		o->row[i[n].row].translated++;
}

/* ---- telling ---- */

struct op_line {
	unsigned row;
	uint64_t runs;
	struct op_count sum;
};

static const struct jit_ops *ops_of(struct vcpus *v, unsigned n)
{
	struct cpu *c = vcpus_get(v, n);

	return c && c->jit ? c->jit->ops : NULL;
}

static void add(struct op_line *l, const struct op_count *from)
{
	for (unsigned why = 0; why < OP_WHYS; why++) {
		l->sum.run[why] += from->run[why];
		l->runs += from->run[why];
	}
	l->sum.translated += from->translated;
	l->sum.calls += from->calls;
}

static int compare(const void *a, const void *b)
{
	const struct op_line *x = a, *y = b;

	if (x->runs != y->runs)
		return x->runs < y->runs ? 1 : -1;
	if (x->sum.translated != y->sum.translated)
		return x->sum.translated < y->sum.translated ? 1 : -1;
	return x->row < y->row ? -1 : 1;
}

/* The encoding, as manuals write it: "F3 0F 38 C8 /2". */
static void put_encoding(FILE *out, const struct insn_row *r)
{
	static const char *const maps[INSN_MAPS] = {
		"", "0F ", "0F 38 ", "0F 3A ", "VEX 0F ", "VEX 0F 38 ",
		"VEX 0F 3A ",
	};
	static const char *const prefixes[] = { "", "", "66 ", "F3 ", "F2 " };
	unsigned kind = r->modrm & ~0xffu, digit = r->modrm & 0xff;

	fprintf(out, "%s%s%02X", prefixes[r->prefix], maps[r->map], r->opcode);
	if (kind == B(0))
		fprintf(out, " %02X", digit);
	else if (kind == E(0) || kind == M(0) || kind == R(0))
		fprintf(out, " /%u", digit);
}

static void put_line(FILE *out, const struct op_line *l)
{
	const struct insn_row *r = &insn_rows[l->row];

	fprintf(out, "%13llu%13llu%13llu%11llu%11llu  %-12s ",
		(unsigned long long)l->sum.run[OP_UNTRANSLATED],
		(unsigned long long)l->sum.run[OP_SLOW],
		(unsigned long long)l->sum.run[OP_JUMP],
		(unsigned long long)l->sum.translated,
		(unsigned long long)l->sum.calls, r->name);
	put_encoding(out, r);
	putc('\n', out);
}

void jit_ops_print(struct vcpus *v, FILE *out, unsigned max)
{
	struct op_line *line;
	bool on = false;

	line = xcalloc(insn_row_count, sizeof(line[0]));
	for (unsigned n = 0; n < vcpus_count(v); n++) {
		const struct jit_ops *o = ops_of(v, n);

		for (unsigned row = 0; o && row < insn_row_count; row++)
			add(&line[row], &o->row[row]);
		on |= !!o;
	}
	for (unsigned row = 0; row < insn_row_count; row++)
		line[row].row = row;
	qsort(line, insn_row_count, sizeof(line[0]), compare);
	if (on)
		fprintf(out, "   runs by the interpreter, because           "
			"times in blocks\n"
			" untranslated         slow         jump"
			"        all   as calls  instruction\n");
	for (unsigned n = 0; on && n < insn_row_count && n < max; n++)
		if (line[n].sum.translated)
			put_line(out, &line[n]);
	free(line);
}

void jit_ops_log(struct vcpus *v)
{
	size_t size;
	char *text;
	FILE *out;

	if (!log_on(LOG_OP_STATS))
		return;
	out = open_memstream(&text, &size);
	if (!out)
		return;
	jit_ops_print(v, out, UINT_MAX);
	if (!fclose(out) && size)
		log_write(LOG_OP_STATS, "%s", text);
	free(text);
}
