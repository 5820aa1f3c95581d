/* cpu/x86/decode.c - from bytes to a decoded instruction, by insn.def.
 *
 * In order (SDM 2A chapter 2): legacy prefixes, REX or VEX, opcode, ModRM; then
 * the row is chosen; then sizes, the address, and operands with their
 * immediates.  A row is chosen among the candidates of (map, opcode, prefix in
 * force), which an index built once has sorted so that the first that fits is
 * the one.
 *
 * Where the makers differ, Intel's answer is given: near branches in 64-bit
 * code ignore 66h (AMD: 16-bit operand), far pointers in memory follow REX.W
 * (AMD: ignored), and LOCK MOV CR0 is #UD (AMD: CR8).  Two answers are AMD's,
 * where the SDM is silent or not followed: 0F 0D with a register is #UD (Intel:
 * NOP), and MOVSXD with 66h reads four bytes of memory.
 *
 * REX.W and VEX.W in a row without W0 or W1 only widen general registers, so
 * outside 64-bit code, where they cannot, they are dropped.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/decode.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"

/* ---- the index ---- */

struct candidate {
	uint16_t row;
	uint8_t need;		/* enum operand_need */
};

struct span {
	uint16_t first, count;	/* in candidates[] */
};

#define SELECTS (PF2 - PNP + 1)

static struct span spans[INSN_MAPS][256][SELECTS];
static bool has_modrm[INSN_MAPS][256];
static struct candidate *candidates;
static pthread_once_t index_once = PTHREAD_ONCE_INIT;

static unsigned row_needs(const struct insn_row *r)
{
	unsigned kind = r->modrm & 0x700;
	unsigned need = kind != ANY && kind != REXB ? NEED_MODRM : 0;

	for (unsigned n = 0; n < ARRAY_LEN(r->op); n++)
		need |= operand_needs(r->op[n]);
	return need;
}

/* Smaller is tried first. */
static unsigned row_rank(const struct insn_row *r)
{
	static const uint8_t by_kind[] = {
		[ANY >> 8] = 4, [E(0) >> 8] = 2, [M(0) >> 8] = 1,
		[R(0) >> 8] = 1, [MEM >> 8] = 3, [REG >> 8] = 3,
		[B(0) >> 8] = 0, [REXB >> 8] = 0,
	};

	return (r->prefix == PANY ? 8 : 0) + by_kind[r->modrm >> 8];
}

static int row_order(const void *a, const void *b)
{
	const struct insn_row *x = &insn_rows[*(const uint16_t *)a];
	const struct insn_row *y = &insn_rows[*(const uint16_t *)b];

	if (x->map != y->map)
		return x->map - y->map;
	if (x->opcode != y->opcode)
		return x->opcode - y->opcode;
	if (row_rank(x) != row_rank(y))
		return (int)row_rank(x) - (int)row_rank(y);
	return x < y ? -1 : 1;
}

/* The candidates of one map and opcode: rows order[0..n). */
static unsigned index_opcode(const uint16_t *order, unsigned n, unsigned used)
{
	const struct insn_row *r = &insn_rows[order[0]];

	for (unsigned s = 0; s < SELECTS; s++) {
		struct span *span = &spans[r->map][r->opcode][s];

		span->first = (uint16_t)used;
		for (unsigned k = 0; k < n; k++) {
			const struct insn_row *x = &insn_rows[order[k]];

			if (x->prefix != PANY && x->prefix != PNP + s)
				continue;
			candidates[used].row = order[k];
			candidates[used].need = (uint8_t)row_needs(x);
			if (candidates[used].need & NEED_MODRM)
				has_modrm[r->map][r->opcode] = true;
			used++;
		}
		span->count = (uint16_t)(used - span->first);
	}
	return used;
}

static void index_build(void)
{
	unsigned rows = insn_row_count, used = 0, from = 0;
	uint16_t *order = xcalloc(rows, sizeof(*order));

	candidates = xcalloc((size_t)rows * SELECTS, sizeof(*candidates));
	for (unsigned k = 0; k < rows; k++)
		order[k] = (uint16_t)k;
	qsort(order, rows, sizeof(*order), row_order);
	for (unsigned k = 1; k <= rows; k++) {
		const struct insn_row *x = &insn_rows[order[from]];

		if (k < rows && insn_rows[order[k]].map == x->map &&
		    insn_rows[order[k]].opcode == x->opcode)
			continue;
		used = index_opcode(order + from, k - from, used);
		from = k;
	}
	free(order);
}

/* ---- bytes ---- */

uint64_t decoder_take(struct decoder *d, unsigned n)
{
	const uint8_t *p = d->p + d->at;

	if (unlikely(d->result != DECODE_OK))
		return 0;
	if (unlikely(d->at + n > d->avail)) {
		d->result = d->avail < INSN_MAX_BYTES ? DECODE_MORE
						      : DECODE_LONG;
		return 0;
	}
	d->at += n;
	switch (n) {
	case 1:	 return *p;
	case 2:	 return load_le16(p);
	case 4:	 return load_le32(p);
	default: return load_le64(p);
	}
}

/* One of the legacy prefixes?  Then remember it. */
static bool note_prefix(struct decoder *d, unsigned byte)
{
	switch (byte) {
	case 0x26: case 0x2e: case 0x36: case 0x3e:
		/* in 64-bit code these segments cannot be chosen */
		if (d->mode != CODE64)
			d->segment = byte >> 3 & 3;
		return true;
	case 0x64: case 0x65:
		d->segment = (uint8_t)(FS + (byte & 1));
		return true;
	case 0x66:
		d->opsize_prefix = true;
		return true;
	case 0x67:
		d->addrsize_prefix = true;
		return true;
	case 0xf0:
		d->out->prefix |= PREFIX_LOCK;
		return true;
	case 0xf2: case 0xf3:
		d->repeat = (uint8_t)byte;
		return true;
	default:
		return false;
	}
}

/* Legacy prefixes and REX; returns the byte after them. */
static unsigned take_prefixes(struct decoder *d)
{
	bool rex = false;
	unsigned byte;

	for (;;) {
		byte = (unsigned)decoder_take(d, 1);
		if (d->result != DECODE_OK)
			return 0;
		if (d->mode == CODE64 && (byte & 0xf0) == 0x40) {
			rex = true;
			d->rex = byte & 15;
		} else if (note_prefix(d, byte)) {
			rex = false;	/* REX counts only as the last one */
			d->rex = 0;
		} else {
			break;
		}
	}
	if (rex)
		d->out->prefix |= PREFIX_REX;
	if (d->repeat)
		d->out->prefix |= d->repeat == 0xf3 ? PREFIX_REP
						    : PREFIX_REPNE;
	if (d->opsize_prefix)
		d->out->prefix |= PREFIX_66;
	if (d->addrsize_prefix)
		d->out->prefix |= PREFIX_67;
	if (d->segment != SREG_COUNT)
		d->out->prefix |= PREFIX_SEG;
	d->select = d->repeat == 0xf3 ? PF3 : d->repeat == 0xf2 ? PF2 :
		    d->opsize_prefix ? P66 : PNP;
	return byte;
}

/* SDM 2A 2.3.5: the bytes after C4 or C5.
 *
 *   C5:  R vvvv L pp
 *   C4:  R X B mmmmm    W vvvv L pp       R, X, B and vvvv inverted
 */
static void take_vex(struct decoder *d, unsigned first)
{
	static const uint8_t select[4] = { PNP, P66, PF3, PF2 };
	unsigned map = 1, wide = (unsigned)decoder_take(d, 1), last = wide;

	if (d->opsize_prefix || d->repeat ||
	    d->out->prefix & (PREFIX_LOCK | PREFIX_REX))
		decoder_refuse(d);
	if (first == 0xc4) {
		map = wide & 31;
		last = (unsigned)decoder_take(d, 1);
	}
	if (d->mode == CODE64) {
		d->rex = ~wide >> 5 & REX_R;
		if (first == 0xc4)
			d->rex |= ~wide >> 5 & (REX_X | REX_B);
	}
	if (first == 0xc4 && last & 0x80)
		d->out->prefix |= PREFIX_W;
	if (last & 4)
		d->out->prefix |= PREFIX_L;
	d->out->prefix |= PREFIX_VEX;
	d->select = select[last & 3];
	d->vvvv = ~last >> 3 & 15;
	d->out->vvvv = d->mode == CODE64 ? d->vvvv : d->vvvv & 7;
	if (map < 1 || map > 3)
		decoder_refuse(d);
	else
		d->map = (uint8_t)(V1 + map - 1);
}

/* C4 and C5 are LES and LDS outside 64-bit code, whose operand is memory. */
static bool vex_follows(const struct decoder *d)
{
	return d->mode == CODE64 ||
	       (d->at < d->avail && d->p[d->at] >= 0xc0);
}

static void take_opcode(struct decoder *d, unsigned byte)
{
	if ((byte == 0xc4 || byte == 0xc5) && vex_follows(d)) {
		take_vex(d, byte);
		byte = (unsigned)decoder_take(d, 1);
	} else {
		if (d->rex & REX_W)
			d->out->prefix |= PREFIX_W;
		if (byte == 0x0f) {
			d->map = TWO;
			byte = (unsigned)decoder_take(d, 1);
			if (byte == 0x38 || byte == 0x3a) {
				d->map = byte == 0x38 ? T38 : T3A;
				byte = (unsigned)decoder_take(d, 1);
			}
		}
	}
	d->out->opcode = (uint8_t)byte;
}

static void take_modrm(struct decoder *d)
{
	unsigned byte = (unsigned)decoder_take(d, 1);

	d->out->modrm = (uint8_t)byte;
	d->mod = (uint8_t)(byte >> 6);
	d->reg = byte >> 3 & 7;
	d->rm = byte & 7;
	/* MOV to and from CRn, DRn ignore mod (SDM 2B "MOV"). */
	if (d->map == TWO && (d->out->opcode & 0xfc) == 0x20)
		d->mod = 3;
}

/* ---- the row ---- */

static bool modrm_fits(const struct decoder *d, unsigned modrm)
{
	unsigned value = modrm & 0xff;

	switch (modrm & 0x700) {
	case E(0): return d->reg == value;
	case M(0): return d->reg == value && d->mod != 3;
	case R(0): return d->reg == value && d->mod == 3;
	case MEM:  return d->mod != 3;
	case REG:  return d->mod == 3;
	case B(0): return d->out->modrm == value;
	case REXB: return d->rex & REX_B;
	default:   return true;
	}
}

static bool how_fits(const struct decoder *d, uint32_t how)
{
	bool w = d->out->prefix & PREFIX_W, l = d->out->prefix & PREFIX_L;

	if (how & (d->mode == CODE64 ? HOW_NO64 : HOW_ONLY64))
		return false;
	if (how & (w ? HOW_W0 : HOW_W1) || how & (l ? HOW_L0 : HOW_L1))
		return false;
	return !(how & HOW_NDS0) || d->vvvv == 0;
}

static const struct insn_row *choose_row(struct decoder *d,
					 const struct features *have)
{
	const struct span *span =
		&spans[d->map][d->out->opcode][d->select - PNP];
	const struct candidate *k = candidates + span->first;

	for (unsigned n = 0; n < span->count; n++, k++) {
		const struct insn_row *r = &insn_rows[k->row];

		if (k->need & (d->mod == 3 ? NEED_MEM : NEED_REG))
			continue;
		if (!modrm_fits(d, r->modrm) || !how_fits(d, r->how))
			continue;
		if (r->feature != FEAT_ALWAYS &&
		    !feature_has(have, r->feature))
			continue;
		d->out->row = k->row;
		return r;
	}
	decoder_refuse(d);
	return NULL;
}

/* ---- sizes and operands ---- */

static void set_sizes(struct decoder *d)
{
	struct insn *i = d->out;
	bool p66 = d->opsize_prefix, p67 = d->addrsize_prefix;

	if (d->mode == CODE64) {
		i->addrsize = p67 ? 4 : 8;
		i->opsize = i->prefix & PREFIX_W ? 8 : p66 ? 2 : 4;
	} else {
		i->addrsize = (d->mode == CODE32) != p67 ? 4 : 2;
		i->opsize = (d->mode == CODE32) != p66 ? 4 : 2;
		if (i->prefix & PREFIX_VEX)
			i->opsize = 4;
	}
}

static void apply_how(struct decoder *d, uint32_t how)
{
	struct insn *i = d->out;

	if (d->mode != CODE64) {
		if (!(how & (HOW_W0 | HOW_W1)))
			i->prefix &= (uint16_t)~PREFIX_W;
	} else if (how & HOW_F64 || (how & HOW_D64 && i->opsize == 4)) {
		i->opsize = 8;
	}
}

/* Gathers must not name one register twice (SDM 2C "VGATHERDPS"). */
static void refuse_overlap(struct decoder *d)
{
	const struct insn *i = d->out;
	uint8_t to = i->op[0].reg;

	if (to == i->vvvv || to == i->index || i->index == i->vvvv)
		decoder_refuse(d);
}

static void decode_operands(struct decoder *d, const struct insn_row *r)
{
	struct insn *i = d->out;
	bool gather = r->op[1] == VMx;

	if (has_modrm[d->map][i->opcode] && d->mod != 3) {
		i->prefix |= PREFIX_MEM;
		operand_decode_address(d, gather);
	}
	for (unsigned n = 0; n < ARRAY_LEN(i->op) && r->op[n] != __; n++)
		operand_decode(d, n, r->op[n]);
	if (gather)
		refuse_overlap(d);
	if (i->prefix & PREFIX_LOCK &&
	    (!(r->how & HOW_LOCK) || i->op[0].kind != OP_MEM))
		decoder_refuse(d);
}

enum decode_result insn_decode(struct insn *out, const uint8_t *p,
			       unsigned avail, enum code_mode mode,
			       const struct features *have)
{
	struct decoder d = {
		.p = p,
		.avail = avail < INSN_MAX_BYTES ? avail : INSN_MAX_BYTES,
		.mode = (uint8_t)mode, .segment = SREG_COUNT, .map = ONE,
		.mod = 3, .out = out,
	};
	const struct insn_row *r = NULL;

	pthread_once(&index_once, index_build);
	memset(out, 0, sizeof(*out));
	out->base = out->index = REG_NONE;
	take_opcode(&d, take_prefixes(&d));
	out->seg = d.segment == SREG_COUNT ? DS : d.segment;
	if (d.result == DECODE_OK && has_modrm[d.map][out->opcode])
		take_modrm(&d);
	if (d.result == DECODE_OK)
		r = choose_row(&d, have);
	if (r) {
		set_sizes(&d);
		apply_how(&d, r->how);
		decode_operands(&d, r);
	}
	out->len = (uint8_t)d.at;
	return d.result;
}
