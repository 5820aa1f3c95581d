/* cpu/jit/access.c - from a memory operand to the host's address of it.
 *
 * The check of the software TLB (tlb.h): a tag differs from an address of its
 * page in the low 12 bits only, so after XOR one unsigned compare tells both
 * whether the page is the right one and whether the access ends in it, or one
 * TEST whether it is aligned.  All that fails the check, for whatever reason,
 * is run by the interpreter's function; where the check was a group's
 * (group.c), a plain block goes on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/jit/tr.h"

#define ENTRY_SHIFT 5		/* of sizeof(struct tlb_entry) */
static_assert(sizeof(struct tlb_entry) == 1 << ENTRY_SHIFT, "");

unsigned tr_get(struct tr *t, unsigned gpr, unsigned scratch)
{
	unsigned host = t->host[gpr];

	if (host != H_NONE)
		return host;
	asm_abs(&t->k, true, OP_LOAD, scratch, tr_gpr_address(t, gpr));
	*(scratch == TR_A ? &t->loaded : &t->loaded_b) = -1;
	return scratch;
}

/* ---- addresses ---- */

static bool fits32(int64_t v)
{
	return v == (int32_t)v;
}

bool tr_address_ok(const struct tr *t, const struct insn *i)
{
	if (!t->flat || i->addrsize == 2)
		return false;
	if (i->prefix & PREFIX_RIP)
		return fits32(i->disp + i->end);
	/* CS may not be written, and perhaps not read (is_flat). */
	return t->mode == CODE64 || (i->seg < FS && i->seg != CS);
}

void tr_put_effective_address(struct tr *t, const struct insn *i, unsigned to,
			      int64_t more, bool wide)
{
	struct code *k = &t->k;
	unsigned base = H_NONE, index = H_NONE;
	int64_t disp = i->disp + more;

	if (i->prefix & PREFIX_RIP) {
		asm_abs(k, true, OP_LOAD, to, low32(&t->j->page_rip));
		base = to;
		disp += i->end;
	} else if (i->base != REG_NONE) {
		base = tr_get(t, i->base, TR_A);
	}
	if (i->index != REG_NONE)
		index = tr_get(t, i->index, TR_B);
	if (base == H_NONE && index == H_NONE)
		asm_load_imm(k, to, wide ? (uint64_t)disp : (uint32_t)disp);
	else if (index == H_NONE && !disp && wide && base == to)
		return;
	else if (index == H_NONE && !disp && wide)
		asm_mov(k, to, base);
	else
		asm_lea(k, wide, to, base, index, i->scale, (int32_t)disp);
}

/* ---- the TLB ---- */

static size_t tag_offset(enum access access)
{
	return access == ACCESS_READ ? offsetof(struct tlb_entry, read)
				     : offsetof(struct tlb_entry, write);
}

static void put_slot(struct tr *t)
{
	struct code *k = &t->k;

	if (t->j->bmi2) {
		asm_rorx(k, false, TR_B, TR_A, PAGE_BITS - ENTRY_SHIFT);
	} else {
		asm_mov32(k, TR_B, TR_A);
		asm_shift(k, false, 5, TR_B, PAGE_BITS - ENTRY_SHIFT);
	}
	asm_imm(k, false, 4, TR_B, (TLB_SIZE - 1) << ENTRY_SHIFT);
}

/* A field of the entries of this table, from TR_B. */
static int32_t entry_at(const struct tr *t, unsigned table, size_t field)
{
	return (int32_t)(low32(&t->c->tlb.entry[table][0]) + field);
}

static void put_with_entry(struct tr *t, unsigned opcode, unsigned table,
			   size_t field)
{
	asm_mem(&t->k, true, opcode, TR_A, TR_B, entry_at(t, table, field));
}

/* Is the operand at a host register + disp, and nothing else? */
static bool is_simple(const struct tr *t, const struct insn *i)
{
	return t->mode == CODE64 && i->addrsize == 8 && i->seg < FS &&
	       i->base != REG_NONE && i->index == REG_NONE &&
	       !(i->prefix & PREFIX_RIP) && t->host[i->base] != H_NONE &&
	       i->disp != INT32_MIN;	/* -disp is wanted, too */
}

/* TR_A is the offset in the page, TR_B the entry's: the operand's place.  As an
 * index the page's address is not waited for by an addition, and the addend
 * not even by the check. */
static void put_place(struct tr *t, const struct insn *i, unsigned table,
		      bool both)
{
	bool simple = both && !(table & TLB_WRITES) && is_simple(t, i);

	t->base = simple ? t->host[i->base] : TR_A;
	t->index = both ? TR_B : H_NONE;
	t->disp = simple ? (int32_t)i->disp : 0;
	if (!both)
		put_with_entry(t, 0x03, table,
			       offsetof(struct tlb_entry, host));
	else
		asm_mem(&t->k, true, OP_LOAD, TR_B, TR_B,
			entry_at(t, table,
				 simple ? offsetof(struct tlb_entry, addend)
					: offsetof(struct tlb_entry, host)));
}

static struct cold *put_check(struct tr *t, const struct insn *i,
			      unsigned size, enum access access,
			      unsigned align, bool both)
{
	unsigned table = t->table | (access == ACCESS_READ ? 0 : TLB_WRITES);
	struct code *k = &t->k;
	struct cold *x;

	tr_forget_scratch(t);
	put_slot(t);
	put_with_entry(t, 0x33, table, tag_offset(access));	/* xor */
	if (align) {
		PUT(k, 0x49, 0xf7, 0xc0 | (TR_A & 7));		/* test */
		put4(k, (uint32_t)PAGE_MASK | (align - 1));
		x = tr_cold(t, COLD_EXEC, asm_jcc(k, CC_NE, NULL));
	}
	if (!align || size > align) {
		asm_imm(k, true, 7, TR_A, (int32_t)(PAGE_SIZE - size));
		x = tr_cold(t, COLD_EXEC, asm_jcc(k, CC_A, NULL));
	}
	x->insn = i;
	put_place(t, i, table, both);
	if (access == ACCESS_READ && !align && size > 1) {
		x->crossing = (uint8_t)size;
		x->itself = t->k.p;
		x->base = t->base == TR_A ? H_NONE : (uint8_t)t->base;
		x->disp = t->disp;
	}
	return x;
}

void tr_put_stretch(struct tr *t, const struct insn *i, unsigned base,
		    unsigned scale, enum access access)
{
	unsigned table = t->table | (access == ACCESS_READ ? 0 : TLB_WRITES);
	struct code *k = &t->k;

	tr_forget_scratch(t);
	asm_mov(k, TR_A, base);
	put_slot(t);
	put_with_entry(t, 0x33, table, tag_offset(access));
	asm_mem(k, true, OP_LOAD, TR_B, TR_B,
		entry_at(t, table, offsetof(struct tlb_entry, host)));
	asm_imm(k, true, 7, TR_A, PAGE_SIZE - 1);
	tr_cold(t, COLD_EXEC, asm_jcc(k, CC_A, NULL))->insn = i;
	asm_lea(k, true, TR_B, TR_B, TR_A, 0, 0);
	asm_lea(k, true, TR_A, TR_A, H_RCX, scale, 0);
	asm_imm(k, true, 7, TR_A, PAGE_SIZE);
	tr_cold(t, COLD_EXEC, asm_jcc(k, CC_A, NULL))->insn = i;
}

/* The bytes of both pages, if they are there, go to j->crossed, and the
 * instruction reads them from there. */
void tr_put_cold_crossing(struct tr *t, const struct cold *x)
{
	struct code *k = &t->k;
	uint8_t *missed;

	put_with_entry(t, 0x33, t->table, tag_offset(ACCESS_READ));
	asm_load_imm(k, TR_B, x->crossing);
	asm_call(k, t->j->stub.crossing);
	PUT(k, 0x45, 0x33, 0xff);			/* xor r15d, r15d */
	PUT(k, 0x4d, 0x85, 0xf6);			/* test r14, r14 */
	missed = asm_skip(k, CC_E);
	if (x->base != H_NONE) {
		asm_lea(k, true, TR_B, TR_A, H_NONE, 0, -x->disp);
		asm_rr(k, true, 0x2b, TR_B, x->base);	/* sub */
	}
	asm_jmp(k, x->itself);
	asm_skip_to_here(k, missed);
}

/* ---- groups ---- */

static const struct in_group *group_here(const struct tr *t)
{
	const struct in_group *in = &t->in[t->at];

	return in->group >= 0 ? in : NULL;
}

/* Is the group's address known already?  Then t->base is it. */
static bool put_member(struct tr *t, bool both)
{
	const struct in_group *in = group_here(t);
	int *loaded = &t->loaded;

	if (!in || t->group[in->group].head == t->at)
		return false;
	/* Two groups in turns keep a register each. */
	if (both && t->loaded != in->group && t->loaded >= 0)
		loaded = &t->loaded_b;
	t->base = loaded == &t->loaded ? TR_A : TR_B;
	t->index = H_NONE;
	if (*loaded != in->group)
		asm_abs(&t->k, true, OP_LOAD, t->base,
			low32(&t->j->group[in->group]));
	*loaded = in->group;
	t->disp = in->at - t->group[in->group].low;
	return true;
}

/* How far below the operand its group begins. */
static int32_t below(const struct tr *t)
{
	const struct in_group *in = group_here(t);

	return in ? t->group[in->group].low - in->at : 0;
}

static void put_head(struct tr *t, const struct insn *i)
{
	const struct in_group *in = group_here(t);
	const struct group *g = &t->group[in->group];
	unsigned first = t->colds;

	put_check(t, i, (unsigned)(g->high - g->low),
		  g->write ? ACCESS_WRITE : ACCESS_READ, g->align, false);
	tr_cold_plain(t, first);
	asm_abs(&t->k, true, OP_STORE, TR_A, low32(&t->j->group[in->group]));
	t->loaded = in->group;
	t->disp = in->at - g->low;
}

struct cold *tr_put_operand(struct tr *t, const struct insn *i, unsigned n,
			    enum access access, unsigned align, bool both)
{
	if (put_member(t, both))
		return NULL;
	tr_clobber_flags(t, tr_live_before(t));
	tr_put_effective_address(t, i, TR_A, below(t), i->addrsize == 8);
	if (t->mode == CODE64 && i->seg >= FS)
		asm_abs(&t->k, true, 0x03, TR_A,
			low32(&t->c->seg[i->seg].base));
	if (!group_here(t))
		return put_check(t, i, i->op[n].size, access, align, both);
	put_head(t, i);
	return NULL;
}

struct cold *tr_put_stack(struct tr *t, const struct insn *i, unsigned base,
			  int32_t disp, enum access access)
{
	unsigned word = t->mode == CODE64 ? 8 : 4;

	if (put_member(t, false))
		return NULL;
	tr_clobber_flags(t, tr_live_before(t));
	disp += below(t);
	if (disp)
		asm_lea(&t->k, word == 8, TR_A, base, H_NONE, 0, disp);
	else
		asm_rr(&t->k, word == 8, OP_LOAD, TR_A, base);
	if (!group_here(t))
		return put_check(t, i, word, access, 0, false);
	put_head(t, i);
	return NULL;
}

void tr_put_fetch_check(struct tr *t, uint64_t hva, enum cold_kind miss,
			int32_t target)
{
	struct code *k = &t->k;
	struct cold *x;

	put_slot(t);
	put_with_entry(t, 0x33, t->table, offsetof(struct tlb_entry, exec));
	x = tr_cold(t, miss, asm_jcc(k, CC_NE, NULL));
	x->target = target;
	put_with_entry(t, OP_LOAD, t->table, offsetof(struct tlb_entry, host));
	asm_load_imm(k, TR_B, hva);
	asm_rr(k, true, 0x3b, TR_A, TR_B);
	x = tr_cold(t, miss, asm_jcc(k, CC_NE, NULL));
	x->target = target;
}
