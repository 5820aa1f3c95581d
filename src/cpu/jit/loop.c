/* cpu/jit/loop.c - small loops.
 *
 * A block that jumps back to its beginning is written several times in a row,
 * so that groups span several rounds (group.c) and events are looked at less
 * often: conditional jumps between the copies are inverted and leave the loop.
 * A small loop in the middle of what is decoded becomes a block of its own.
 *
 * Guest registers that have no host register get one for the loop, if there is
 * one of a guest register that the loop does not use: that one waits in struct
 * cpu.  All ways out of the loop, and all calls of C, put both back first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/bytes.h"
#include "cpu/jit/tr.h"

/* A loop of so many instructions is written so many times. */
#define BODY_MAX	16
#define INSNS_MAX	56
#define TIMES		4
#define VECTOR_TIMES	8	/* vector loops: checks cost them most */

/* ---- several rounds in a row ---- */

/* Does the block so far end in a jump back to its beginning? */
static bool is_loop(const struct tr *t, unsigned start)
{
	const struct insn *i = &t->insn[t->count - 1];

	if (!t->flat || t->count > BODY_MAX || kind_of(i) != KIND_JCC ||
	    i->end + i->imm != start || i->end >= PAGE_SIZE)
		return false;
	for (unsigned n = 0; n < t->count; n++)
		if (kind_of(&t->insn[n]) == KIND_EXEC)
			return false;
	return true;
}

/* A call ends all groups and looks at events itself: nothing is gained. */
static unsigned times_wanted(const struct tr *t)
{
	unsigned times = TIMES;

	for (unsigned n = 0; n < t->count; n++) {
		enum kind k = kind_of(&t->insn[n]);

		if (k == KIND_CALL || k == KIND_CALL_NEAR)
			return 1;
		if (k == KIND_VECTOR)
			times = VECTOR_TIMES;
	}
	return times;
}

static void unroll(struct tr *t)
{
	unsigned body = t->count, times = INSNS_MAX / body;

	if (times > times_wanted(t))
		times = times_wanted(t);
	for (unsigned n = 1; n < times; n++) {
		t->follow[t->count - 1] = true;
		memcpy(&t->insn[t->count], t->insn, body * sizeof(t->insn[0]));
		memset(&t->follow[t->count], 0, body * sizeof(t->follow[0]));
		t->count += body;
	}
}

/* If the block so far ends in a small loop, end it before that. */
static bool leave_loop_out(struct tr *t)
{
	const struct insn *i = &t->insn[t->count - 1];
	int64_t target = i->end + i->imm;

	if (!t->flat || kind_of(i) != KIND_JCC)
		return false;
	for (unsigned n = t->count; n-- > 1 && t->count - n <= BODY_MAX;)
		if (t->insn[n].end - t->insn[n].len == target &&
		    !t->follow[n - 1]) {
			t->count = n;
			return true;
		}
	return false;
}

/* ---- registers ---- */

/* Bits of guest registers that i names; those it uses without naming them
 * are not among what may be lent. */
static uint32_t named(const struct insn *i)
{
	uint32_t bits = 0;

	for (unsigned n = 0; n < 4; n++)
		if (i->op[n].kind == OP_GPR)
			bits |= 1u << (i->op[n].reg >= REG_AH
					       ? i->op[n].reg - REG_AH
					       : i->op[n].reg);
	if (i->base != REG_NONE)
		bits |= 1u << i->base;
	if (i->index != REG_NONE)
		bits |= 1u << i->index;
	return bits;
}

/* Instructions whose code knows where registers may be. */
static bool can_lend(const struct insn *i)
{
	switch (kind_of(i)) {
	case KIND_COPY: case KIND_READS: case KIND_BOTH: case KIND_BIT:
	case KIND_VECTOR: case KIND_LEA: case KIND_NOP: case KIND_JCC:
	case KIND_DIV: case KIND_IDIV:
		return true;
	default:
		return false;
	}
}

/* Is there a loop, and nothing behind it, that wants registers? */
static bool wants_registers(const struct tr *t, uint32_t *used)
{
	*used = 0;
	if (!t->loop || t->mode != CODE64 || t->live_in || t->j->apart ||
	    t->j->check)
		return false;
	for (unsigned n = 0; n < t->count; n++) {
		if (!can_lend(&t->insn[n]))
			return false;
		*used |= named(&t->insn[n]);
	}
	return true;
}

void tr_choose_lent(struct tr *t)
{
	/* Not named means not used, and no byte register needs REX to be
	 * told from AH to BH. */
	static const uint8_t spare[] = { R8, R9, R10, R11, R12, RBX };
	unsigned next = 0;
	uint32_t used;

	if (!wants_registers(t, &used))
		return;
	for (unsigned r = R13; r <= R15; r++) {
		if (!(used & 1u << r))
			continue;
		while (next < ARRAY_LEN(spare) && used & 1u << spare[next])
			next++;
		if (next == ARRAY_LEN(spare))
			return;
		t->host[r] = (uint8_t)tr_home_of(spare[next++]);
		t->lend[t->lent].guest = (uint8_t)r;
		t->lend[t->lent++].host = t->host[r];
	}
}

/* Host registers that are lent have their guest registers' numbers. */
void tr_put_lend(struct tr *t)
{
	for (unsigned n = 0; n < t->lent; n++) {
		unsigned host = t->lend[n].host;

		asm_abs(&t->k, true, OP_STORE, host, tr_gpr_address(t, host));
		asm_abs(&t->k, true, OP_LOAD, host,
			tr_gpr_address(t, t->lend[n].guest));
	}
}

void tr_put_lent_back(struct tr *t)
{
	for (unsigned n = 0; n < t->lent; n++) {
		unsigned host = t->lend[n].host;

		asm_abs(&t->k, true, OP_STORE, host,
			tr_gpr_address(t, t->lend[n].guest));
		asm_abs(&t->k, true, OP_LOAD, host, tr_gpr_address(t, host));
	}
}

bool tr_loop(struct tr *t, unsigned start)
{
	if (!t->j->check && is_loop(t, start)) {
		unroll(t);
		t->loop = true;
		return true;
	}
	return leave_loop_out(t);
}
