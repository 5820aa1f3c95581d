/* cpu/interp/thunk.c - the guest's vector and x87 instructions, re-encoded for
 * the host.
 *
 * What of an instruction is kept: map, mandatory prefix, opcode, /digit, W, L
 * and the immediate.  Operands move to fixed places:
 *
 *   place   register  pointer   is
 *   reg     1         rdi       XMM1, YMM1, MM1
 *   rm      2         rsi       likewise, or memory [rsi]
 *   vvvv    3         rdx       XMM3, YMM3
 *   last    4 or 0    rcx       XMM4 by an immediate, or the implicit XMM0
 *   any     rax       place's   a general register (at most one)
 *
 * Legacy SSE forms load and store 16 bytes, which leaves the upper halves of
 * the guest's registers alone as the processor does; VEX forms load and store
 * 32, with the upper half that the instruction itself has cleared.
 *
 * Thunks live for the life of the process in one table, found by a key without
 * a lock.  A row has a bounded number of keys (register or memory, W, L, 256
 * immediates), so table and memory are made larger than what a guest can ask
 * for, and nothing is ever dropped.
 *
 * Source: SDM 2A chapter 2 (encoding), SDM 1 10.5 (FXSAVE image).
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/log.h"
#include "cpu/interp/emit.h"
#include "cpu/interp/thunk.h"
#include "host/codemem.h"

#define TABLE_BITS	18
#define TABLE_SIZE	(1u << TABLE_BITS)
#define CODE_BYTES	(16 * MiB)

static const uint8_t place_pointer[] = { H_RDI, H_RSI, H_RDX, H_RCX };

static _Atomic(struct thunk *) table[TABLE_SIZE];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct codemem code;	/* guarded by lock */
static size_t code_used;	/* guarded by lock */

/* The instruction and what of it goes into the encoding. */
struct form {
	const struct insn *insn;
	const struct insn_row *row;
	int8_t op[THUNK_PLACES];	/* index into insn->op[], -1 for none */
	bool vex, w, l;
};

enum thunk_place thunk_place_of(enum operand_code operand)
{
	switch (operand) {
	case Gd: case Gy:
	case Pq: case Vdq: case Vx: case Vqq: case Vd: case Vq:
		return THUNK_REG;
	case Ed: case Eq: case Ey: case Rd:
	case Mb: case Mw: case Md: case Mq: case Mt: case Mdq: case Mqq:
	case Mx:
	case Qq: case Qd: case Nq:
	case Wb: case Ww: case Wd: case Wq: case Wdq: case Wqq: case Wx:
	case Whx: case Wqx: case Wex: case Udq: case Ux:
		return THUNK_RM;
	case Hdq: case Hx: case Hqq:
		return THUNK_VVVV;
	case Lx: case Ldq: case X0:
		return THUNK_LAST;
	default:
		return THUNK_NOWHERE;
	}
}

/* ---- operands ---- */

/* MOVUPS/VMOVUPS, MOVQ or MOV between a host register and [pointer]. */
static void emit_move(struct emitter *e, const struct form *f, unsigned n,
		      bool store)
{
	enum thunk_place place = thunk_place_of(f->insn->op[n].code);
	uint8_t reg = (uint8_t)(place + 1);
	uint8_t pointer;

	if (place == THUNK_NOWHERE)
		return;
	pointer = place_pointer[place];
	switch (f->insn->op[n].kind) {
	case OP_VEC:
		if (f->insn->op[n].code == X0)
			reg = 0;
		if (f->vex)
			EMIT(e, 0xc5, 0xfc, 0x10 + store, at(reg, pointer));
		else
			EMIT(e, 0x0f, 0x10 + store, at(reg, pointer));
		break;
	case OP_MM:
		EMIT(e, 0x0f, store ? 0x7f : 0x6f, at(reg, pointer));
		break;
	case OP_GPR:
		EMIT(e, 0x48, store ? 0x89 : 0x8b, at(H_RAX, pointer));
		break;
	default:
		break;
	}
}

/* ---- the instruction itself ---- */

static uint8_t register_of(const struct form *f, enum thunk_place place)
{
	int n = f->op[place];

	return f->insn->op[n].kind == OP_GPR ? H_RAX : (uint8_t)(place + 1);
}

static uint8_t modrm_of(const struct form *f)
{
	uint8_t reg = f->op[THUNK_REG] >= 0
			      ? (uint8_t)(register_of(f, THUNK_REG) << 3)
			      : f->insn->modrm & 0x38;

	if (f->insn->prefix & PREFIX_MEM)
		return reg | H_RSI;
	return 0xc0 | reg | register_of(f, THUNK_RM);
}

static void emit_vex(struct emitter *e, const struct form *f)
{
	static const uint8_t pp[] = { [PNP] = 0, [P66] = 1, [PF3] = 2,
				      [PF2] = 3 };
	unsigned v = f->op[THUNK_VVVV] >= 0 ? THUNK_VVVV + 1 : 0;

	EMIT(e, 0xc4, (uint8_t)(0xe0 | (f->row->map - V1 + 1)),
	     (uint8_t)(f->w << 7 | (~v & 15) << 3 | f->l << 2 |
		       pp[f->row->prefix]));
}

static void emit_legacy(struct emitter *e, const struct form *f)
{
	static const uint8_t prefix[] = { [P66] = 0x66, [PF3] = 0xf3,
					  [PF2] = 0xf2 };

	if (f->row->prefix > PNP)
		emit1(e, prefix[f->row->prefix]);
	if (f->w)
		emit1(e, 0x48);
	emit1(e, 0x0f);
	if (f->row->map == T38)
		emit1(e, 0x38);
	else if (f->row->map == T3A)
		emit1(e, 0x3a);
}

static void emit_instruction(struct emitter *e, const struct form *f)
{
	if (f->vex)
		emit_vex(e, f);
	else
		emit_legacy(e, f);
	EMIT(e, f->row->opcode, modrm_of(f));
	for (unsigned n = 0; n < 4; n++) {
		if (f->row->op[n] == Ib)
			emit1(e, (uint8_t)f->insn->imm);
		else if (f->row->op[n] == Lx || f->row->op[n] == Ldq)
			emit1(e, (THUNK_LAST + 1) << 4);
	}
}

/* PCMPESTRI and PCMPESTRM take lengths from RAX and RDX; opcode bit 0 tells
 * index (to RCX) from mask (to XMM0), bit 1 implicit from explicit length. */
static bool is_string(const struct form *f)
{
	return (f->row->map == T3A || f->row->map == V3) &&
	       f->row->opcode >> 2 == 0x60 >> 2;
}

static void emit_string_load(struct emitter *e, const struct form *f)
{
	if (f->row->opcode & 2)
		return;
	emit_load_gpr(e, H_RAX, offsetof(struct cpu, gpr[RAX]));
	emit_load_gpr(e, H_RDX, offsetof(struct cpu, gpr[RDX]));
}

static void emit_string_store(struct emitter *e, const struct form *f)
{
	if (f->row->opcode & 1) {
		emit_store_gpr(e, H_RCX, offsetof(struct cpu, gpr[RCX]));
		return;
	}
	if (f->vex)
		EMIT(e, 0xc4, 0xc1, 0x7c, 0x11);  /* vmovups [r8+..], ymm0 */
	else
		EMIT(e, 0x41, 0x0f, 0x11);
	emit_cpu_field(e, 0, offsetof(struct cpu, v[0]));
}

static void emit_vector(struct emitter *e, const struct form *f)
{
	bool mmx = false;

	for (unsigned n = 0; n < 4; n++) {
		mmx |= f->insn->op[n].kind == OP_MM;
		emit_move(e, f, n, false);
	}
	if (is_string(f))
		emit_string_load(e, f);
	emit_instruction(e, f);
	if (f->insn->op[0].kind != OP_MEM && !f->row->sets)
		emit_move(e, f, 0, true);
	if (is_string(f))
		emit_string_store(e, f);
	if (f->row->sets)
		emit_store_flags(e);
	if (mmx)
		EMIT(e, 0x0f, 0x77);			/* emms */
	if (f->vex)
		EMIT(e, 0xc5, 0xf8, 0x77);		/* vzeroupper */
}

/* ---- the table ---- */

/* What two instructions of one row may differ in, besides registers. */
enum { VARIES_W = 1, VARIES_L = 2, VARIES_IMM = 4 };

#define IS_Y(o) ((o) == Ey || (o) == Gy)
#define IS_X(o)                                                               \
	((o) == Vx || (o) == Wx || (o) == Hx || (o) == Mx || (o) == Lx ||     \
	 (o) == Ux || (o) == Whx || (o) == Wqx || (o) == Wex)
#define IS_STRING(map, op) (((map) == T3A || (map) == V3) && (op) >> 2 == 0x18)
#define SOME(is, a, b, c, d) (is(a) || is(b) || is(c) || is(d))
#define VARIES(map, op, a, b, c, d)                                           \
	((SOME(IS_Y, a, b, c, d) || IS_STRING(map, op) ? VARIES_W : 0) |      \
	 (SOME(IS_X, a, b, c, d) ? VARIES_L : 0) |                            \
	 ((b) == Ib || (c) == Ib || (d) == Ib ? VARIES_IMM : 0))

static const uint8_t varies[] = {
#define INSN(map, prefix, opcode, modrm, name, exec, feature, a, b, c, d, ...) \
	VARIES(map, opcode, a, b, c, d),
#include "cpu/x86/insn.def"
#undef INSN
};

/* A guest that runs every form of every row must not fill the table.  Only
 * rows of this file's are counted: maps after TWO, and vector rows of TWO. */
#define FORMS(v)                                                              \
	(2u << !!((v) & VARIES_W) << !!((v) & VARIES_L)                       \
	 << ((v) & VARIES_IMM ? 8 : 0))
enum {
	FORMS_MAX = 0
#define ONE_FORMS(v)	16
#define TWO_FORMS(v)	FORMS(v)
#define T38_FORMS(v)	FORMS(v)
#define T3A_FORMS(v)	FORMS(v)
#define V1_FORMS(v)	FORMS(v)
#define V2_FORMS(v)	FORMS(v)
#define V3_FORMS(v)	FORMS(v)
#define INSN(map, prefix, opcode, modrm, name, exec, feature, a, b, c, d, ...) \
	+ map##_FORMS(VARIES(map, opcode, a, b, c, d))
#include "cpu/x86/insn.def"
#undef INSN
};
static_assert(FORMS_MAX < TABLE_SIZE * 3 / 4, "thunk table too small");
static_assert(FORMS_MAX * 96ull < CODE_BYTES, "thunk memory too small");
static_assert(ARRAY_LEN(varies) < 1u << 12, "key_of has 12 bits for the row");

static struct form form_of(const struct insn *i)
{
	const struct insn_row *row = insn_row_of(i);
	uint8_t v = varies[i->row];

	struct form f = {
		.insn = i, .row = row, .vex = row->map >= V1,
		.op = { -1, -1, -1, -1 },
		.w = row->how & HOW_W1 || (v & VARIES_W && i->opsize == 8),
		.l = row->how & HOW_L1 || (v & VARIES_L && i->prefix & PREFIX_L),
	};

	for (int n = 0; n < 4; n++) {
		enum thunk_place p = thunk_place_of(row->op[n]);

		if (p < THUNK_PLACES)
			f.op[p] = (int8_t)n;
	}
	return f;
}

/* 31:20 row | 19 mem | 18 L | 17 W | 7:0 immediate, or modrm of an x87
 * register form (a row covers eight registers). */
static uint32_t key_of(const struct insn *i)
{
	uint32_t key = (uint32_t)i->row << 20;
	uint8_t v = varies[i->row];

	if (i->prefix & PREFIX_MEM)
		key |= 1u << 19;
	else if (i->opcode >> 3 == 0xd8 >> 3 && insn_row_of(i)->map == ONE)
		key |= i->modrm;
	if (v & VARIES_L && i->prefix & PREFIX_L)
		key |= 1u << 18;
	if (v & VARIES_W && i->opsize == 8)
		key |= 1u << 17;
	if (v & VARIES_IMM)
		key |= (uint8_t)i->imm;
	return key;
}

static uintptr_t place_code(struct emitter *e)
{
	struct err err;
	uint8_t *to;

	if (!code.size && codemem_map(&code, CODE_BYTES, &err)) {
		log_error("%s", err.text);
		abort();	/* thunks_prepare() was not called first */
	}
	emit1(e, 0xc3);
	assert(code_used + e->len <= code.size);
	to = code.write + code_used;
	memcpy(to, e->bytes, e->len);
	code_used += (e->len + 15) & ~15u;
	return (uintptr_t)(code.run + (to - code.write));
}

static void describe_operands(struct thunk *t, const struct form *f)
{
	t->memory = -1;
	for (unsigned p = 0; p < THUNK_PLACES; p++) {
		unsigned n = f->op[p] < 0 ? 0 : (unsigned)f->op[p];

		switch (f->op[p] < 0 ? OP_NONE : f->insn->op[n].kind) {
		case OP_VEC:
			t->op[p] = (uint8_t)n;
			t->base[p] = offsetof(struct cpu, v);
			t->shift[p] = 5;
			break;
		case OP_GPR:
			t->op[p] = (uint8_t)n;
			t->base[p] = offsetof(struct cpu, gpr);
			t->shift[p] = 3;
			break;
		case OP_MEM:
			t->memory = (int8_t)n;
			t->store = n == 0 && t->how & HOW_SAVES;
			break;
		default:
			break;
		}
	}
}
static_assert(sizeof(((struct cpu *)0)->v[0]) == 1 << 5, "shift of v[]");

static struct thunk *thunk_make(const struct insn *i, uint32_t key)
{
	struct thunk *t = xcalloc(1, sizeof(*t));
	struct form f = form_of(i);
	struct emitter e = { .len = 0 };

	t->key = key;
	t->how = f.row->how;
	describe_operands(t, &f);
	if (f.row->map != ONE) {
		emit_vector(&e, &f);
		t->run = (thunk_fn)place_code(&e);
		return t;
	}
	emit_x87(&e, i);
	t->run = (thunk_fn)place_code(&e);
	e.len = 0;
	if (emit_x87_quick(&e, i, &t->quick))
		t->run_quick = (quick_fn)place_code(&e);
	return t;
}

/* The slot that holds key, or the empty one where it belongs. */
static _Atomic(struct thunk *) *find_slot(uint32_t key)
{
	uint32_t n = key * 0x9e3779b1u >> (32 - TABLE_BITS);

	for (;; n = (n + 1) & (TABLE_SIZE - 1)) {
		struct thunk *t = atomic_load_explicit(&table[n],
						       memory_order_acquire);

		if (!t || t->key == key)
			return &table[n];
	}
}

int thunks_prepare(struct err *e)
{
	int r = 0;

	(void)pthread_mutex_lock(&lock);
	if (!code.size)
		r = codemem_map(&code, CODE_BYTES, e);
	(void)pthread_mutex_unlock(&lock);
	return r;
}

const struct thunk *thunk_find(const struct insn *i)
{
	uint32_t key = key_of(i);
	struct thunk *t = atomic_load_explicit(find_slot(key),
					       memory_order_acquire);

	if (likely(t))
		return t;
	(void)pthread_mutex_lock(&lock);
	_Atomic(struct thunk *) *slot = find_slot(key);

	t = atomic_load_explicit(slot, memory_order_relaxed);
	if (!t) {
		t = thunk_make(i, key);
		atomic_store_explicit(slot, t, memory_order_release);
	}
	(void)pthread_mutex_unlock(&lock);
	return t;
}
