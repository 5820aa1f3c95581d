/* cpu/jit/flow.c - jumps, calls and returns.
 *
 * Within the page a jump goes straight to the other block, once it is there
 * (struct jit_exit).  Jumps to other pages and through registers look their
 * target up in j->jump by RIP.  The tag of an entry holds while no
 * translation of addresses has changed and no block has been dropped; it is
 * compared together with the events word, so that this is also where events
 * are noticed (struct vcpu_port).  Jumps and calls backwards in the page look
 * at the events word themselves; every loop has one or the other.
 *
 * A call also calls on the host, so that the host predicts the return.  Its
 * frame says which RIP the guest is to return to; a return to another one
 * forgets all open calls and looks its target up.  So does whatever leaves to
 * C: an open call is younger than any change of mappings or code.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/jit/tr.h"

static bool is_wide(const struct tr *t)
{
	return t->mode == CODE64;
}

static bool in_page(int32_t target)
{
	return target >= 0 && target < (int32_t)PAGE_SIZE;
}

static unsigned start_of(const struct insn *i)
{
	return i->end - i->len;
}

static uint8_t flags_now(const struct tr *t, uint32_t live)
{
	if (!live)
		return FLAGS_DEAD;
	return t->host_ok ? FLAGS_HOST : t->cpu_ok ? FLAGS_CPU : FLAGS_DEAD;
}

/* ---- within the page ---- */

/* The jump at site leads to a place of the page. */
static struct jit_exit *add_exit(struct tr *t, uint8_t *site, int32_t target,
				 uint32_t live)
{
	struct jit_exit *x = &t->b->exit[t->b->exits++];
	struct cold *cold = tr_cold(t, COLD_EXIT, site);

	*x = (struct jit_exit){
		.from = t->b, .site = site, .target = (uint16_t)target,
		.flags = flags_now(t, live),
	};
	cold->exit = x;
	cold->flags = x->flags;
	cold->target = target;
	return x;
}

/* The check of a group failed: on, with this instruction, in a plain block. */
void tr_cold_plain(struct tr *t, unsigned first)
{
	unsigned start = start_of(tr_insn(t)), count = t->colds - first;
	uint8_t *site[2];

	assert(count <= 2);
	for (unsigned n = 0; n < count; n++)
		site[n] = t->cold[first + n].site;
	t->colds = first;
	for (unsigned n = 0; n < count; n++)
		add_exit(t, site[n], (int32_t)start, tr_live_before(t))->plain =
			true;
}

void tr_put_poll(struct tr *t, int32_t target, uint32_t live)
{
	struct cold *x;

	tr_clobber_flags(t, live);
	asm_cmp32_abs(&t->k, low32(&t->c->port.events), 0);
	x = tr_cold(t, COLD_EVENT, asm_jcc(&t->k, CC_NE, NULL));
	x->target = target;
	x->flags = FLAGS_CPU;
}

/* ---- by RIP ---- */

static int32_t entry_at(const struct tr *t, size_t field)
{
	return (int32_t)(low32(t->j->jump) + field);
}

/* TR_B = offset in j->jump of TR_A's entry, as jit.c's jump_entry(). */
static void put_hash(struct tr *t)
{
	struct code *k = &t->k;

	if (t->j->crc) {
		asm_abs(k, false, OP_LOAD, TR_B, low32(&t->c->port.tag));
		PUT(k, 0xf2, 0x4d, 0x0f, 0x38, 0xf1, 0xfe); /* crc32 r15, r14 */
	} else {
		asm_mov32(k, TR_B, TR_A);
		asm_shift(k, false, 5, TR_B, JUMP_SHIFT);
		asm_rr(k, false, 0x33, TR_B, TR_A);		/* xor */
		asm_abs(k, false, 0x33, TR_B, low32(&t->c->port.tag));
		asm_shift(k, false, 4, TR_B, 5);
	}
	asm_imm(k, false, 4, TR_B, JUMP_OFFSETS);
}

static void put_lookup_checks(struct tr *t, enum cold_kind miss)
{
	struct code *k = &t->k;
	const struct insn *i = tr_insn(t);
	struct cold *x;

	tr_clobber_flags(t, FLAGS_ARITH);
	put_hash(t);
	asm_mem(k, true, 0x3b, TR_A, TR_B,
		entry_at(t, offsetof(struct jump_entry, rip)));
	x = tr_cold(t, COLD_SECOND, asm_jcc(k, CC_NE, NULL));
	x->insn = i;
	x->miss = miss;
	x->back = k->p;
	asm_abs(k, true, OP_LOAD, TR_A, low32(&t->c->port));
	asm_mem(k, true, 0x3b, TR_A, TR_B,
		entry_at(t, offsetof(struct jump_entry, tag)));
	x = tr_cold(t, COLD_RELOAD, asm_jcc(k, CC_NE, NULL));
	x->insn = i;
	x->miss = miss;
}

/* The jump or call through the entry found; the stack pointer moves by sp. */
static void put_go(struct tr *t, int32_t sp, bool call)
{
	struct code *k = &t->k;

	asm_mem(k, true, OP_LOAD, TR_A, TR_B,
		entry_at(t, offsetof(struct jump_entry, page_rip)));
	asm_abs(k, true, OP_STORE, TR_A, low32(&t->j->page_rip));
	if (sp)
		asm_lea(k, is_wide(t), H_R13, H_R13, H_NONE, 0, sp);
	put_rex(k, false, 0, 0, TR_B, false);
	put1(k, 0xff);
	put_address(k, call ? 2 : 4, TR_B, H_NONE, 0,
		    entry_at(t, offsetof(struct jump_entry, code)));
}

/* A jump to the RIP in TR_A. */
static void put_lookup(struct tr *t, enum cold_kind miss, int32_t sp)
{
	put_lookup_checks(t, miss);
	put_go(t, sp, false);
}

static void put_target(struct tr *t, int32_t target)
{
	asm_abs(&t->k, true, OP_LOAD, TR_A, low32(&t->j->page_rip));
	asm_lea(&t->k, is_wide(t), TR_A, TR_A, H_NONE, 0, target);
}

static void put_far_goto(struct tr *t, int32_t target)
{
	put_target(t, target);
	put_lookup(t, COLD_MISS, 0);
}

static void put_goto(struct tr *t, int32_t target, uint32_t live, bool poll)
{
	if (!in_page(target)) {
		tr_flags_to_cpu(t, FLAGS_ARITH);
		put_far_goto(t, target);
		return;
	}
	if (poll)
		tr_put_poll(t, target, live);
	if (t->lent && target == (int32_t)start_of(&t->insn[0])) {
		asm_jmp(&t->k, t->again);
		return;
	}
	add_exit(t, asm_jmp(&t->k, NULL), target, live);
}

void tr_put_goto(struct tr *t, int32_t target)
{
	/* A call's are those the called code reads. */
	uint32_t live = kind_of(tr_insn(t)) == KIND_CALL ? FLAGS_ARITH
							 : t->live[t->at];

	put_goto(t, target, live, false);
}

/* ---- conditional jumps ---- */

/* The condition by one bit test of c->arith, if it needs no more. */
static bool put_test_flags(struct tr *t, unsigned cc)
{
	static const uint8_t mask[8] = {
		[1] = FLAG_CF, [2] = FLAG_ZF, [3] = FLAG_CF | FLAG_ZF,
		[4] = FLAG_SF, [5] = FLAG_PF,
	};

	if (!mask[cc >> 1])
		return false;
	asm_test8_abs(&t->k, low32(&t->c->arith), mask[cc >> 1]);
	return true;
}

/* Code after which the host's condition is the return value. */
static unsigned put_condition(struct tr *t, unsigned cc)
{
	if (!t->host_ok && put_test_flags(t, cc))
		return cc & 1 ? CC_E : CC_NE;
	tr_flags_to_host(t);
	return cc;
}

static void put_jcc(struct tr *t, const struct insn *i)
{
	int32_t target = (int32_t)(i->end + i->imm);
	uint32_t live = in_page(target) ? tr_live_at(t, target) : FLAGS_ARITH;
	unsigned cc = put_condition(t, i->opcode & 15);
	bool host_ok = t->host_ok, cpu_ok = t->cpu_ok;
	uint8_t *skip;

	if (t->follow[t->at]) {
		add_exit(t, asm_jcc(&t->k, cc ^ 1, NULL), i->end,
			 tr_live_at(t, i->end));
		return;
	}
	if (in_page(target) && target > (int32_t)start_of(i)) {
		add_exit(t, asm_jcc(&t->k, cc, NULL), target, live);
		return;
	}
	if (!in_page(target)) {
		struct cold *x = tr_cold(t, COLD_LOOKUP,
					 asm_jcc(&t->k, cc, NULL));

		x->target = target;
		x->insn = i;
		x->flags = t->cpu_ok ? FLAGS_CPU : FLAGS_HOST;
		return;
	}
	skip = asm_skip(&t->k, cc ^ 1);
	put_goto(t, target, live, true);
	asm_skip_to_here(&t->k, skip);
	t->host_ok = host_ok;
	t->cpu_ok = cpu_ok;
}

/* ---- calls and returns ---- */

/* Store the return address below the stack pointer, which stays; TR_B is it. */
static void put_return_address(struct tr *t, const struct insn *i)
{
	struct cold *x;

	tr_clobber_flags(t, t->live[t->at]);
	x = tr_put_stack(t, i, H_R13, -i->opsize, ACCESS_WRITE);
	if (x)
		x->kind = COLD_EXEC_END;
	asm_abs(&t->k, true, OP_LOAD, TR_B, low32(&t->j->page_rip));
	asm_lea(&t->k, is_wide(t), TR_B, TR_B, H_NONE, 0, i->end);
	asm_mem(&t->k, is_wide(t), OP_STORE, TR_B, TR_A, t->disp);
}

/* The frame of a call that returns to TR_B, but for the host's own part. */
static void put_open_call(struct tr *t)
{
	struct code *k = &t->k;
	struct cold *x;

	put_rex(k, true, H_RSP, 0, 0, false);
	put1(k, 0x3b);					/* cmp rsp, [] */
	put_absolute(k, H_RSP, low32(&t->j->rsp_limit));
	x = tr_cold(t, COLD_DEEP, asm_jcc(k, CC_B, NULL));
	x->back = k->p;
	PUT(k, 0x41, 0x57);				/* push r15 */
}

/* Where the call returns to: the block goes on there.  TR_A is the RIP.  The
 * page is the same, most often; then a store of page_rip would only make the
 * next call, which computes its return address from it, wait for this one's. */
static void put_landing(struct tr *t, const struct insn *i)
{
	struct code *k = &t->k;
	uint8_t *same;

	PUT(k, 0x41, 0x5f);				/* pop r15 */
	asm_lea(k, is_wide(t), TR_A, TR_A, H_NONE, 0, -(int32_t)i->end);
	asm_abs(k, true, 0x3b, TR_A, low32(&t->j->page_rip));
	same = asm_skip(k, CC_E);
	asm_abs(k, true, OP_STORE, TR_A, low32(&t->j->page_rip));
	asm_skip_to_here(k, same);
	t->host_ok = false;
	t->cpu_ok = true;
	t->vectors = 0;
	tr_forget_scratch(t);
}

/* To the RIP in TR_A, back to that in TR_B. */
static void put_far_call(struct tr *t, const struct insn *i)
{
	put_open_call(t);
	put_lookup_checks(t, COLD_CALL_MISS);
	put_go(t, -i->opsize, true);
	put_landing(t, i);
}

/* Within the page. */
static void put_near_call(struct tr *t, const struct insn *i, int32_t target)
{
	uint32_t live = t->live[t->at];

	tr_put_poll(t, target, live);	/* returns do not look */
	put_open_call(t);
	put1(&t->k, 0xe8);
	put4(&t->k, 0);
	add_exit(t, t->k.p - 4, target, live);
	put_landing(t, i);
}

static void put_call(struct tr *t, const struct insn *i)
{
	int32_t target = (int32_t)(i->end + i->imm);

	put_return_address(t, i);
	if (in_page(target)) {
		asm_lea(&t->k, is_wide(t), H_R13, H_R13, H_NONE, 0,
			-i->opsize);
		put_near_call(t, i, target);
		return;
	}
	put_target(t, target);
	put_far_call(t, i);
}

/* TR_A = the operand of an indirect jump or call. */
static void put_indirect_target(struct tr *t, const struct insn *i)
{
	if (i->op[0].kind == OP_MEM) {
		struct cold *x = tr_put_operand(t, i, 0, ACCESS_READ, 0, false);

		x->kind = COLD_EXEC_END;
		asm_mem(&t->k, is_wide(t), OP_LOAD, TR_A, TR_A, 0);
		return;
	}
	tr_clobber_flags(t, FLAGS_ARITH);
	asm_rr(&t->k, is_wide(t), OP_LOAD, TR_A,
	       tr_get(t, i->op[0].reg, TR_A));
}

static void put_call_near(struct tr *t, const struct insn *i)
{
	put_indirect_target(t, i);
	PUT(&t->k, 0x41, 0x56);				/* push r14 */
	put_return_address(t, i);
	PUT(&t->k, 0x41, 0x5e);				/* pop r14 */
	put_far_call(t, i);
}

/* What RET adds to the stack pointer. */
static int32_t ret_bytes(const struct insn *i)
{
	return i->opsize + (i->op[0].kind == OP_IMM ? (uint16_t)i->imm : 0);
}

static void put_ret(struct tr *t, const struct insn *i)
{
	struct cold *x;

	tr_clobber_flags(t, FLAGS_ARITH);
	x = tr_put_stack(t, i, H_R13, 0, ACCESS_READ);
	if (x)
		x->kind = COLD_EXEC_END;
	asm_mem(&t->k, is_wide(t), OP_LOAD, TR_A, TR_A, t->disp);
	asm_mem(&t->k, true, 0x3b, TR_A, H_RSP, TR_FRAME_RIP);
	x = tr_cold(t, COLD_RETURN, asm_jcc(&t->k, CC_NE, NULL));
	x->insn = i;
	x->target = t->sp_ahead;
	t->sp_ahead += ret_bytes(i);
	tr_settle_sp(t);
	put1(&t->k, 0xc3);
}

bool tr_flow_ok(const struct tr *t, const struct insn *i)
{
	int64_t target = i->end + i->imm;

	if (!t->flat || i->opsize != (is_wide(t) ? 8 : 4))
		return false;
	if (i->op[0].kind == OP_MEM && !tr_address_ok(t, i))
		return false;
	return kind_of(i) == KIND_RET || target == (int32_t)target;
}

bool tr_flow(struct tr *t, const struct insn *i, enum kind kind)
{
	int64_t target = i->end + i->imm;

	if (!tr_flow_ok(t, i))
		return false;
	switch (kind) {
	case KIND_JCC:
		put_jcc(t, i);
		break;
	case KIND_JMP:
		put_goto(t, (int32_t)target, t->live[t->at],
			 target <= start_of(i));
		break;
	case KIND_CALL:
		put_call(t, i);
		break;
	case KIND_JMP_NEAR:
		put_indirect_target(t, i);
		put_lookup(t, COLD_EXEC_END, 0);
		break;
	case KIND_CALL_NEAR:
		put_call_near(t, i);
		break;
	default:
		put_ret(t, i);
		break;
	}
	return true;
}

/* ---- cold code ---- */

static void put_leave(struct tr *t, const struct cold *x)
{
	asm_load_imm(&t->k, TR_A, (uintptr_t)x->exit);
	asm_load_imm(&t->k, TR_B, (uint32_t)x->target);
	asm_jmp(&t->k, x->flags == FLAGS_HOST ? t->j->stub.leave_host
					      : t->j->stub.leave_cpu);
}

/* A call to a place nobody would jump to is left to the interpreter, which
 * raises #GP at the call. */
static void put_call_miss(struct tr *t, const struct cold *x)
{
	struct code *k = &t->k;

	if (is_wide(t)) {
		asm_mov(k, TR_B, TR_A);
		asm_shift(k, true, 4, TR_B, 16);
		asm_shift(k, true, 7, TR_B, 16);
		asm_rr(k, true, 0x3b, TR_B, TR_A);
		tr_cold(t, COLD_EXEC_END, asm_jcc(k, CC_NE, NULL))->insn =
			x->insn;
	}
	asm_lea(k, is_wide(t), H_R13, H_R13, H_NONE, 0, -x->insn->opsize);
	asm_jmp(k, t->j->stub.leave_rip);
}

/* Neither of its entries has the RIP in TR_A. */
static void put_miss(struct tr *t, const struct cold *x)
{
	switch (x->miss) {
	case COLD_EXEC_END:
		tr_cold(t, COLD_EXEC_END, asm_jmp(&t->k, NULL))->insn =
			x->insn;
		break;
	case COLD_CALL_MISS:
		put_call_miss(t, x);
		break;
	default:
		asm_jmp(&t->k, t->j->stub.leave_rip);
		break;
	}
}

void tr_put_cold_flow(struct tr *t, struct cold *x)
{
	struct code *k = &t->k;

	switch (x->kind) {
	case COLD_SECOND:
		asm_imm(k, false, 6, TR_B, sizeof(struct jump_entry));
		asm_mem(k, true, 0x3b, TR_A, TR_B,
			entry_at(t, offsetof(struct jump_entry, rip)));
		asm_jcc(k, CC_E, x->back);
		put_miss(t, x);
		break;
	case COLD_EXIT:
		if (t->lent) {
			tr_put_lent_back(t);
			x->exit->site = asm_jmp(k, NULL);
			asm_patch(x->exit->site, k->p);
		}
		x->exit->stub = k->p;
		put_leave(t, x);
		break;
	case COLD_EVENT:
		tr_put_lent_back(t);
		put_leave(t, x);
		break;
	case COLD_STEP:
		asm_store8_abs(k, low32(&t->j->step), 1);
		put_leave(t, x);
		break;
	case COLD_LOOKUP:
		tr_put_lent_back(t);
		t->host_ok = x->flags == FLAGS_HOST;
		t->cpu_ok = x->flags == FLAGS_CPU;
		tr_flags_to_cpu(t, FLAGS_ARITH);
		t->at = (unsigned)(x->insn - t->insn);
		put_far_goto(t, x->target);
		break;
	case COLD_DEEP:
		asm_abs(k, true, OP_LOAD, H_RSP, low32(&t->j->host_rsp));
		asm_jmp(k, x->back);
		break;
	case COLD_RETURN:
		asm_abs(k, true, OP_LOAD, H_RSP, low32(&t->j->host_rsp));
		t->host_ok = false;
		t->cpu_ok = true;
		t->at = (unsigned)(x->insn - t->insn);
		t->sp_ahead = x->target;
		tr_settle_sp(t);
		put_lookup(t, COLD_EXEC_END, ret_bytes(x->insn));
		break;
	default:	/* COLD_RELOAD */
		asm_mem(k, true, OP_LOAD, TR_A, TR_B,
			entry_at(t, offsetof(struct jump_entry, rip)));
		put_miss(t, x);
		break;
	}
}
