/* block.c - make a case of several instructions that get somewhere.
 *
 * Instructions are made one after the other as in case.c and each is run at
 * once by the interpreter's functions, so that the state is known in which the
 * next is going to run.  Memory operands are aimed at the data by their
 * displacement, or by a MOV in front that loads a register.  What faults is
 * taken back, but now and then it stays: then the block ends there, or rather
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
#include "cpu/interp/exec.h"
#include "encode.h"
#include "oracle.h"
#include "random.h"

#define TRIES		16
#define FAULT_ODDS	12	/* one in so many faults stays */
#define NEAR_BYTES	0x10000u /* about the data and about 0 nothing is mapped */
#define REACH		5000	/* of a gather or a bit test */
#define SKIP_MAX	4	/* instructions that a branch goes over */

struct candidate {
	struct encoding e;
	uint8_t bytes[15];
	struct insn insn;
};

/* A branch that was not taken, whose target is still to come. */
struct pending {
	uint16_t at;		/* of the displacement */
	uint8_t size;
	uint8_t target;		/* index in block[] */
};

static struct maker {
	struct test *t;
	const struct cpu *c;
	uint64_t r;
	const uint16_t *rows;
	unsigned row_count;
	unsigned most;
	unsigned at;		/* bytes so far */
	bool ended;		/* by a fault */
	unsigned pendings;
	struct pending pending[BLOCK_MAX_INSNS];
} m;

static uint64_t rip_at(unsigned at)
{
	return m.t->before.rip + at;
}

static bool room(void)
{
	return m.t->count < m.most;
}

/* ---- the memory before ---- */

/* All data is made anew for each case: it depends on nothing else. */
static void fill_memory(void)
{
	static uint8_t pattern[DATA_BYTES];
	static bool ready;
	uint64_t r = 1;

	for (unsigned k = 0; !ready && k < DATA_BYTES; k += 32)
		case_bytes(&r, pattern + k, 32);
	ready = true;
	for (unsigned p = 0; p < DATA_PAGES; p++)
		if (DATA_RIGHTS[p] == 'w')
			memcpy(host_data + 4096 * p, pattern + 4096 * p, 4096);
}

static bool writable(uint64_t at, unsigned len)
{
	uint64_t o = at - DATA_AT;

	return o < DATA_BYTES && o + len <= DATA_BYTES &&
	       DATA_RIGHTS[o / 4096] == 'w' &&
	       DATA_RIGHTS[(o + len - 1) / 4096] == 'w';
}

/* Could an operand here reach memory that need not agree? */
static bool near_blur(uint64_t at)
{
	for (unsigned n = 0; n < m.t->blurs; n++)
		if (at - m.t->blur[n].at + REACH < 2 * REACH)
			return true;
	return false;
}

static bool in_data(uint64_t at)
{
	uint64_t o = at - DATA_AT;

	return o < DATA_BYTES && data_page_mapped((unsigned)(o / 4096)) &&
	       !near_blur(at);
}

static uint64_t some_address(void)
{
	uint64_t at;

	do
		at = case_address(&m.r);
	while (near_blur(at));
	return at;
}

/* ---- what has been made ---- */

static void flags_after(struct test *t, const struct insn *i)
{
	static const char *const conditional[] = { "sh", "sa", "ro", "rc",
						   "scas", "cmps" };
	const struct insn_row *row = insn_row_of(i);
	bool certain = true;

	for (unsigned n = 0; n < ARRAY_LEN(conditional); n++)
		if (!strncmp(row->name, conditional[n],
			     strlen(conditional[n])))
			certain = false;
	if (certain)
		t->junk &= ~row->sets;
	t->junk |= row->junk;
}

static struct block_insn *append(const struct candidate *c, bool reached)
{
	struct block_insn *b = &m.t->block[m.t->count++];

	*b = (struct block_insn){ (uint16_t)m.at, reached, c->insn };
	memcpy(m.t->bytes + m.at, c->bytes, c->insn.len);
	m.at += c->insn.len;
	return b;
}

/* From the start to here once more, because the state before has changed or
 * an instruction is taken back.  False: it goes another way now. */
static bool replay(void)
{
	struct block_insn *last = NULL;

	m.c = guest_begin(m.t);
	for (unsigned n = 0; n < m.t->count; n++) {
		struct block_insn *b = &m.t->block[n];

		if (!b->reached)
			continue;
		if (last && m.c->rip != rip_at(b->at))
			return false;
		if (guest_step(&b->insn, rip_at(b->at)) != NO_TRAP ||
		    m.c->rflags & FLAG_TF)
			return false;
		last = b;
	}
	return true;
}

/* Change the memory before, if nothing else comes of it. */
static bool poke(uint64_t at, uint64_t v, unsigned size)
{
	uint8_t *p = host_data + (at - DATA_AT);
	uint64_t old = 0;

	if (!writable(at, size))
		return false;
	memcpy(&old, p, size);
	memcpy(p, &v, size);
	if (replay())
		return true;
	memcpy(p, &old, size);
	(void)replay();
	return false;
}

/* ---- instructions made to order ---- */

static bool decode(struct candidate *c)
{
	return insn_decode(&c->insn, c->bytes, 15, m.t->mode,
			   &oracle_features) == DECODE_OK;
}

/* MOV reg, v, in 32 bits where that is enough; returns where v is. */
static unsigned make_mov(struct candidate *c, unsigned reg, uint64_t v)
{
	bool wide = m.t->mode == CODE64 && v >> 32;
	unsigned n = 0;

	memset(c->bytes, 0, sizeof(c->bytes));
	if (m.t->mode == CODE16)
		c->bytes[n++] = 0x66;
	if (wide || reg >= 8)
		c->bytes[n++] = (uint8_t)(0x40 | wide << 3 | reg >> 3);
	c->bytes[n++] = (uint8_t)(0xb8 | (reg & 7));
	memcpy(c->bytes + n, &v, wide ? 8 : 4);
	(void)decode(c);
	return n;
}

/* Give the register that value before the next instruction. */
static bool set_register(unsigned reg, uint64_t v, unsigned size)
{
	struct candidate c;
	struct block_insn *b;

	v = case_join(m.c->gpr[reg], v, size);
	if (!m.t->count) {
		m.t->before.gpr[reg] = m.t->mode == CODE64 ? v : (uint32_t)v;
		return replay();
	}
	if (m.t->count + 1 >= m.most)
		return false;
	(void)make_mov(&c, reg, v);
	b = append(&c, true);
	return guest_step(&b->insn, rip_at(b->at)) == NO_TRAP;
}

/* ---- aiming ---- */

static uint64_t linear(uint64_t offset, unsigned seg)
{
	uint64_t a = offset + case_segment_base(m.t, seg);

	return m.t->mode == CODE64 ? a : (uint32_t)a;
}

static bool has_vector_index(const struct insn *i)
{
	return insn_row_of(i)->op[1] == VMx;
}

/* The operand's offset, without an index that is a vector. */
static uint64_t offset_of(const struct insn *i)
{
	uint64_t a = (uint64_t)i->disp;

	if (i->base != REG_NONE)
		a += m.c->gpr[i->base];
	if (i->index != REG_NONE && !has_vector_index(i))
		a += m.c->gpr[i->index] << i->scale;
	if (i->prefix & PREFIX_RIP)
		a += rip_at(m.at) + i->len;
	return i->addrsize == 8	  ? a
	       : i->addrsize == 4 ? (uint32_t)a
				  : (uint16_t)a;
}

static uint64_t linear_of(const struct insn *i)
{
	return linear(offset_of(i), i->seg);
}

/* Move the operand to offset by its displacement, if it has a wide one. */
static bool aim_displacement(struct candidate *c, uint64_t offset)
{
	const struct insn *i = &c->insn;
	unsigned code = i->op[0].kind == OP_MEM ? i->op[0].code
						: i->op[1].code;
	unsigned size = c->e.wide_address ? 4 : 2;
	int64_t disp = (int64_t)(offset - offset_of(i)) + i->disp;
	bool wide = i->modrm >> 6 == 2 || i->prefix & PREFIX_RIP ||
		    (i->base == REG_NONE && i->modrm >> 6 == 0);

	if (code == Ob || code == Ov) {
		memcpy(c->bytes + i->len - i->addrsize, &offset, i->addrsize);
		return decode(c);
	}
	if (!wide || c->e.disp_at + size > 15 ||
	    (i->addrsize == 8 && disp != (int32_t)disp))
		return false;
	memcpy(c->bytes + c->e.disp_at, &disp, size);
	return decode(c);
}

static bool aim_register(const struct insn *i, uint64_t offset)
{
	uint64_t v = offset - (uint64_t)i->disp;

	if (i->base == REG_NONE)
		return i->index != REG_NONE && !has_vector_index(i) &&
		       set_register(i->index, v >> i->scale, i->addrsize);
	if (i->index != REG_NONE && !has_vector_index(i)) {
		if (i->index == i->base)
			v /= 1 + (1u << i->scale);
		else
			v -= m.c->gpr[i->index] << i->scale;
	}
	return set_register(i->base, v, i->addrsize);
}

/* Small offsets, for indices that count from the operand: only where the
 * register still is as it was before the block. */
static bool tame_vector_index(const struct insn *i)
{
	uint8_t *v = m.t->before.ymm[i->index];
	unsigned wide = i->opcode & 1 ? 8 : 4;

	for (unsigned k = 0; k < 32; k += wide) {
		int64_t x = (int64_t)below(&m.r, 512) - 128;

		memcpy(v + k, &x, wide);
	}
	return replay();
}

/* A field that is seldom right by chance. */
static bool tame_image(const struct insn *i)
{
	const char *name = insn_row_of(i)->name;
	uint64_t at = linear_of(i);

	if (!strcmp(name, "fxrstor"))
		at += 24;
	else if (!strstr(name, "ldmxcsr"))
		return true;
	return writable(at, 4) &&
	       poke(at, load_le32(host_data + (at - DATA_AT)) & 0xffff, 4);
}

static bool aim(struct candidate *c)
{
	uint64_t at, offset;

	if (has_vector_index(&c->insn) && !tame_vector_index(&c->insn))
		return false;
	if (in_data(linear_of(&c->insn)) && !one_in(&m.r, 8))
		return tame_image(&c->insn);
	at = some_address();
	offset = at - case_segment_base(m.t, c->insn.seg);
	if (m.t->mode == CODE64 && one_in(&m.r, 200))
		offset |= 0x7ff0ull << 48;	/* not canonical */
	return (aim_displacement(c, offset) || aim_register(&c->insn, offset)) &&
	       tame_image(&c->insn);
}

/* A register that points to memory without being named. */
static bool aim_pointer(unsigned reg, unsigned seg, unsigned size)
{
	uint64_t v = size == 8	 ? m.c->gpr[reg]
		     : size == 4 ? (uint32_t)m.c->gpr[reg]
				 : (uint16_t)m.c->gpr[reg];

	if (in_data(linear(v, seg)))
		return true;
	v = some_address();
	if (reg == RSP || reg == RBP)
		v &= ~7ull;
	return set_register(reg, v - case_segment_base(m.t, seg), size);
}

static bool aim_string(const struct insn *i)
{
	for (unsigned n = 0; n < 2; n++) {
		unsigned code = i->op[n].code;

		if ((code == Xb || code == Xv || code == Xz) &&
		    !aim_pointer(RSI, i->seg, i->addrsize))
			return false;
		if ((code == Yb || code == Yv || code == Yz) &&
		    !aim_pointer(RDI, ES, i->addrsize))
			return false;
	}
	if (i->prefix & (PREFIX_REP | PREFIX_REPNE))
		return set_register(RCX, below(&m.r, 24), i->addrsize);
	return true;
}

static bool is_one_of(const struct insn_row *row, const char *const *names)
{
	for (; *names; names++)
		if (!strcmp(row->name, *names))
			return true;
	return false;
}

/* Registers that the instruction uses without naming them. */
static bool aim_implicit(const struct insn *i)
{
	static const char *const stack[] = { "push", "pop", "pusha", "popa",
					     "pushf", "popf", "call", "ret",
					     "enter", NULL };
	const struct insn_row *row = insn_row_of(i);
	unsigned size = m.c->stack_size;

	if (row->how & HOW_REP)
		return aim_string(i);
	if (is_one_of(row, stack))
		return aim_pointer(RSP, SS, size);
	if (!strcmp(row->name, "leave"))
		return aim_pointer(RBP, SS, size);
	if (!strcmp(row->name, "xlat"))
		return aim_pointer(RBX, i->seg, i->addrsize);
	if (!strncmp(row->name, "maskmov", 7) ||
	    !strcmp(row->name, "vmaskmovdqu"))
		return aim_pointer(RDI, i->seg, i->addrsize);
	if (!strncmp(row->name, "bt", 2) && i->op[1].kind == OP_GPR &&
	    i->prefix & PREFIX_MEM)
		return set_register(i->op[1].reg,
				    (uint64_t)((int64_t)below(&m.r, 4096) -
					       2048), 8);
	return true;
}

/* ---- what may stand in a block ---- */

static bool touches_memory(const struct insn *i)
{
	static const char *const names[] = { "lea", "nop", NULL };
	const struct insn_row *row = insn_row_of(i);

	return i->prefix & PREFIX_MEM && !is_one_of(row, names) &&
	       strncmp(row->name, "prefetch", 8);
}

/* Where processors differ (excused() in main.c), whatever the state. */
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

	return is_one_of(row, names) || row->op[0] == Mo ||
	       has_vector_index(i) || strstr(row->name, "maskmov");
}

static bool is_branch(const struct insn_row *row)
{
	static const char *const names[] = { "call", "jmp", "ret", NULL };

	return row->op[0] == Jb || row->op[0] == Jz || is_one_of(row, names);
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
	return decode(c) && !is_branch(insn_row_of(&c->insn)) &&
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
			(void)append(&c, false);
			return;
		}
	memcpy(c.bytes, &nop, 1);
	(void)decode(&c);
	(void)append(&c, false);
}

/* One that is, after all that it needs; false: it was taken back. */
static bool try_insn(struct candidate *c)
{
	uint64_t at = 0;
	int trap;

	if (!some_insn(c) || insn_row_of(&c->insn)->uses & m.t->junk)
		return false;
	if (!aim_implicit(&c->insn) || (touches_memory(&c->insn) && !aim(c)))
		return false;
	if (!room())
		return false;
	if (touches_memory(&c->insn))
		at = linear_of(&c->insn);
	if (near_blur(at)) {
		(void)replay();
		return false;
	}
	trap = guest_step(&c->insn, rip_at(m.at));
	if (trap == NO_TRAP ? may_stay(&c->insn, at) &&
				      note_pointers(&c->insn, at)
			    : fault_may_stay(&c->insn, trap)) {
		(void)append(c, true);
		m.ended = trap != NO_TRAP;
		if (!m.ended)
			flags_after(m.t, &c->insn);
		return true;
	}
	(void)replay();
	return false;
}

static void add_insn(void)
{
	struct candidate c;

	for (unsigned n = 0; n < TRIES && room(); n++)
		if (try_insn(&c))
			return;
	if (!room())
		return;
	memset(c.bytes, 0x90, sizeof(c.bytes));
	(void)decode(&c);
	(void)guest_step(&append(&c, true)->insn, rip_at(m.at - 1));
}

/* No instruction at all: #UD. */
static void add_undefined(void)
{
	struct candidate c = { .bytes = { 0x0f, 0x0b } };

	(void)decode(&c);
	(void)append(&c, true);
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
	for (unsigned n = below(&m.r, SKIP_MAX); n && room(); n--)
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
	if (!decode(&c) || insn_row_of(&c.insn)->uses & m.t->junk ||
	    !aim_implicit(&c.insn) || !room())
		return false;
	if (guest_step(&c.insn, rip_at(m.at)) != NO_TRAP) {
		(void)replay();
		return false;
	}
	taken = m.c->rip != rip_at(m.at) + c.insn.len;
	b = append(&c, true);
	p.size = c.bytes[0] == 0x0f || c.bytes[0] == 0xe8 || c.bytes[0] == 0xe9
			 ? (m.t->mode == CODE16 ? 2 : 4) : 1;
	p.at = (uint16_t)(m.at - p.size);
	p.target = (uint8_t)(m.t->count + below(&m.r, SKIP_MAX));
	if (!taken) {
		m.pending[m.pendings++] = p;
		return true;
	}
	while (m.t->count < p.target && room())
		add_unreached();
	put_displacement(&p);
	redecode(b);
	(void)replay();
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
	(void)replay();
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
	imm = m.at + make_mov(&c, reg, 0x01020304);
	mov = append(&c, true);
	memset(c.bytes, 0, sizeof(c.bytes));
	c.bytes[0] = 0xff;
	c.bytes[1] = (uint8_t)(0xc0 | (one_in(&m.r, 2) ? 2 : 4) << 3 | reg);
	(void)decode(&c);
	(void)append(&c, true);
	skip_some();
	target = rip_at(m.at);
	memcpy(m.t->bytes + imm, &target, 4);
	redecode(mov);
	if (replay() && m.c->rip == target)
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
	if (!decode(&c) || !is_branch(insn_row_of(&c.insn)) ||
	    (c.insn.prefix & PREFIX_66) || !aim_implicit(&c.insn) ||
	    (c.insn.prefix & PREFIX_MEM && !aim(&c)) || !room()) {
		take_back(n);
		return false;
	}
	at = c.insn.prefix & PREFIX_MEM
		     ? linear_of(&c.insn)
		     : linear(m.c->stack_size == 2 ? (uint16_t)m.c->gpr[RSP]
						   : m.c->gpr[RSP], SS);
	(void)append(&c, true);
	skip_some();
	target = rip_at(m.at);
	if (writable(at, c.insn.opsize) &&
	    poke(at, target, c.insn.opsize) && m.c->rip == target)
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
			flags_after(t, &t->block[k].insn);
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
	fill_memory();
	m.most = 1 + below(&m.r, most);
	(void)replay();
	while (room()) {
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
