/* cpu/interp/masked.c - vector instructions that touch chosen elements of
 * memory: MASKMOVQ, MASKMOVDQU, VMASKMOV, VPMASKMOV and the gathers.
 *
 * Only selected elements are looked at, so only they can fault, and never with
 * #AC.  Stores check all of them first and then write.  (MASKMOVQ and
 * MASKMOVDQU check the whole operand, as AMD's processors do; the SDM leaves
 * that open.)  A gather's faults leave the elements it
 * already has in the destination, with their mask bits cleared, and start
 * again with the rest (SDM 2C "VGATHERDPS").
 *
 * Source: SDM 2 (each instruction).
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/vector.h"

/* Bytes of an element: the second opcode of a pair of F maps and W say. */
static unsigned element_size(const struct insn *i)
{
	bool pd = i->opcode == 0x2d || i->opcode == 0x2f;

	return pd || insn_how(i) & HOW_W1 ? 8 : 4;
}

static bool selected(const union vreg *mask, unsigned k, unsigned size)
{
	return mask->b[k * size + size - 1] >> 7;
}

static void set_element(union vreg *v, unsigned k, unsigned size, uint64_t x)
{
	if (size == 8)
		v->q[k] = x;
	else
		v->d[k] = (uint32_t)x;
}

static uint64_t read_element(struct cpu *c, gva_t a, unsigned size)
{
	uint64_t x = 0;

	mem_read_block(c, a, &x, size);
	return x;
}

static gva_t element_linear(struct cpu *c, const struct insn *i, unsigned k,
			    unsigned size, enum access access)
{
	uint64_t offset = insn_offset(c, i) + (uint64_t)k * size;

	if (i->addrsize == 4)
		offset = (uint32_t)offset;
	else if (i->addrsize == 2)
		offset = (uint16_t)offset;
	return seg_linear(c, (enum sreg)i->seg, offset, size, access);
}

void exec_vmaskmov_load(struct cpu *c, const struct insn *i)
{
	unsigned size = element_size(i);
	const union vreg *mask = &c->v[i->op[1].reg];
	union vreg r = { .q = { 0 } };

	vector_check(c, HOW_AVX);
	for (unsigned k = 0; k < i->op[0].size / size; k++)
		if (selected(mask, k, size))
			set_element(&r, k, size,
				    read_element(c,
						 element_linear(c, i, k, size,
								ACCESS_READ),
						 size));
	c->v[i->op[0].reg] = r;
}

void exec_vmaskmov_store(struct cpu *c, const struct insn *i)
{
	unsigned size = element_size(i), count = i->op[0].size / size;
	const union vreg *mask = &c->v[i->op[1].reg];
	const union vreg *from = &c->v[i->op[2].reg];
	gva_t at[8] = { 0 };

	vector_check(c, HOW_AVX);
	for (unsigned k = 0; k < count; k++) {
		if (!selected(mask, k, size))
			continue;
		at[k] = element_linear(c, i, k, size, ACCESS_WRITE);
		mem_probe(c, at[k], size, ACCESS_WRITE);
	}
	for (unsigned k = 0; k < count; k++)
		if (selected(mask, k, size))
			mem_write_block(c, at[k], from->b + k * size, size);
}

/* Bytes of `from` whose mask byte is negative go to seg:rDI. */
static void store_bytes(struct cpu *c, const struct insn *i,
			const uint8_t *from, const uint8_t *mask,
			unsigned count)
{
	uint64_t top = i->addrsize == 8   ? ~0ull
		       : i->addrsize == 4 ? 0xffffffffull
					  : 0xffffull;
	gva_t a = seg_linear(c, (enum sreg)i->seg, c->gpr[RDI] & top, count,
			     ACCESS_WRITE);

	check_alignment(c, a, 8);
	mem_probe(c, a, count, ACCESS_WRITE);
	for (unsigned k = 0; k < count; k++)
		if (mask[k] >> 7)
			mem_write(c, a + k, from[k], 1);
}

void exec_maskmov(struct cpu *c, const struct insn *i)
{
	vector_check(c, insn_how(i));
	if (insn_how(i) & HOW_MMX) {
		mmx_enter(c);
		store_bytes(c, i, (uint8_t *)mmx_slot(c, i->op[0].reg),
			    (uint8_t *)mmx_slot(c, i->op[1].reg), 8);
		return;
	}
	store_bytes(c, i, c->v[i->op[0].reg].b, c->v[i->op[1].reg].b, 16);
}

/* ---- gathers ---- */

struct gather {
	union vreg *dest, *mask;
	const union vreg *index;
	unsigned count, size;		/* elements, bytes of one */
	bool wide_index;		/* 64-bit indices */
};

static struct gather gather_of(struct cpu *c, const struct insn *i)
{
	struct gather g = {
		.dest = &c->v[i->op[0].reg],
		.mask = &c->v[i->op[2].reg],
		.index = &c->v[i->index],
		.size = element_size(i),
		.wide_index = i->opcode & 1,
	};
	unsigned wider = g.wide_index || g.size == 8 ? 8 : 4;

	g.count = (i->prefix & PREFIX_L ? 32 : 16) / wider;
	return g;
}

static gva_t gather_linear(struct cpu *c, const struct insn *i,
			   const struct gather *g, unsigned k)
{
	uint64_t index = g->wide_index
				 ? g->index->q[k]
				 : (uint64_t)(int64_t)(int32_t)g->index->d[k];
	uint64_t offset = (uint64_t)i->disp + (index << i->scale);

	if (i->base != REG_NONE)
		offset += c->gpr[i->base];
	if (i->addrsize == 4)
		offset = (uint32_t)offset;
	return seg_linear(c, (enum sreg)i->seg, offset, g->size, ACCESS_READ);
}

void exec_vgather(struct cpu *c, const struct insn *i)
{
	struct gather g = gather_of(c, i);
	unsigned bytes = g.count * g.size;

	vector_check(c, HOW_AVX);
	if (g.dest == g.mask || g.dest == g.index || g.mask == g.index)
		fault_ud(c);
	for (unsigned k = 0; k < g.count; k++) {
		if (selected(g.mask, k, g.size))
			set_element(g.dest, k, g.size,
				    read_element(c, gather_linear(c, i, &g, k),
						 g.size));
		set_element(g.mask, k, g.size, 0);
	}
	memset(g.dest->b + bytes, 0, sizeof(*g.dest) - bytes);
	memset(g.mask, 0, sizeof(*g.mask));
}
