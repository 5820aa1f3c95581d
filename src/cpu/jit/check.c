/* cpu/jit/check.c - see check.h
 *
 * The interpreter goes first because its stores can be written down and undone
 * (x86/journal.h); then the translated code finds the vCPU and its memory as
 * the interpreter found them.
 *
 * How far.  The interpreter stops where translated code does: at a jump that
 * is taken, or when an instruction says that the block must end.  Translated
 * code may stop earlier, to go on in a block of another kind.  So a difference
 * is looked at again: the interpreter runs as far as the translated code came,
 * twice.  If it then agrees, all is well; if it does not agree with itself,
 * somebody else (a device) has written what the block reads; if the block
 * reads flags that the manual leaves undefined, the engines may differ; else
 * the difference is the translator's.
 *
 * Flags that are overwritten before they are read are not kept by translated
 * code.  Where they differ they are remembered as `open`, and must not be read
 * before they are written: so the liveness analysis is checked too, without
 * using it.  A fault or an interrupt ends that, for it saves them all.
 *
 * Limits: one vCPU.  A store by translated code to a place where the
 * interpreter does not store shows only where it should have gone.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "cpu/accel.h"
#include "cpu/jit/check.h"
#include "cpu/jit/tr.h"
#include "cpu/vcpu.h"
#include "host/os.h"

#define NOWHERE (1ull << 63)	/* no RIP: not canonical */

/* ---- what may run twice ---- */

static bool is_one_of(exec_fn f, const exec_fn *list, unsigned count)
{
	for (unsigned n = 0; n < count; n++)
		if (f == list[n])
			return true;
	return false;
}

bool check_repeats(const struct insn *i)
{
	/* Not in the random tests, but with nothing to hinder us. */
	static const exec_fn harmless[] = {
		exec_cli, exec_sti, exec_clac, exec_stac, exec_xgetbv,
		exec_swapgs, exec_rdfsbase, exec_rdgsbase, exec_wrfsbase,
		exec_wrgsbase,
	};
	exec_fn f = exec_rows[i->row];
	uint32_t how = insn_how(i);

	if (f == exec_pause)
		return false;
	/* They look for events on the way. */
	if ((how & HOW_REP) && (i->prefix & (PREFIX_REP | PREFIX_REPNE)))
		return false;
	return !(how & (HOW_SYS | HOW_CPL0 | HOW_RFAULT)) ||
	       is_one_of(f, harmless, ARRAY_LEN(harmless));
}

/* ---- faults ---- */

struct attempt {
	struct cpu *c;
	struct check *k;
	const uint8_t *code;		/* the translator's ... */
	const struct check_code *x;	/* ... and the interpreter's */
	uint64_t until;
};

/* Calls fn; true if it has raised a fault. */
static __attribute__((noinline)) bool
raises(const struct attempt *a, void (*fn)(const struct attempt *a))
{
	if (sigsetjmp(a->c->on_fault, 0))
		return true;
	fn(a);
	return false;
}

/* ---- the interpreter's turn ---- */

static bool is_shift(exec_fn f)
{
	static const exec_fn shifts[] = {
		exec_shl, exec_shr, exec_sar, exec_rol, exec_ror, exec_rcl,
		exec_rcr, exec_shld, exec_shrd,
	};

	return is_one_of(f, shifts, ARRAY_LEN(shifts));
}

/* A shift by 0 leaves all flags as they are. */
static bool shifts_by_none(const struct cpu *c, const struct insn *i)
{
	const struct operand *count = &i->op[i->op[2].kind != OP_NONE ? 2 : 1];
	uint64_t n = count->kind == OP_IMM ? (uint64_t)i->imm : c->gpr[RCX];

	return is_shift(exec_rows[i->row]) &&
	       !(n & (i->op[0].size == 8 ? 63 : 31));
}

/* In the table a shift also reads what it may leave alone. */
static uint32_t flags_read(const struct insn *i)
{
	exec_fn f = exec_rows[i->row];

	if (is_shift(f))
		return f == exec_rcl || f == exec_rcr ? FLAG_CF : 0;
	return insn_row_of(i)->uses & FLAGS_ARITH;
}

/* i is about to run. */
static void note_flags_read(const struct cpu *c, struct check *k,
			    const struct insn *i)
{
	uint32_t lost = flags_read(i) & k->open;

	k->interpreted.junk_read |= !!(flags_read(i) & k->interpreted.junk);
	if (unlikely(lost)) {
		k->lost |= lost;
		k->lost_rip = c->rip;
	}
}

/* i has run. */
static void note_flags_set(struct check *k, const struct insn *i)
{
	const struct insn_row *row = insn_row_of(i);

	k->open &= ~row->sets;
	k->interpreted.junk = (k->interpreted.junk & ~row->sets) | row->junk;
}

/* Translated code leaves for the target even if that is what follows. */
static bool jumps_to_next(const struct cpu *c, const struct insn *i)
{
	return !i->imm && exec_rows[i->row] == exec_jcc &&
	       condition(c, i->opcode & 15);
}

static uint64_t truncate_rip(const struct cpu *c, uint64_t rip)
{
	return c->mode == CODE64 ? rip : (uint32_t)rip;
}

/* With an instruction behind it, STI does not end a block of translated code,
 * which looks for events after that instruction. */
static void go_past_sti(struct cpu *c, const struct insn *i, uint64_t until)
{
	if (exec_rows[i->row] != exec_sti || c->rip == until ||
	    c->shadow != SHADOW_STI)
		return;
	c->shadow = SHADOW_NONE;
	c->stop_block = 0;
}

static void interpret(const struct attempt *a)
{
	struct cpu *c = a->c;
	uint64_t start = c->rip, next;
	unsigned table = c->tlb_index;

	if (start == a->until)
		return;
	for (unsigned n = 0; n < a->x->count; n++) {
		const struct insn *i = &a->x->insn[n];
		bool leaves = jumps_to_next(c, i);
		bool sets = !shifts_by_none(c, i);

		note_flags_read(c, a->k, i);
		next = truncate_rip(c, start + i->end);
		c->insn = i;
		c->rip = next;
		i->exec(c, i);
		c->insn = NULL;
		if (sets)
			note_flags_set(a->k, i);
		if (n + 1 < a->x->count)
			go_past_sti(c, i, a->until);
		if (leaves || c->rip != next || c->stop_block ||
		    c->tlb_index != table || c->rip == a->until)
			return;
	}
}

/* From k->start, stopping at `until` if it comes there.  False: refused. */
static bool interpret_trial(struct cpu *c, const struct check_code *x,
			    uint64_t until)
{
	struct check *k = c->jit->check;
	const struct attempt a = { .c = c, .k = k, .x = x, .until = until };
	bool faulted;

	check_load(c, &k->start);
	k->interpreted.junk = 0;
	k->interpreted.junk_read = false;
	journal_begin(c);
	faulted = raises(&a, interpret);
	if (faulted)
		mem_rmw_abort(c);
	if (!k->journal.refused)
		check_save_outcome(c, faulted, &k->interpreted);
	journal_end(c);
	check_load(c, &k->start);
	return !k->journal.refused;
}

/* ---- the translator's turn ---- */

static void translate_turn(const struct attempt *a)
{
	a->k->exit = jit_enter(a->c, a->code);
}

static bool run_translated(struct cpu *c, const uint8_t *code)
{
	struct check *k = c->jit->check;
	const struct attempt a = { .c = c, .k = k, .code = code };
	bool faulted = raises(&a, translate_turn);

	if (faulted)
		mem_rmw_abort(c);
	check_save_outcome(c, faulted, &k->translated);
	return faulted;
}

/* ---- differences ---- */

enum verdict { SAME, RACED, UNDEFINED, DIFFERENT };

static uint32_t flags_apart(const struct check *k)
{
	return (k->interpreted.regs.arith ^ k->translated.regs.arith) &
	       ~k->interpreted.junk;
}

static void save_live(struct check *k)
{
	const struct journal *j = &k->journal;

	k->first = *j;
	for (unsigned n = 0; n < j->stores; n++)
		memcpy(k->live + j->store[n].at, j->store[n].hva,
		       j->store[n].len);
}

static void restore(const struct journal *j, const uint8_t *bytes)
{
	for (unsigned n = j->stores; n-- > 0;)
		memcpy(j->store[n].hva, bytes + j->store[n].at,
		       j->store[n].len);
}

static bool agree(const struct check *k)
{
	return check_same(&k->interpreted, &k->translated) &&
	       !(flags_apart(k) & k->flags_checked) &&
	       journal_matches(&k->journal);
}

/* Interpret again, with the memory that the first trial found, and compare
 * with the memory that translated code has left. */
static bool agree_again(struct cpu *c, const struct check_code *x,
			uint64_t until)
{
	struct check *k = c->jit->check;
	bool ran;

	restore(&k->first, k->first.before);
	ran = interpret_trial(c, x, until);
	restore(&k->first, k->live);
	return ran && agree(k);
}

/* Did the last two trials store the same? */
static bool same_stores(const struct check *k, unsigned bytes)
{
	return k->journal.bytes == bytes &&
	       !memcmp(k->first.after, k->journal.after, bytes);
}

/* Leaves k->interpreted and k->journal as the trial that was the last. */
static enum verdict look_again(struct cpu *c, const struct check_code *x)
{
	struct check *k = c->jit->check;
	struct check_outcome before;
	uint64_t until = k->translated.faulted ? NOWHERE
					       : k->translated.regs.rip;
	unsigned bytes;

	save_live(k);
	if (agree_again(c, x, until))
		return SAME;
	before = k->interpreted;
	bytes = k->journal.bytes;
	memcpy(k->first.after, k->journal.after, bytes);
	if (agree_again(c, x, until))
		return RACED;
	if (!check_same(&before, &k->interpreted) || !same_stores(k, bytes))
		return RACED;
	return before.junk_read ? UNDEFINED : DIFFERENT;
}

/* ---- a block ---- */

/* False: the translator is wrong. */
static bool judge(struct cpu *c, const struct check_code *x)
{
	struct check *k = c->jit->check;
	const struct insn *insn = c->insn;
	struct check_regs now;
	enum verdict v;

	check_save(c, &now);
	v = look_again(c, x);
	check_load(c, &now);
	c->insn = insn;
	c->fault = k->translated.fault;
	k->open = 0;
	k->count.early += v == SAME;
	k->count.raced += v == RACED;
	k->count.undefined += v == UNDEFINED;
	if (v == DIFFERENT)
		check_report(k, x);
	return v != DIFFERENT;
}

/* Both have run; the vCPU is as translated code has left it.  False: the
 * translator is wrong. */
static bool compare(struct cpu *c, const struct check_code *x)
{
	struct check *k = c->jit->check;
	bool same = agree(k);

	k->count.checked++;
	if (unlikely(!same) && !judge(c, x))
		return false;
	if (unlikely(k->lost)) {
		check_report_lost(k, x);
		return false;
	}
	if (same && flags_apart(k)) {
		k->open |= flags_apart(k);
		k->open_rip = k->start.rip;
	}
	return true;
}

/* To be found as it is, at the fault if there was one. */
static void stop(struct cpu *c)
{
	c->rip = c->jit->check->translated.regs.rip;
	c->insn = NULL;
	vcpu_stopped(c, VCPU_STOP_CHECK);
}

static struct jit_exit *run_checked(struct cpu *c, const uint8_t *code,
				    const struct check_code *x)
{
	struct check *k = c->jit->check;
	sigjmp_buf out;
	bool faulted, well;

	memcpy(out, c->on_fault, sizeof(out));
	check_save(c, &k->start);
	k->lost = 0;
	if (c->rip != k->next_rip)
		k->open = 0;
	if (!interpret_trial(c, x, NOWHERE)) {
		memcpy(c->on_fault, out, sizeof(out));
		k->count.refused[k->journal.refused]++;
		k->open = 0;
		return jit_enter(c, code);
	}
	faulted = run_translated(c, code);
	well = compare(c, x);
	memcpy(c->on_fault, out, sizeof(out));
	if (unlikely(!well)) {
		stop(c);
		return NULL;
	}
	if (faulted) {
		k->open = 0;
		siglongjmp(c->on_fault, 1);
	}
	k->next_rip = c->rip;
	return k->exit;
}

/* ---- decoded blocks ---- */

/* The bytes of an instruction that lies in two pages. */
static void gather(const struct jit_block *b, uint8_t *bytes)
{
	unsigned first = (unsigned)(PAGE_SIZE -
				    ((uintptr_t)b->hva & ~PAGE_MASK));

	memcpy(bytes, b->hva, first);
	memcpy(bytes + first, b->hva2, b->bytes - first);
}

static struct check_code *decode(struct cpu *c, const struct jit_block *b)
{
	static _Thread_local struct insn list[JIT_INSNS_MAX];
	enum code_mode mode = (enum code_mode)(b->key & KEY_MODE);
	const uint8_t *bytes = b->hva;
	uint8_t crossing[INSN_LEN_MAX];
	struct check_code *x;
	unsigned count = 0, at = 0;

	if (b->hva2) {
		gather(b, crossing);
		bytes = crossing;
	}
	while (at < b->bytes &&
	       insn_decode(&list[count], bytes + at, b->bytes - at, mode,
			   &c->features) == DECODE_OK) {
		at += list[count].len;
		list[count].end = (uint16_t)at;
		insn_choose_exec(&list[count++], mode);
	}
	x = xmalloc(sizeof(*x) + count * sizeof(list[0]));
	*x = (struct check_code){
		.block = b, .flushes = c->jit->stats.flushes, .count = count,
		.repeats = at == b->bytes,
	};
	memcpy(x->insn, list, count * sizeof(list[0]));
	for (unsigned n = 0; n < count; n++)
		x->repeats &= check_repeats(&list[n]);
	return x;
}

/* A block that is gone is told from a new one at its place by the flush that
 * came between. */
static const struct check_code *code_of(struct cpu *c,
					const struct jit_block *b)
{
	uintptr_t a = (uintptr_t)b >> 4;
	struct check_code **slot =
		&c->jit->check->code[(a ^ a >> 12) % CHECK_SLOTS];

	if (!*slot || (*slot)->block != b ||
	    (*slot)->flushes != c->jit->stats.flushes) {
		free(*slot);
		*slot = decode(c, b);
	}
	return *slot;
}

struct jit_exit *check_enter(struct cpu *c, const uint8_t *code)
{
	struct check *k = c->jit->check;
	const struct check_code *x;

	if (--k->left) {
		k->next_rip = NOWHERE;
		return jit_enter(c, code);
	}
	k->left = k->every;
	x = code_of(c, k->block);
	if (x->repeats)
		return run_checked(c, code, x);
	k->count.unrepeatable++;
	k->next_rip = NOWHERE;
	return jit_enter(c, code);
}

/* ---- making and freeing ---- */

int check_attach(struct cpu *c, struct err *e)
{
	struct check *k;

	if (c->topology.cpus > 1)
		return fail(e, EINVAL, "check=%u: %u processors, the limit is "
			    "1", c->accel->check, c->topology.cpus);
	k = os_map_low(sizeof(*k), e);
	if (!k)
		return -ENOMEM;
	k->every = k->left = c->accel->check;
	k->flags_checked = c->accel->exact_flags ? FLAGS_ARITH : 0;
	k->next_rip = NOWHERE;
	c->jit->check = k;
	c->journal = &k->journal;
	return 0;
}

void check_detach(struct cpu *c)
{
	struct check *k = c->jit->check;

	if (!k)
		return;
	if (c->insn_count)
		check_report_counts(k);
	for (unsigned n = 0; n < CHECK_SLOTS; n++)
		free(k->code[n]);
	c->journal = NULL;
	os_unmap_low(k, sizeof(*k));
}
