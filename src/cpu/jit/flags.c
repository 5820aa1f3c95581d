/* cpu/jit/flags.c - which arithmetic flags are read later, and moving them.
 *
 * The host's flags are the guest's until code of ours must use them (a TLB
 * check).  If they are read later they are then saved in struct cpu, and
 * brought back before the instruction that reads them.  A block's last
 * instruction looks at what is reached from it within the page, a few
 * instructions far, where code already is; what can't be seen reads all.
 *
 * With exact_flags every instruction counts as reading all of them, so that
 * faults and traps find them right; else flags that are overwritten before
 * they are read are garbage there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bus/bus.h"
#include "cpu/jit/tr.h"

#define LOOK_AHEAD 10		/* instructions */

static bool is_shift(const struct insn *i)
{
	exec_fn f = exec_rows[i->row];

	return f == exec_shl || f == exec_shr || f == exec_sar ||
	       f == exec_rol || f == exec_ror || f == exec_rcl ||
	       f == exec_rcr || f == exec_shld || f == exec_shrd;
}

/* Is the count a constant that is not 0? */
static bool shift_is_certain(const struct insn *i)
{
	unsigned n = i->op[2].kind == OP_NONE ? 1 : 2;
	unsigned mask = i->op[0].size == 8 ? 63 : 31;

	return i->op[n].kind == OP_IMM && (i->imm & mask) &&
	       i->op[0].size >= 4;
}

static uint32_t shift_uses(const struct insn *i, uint32_t live)
{
	exec_fn f = exec_rows[i->row];
	uint32_t carry = f == exec_rcl || f == exec_rcr ? FLAG_CF : 0;

	return shift_is_certain(i) ? carry : carry | (live & FLAGS_ARITH);
}

uint32_t tr_flags_used(const struct insn *i, uint32_t live)
{
	const struct insn_row *row = insn_row_of(i);
	enum kind k = kind_of(i);

	if (is_shift(i))
		return shift_uses(i, live);
	if (k == KIND_EXEC && row->how & (HOW_END | HOW_SYS | HOW_RFAULT))
		return FLAGS_ARITH;
	return row->uses & FLAGS_ARITH;
}

uint32_t tr_flags_set(const struct insn *i)
{
	return insn_row_of(i)->sets & FLAGS_ARITH;
}

/* ---- liveness ---- */

static bool has_target(enum kind k)
{
	return k == KIND_JMP || k == KIND_JCC || k == KIND_CALL;
}

/* Does i go on for certain at a place of the page after it? */
static bool goes_forward(const struct tr *t, const struct insn *i, int64_t end)
{
	enum kind k = kind_of(i);

	return (k == KIND_JMP || k == KIND_CALL) && tr_flow_ok(t, i) &&
	       i->imm >= 0 && end + i->imm < (int64_t)PAGE_SIZE;
}

/* The code from p on, of `len` bytes, bears on the block: it must be dropped
 * when that changes.  False: nobody would tell. */
static bool look(const struct tr *t, const uint8_t *p, unsigned len)
{
	struct jit_block *b = t->b;
	unsigned at = (unsigned)(p - t->page);

	if (ram_code_lines(at, len) & ~t->j->watched)
		return false;
	if (at < b->look_low)
		b->look_low = (uint16_t)at;
	if (at + len > b->look_high)
		b->look_high = (uint16_t)(at + len);
	return true;
}

uint32_t tr_live_at(const struct tr *t, int32_t target)
{
	uint32_t open = FLAGS_ARITH, live = 0;
	const uint8_t *p = t->page + target;

	if (t->j->exact_flags || target < 0)
		return FLAGS_ARITH;
	for (unsigned n = 0; n < LOOK_AHEAD; n++) {
		unsigned avail = p < t->page + PAGE_SIZE
				 ? (unsigned)(t->page + PAGE_SIZE - p) : 0;
		struct insn i;

		if (!avail || insn_decode(&i, p, avail, (enum code_mode)t->mode,
					  &t->c->features) != DECODE_OK ||
		    !look(t, p, i.len))
			break;
		live |= tr_flags_used(&i, open) & open;
		open &= ~tr_flags_set(&i);
		if (!open)
			return live;
		p += i.len;
		i.end = (uint16_t)(p - t->page);
		if (goes_forward(t, &i, i.end))
			p += i.imm;
		else if (insn_how(&i) & HOW_END)
			break;
	}
	return live | open;
}

static uint32_t live_after(const struct tr *t, unsigned n, uint32_t next)
{
	const struct insn *i = &t->insn[n];
	enum kind k = kind_of(i);
	int64_t target;

	if (t->j->exact_flags)
		return FLAGS_ARITH;
	if (!(insn_how(i) & HOW_END))
		return next;
	if (!has_target(k) || !tr_flow_ok(t, i))
		return FLAGS_ARITH;
	if (t->follow[n])
		return tr_live_at(t, i->end) | next;
	target = (int64_t)i->end + i->imm;
	if (target < 0 || target >= (int64_t)PAGE_SIZE)
		return FLAGS_ARITH;
	return tr_live_at(t, (int32_t)target) | (k == KIND_JCC ? next : 0);
}

void tr_liveness(struct tr *t)
{
	uint32_t live = FLAGS_ARITH;
	const struct insn *last = &t->insn[t->count - 1];

	if (!t->j->exact_flags && last->end < PAGE_SIZE &&
	    (!(insn_how(last) & HOW_END) || kind_of(last) == KIND_JCC))
		live = tr_live_at(t, last->end);
	for (unsigned n = t->count; n-- > 0;) {
		const struct insn *i = &t->insn[n];

		live = live_after(t, n, live);
		t->live[n] = live;
		live = (live & ~tr_flags_set(i)) | tr_flags_used(i, live);
		if (t->j->exact_flags)
			live = FLAGS_ARITH;
	}
	t->live_in = live;
}

/* By what comes first: an instruction that wants them in the host's flags, or
 * code that would have to save them. */
enum flags_at tr_flags_wanted(const struct tr *t)
{
	if (!t->live_in)
		return FLAGS_DEAD;
	for (unsigned n = 0; n < t->count; n++) {
		const struct insn *i = &t->insn[n];
		enum kind k = kind_of(i);

		if (i->prefix & PREFIX_MEM || k == KIND_EXEC ||
		    k == KIND_VECTOR || k >= KIND_CLI)
			return k == KIND_JCC ? FLAGS_HOST : FLAGS_CPU;
		if (tr_flags_used(i, t->live[n]) || tr_flags_set(i))
			return FLAGS_HOST;
	}
	return FLAGS_HOST;
}

/* ---- moving ---- */

void tr_put_store_flags(struct code *k, const struct cpu *c)
{
	PUT(k, 0x9f, 0x0f, 0x90, 0xc0, 0x66, 0x89); /* lahf; seto al; mov */
	put_absolute(k, H_RAX, low32(&c->of));
}

/* Through AX, which TR_B keeps meanwhile. */
void tr_put_save_flags(struct tr *t)
{
	struct code *k = &t->k;

	t->loaded_b = -1;
	asm_mov(k, TR_B, H_RAX);
	tr_put_store_flags(k, t->c);
	asm_mov(k, H_RAX, TR_B);
}

/* 7F + 1 overflows, 7F + 0 does not. */
void tr_put_load_flags(struct tr *t)
{
	struct code *k = &t->k;

	t->loaded_b = -1;
	asm_mov(k, TR_B, H_RAX);
	PUT(k, 0x66, 0x8b);				/* mov ax, [] */
	put_absolute(k, H_RAX, low32(&t->c->of));
	PUT(k, 0x04, 0x7f, 0x9e);			/* add al, 7fh; sahf */
	asm_mov(k, H_RAX, TR_B);
}

void tr_flags_to_cpu(struct tr *t, uint32_t live)
{
	if (!live || t->cpu_ok || !t->host_ok)
		return;
	tr_put_save_flags(t);
	t->cpu_ok = true;
}

void tr_clobber_flags(struct tr *t, uint32_t live)
{
	tr_flags_to_cpu(t, live);
	t->host_ok = false;
	if (!live)
		t->cpu_ok = false;
}

void tr_flags_to_host(struct tr *t)
{
	if (t->host_ok || !t->cpu_ok)
		return;
	tr_put_load_flags(t);
	t->host_ok = true;
}
