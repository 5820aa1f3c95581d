/* encode.c - the bytes of some instruction of a row, prefixes, ModRM, SIB and
 * immediates at random.
 *
 * They may turn out to be another instruction or none.
 *
 * SPDX-License-Identifier: MIT
 */
#include "encode.h"
#include "random.h"

static void put(struct encoding *e, unsigned byte)
{
	if (e->len < 15)
		e->bytes[e->len++] = (uint8_t)byte;
}

static void put_prefixes(struct encoding *e, const struct insn_row *row,
			 enum code_mode mode, uint64_t *r)
{
	static const uint8_t segments[] = { 0x26, 0x2e, 0x36, 0x3e };
	bool p67 = one_in(r, 8);

	e->wide_address = mode == CODE64 || (mode == CODE32) != p67;
	if (p67)
		put(e, 0x67);
	if (one_in(r, row->prefix == PANY ? 3 : 64))
		put(e, 0x66);
	if (one_in(r, 8))
		put(e, mode == CODE64 && one_in(r, 2) ? 0x65
						      : segments[below(r, 4)]);
	if (one_in(r, row->how & HOW_LOCK ? 6 : 256))
		put(e, 0xf0);
	if (row->how & HOW_REP ? !one_in(r, 3) : one_in(r, 128))
		put(e, 0xf2 + below(r, 2));
}

static bool needs_w(const struct insn_row *row, uint64_t *r)
{
	bool odd = one_in(r, 64);

	if (row->how & HOW_W1)
		return !odd;
	if (row->how & HOW_W0)
		return odd;
	return one_in(r, 3);
}

static void put_legacy(struct encoding *e, const struct insn_row *row,
		       enum code_mode mode, uint64_t *r)
{
	static const uint8_t prefix[] = { [P66] = 0x66, [PF3] = 0xf3,
					  [PF2] = 0xf2 };
	bool w = needs_w(row, r);

	if (row->prefix > PNP)
		put(e, prefix[row->prefix]);
	if (mode == CODE64 && (w || row->modrm == REXB || one_in(r, 2)))
		put(e, 0x40 | w << 3 | (row->modrm == REXB) | below(r, 8));
	if (row->map != ONE)
		put(e, 0x0f);
	if (row->map == T38)
		put(e, 0x38);
	else if (row->map == T3A)
		put(e, 0x3a);
}

static void put_vex(struct encoding *e, const struct insn_row *row,
		    enum code_mode mode, uint64_t *r)
{
	static const uint8_t pp[] = { [PNP] = 0, [P66] = 1, [PF3] = 2,
				      [PF2] = 3 };
	unsigned rxb = mode == CODE64 ? below(r, 8) : 7;
	unsigned vvvv = below(r, 16);
	bool l = below(r, 2), w = needs_w(row, r);

	if (row->how & HOW_L1)
		l = !one_in(r, 64);
	else if (row->how & HOW_L0)
		l = one_in(r, 64);
	if (row->how & HOW_NDS0 && !one_in(r, 64))
		vvvv = 15;
	if (mode != CODE64)
		vvvv |= 8;
	if (row->map == V1 && !w && (rxb & 3) == 3 && one_in(r, 2)) {
		put(e, 0xc5);
		put(e, (rxb & 4) << 5 | vvvv << 3 | l << 2 | pp[row->prefix]);
		return;
	}
	put(e, 0xc4);
	put(e, rxb << 5 | (row->map - V1 + 1));
	put(e, w << 7 | vvvv << 3 | l << 2 | pp[row->prefix]);
}

static unsigned some_modrm(const struct insn_row *row, uint64_t *r)
{
	unsigned any = (unsigned)random_next(r) & 0xff, n = row->modrm & 7;
	unsigned memory = below(r, 3) << 6 | (any & 7);

	switch (row->modrm & 0x700) {
	case B(0): return row->modrm & 0xff;
	case R(0): return 0xc0 | n << 3 | (any & 7);
	case M(0): return memory | n << 3;
	case E(0): return (any & 0xc7) | n << 3;
	case REG:  return any | 0xc0;
	case MEM:  return memory | (any & 0x38);
	default:   return any;
	}
}

static void put_operands(struct encoding *e, const struct insn_row *row,
			 uint64_t *r)
{
	unsigned modrm = some_modrm(row, r);
	bool gather = row->op[1] == VMx;

	if (gather)
		modrm = (modrm & ~7u) | 4;
	put(e, modrm);
	if (e->wide_address && modrm >> 6 != 3 && (modrm & 7) == 4)
		put(e, (unsigned)random_next(r) & 0xff);
	e->disp_at = e->len;
	/* Displacements and immediates, whatever they are, small or not. */
	uint64_t more = random_next(r), last = random_next(r);

	if (one_in(r, 2))
		more &= 0xffff0000000000ffull;
	for (unsigned k = 0; k < 8; k++)
		put(e, more >> (8 * k) & 0xff);
	while (e->len < 15)
		put(e, last & 0xff);
}

void encode_row(struct encoding *e, const struct insn_row *row,
		enum code_mode mode, uint64_t *r)
{
	e->len = 0;
	put_prefixes(e, row, mode, r);
	if (row->map >= V1)
		put_vex(e, row, mode, r);
	else
		put_legacy(e, row, mode, r);
	put(e, row->opcode);
	put_operands(e, row, r);
}
