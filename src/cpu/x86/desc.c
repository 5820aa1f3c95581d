/* cpu/x86/desc.c - reading descriptors, and the checks all transfers share.
 *
 * The tables are read with supervisor rights whatever the CPL.  A descriptor
 * is read once and then judged from the copy.  The accessed bit is set by
 * writing the type byte back, which the caller does after its last check.
 *
 * Source: SDM 3A 3.4.5, 3.5, 5.8; 16-byte descriptors 7.2.3.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/desc.h"
#include "cpu/x86/mem.h"
#include "cpu/x86/seg.h"

_Noreturn void fault_selector(struct cpu *c, enum vector v, uint16_t selector)
{
	fault_raise_code(c, v, selector & 0xfffc);
}

/* Base of the selector's table if `bytes` from its entry on are inside. */
static bool table_entry(const struct cpu *c, uint16_t selector, unsigned bytes,
			gva_t *at)
{
	uint32_t offset = selector & 0xfff8;
	uint64_t base = c->gdtr.base;
	uint32_t limit = c->gdtr.limit;

	if (selector & 4) {
		if (c->ldtr.attr & SEG_UNUSABLE)
			return false;
		base = c->ldtr.base;
		limit = c->ldtr.limit;
	}
	if (offset + bytes - 1 > limit)
		return false;
	*at = table_linear(c, base, offset);
	return true;
}

bool desc_read(struct cpu *c, uint16_t selector, struct desc *d)
{
	uint64_t raw;

	if (!table_entry(c, selector, 8, &d->at))
		return false;
	raw = mem_read_sys(c, d->at, 8);
	d->lo = (uint32_t)raw;
	d->hi = raw >> 32;
	d->top = 0;
	return true;
}

bool desc_widen(struct cpu *c, uint16_t selector, struct desc *d)
{
	uint64_t raw;

	if (!cpu_long_mode(c))
		return true;
	if (!table_entry(c, selector, 16, &d->at))
		return false;
	raw = mem_read_sys(c, d->at + 8, 8);
	d->top = (uint32_t)raw;
	return !(raw >> 40 & 0x1f);
}

void desc_touch(struct cpu *c, struct desc *d)
{
	if (d->hi >> 8 & SEG_ACCESSED)
		return;
	d->hi |= SEG_ACCESSED << 8;
	mem_write_sys(c, d->at + 5, d->hi >> 8 & 0xff, 1);
}

void desc_set_type(struct cpu *c, struct desc *d, unsigned type)
{
	d->hi = (d->hi & ~0xf00u) | type << 8;
	mem_write_sys(c, d->at + 5, d->hi >> 8 & 0xff, 1);
}

struct segment desc_segment(const struct desc *d, uint16_t selector)
{
	uint32_t limit = (d->lo & 0xffff) | (d->hi & 0xf0000);
	uint32_t base =
		d->lo >> 16 | (d->hi & 0xff) << 16 | (d->hi & 0xff000000);
	uint32_t attr = d->hi >> 8 & 0xf0ff;

	return (struct segment){
		.selector = selector,
		.attr = attr,
		.limit = attr & SEG_G ? limit << 12 | 0xfff : limit,
		.base = base | (uint64_t)d->top << 32,
	};
}

struct segment segment_null(uint16_t selector, unsigned dpl)
{
	return (struct segment){
		.selector = selector,
		.attr = SEG_UNUSABLE | dpl << SEG_DPL_SHIFT,
	};
}

void code_check_ip(struct cpu *c, const struct segment *cs, uint64_t ip)
{
	if (segment_code64(c, cs) ? !gva_canonical(c, ip) : ip > cs->limit)
		fault_gp0(c);
}

void code_check_size(struct cpu *c, const struct desc *d, uint16_t selector)
{
	uint32_t both = (SEG_L | SEG_DB) << 8;

	if (cpu_long_mode(c) && (d->hi & both) == both)
		fault_selector(c, VEC_GP, selector);
}

void code_enter(struct cpu *c, const struct segment *cs, unsigned cpl,
		uint64_t ip)
{
	c->seg[CS] = *cs;
	c->seg[CS].selector = (cs->selector & 0xfffc) | cpl;
	c->rip = ip;
	cpu_derive(c);
	c->stop_block = 1;
}
