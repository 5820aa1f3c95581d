/* cpu/jit/translate.c - one block, from guest code to host code.
 *
 * Instructions are decoded up to one that never goes on; flags.c finds what
 * reads which flags, group.c which operands are near each other; then they are
 * written one by one.  What has no translation calls the interpreter's
 * function.  Conditional jumps and calls do not end a block, and a small loop
 * is written several times.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/accel.h"
#include "cpu/jit/check.h"
#include "cpu/jit/codelog.h"
#include "cpu/jit/tr.h"

/* ---- cold code ---- */

struct cold *tr_cold(struct tr *t, enum cold_kind kind, uint8_t *site)
{
	struct cold *x = &t->cold[t->colds++];

	assert(t->colds <= TR_COLD_MAX);
	*x = (struct cold){
		.kind = (uint8_t)kind, .site = site, .at = (uint8_t)t->at,
		.why = kind == COLD_EXEC ? OP_SLOW : OP_JUMP,
	};
	return x;
}

void tr_cold_back(struct tr *t, struct cold *x)
{
	if (!x)
		return;
	x->back = t->k.p;
	x->restore = t->host_ok && !!t->live[t->at];
}

struct insn *tr_keep(struct tr *t, const struct insn *i)
{
	struct jit *j = t->j;
	struct insn *kept;

	/* Each has a reason of its own to be counted by, if they are. */
	if (i == t->last_of && !j->ops)
		return t->last_kept;
	kept = &j->insns[j->insns_used++];
	*kept = *i;
	insn_choose_exec(kept, (enum code_mode)t->mode);
	t->last_of = i;
	t->last_kept = kept;
	return kept;
}

static void put_load_insn(struct tr *t, const struct insn *i, enum op_why why)
{
	struct insn *kept = tr_keep(t, i);

	if (t->j->ops)
		jit_ops_count(t->j, kept, why);
	asm_load_imm(&t->k, TR_A, low32(kept));
}

static void put_cold_exec(struct tr *t, const struct cold *x)
{
	if (x->crossing)
		tr_put_cold_crossing(t, x);
	tr_put_lent_back(t);
	put_load_insn(t, x->insn, OP_SLOW);
	asm_call(&t->k, x->kind == COLD_VECTORS ? t->j->stub.vec_enable
						: t->j->stub.exec);
	tr_put_lend(t);
	if (x->restore)
		tr_put_load_flags(t);
	asm_jmp(&t->k, x->back);
}

static void put_cold(struct tr *t, struct cold *x)
{
	x->code = t->k.p;
	asm_patch(x->site, t->k.p);
	switch (x->kind) {
	case COLD_EXEC:
	case COLD_VECTORS:
		put_cold_exec(t, x);
		break;
	case COLD_EXEC_END:
		if (x->crossing)
			tr_put_cold_crossing(t, x);
		put_load_insn(t, x->insn, (enum op_why)x->why);
		asm_jmp(&t->k, t->j->stub.exec_end);
		break;
	default:
		tr_put_cold_flow(t, x);
		break;
	}
}

/* ---- what the interpreter does ---- */

void tr_put_exec(struct tr *t, const struct insn *i)
{
	tr_clobber_flags(t, FLAGS_ARITH);
	tr_put_lent_back(t);
	put_load_insn(t, i, OP_UNTRANSLATED);
	asm_call(&t->k, t->j->stub.exec);
	tr_put_lend(t);
	tr_forget_scratch(t);
	t->cpu_ok = true;
}

void tr_put_exec_end(struct tr *t, const struct insn *i)
{
	tr_clobber_flags(t, FLAGS_ARITH);
	put_load_insn(t, i, OP_UNTRANSLATED);
	asm_jmp(&t->k, t->j->stub.exec_end);
}

/* ---- vectors ---- */

/* Outside 64-bit code VZEROUPPER and VZEROALL leave half of them alone. */
static bool is_vzero(const struct insn *i)
{
	return exec_rows[i->row] == exec_vzeroupper ||
	       exec_rows[i->row] == exec_vzeroall;
}

static void put_want_vectors(struct tr *t, const struct insn *i)
{
	uint8_t want = insn_how(i) & HOW_AVX || is_vzero(i)
			       ? VEC_SSE | VEC_AVX : VEC_SSE;
	struct cold *x;

	if ((t->vectors & want) == want)
		return;
	tr_clobber_flags(t, tr_live_before(t));
	asm_test8_abs(&t->k, low32(&t->j->vectors),
		      want & VEC_AVX ? VEC_AVX : VEC_SSE);
	x = tr_cold(t, COLD_VECTORS, asm_jcc(&t->k, CC_E, NULL));
	x->insn = i;
	x->back = t->k.p;
	tr_forget_scratch(t);
	t->vectors |= want;
}

bool tr_vector(struct tr *t, const struct insn *i)
{
	if (is_vzero(i) && t->mode != CODE64)
		return false;
	if (!tr_copy_possible(t, i, KIND_VECTOR))
		return false;
	put_want_vectors(t, i);
	return tr_copy(t, i, KIND_VECTOR);
}

/* ---- the block ---- */

static bool goes_on(const struct tr *t, const struct insn *i)
{
	enum kind kind = kind_of(i);

	return !(insn_how(i) & HOW_END) ||
	       (tr_flow_ok(t, i) && (kind == KIND_JCC || kind == KIND_CALL ||
				     kind == KIND_CALL_NEAR)) ||
	       (tr_in_kernel(t) && kind == KIND_STI);
}

static void decode(struct tr *t, const uint8_t *hva)
{
	const uint8_t *p = hva;

	while (t->count < JIT_INSNS_MAX && p < t->avail_end) {
		struct insn *i = &t->insn[t->count];

		if (insn_decode(i, p, (unsigned)(t->avail_end - p),
				(enum code_mode)t->mode,
				&t->c->features) != DECODE_OK)
			break;		/* raised when it is reached */
		if (t->j->check && t->count && !check_repeats(i))
			break;
		p += i->len;
		i->end = (uint16_t)(p - t->page);
		t->follow[t->count++] = false;
		if (t->c->accel->one_insn)
			break;
		if (tr_loop(t, (unsigned)(hva - t->page)))
			break;
		if (!goes_on(t, i) || (t->j->check && !check_repeats(i)))
			break;
	}
	if (t->count)
		t->b->bytes = (uint16_t)(t->insn[t->count - 1].end -
					 (hva - t->page));
}

static bool put_translated(struct tr *t, const struct insn *i)
{
	enum kind kind = kind_of(i);

	switch (kind) {
	case KIND_NOP:
		return true;
	case KIND_LEA:
		return tr_lea(t, i);
	case KIND_PUSH:
		return tr_push(t, i);
	case KIND_POP:
		return tr_pop(t, i);
	case KIND_LEAVE:
		return tr_leave(t, i);
	case KIND_CLI:
		return tr_cli(t, i);
	case KIND_STI:
		return tr_sti(t, i);
	case KIND_PUSHF:
		return tr_pushf(t, i);
	case KIND_SWAPGS:
		return tr_swapgs(t, i);
	case KIND_STRING:
		return tr_string(t, i);
	case KIND_DIV:
		return tr_divide(t, i, false);
	case KIND_IDIV:
		return tr_divide(t, i, true);
	case KIND_VECTOR:
		return tr_vector(t, i);
	case KIND_JCC ... KIND_RET:
		return tr_flow(t, i, kind);
	case KIND_EXEC:
		return false;
	default:
		return tr_copy(t, i, kind);
	}
}

/* False: the block ends here, whatever was decoded after it. */
static bool put_one(struct tr *t)
{
	const struct insn *i = &t->insn[t->at];

	if (put_translated(t, i))
		return goes_on(t, i);
	if (insn_how(i) & HOW_END) {
		tr_put_exec_end(t, i);
		return false;
	}
	tr_put_exec(t, i);
	return true;
}

/* The instruction that begins with the last bytes of one page and goes on in
 * another. */
static void decode_crossing(struct tr *t, const uint8_t *hva, unsigned avail,
			    const uint8_t *hva2)
{
	uint8_t bytes[INSN_LEN_MAX];
	struct insn *i = &t->insn[0];

	if (avail >= INSN_LEN_MAX)
		return;
	memcpy(bytes, hva, avail);
	memcpy(bytes + avail, hva2, INSN_LEN_MAX - avail);
	if (insn_decode(i, bytes, INSN_LEN_MAX, (enum code_mode)t->mode,
			&t->c->features) != DECODE_OK || i->len <= avail)
		return;
	i->end = (uint16_t)(PAGE_SIZE + i->len - avail);
	t->follow[0] = false;
	t->count = 1;
	t->b->bytes = i->len;
}

/* Is the next page the one that the instruction's end was read from? */
static void put_check_next_page(struct tr *t)
{
	struct code *k = &t->k;

	tr_clobber_flags(t, t->live_in);
	asm_abs(k, true, OP_LOAD, TR_A, low32(&t->j->page_rip));
	asm_lea(k, t->mode == CODE64, TR_A, TR_A, H_NONE, 0, PAGE_SIZE);
	if (t->mode != CODE64 && !t->flat) {
		put_rex(k, false, TR_A, 0, 0, false);	/* add eip's base */
		put1(k, 0x03);
		put_absolute(k, TR_A, low32(&t->c->seg[CS].base));
	}
	tr_put_fetch_check(t, (uintptr_t)t->b->hva2 & PAGE_MASK, COLD_STEP,
			   (int32_t)(t->b->hva - t->page));
}

static void put_entry(struct tr *t)
{
	enum flags_at wanted = tr_flags_wanted(t);

	if (t->b->hva2 && wanted == FLAGS_HOST)
		wanted = FLAGS_CPU;	/* put_check_next_page() */
	t->b->entry_cpu = t->b->entry_host = t->k.p;
	if (wanted == FLAGS_HOST)
		tr_put_load_flags(t);
	else if (wanted == FLAGS_CPU)
		tr_put_save_flags(t);
	if (wanted == FLAGS_HOST)
		t->b->entry_host = t->k.p;
	else if (wanted == FLAGS_CPU)
		t->b->entry_cpu = t->k.p;
	t->host_ok = wanted == FLAGS_HOST;
	t->cpu_ok = wanted == FLAGS_CPU;
	tr_put_lend(t);
	t->again = t->k.p;
}

static bool put_and_poll(struct tr *t)
{
	if (!put_one(t))
		return false;
	if (t->poll_after == t->at) {
		tr_settle_sp(t);
		tr_put_poll(t, t->insn[t->at].end, t->live[t->at]);
	}
	return true;
}

static void put_all(struct tr *t)
{
	bool on = true;

	tr_liveness(t);
	tr_choose_lent(t);
	tr_find_groups(t);
	tr_forget_scratch(t);
	t->sp_ahead = 0;
	t->poll_after = ~0u;
	t->last_of = NULL;
	t->at = 0;
	t->hot = t->k.p;
	t->cold_code = t->j->cold;
	put_entry(t);
	if (t->b->hva2)
		put_check_next_page(t);
	for (t->at = 0; t->at < t->count && on; t->at++) {
		tr_settle_sp_for(t, &t->insn[t->at]);
		t->hot_of[t->at] = t->k.p;
		on = put_and_poll(t);
	}
	tr_settle_sp(t);
	t->written = t->at--;
	if (on)
		tr_put_goto(t, t->insn[t->at].end);
	t->j->hot = t->k.p;
	assert(t->j->hot <= t->j->hot_end);
	t->k.p = t->j->cold;
	for (unsigned n = 0; n < t->colds; n++)
		put_cold(t, &t->cold[n]);
	t->j->cold = t->k.p;
	assert(t->j->cold <= t->j->cold_end);
}

struct jit_block *jit_translate(struct cpu *c, const uint8_t *hva,
				unsigned avail, const uint8_t *hva2,
				unsigned key)
{
	static _Thread_local struct tr t;
	struct jit *j = c->jit;

	t.c = c;
	t.j = j;
	t.b = (struct jit_block *)(void *)(j->blocks + j->blocks_used);
	*t.b = (struct jit_block){ .hva = hva, .hva2 = hva2,
				   .look_low = PAGE_SIZE,
				   .key = (uint8_t)key };
	t.key = key;
	t.mode = key & KEY_MODE;
	t.table = (key & KEY_TABLE) >> 2;
	t.flat = key & KEY_FLAT;
	t.page = (const uint8_t *)((uintptr_t)hva & PAGE_MASK);
	t.avail_end = hva + avail;
	t.count = t.colds = t.lent = 0;
	t.loop = false;
	for (unsigned r = 0; r < 16; r++)
		t.host[r] = (uint8_t)tr_home_of(r);
	t.vectors = 0;
	t.k.p = j->hot;
	if (hva2)
		decode_crossing(&t, hva, avail, hva2);
	else
		decode(&t, hva);
	if (!t.count)
		return NULL;
	put_all(&t);
	j->blocks_used += sizeof(*t.b) + t.b->exits * sizeof(t.b->exit[0]);
	j->stats.blocks++;
	j->stats.insns += t.count;
	jit_log_block(&t);
	return t.b;
}
