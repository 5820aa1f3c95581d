/* block.c - make a case of several instructions that get somewhere.
 *
 * Instructions are made one after the other as in case.c and each is run at
 * once by the interpreter's functions, so that the state is known in which the
 * next is going to run (maker.h).  Memory operands are aimed at the data
 * (aim.c).  What faults is taken back, but now and then it stays: then the block ends there, or rather
 * goes on with code that is not reached.
 *
 * Branches go forward to the start of an instruction.  The condition is known,
 * so what lies between is reached, or is any valid code.  Indirect branches
 * and returns read their target from a register loaded before or from memory,
 * where it is put.
 *
 * Nothing is used that two processors need not agree on: flags that an
 * instruction left undefined are not read before they are set again, and wild
 * addresses, which may be the test program's own, are taken back.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/bytes.h"
#include "maker.h"
#include "random.h"

#define TRIES		16
#define FAULT_ODDS	12	/* one in so many faults stays */
#define NEAR_BYTES	0x10000u /* about the data and about 0 nothing is mapped */
#define SKIP_MAX	4	/* instructions that a branch goes over */

/* ---- what may stand in a block ---- */

static bool touches_memory(const struct insn *i)
{
	static const char *const names[] = { "lea", "nop", NULL };
	const struct insn_row *row = insn_row_of(i);

	return i->prefix & PREFIX_MEM && !row_is_one_of(row, names) &&
	       strncmp(row->name, "prefetch", 8);
}

/* Where processors differ (excuse.c), whatever the state. */
static bool disputed(const struct insn *i)
{
	const struct insn_row *row = insn_row_of(i);

	if (m.t->mode != CODE64 && (!strcmp(row->name, "vpextrd") ||
				    !strcmp(row->name, "vpinsrd")))
		return true;
	if (m.t->mode != CODE64 && strstr(row->name, "maskmov"))
		return true;
	if (m.c->rflags & FLAG_AC && !strcmp(row->name, "enter"))
		return true;
	return i->addrsize == 2 &&
	       (row->op[0] == Mo || row->op[0] == Mt || row->op[1] == Mt) &&
	       touches_memory(i);
}

/* What a fault of it leaves behind, or which of two it is, is nobody's
 * promise. */
static bool faults_untidily(const struct insn *i)
{
	static const char *const names[] = { "enter", "call", "popa", "pusha",
					     NULL };
	const struct insn_row *row = insn_row_of(i);

	return row_is_one_of(row, names) || row->op[0] == Mo ||
	       insn_has_vector_index(i) || strstr(row->name, "maskmov");
}

static bool is_branch(const struct insn_row *row)
{
	static const char *const names[] = { "call", "jmp", "ret", NULL };

	return row->op[0] == Jb || row->op[0] == Jz || row_is_one_of(row, names);
}

/* Some instruction that can be made of a row. */
static bool some_insn(struct candidate *c)
{
	const struct insn_row *row =
		&insn_rows[m.rows[below(&m.r, m.row_count)]];

	if (is_branch(row))
		return false;
	/* Half of the rows are vector instructions. */
	if (row->how & (HOW_SSE | HOW_AVX | HOW_MMX) && one_in(&m.r, 2))
		return false;
	c->e.bytes = c->bytes;
	encode_row(&c->e, row, m.t->mode, &m.r);
	return candidate_decode(c) && !is_branch(insn_row_of(&c->insn)) &&
	       !(insn_how(&c->insn) & (HOW_CPL0 | HOW_SYS | HOW_RFAULT)) &&
	       !disputed(&c->insn);
}

/* After it has run without a fault: may it stay? */
static bool may_stay(const struct insn *i, uint64_t at)
{
	const struct insn_row *row = insn_row_of(i);

	if (m.c->rflags & FLAG_TF)
		return false;
	if (!touches_memory(i))
		return true;
	if (at - CODE_AT + 64 < 4096 + 128)
		return false;
	return row->feature != FEAT_SHA_NI || !(at & 15);
}

static bool is_near(uint64_t at)
{
	return at < NEAR_BYTES || at - (DATA_AT - NEAR_BYTES) <
					  DATA_BYTES + 2 * NEAR_BYTES;
}

static bool fault_may_stay(const struct insn *i, int trap)
{
	if (trap == VEC_PF && !is_near(m.c->cr2))
		return false;
	return one_in(&m.r, FAULT_ODDS) && !faults_untidily(i) &&
	       !(insn_row_of(i)->feature == FEAT_SHA_NI);
}

/* Images hold pointers to the last x87 instruction and operand: the host may
 * have lost them to its kernel, and ours are not meant to agree. */
static bool note_pointers(const struct insn *i, uint64_t at)
{
	const char *name = insn_row_of(i)->name;
	unsigned from = 6, len = 26;	/* and MXCSR_MASK, which AMD adds to */
	struct test *t = m.t;

	if (!strcmp(name, "fnstenv") || !strcmp(name, "fnsave")) {
		from = i->opsize == 2 ? 6 : 12;
		len = i->opsize == 2 ? 8 : 16;
	} else if (strcmp(name, "fxsave")) {
		return true;
	}
	if (t->blurs == BLURS_MAX)
		return false;
	t->blur[t->blurs].at = (uint32_t)at + from;
	t->blur[t->blurs++].len = len;
	return true;
}

/* ---- instructions ---- */

/* One that is not reached. */
static void add_unreached(void)
{
	static const uint8_t nop = 0x90;
	struct candidate c;

	for (unsigned n = 0; n < TRIES; n++)
		if (some_insn(&c)) {
			(void)maker_append(&c, false);
			return;
		}
	memcpy(c.bytes, &nop, 1);
	(void)candidate_decode(&c);
	(void)maker_append(&c, false);
}

/* One that is, after all that it needs; false: it was taken back. */
static bool try_insn(struct candidate *c)
{
	uint64_t at = 0;
	int trap;

	if (!some_insn(c) || insn_row_of(&c->insn)->uses & m.t->junk)
		return false;
	if (!aim_implicit(&c->insn) || (touches_memory(&c->insn) && !aim_operand(c)))
		return false;
	if (!maker_room())
		return false;
	if (touches_memory(&c->insn))
		at = maker_linear_of(&c->insn);
	if (maker_near_blur(at)) {
		(void)maker_replay();
		return false;
	}
	trap = guest_step(&c->insn, maker_rip(m.at));
	if (trap == NO_TRAP ? may_stay(&c->insn, at) &&
				      note_pointers(&c->insn, at)
			    : fault_may_stay(&c->insn, trap)) {
		(void)maker_append(c, true);
		m.ended = trap != NO_TRAP;
		if (!m.ended)
			maker_flags_after(m.t, &c->insn);
		return true;
	}
	(void)maker_replay();
	return false;
}

static void add_insn(void)
{
	struct candidate c;
	struct block_insn *nop;

	for (unsigned n = 0; n < TRIES && maker_room(); n++)
		if (try_insn(&c))
			return;
	if (!maker_room())
		return;
	memset(c.bytes, 0x90, sizeof(c.bytes));
	(void)candidate_decode(&c);
	nop = maker_append(&c, true);
	(void)guest_step(&nop->insn, maker_rip(nop->at));
}

/* No instruction at all: #UD. */
static void add_undefined(void)
{
	struct candidate c = { .bytes = { 0x0f, 0x0b } };

	(void)candidate_decode(&c);
	(void)maker_append(&c, true);
	m.ended = true;
}

/* ---- branches ---- */

static void put_displacement(const struct pending *p)
{
	uint64_t disp = m.at - (p->at + p->size);

	memcpy(m.t->bytes + p->at, &disp, p->size);
}

/* Those whose target is the next instruction. */
static void resolve(bool all)
{
	unsigned left = 0;

	for (unsigned n = 0; n < m.pendings; n++)
		if (all || m.pending[n].target <= m.t->count)
			put_displacement(&m.pending[n]);
		else
			m.pending[left++] = m.pending[n];
	m.pendings = left;
}

static void skip_some(void)
{
	for (unsigned n = below(&m.r, SKIP_MAX); n && maker_room(); n--)
		add_unreached();
}

/* The insn of the branch says where it goes: decode what has been patched. */
static void redecode(struct block_insn *b)
{
	(void)insn_decode(&b->insn, m.t->bytes + b->at, 15, m.t->mode,
			  &oracle_features);
}

static void make_branch(struct candidate *c)
{
	static const uint8_t others[] = { 0xe0, 0xe1, 0xe2, 0xe3, 0xeb, 0xe9,
					  0xe8, 0xe8 };
	unsigned n = 0, k = below(&m.r, 32);

	memset(c->bytes, 0, sizeof(c->bytes));
	if (k >= 16 && k < 24) {
		c->bytes[n++] = 0x0f;
		c->bytes[n++] = (uint8_t)(0x80 | below(&m.r, 16));
	} else if (k < 16) {
		c->bytes[n++] = (uint8_t)(0x70 | below(&m.r, 16));
	} else {
		c->bytes[n++] = others[k - 24];
	}
	c->bytes[n] = 1;		/* a distance, to see if it is taken */
}

/* Jcc, JMP, LOOP and kin, CALL, to an instruction that is still to come. */
static bool add_branch(void)
{
	struct candidate c;
	struct pending p;
	struct block_insn *b;
	bool taken;

	make_branch(&c);
	if (!candidate_decode(&c) || insn_row_of(&c.insn)->uses & m.t->junk ||
	    !aim_implicit(&c.insn) || !maker_room())
		return false;
	if (guest_step(&c.insn, maker_rip(m.at)) != NO_TRAP) {
		(void)maker_replay();
		return false;
	}
	taken = m.c->rip != maker_rip(m.at) + c.insn.len;
	b = maker_append(&c, true);
	p.size = c.bytes[0] == 0x0f || c.bytes[0] == 0xe8 || c.bytes[0] == 0xe9
			 ? (m.t->mode == CODE16 ? 2 : 4) : 1;
	p.at = (uint16_t)(m.at - p.size);
	p.target = (uint8_t)(m.t->count + below(&m.r, SKIP_MAX));
	if (!taken) {
		m.pending[m.pendings++] = p;
		return true;
	}
	while (m.t->count < p.target && maker_room())
		add_unreached();
	put_displacement(&p);
	redecode(b);
	(void)maker_replay();
	return true;
}

/* Back to the first n instructions. */
static void take_back(unsigned n)
{
	m.t->count = n;
	if (n)
		m.at = m.t->block[n - 1].at + m.t->block[n - 1].insn.len;
	else
		m.at = 0;
	(void)maker_replay();
}

/* JMP or CALL by a register. */
static bool add_register_branch(void)
{
	static const uint8_t regs[] = { RAX, RCX, RDX, RBX, RBP, RSI, RDI };
	unsigned n, reg = regs[below(&m.r, ARRAY_LEN(regs))], imm;
	struct candidate c;
	struct block_insn *mov;
	uint64_t target;

	if (!aim_pointer(RSP, SS, m.c->stack_size) || m.t->count + 2 > m.most)
		return false;
	n = m.t->count;
	imm = m.at + candidate_mov(&c, reg, 0x01020304);
	mov = maker_append(&c, true);
	memset(c.bytes, 0, sizeof(c.bytes));
	c.bytes[0] = 0xff;
	c.bytes[1] = (uint8_t)(0xc0 | (one_in(&m.r, 2) ? 2 : 4) << 3 | reg);
	(void)candidate_decode(&c);
	(void)maker_append(&c, true);
	skip_some();
	target = maker_rip(m.at);
	memcpy(m.t->bytes + imm, &target, 4);
	redecode(mov);
	if (maker_replay() && m.c->rip == target)
		return true;
	take_back(n);
	return false;
}

static void make_memory_branch(struct candidate *c)
{
	static const struct insn_row row = { .modrm = M(4), .opcode = 0xff };
	static const struct insn_row call = { .modrm = M(2), .opcode = 0xff };

	c->e.bytes = c->bytes;
	encode_row(&c->e, one_in(&m.r, 2) ? &row : &call, m.t->mode, &m.r);
}

/* RET, or JMP or CALL by memory, where the target is put. */
static bool add_memory_branch(void)
{
	static const uint8_t rets[][3] = { { 0xc3 }, { 0xc3 }, { 0xc2, 8, 0 } };
	unsigned n = m.t->count;
	struct candidate c = { .bytes = { 0 } };
	uint64_t at, target;

	if (one_in(&m.r, 2))
		memcpy(c.bytes, rets[below(&m.r, 3)], 3);
	else
		make_memory_branch(&c);
	if (!candidate_decode(&c) || !is_branch(insn_row_of(&c.insn)) ||
	    (c.insn.prefix & PREFIX_66) || !aim_implicit(&c.insn) ||
	    (c.insn.prefix & PREFIX_MEM && !aim_operand(&c)) || !maker_room()) {
		take_back(n);
		return false;
	}
	at = c.insn.prefix & PREFIX_MEM
		     ? maker_linear_of(&c.insn)
		     : maker_linear(m.c->stack_size == 2 ? (uint16_t)m.c->gpr[RSP]
						   : m.c->gpr[RSP], SS);
	(void)maker_append(&c, true);
	skip_some();
	target = maker_rip(m.at);
	if (maker_writable(at, c.insn.opsize) &&
	    maker_poke(at, target, c.insn.opsize) && m.c->rip == target)
		return true;
	take_back(n);
	return false;
}

static void add_some_branch(void)
{
	unsigned k = below(&m.r, 8);

	if (k < 6)
		(void)add_branch();
	else if (k < 7)
		(void)add_register_branch();
	else
		(void)add_memory_branch();
}

/* ---- the block ---- */

/* Pointers as 16 and 32-bit segments have them. */
static void aim_before(struct test *t)
{
	uint64_t *gpr = t->before.gpr;

	t->before.flags &= ~FLAG_TF;
	if (t->mode == CODE64)
		return;
	for (unsigned n = RBX; n <= RDI; n++) {
		unsigned seg = n == RSP || n == RBP ? SS : DS;

		if (gpr[n] - DATA_AT < DATA_BYTES)
			gpr[n] -= case_segment_base(t, seg);
	}
}

void block_settle(const struct test *t, struct state *s)
{
	uint64_t at = s->rip - t->before.rip;

	if (s->trap == VEC_GP && !s->code && at < sizeof(t->bytes) &&
	    t->bytes[at] == HLT)
		s->trap = NO_TRAP;
}

void block_cut(struct test *t, unsigned n)
{
	unsigned end;

	if (n >= t->count)
		return;
	end = t->block[n].at;
	memset(t->bytes + end, HLT, sizeof(t->bytes) - end);
	t->count = n;
	t->junk = 0;
	for (unsigned k = 0; k < n; k++)
		if (t->block[k].reached)
			maker_flags_after(t, &t->block[k].insn);
}

/* The instruction the path comes to last, for reports. */
static void find_last(struct test *t)
{
	t->decoded = DECODE_OK;
	for (unsigned n = 0; n < t->count; n++)
		if (t->block[n].reached)
			t->insn = t->block[n].insn;
}

void block_make(struct test *t, uint64_t seed, enum code_mode mode,
		unsigned most, const uint16_t *rows, unsigned count)
{
	m = (struct maker){ .t = t, .r = seed * 0xd1342543de82ef95ull,
			    .rows = rows, .row_count = count };
	t->seed = seed;
	t->mode = mode;
	t->window = 0;
	t->count = t->blurs = 0;
	t->junk = 0;
	case_state(t, &m.r);
	aim_before(t);
	case_clip_registers(t);
	maker_fill_memory();
	m.most = 1 + below(&m.r, most);
	(void)maker_replay();
	while (maker_room()) {
		resolve(false);
		if (m.ended)
			add_unreached();
		else if (one_in(&m.r, 6))
			add_some_branch();
		else if (one_in(&m.r, 300))
			add_undefined();
		else
			add_insn();
	}
	resolve(true);
	memset(t->bytes + m.at, HLT, sizeof(t->bytes) - m.at);
	find_last(t);
}
