/* cpu/jit/group.c - memory operands near each other, checked once.
 *
 * Accesses of a block through the same registers, with constants between them,
 * are a group: the first one's TLB check covers the stretch from the lowest to
 * the highest byte of all, and leaves the host's address in j->group[]; the
 * others need one load instead of a check, or none while TR_A still holds it.
 * A call ends all groups, for j->group[] is the called code's as well.
 *
 * Where the check fails - a miss, a page boundary within the stretch - the
 * block goes on as another one, made for KEY_PLAIN, that checks each access by
 * itself.  A mapping or a code byte that changes later in the block does so in
 * a called function, which makes the block end (stop_block).
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/jit/tr.h"

#define SPAN_MAX 512		/* bytes; more would cross pages too often */

/* What of a general register is known: it is what it was when its version
 * began, plus delta. */
struct known {
	unsigned version[16];
	int32_t delta[16];
	unsigned segments;	/* version of the FS and GS bases */
	unsigned calls;		/* other blocks have used j->group[] */
};

/* A memory access by name. */
struct named {
	uint8_t base, index, scale, seg;
	bool rip, write;
	uint8_t size;
	uint8_t align;		/* must be a multiple of it, or 0 */
	int64_t disp;
};

struct open_group {
	struct named as;
	unsigned base_version, index_version, segments, calls;
};

/* ---- accesses ---- */

static bool stack_access(const struct tr *t, const struct insn *i,
			 enum kind kind, struct named *r)
{
	unsigned word = t->mode == CODE64 ? 8 : 4;

	if (!t->flat || i->opsize != word)
		return false;
	*r = (struct named){ .base = RSP, .index = REG_NONE, .seg = SS,
			     .size = (uint8_t)word };
	switch (kind) {
	case KIND_PUSH:
		if (i->op[0].kind != OP_GPR && i->op[0].kind != OP_IMM)
			return false;
		/* fallthrough */
	case KIND_CALL:
		r->disp = -(int)word;
		r->write = true;
		return true;
	case KIND_POP:
		return i->op[0].kind == OP_GPR;
	case KIND_RET:
		return true;
	case KIND_LEAVE:
		r->base = RBP;
		return true;
	default:
		return false;
	}
}

static bool operand_access(const struct tr *t, const struct insn *i,
			   enum kind kind, struct named *r)
{
	int m = tr_memory_operand(i);

	if (m < 0 || !tr_address_ok(t, i) ||
	    i->addrsize != (t->mode == CODE64 ? 8 : 4) ||
	    !tr_copy_possible(t, i, kind) ||
	    tr_place_of((enum operand_code)i->op[m].code) != PLACE_RM ||
	    exec_rows[i->row] == exec_cmpxchg16b)
		return false;
	*r = (struct named){
		.base = i->base, .index = i->index, .scale = i->scale,
		.seg = t->mode == CODE64 && i->seg < FS ? DS : i->seg,
		.rip = i->prefix & PREFIX_RIP,
		.write = tr_access_of(i, kind, (unsigned)m) == ACCESS_WRITE,
		.size = i->op[m].size,
		.align = insn_how(i) & HOW_ALIGN ? i->op[m].size : 0,
		.disp = i->disp + (i->prefix & PREFIX_RIP ? i->end : 0),
	};
	if (r->seg == SS)
		r->seg = DS;
	return true;
}

static bool find_access(const struct tr *t, const struct insn *i,
			struct named *r)
{
	enum kind kind = kind_of(i);

	switch (kind) {
	case KIND_COPY: case KIND_READS: case KIND_BOTH: case KIND_BIT:
	case KIND_VECTOR:
		return operand_access(t, i, kind, r);
	case KIND_PUSH: case KIND_POP: case KIND_LEAVE: case KIND_CALL:
	case KIND_RET:
		if (!stack_access(t, i, kind, r))
			return false;
		r->seg = DS;
		return true;
	default:
		return false;
	}
}

/* ---- registers ---- */

static void forget(struct known *k, unsigned reg)
{
	k->version[reg]++;
	k->delta[reg] = 0;
}

static void forget_all(struct known *k)
{
	for (unsigned r = 0; r < 16; r++)
		forget(k, r);
	k->segments++;
}

/* i adds a constant to a whole register. */
static bool adds_constant(const struct tr *t, const struct insn *i, int64_t *n)
{
	exec_fn f = exec_rows[i->row];
	const struct operand *o = &i->op[0];

	if (o->kind != OP_GPR || o->size != (t->mode == CODE64 ? 8 : 4))
		return false;
	if (f == exec_add && i->op[1].kind == OP_IMM)
		*n = i->imm;
	else if (f == exec_sub && i->op[1].kind == OP_IMM)
		*n = -i->imm;
	else if (f == exec_inc || f == exec_dec)
		*n = f == exec_inc ? 1 : -1;
	else if (f == exec_lea && i->base == o->reg && i->index == REG_NONE &&
		 !(i->prefix & PREFIX_RIP) && i->addrsize == o->size)
		*n = i->disp;
	else
		return false;
	return *n > -(1 << 20) && *n < 1 << 20;
}

static void add(struct known *k, unsigned reg, int64_t n)
{
	int64_t sum = k->delta[reg] + n;

	if (sum <= -(1 << 24) || sum >= 1 << 24)
		forget(k, reg);
	else
		k->delta[reg] = (int32_t)sum;
}

static void forget_operand(struct known *k, const struct operand *o)
{
	if (o->kind == OP_GPR)
		forget(k, o->reg >= REG_AH ? o->reg - REG_AH : o->reg);
}

/* Registers that instructions write without naming them. */
static void forget_implicit(struct known *k, const struct insn *i)
{
	exec_fn f = exec_rows[i->row];

	if (f == exec_mul || f == exec_imul || f == exec_div ||
	    f == exec_idiv || f == exec_cwd || f == exec_cbw ||
	    f == exec_cmpxchg || f == exec_cmpxchg8b ||
	    f == exec_cmpxchg16b || f == exec_lahf) {
		forget(k, RAX);
		forget(k, RDX);
	}
	if (f == exec_vector_str)
		forget(k, RCX);
}

static void follow(const struct tr *t, const struct insn *i, struct known *k)
{
	enum kind kind = kind_of(i);
	int word = t->mode == CODE64 ? 8 : 4;
	int64_t n;

	if (adds_constant(t, i, &n)) {
		add(k, i->op[0].reg, n);
		return;
	}
	switch (kind) {
	case KIND_SWAPGS:
		k->segments++;
		return;
	case KIND_READS: case KIND_NOP: case KIND_CLI: case KIND_STI:
	case KIND_JCC: case KIND_DIV:
	case KIND_IDIV:
		break;
	case KIND_STRING:
		forget(k, RCX);
		forget(k, RSI);
		forget(k, RDI);
		return;
	case KIND_PUSH: case KIND_PUSHF:
		if (i->opsize == word)
			add(k, RSP, -word);
		else
			forget(k, RSP);
		return;
	case KIND_POP:
		if (i->opsize == word)
			add(k, RSP, word);
		else
			forget(k, RSP);
		forget_operand(k, &i->op[0]);
		return;
	case KIND_COPY: case KIND_BOTH: case KIND_BIT: case KIND_LEA:
	case KIND_VECTOR:
		forget_operand(k, &i->op[0]);
		if (kind == KIND_BOTH)
			forget_operand(k, &i->op[1]);
		break;
	case KIND_CALL: case KIND_CALL_NEAR:
		k->calls++;
		/* fallthrough */
	default:
		forget_all(k);
		return;
	}
	forget_implicit(k, i);
}

/* ---- groups ---- */

static bool same_place(const struct open_group *g, const struct named *r,
		       const struct known *k)
{
	const struct named *a = &g->as;

	if (a->base != r->base || a->index != r->index || a->seg != r->seg ||
	    a->rip != r->rip)
		return false;
	if (g->calls != k->calls ||
	    (r->seg >= FS && g->segments != k->segments))
		return false;
	if (r->index != REG_NONE && (a->scale != r->scale ||
				     g->index_version != k->version[r->index]))
		return false;
	return r->base == REG_NONE || g->base_version == k->version[r->base];
}

static int64_t offset_of(const struct named *r, const struct known *k)
{
	int64_t d = r->disp;

	if (r->base != REG_NONE)
		d += k->delta[r->base];
	if (r->index != REG_NONE)
		d += (int64_t)k->delta[r->index] * (1 << r->scale);
	return d;
}

/* Widen g so that it holds [at, at + size). */
static bool join(struct group *g, int64_t at, const struct named *r)
{
	int64_t low = at < g->low ? at : g->low;
	int64_t high = at + r->size > g->high ? at + r->size : g->high;

	if (high - low > SPAN_MAX)
		return false;
	if (r->align && g->align &&
	    (at - g->aligned_at) % (r->align < g->align ? r->align : g->align))
		return false;	/* one of the two is misaligned */
	if (r->align > g->align) {
		g->align = r->align;
		g->aligned_at = (int32_t)at;
	}
	g->low = (int32_t)low;
	g->high = (int32_t)high;
	g->write |= r->write;
	g->count++;
	return true;
}

static void place(struct tr *t, unsigned n, struct open_group *open,
		  const struct named *r, const struct known *k)
{
	int64_t at = offset_of(r, k);
	unsigned g;

	if (at != (int32_t)at || at + SPAN_MAX != (int32_t)(at + SPAN_MAX))
		return;
	for (g = 0; g < t->groups; g++)
		if (same_place(&open[g], r, k) && join(&t->group[g], at, r))
			break;
	if (g == t->groups) {
		if (g == JIT_GROUPS)
			return;
		open[g] = (struct open_group){
			*r, r->base == REG_NONE ? 0 : k->version[r->base],
			r->index == REG_NONE ? 0 : k->version[r->index],
			k->segments, k->calls,
		};
		t->group[g] = (struct group){
			.low = (int32_t)at, .high = (int32_t)at + r->size,
			.write = r->write, .count = 1, .head = n,
			.align = r->align, .aligned_at = (int32_t)at,
		};
		t->groups++;
	}
	t->in[n] = (struct in_group){ (int8_t)g, (int32_t)at };
}

/* Begin at a multiple of what an access must be at one of. */
static void align(struct group *g)
{
	if (g->align)
		g->low -= (g->low - g->aligned_at) & (g->align - 1);
}

void tr_find_groups(struct tr *t)
{
	struct open_group open[JIT_GROUPS];
	struct known k = { .segments = 0 };

	t->groups = 0;
	for (unsigned n = 0; n < t->count; n++) {
		struct named r;

		t->in[n].group = -1;
		if (!(t->key & KEY_PLAIN) && !t->b->hva2 &&
		    find_access(t, &t->insn[n], &r))
			place(t, n, open, &r, &k);
		follow(t, &t->insn[n], &k);
	}
	for (unsigned g = 0; g < t->groups; g++)
		align(&t->group[g]);
	for (unsigned n = 0; n < t->count; n++)
		if (t->in[n].group >= 0 &&
		    t->group[t->in[n].group].count < 2)
			t->in[n].group = -1;
}
