/* cpu/interp/xsave.c - XSAVE, XSAVEOPT, XSAVEC, XSAVES, XRSTOR, XRSTORS.
 *
 * Components: x87 (0), SSE (1), AVX (2).  As 2 is the first after the legacy
 * region and the header, it is at 576 in the compacted form as well.  There
 * are no supervisor components, so IA32_XSS is 0 and XSAVES is XSAVEC.
 *
 *   0 legacy region (fxsave.h)   512 XSTATE_BV   520 XCOMP_BV   528 reserved
 *   576 upper halves of YMM0-15
 *
 * A component is in use unless it has its initial values; nothing finer is
 * tracked, and the modified optimisation is not made: XSAVEOPT leaves out
 * only what is in its initial state.
 *
 * What an area's pieces would fault with is raised before any is written.
 *
 * Source: SDM 1 chapter 13, SDM 2D "XSAVE", "XRSTOR" and kin.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/fxsave.h"
#include "cpu/interp/vector.h"
#include "cpu/interp/xsave.h"

#define HEADER		512
#define XCOMP_BV	8	/* from the header */
#define HEADER_BYTES	64
#define AVX_AT		576
#define AREA_BYTES	(AVX_AT + 16 * 16)
#define COMPACT		(1ull << 63)

/* ---- components in use ---- */

static bool any_set(const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t k = 0; k < n; k++)
		if (b[k])
			return true;
	return false;
}

static bool x87_in_use(const struct cpu *c)
{
	const struct x87 *x = &c->x87;

	return x->fcw != FCW_INIT || x->fsw || x->ftw || x->fop || x->fip ||
	       x->fdp || c->fcs || c->fds || any_set(x->st, sizeof(x->st));
}

uint64_t xinuse(const struct cpu *c)
{
	uint64_t use = x87_in_use(c) ? XCR0_X87 : 0;

	for (unsigned n = 0; n < 16; n++) {
		if (c->v[n].q[0] | c->v[n].q[1])
			use |= XCR0_SSE;
		if (c->v[n].q[2] | c->v[n].q[3])
			use |= XCR0_AVX;
	}
	return use;
}

/* ---- common checks ---- */

static uint64_t requested(const struct cpu *c)
{
	uint64_t mask = (uint32_t)c->gpr[RAX] | c->gpr[RDX] << 32;

	return mask & c->xcr0;
}

/* #UD, #NM, then the 64-byte boundary. */
static gva_t area(struct cpu *c, const struct insn *i, enum access access)
{
	gva_t a;

	if (!(c->cr4 & CR4_OSXSAVE))
		fault_ud(c);
	if (c->cr0 & CR0_TS)
		fault_raise(c, VEC_NM);
	a = insn_linear(c, i, AVX_AT, access);
	if (a & 63)
		fault_gp0(c);
	return a;
}

/* ---- saving ---- */

/* A part of the image to be written: components that need it. */
struct piece {
	uint64_t components;
	uint16_t at, len;
};

static const struct piece pieces[] = {
	{ XCR0_X87, 0, FX_MXCSR },
	{ XCR0_SSE | XCR0_AVX, FX_MXCSR, FX_ST - FX_MXCSR },
	{ XCR0_X87, FX_ST, FX_XMM - FX_ST },
	{ XCR0_SSE, FX_XMM, 256 },
	{ XCR0_AVX, AVX_AT, 256 },
};

/* Bytes of a piece in this mode: 8 vector registers only outside 64-bit
 * code. */
static unsigned piece_len(const struct cpu *c, const struct piece *p)
{
	return p->len == 256 ? 16 * fx_xmm_count(c) : p->len;
}

static void fill(const struct cpu *c, const struct insn *i, uint8_t *image)
{
	fx_put_x87(c, image, i->opsize == 8);
	fx_put_xmm(c, image);
	store_le32(image + FX_MXCSR, c->x87.mxcsr);
	store_le32(image + FX_MXCSR + 4, MXCSR_MASK);
	for (unsigned n = 0; n < fx_xmm_count(c); n++)
		memcpy(image + AVX_AT + 16 * n, c->v[n].b + 16, 16);
}

/* What of the area is written: pieces of these components, and MXCSR, which
 * the two forms treat differently. */
struct save {
	uint64_t components;
	bool mxcsr;
};

static bool is_saved(const struct save *s, const struct piece *p)
{
	return p->at == FX_MXCSR ? s->mxcsr : p->components & s->components;
}

static void probe_pieces(struct cpu *c, gva_t a, const struct save *s)
{
	for (unsigned n = 0; n < ARRAY_LEN(pieces); n++)
		if (is_saved(s, &pieces[n]))
			mem_probe(c, a + pieces[n].at,
				  piece_len(c, &pieces[n]), ACCESS_WRITE);
	mem_probe(c, a + HEADER, 16, ACCESS_WRITE);
}

static void write_pieces(struct cpu *c, const struct insn *i, gva_t a,
			 const struct save *s)
{
	uint8_t image[AREA_BYTES];

	fill(c, i, image);
	for (unsigned n = 0; n < ARRAY_LEN(pieces); n++)
		if (is_saved(s, &pieces[n]))
			mem_write_block(c, a + pieces[n].at,
					image + pieces[n].at,
					piece_len(c, &pieces[n]));
}

/* XSTATE_BV bits outside what was asked for stay as they are in memory.  MXCSR
 * goes with SSE and AVX, in use or not. */
static void save_standard(struct cpu *c, const struct insn *i, bool skip_init)
{
	gva_t a = area(c, i, ACCESS_WRITE);
	uint64_t rfbm = requested(c), bv = xinuse(c) & rfbm, old;
	struct save s = { skip_init ? bv : rfbm,
			  rfbm & (XCR0_SSE | XCR0_AVX) };

	probe_pieces(c, a, &s);
	old = mem_read(c, a + HEADER, 8);
	write_pieces(c, i, a, &s);
	mem_write(c, a + HEADER, (old & ~rfbm) | bv, 8);
}

/* SSE is in use also by MXCSR here, which goes with it alone. */
static void save_compacted(struct cpu *c, const struct insn *i)
{
	gva_t a = area(c, i, ACCESS_WRITE);
	uint64_t rfbm = requested(c), bv = xinuse(c);
	struct save s;

	if (c->x87.mxcsr != MXCSR_MASKS)
		bv |= XCR0_SSE;
	s = (struct save){ bv & rfbm, bv & rfbm & XCR0_SSE };
	probe_pieces(c, a, &s);
	write_pieces(c, i, a, &s);
	mem_write(c, a + HEADER, s.components, 8);
	mem_write(c, a + HEADER + XCOMP_BV, rfbm | COMPACT, 8);
}

void exec_xsave(struct cpu *c, const struct insn *i)
{
	save_standard(c, i, false);
}

void exec_xsaveopt(struct cpu *c, const struct insn *i)
{
	save_standard(c, i, true);
}

void exec_xsavec(struct cpu *c, const struct insn *i)
{
	save_compacted(c, i);
}

void exec_xsaves(struct cpu *c, const struct insn *i)
{
	save_compacted(c, i);
}

/* ---- restoring ---- */

/* An area whose header is accepted. */
struct restore {
	uint64_t rfbm;
	uint64_t from_memory;	/* the rest of rfbm gets initial values */
	bool compacted;
	uint8_t image[AREA_BYTES];
};

/* #GP(0) for headers that no XSAVE writes (SDM 1 13.8, 13.12). */
static void check_header(struct cpu *c, struct restore *r, bool compacted_only)
{
	const uint8_t *h = r->image + HEADER;
	uint64_t bv = load_le64(h), comp = load_le64(h + XCOMP_BV);

	r->compacted = comp >> 63;
	if (r->compacted) {
		if (!feature_has(&c->features, FEAT_XSAVEC) ||
		    (comp & ~COMPACT & ~c->xcr0) || (bv & ~comp) ||
		    any_set(h + 16, HEADER_BYTES - 16))
			fault_gp0(c);
	} else if (compacted_only || (bv & ~c->xcr0) || any_set(h + 8, 16)) {
		fault_gp0(c);
	}
	r->from_memory = bv & r->rfbm;
}

/* The standard form loads MXCSR whenever SSE or AVX is asked for, whatever
 * XSTATE_BV says. */
static bool loads_mxcsr(const struct restore *r)
{
	if (r->compacted)
		return r->from_memory & XCR0_SSE;
	return r->rfbm & (XCR0_SSE | XCR0_AVX);
}

static void read_area(struct cpu *c, gva_t a, struct restore *r)
{
	for (unsigned n = 0; n < ARRAY_LEN(pieces); n++) {
		const struct piece *p = &pieces[n];
		bool wanted = p->at == FX_MXCSR
				      ? loads_mxcsr(r)
				      : p->components & r->from_memory;

		if (wanted)
			mem_read_block(c, a + p->at, r->image + p->at,
				       piece_len(c, p));
	}
}

static void load_x87(struct cpu *c, const struct insn *i,
		     const struct restore *r)
{
	if (r->from_memory & XCR0_X87) {
		fx_get_x87(c, r->image, i->opsize == 8);
		return;
	}
	fpu_init(c);
	memset(c->x87.st, 0, sizeof(c->x87.st));
}

static void load_vectors(struct cpu *c, const struct restore *r)
{
	unsigned count = fx_xmm_count(c);

	if (r->from_memory & XCR0_SSE)
		fx_get_xmm(c, r->image);
	else if (r->rfbm & XCR0_SSE)
		for (unsigned n = 0; n < count; n++)
			memset(c->v[n].b, 0, 16);
	if (!(r->rfbm & XCR0_AVX))
		return;
	for (unsigned n = 0; n < count; n++)
		if (r->from_memory & XCR0_AVX)
			memcpy(c->v[n].b + 16, r->image + AVX_AT + 16 * n, 16);
		else
			memset(c->v[n].b + 16, 0, 16);
}

static void restore(struct cpu *c, const struct insn *i, bool compacted_only)
{
	gva_t a = area(c, i, ACCESS_READ);
	struct restore r = { .rfbm = requested(c) };
	uint32_t mxcsr;

	mem_read_block(c, a + HEADER, r.image + HEADER, HEADER_BYTES);
	check_header(c, &r, compacted_only);
	read_area(c, a, &r);
	mxcsr = load_le32(r.image + FX_MXCSR);
	if (loads_mxcsr(&r)) {
		if (mxcsr & ~MXCSR_MASK)
			fault_gp0(c);
		c->x87.mxcsr = mxcsr;
	} else if (r.compacted && r.rfbm & XCR0_SSE) {
		c->x87.mxcsr = MXCSR_MASKS;
	}
	if (r.rfbm & XCR0_X87)
		load_x87(c, i, &r);
	load_vectors(c, &r);
}

void exec_xrstor(struct cpu *c, const struct insn *i)
{
	restore(c, i, false);
}

void exec_xrstors(struct cpu *c, const struct insn *i)
{
	restore(c, i, true);
}
