/* cpu/interp/fxsave.c - FXSAVE and FXRSTOR, and the legacy region that XSAVE
 * shares with them.
 *
 * Without CR4.OSFXSR neither touches XMM registers and MXCSR, as Intel's
 * processors do.  AMD's fast mode (EFER.FFXSR) is not offered.
 *
 * Source: SDM 1 10.5, SDM 2A "FXSAVE", "FXRSTOR".
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/fxsave.h"
#include "cpu/interp/vector.h"

#define FX_FTW		4
#define FX_FOP		6
#define FX_FIP		8
#define FX_MXCSR_MASK	28

static void put_pointer(uint8_t *to, uint64_t offset, uint16_t selector,
			bool wide)
{
	if (wide) {
		store_le64(to, offset);
		return;
	}
	store_le32(to, (uint32_t)offset);
	store_le32(to + 4, selector);
}

static void get_pointer(const uint8_t *from, uint64_t *offset,
			uint16_t *selector, bool wide)
{
	*offset = wide ? load_le64(from) : load_le32(from);
	*selector = wide ? 0 : load_le16(from + 4);
}

void fx_put_x87(const struct cpu *c, uint8_t *image, bool wide)
{
	store_le16(image, c->x87.fcw);
	store_le16(image + 2, c->x87.fsw);
	store_le16(image + FX_FTW, c->x87.ftw);
	store_le16(image + FX_FOP, c->x87.fop);
	put_pointer(image + FX_FIP, c->x87.fip, c->fcs, wide);
	put_pointer(image + FX_FDP, c->x87.fdp, c->fds, wide);
	memcpy(image + FX_ST, c->x87.st, sizeof(c->x87.st));
}

void fx_get_x87(struct cpu *c, const uint8_t *image, bool wide)
{
	fpu_write_status(c, load_le16(image + 2));
	fpu_write_control(c, load_le16(image));
	c->x87.ftw = image[FX_FTW];
	c->x87.fop = load_le16(image + FX_FOP) & 0x7ff;
	get_pointer(image + FX_FIP, &c->x87.fip, &c->fcs, wide);
	get_pointer(image + FX_FDP, &c->x87.fdp, &c->fds, wide);
	memset(c->x87.st, 0, sizeof(c->x87.st));
	for (unsigned k = 0; k < 8; k++)
		memcpy(c->x87.st[k], image + FX_ST + 16 * k, 10);
}

unsigned fx_xmm_count(const struct cpu *c)
{
	return c->mode == CODE64 ? 16 : 8;
}

void fx_put_xmm(const struct cpu *c, uint8_t *image)
{
	for (unsigned n = 0; n < fx_xmm_count(c); n++)
		memcpy(image + FX_XMM + 16 * n, c->v[n].b, 16);
}

void fx_get_xmm(struct cpu *c, const uint8_t *image)
{
	for (unsigned n = 0; n < fx_xmm_count(c); n++)
		memcpy(c->v[n].b, image + FX_XMM + 16 * n, 16);
}

/* Both: #NM by EM or TS; off a 4-byte boundary #AC if that is checked, off a
 * 16-byte one #GP(0). */
static gva_t fx_linear(struct cpu *c, const struct insn *i, enum access access)
{
	uint64_t offset = insn_offset(c, i);
	gva_t a;

	if (c->cr0 & (CR0_EM | CR0_TS))
		fault_raise(c, VEC_NM);
	a = seg_base(c, i->seg) + offset;
	if (a & 15 && !(a & 3 && c->tlb_index == TLB_ALIGN))
		fault_gp0(c);
	a = seg_linear(c, (enum sreg)i->seg, offset, FX_BYTES, access);
	check_alignment(c, a, 4);
	return a;
}

void exec_fxsave(struct cpu *c, const struct insn *i)
{
	gva_t a = fx_linear(c, i, ACCESS_WRITE);
	unsigned len = FX_XMM;
	uint8_t image[FX_BYTES];

	mem_probe(c, a, FX_BYTES, ACCESS_WRITE);
	fx_put_x87(c, image, i->opsize == 8);
	store_le32(image + FX_MXCSR, c->x87.mxcsr);
	store_le32(image + FX_MXCSR_MASK, MXCSR_MASK);
	if (c->cr4 & CR4_OSFXSR) {
		fx_put_xmm(c, image);
		len += 16 * fx_xmm_count(c);
	}
	mem_write_block(c, a, image, len);
}

void exec_fxrstor(struct cpu *c, const struct insn *i)
{
	gva_t a = fx_linear(c, i, ACCESS_READ);
	uint8_t image[FX_BYTES];
	uint32_t mxcsr;

	mem_read_block(c, a, image, FX_BYTES);
	mxcsr = load_le32(image + FX_MXCSR);
	if (c->cr4 & CR4_OSFXSR) {
		if (mxcsr & ~MXCSR_MASK)
			fault_gp0(c);
		c->x87.mxcsr = mxcsr;
		fx_get_xmm(c, image);
	}
	fx_get_x87(c, image, i->opsize == 8);
}
