/* cpu/interp/string.c - string instructions and their REP prefixes.
 *
 * A string function does some elements, at least one, and says how many; the
 * registers have moved by then.  Where both operands lie in plain memory it
 * works through host pointers to the end of the page; otherwise one element at
 * a time.  An element's accesses all happen before the registers move, so a
 * fault finds them at the element that faulted and the instruction restarts
 * there (SDM 1 7.3.9.2).
 *
 * A repeated instruction gives way to events, and anyhow after BURST elements,
 * by setting rip back to itself.  Single-stepped, it does so after each
 * element, which is where the processor traps.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/rmw.h"

#define BURST 4096

typedef uint64_t (*string_fn)(struct cpu *c, const struct insn *i,
			      uint64_t max);

/* All string opcodes come in pairs: bytes, and wider. */
static unsigned element_size(const struct insn *i)
{
	return i->opcode & 1 ? i->opsize : 1;
}

/* INS and OUTS have no 64-bit form. */
static unsigned port_size(const struct insn *i)
{
	return element_size(i) == 8 ? 4 : element_size(i);
}

static bool going_down(const struct cpu *c)
{
	return c->rflags & FLAG_DF;
}

/* Move rSI or rDI over n elements. */
static void advance(struct cpu *c, const struct insn *i, unsigned reg,
		    uint64_t n, unsigned size)
{
	uint64_t by = n * size;

	gpr_write(c, reg, c->gpr[reg] + (going_down(c) ? -by : by),
		  i->addrsize);
}

/* Linear address of the element at seg:[reg]. */
static gva_t element_linear(struct cpu *c, const struct insn *i, unsigned s,
			    unsigned reg, unsigned size, enum access access)
{
	return seg_linear(c, (enum sreg)s, gpr_read(c, reg, i->addrsize), size,
			  access);
}

/* How many bytes from the offset on, in the direction of travel, are as well
 * in the segment as its first element, which has been checked; 0: don't know.
 */
static uint64_t segment_room(const struct cpu *c, const struct insn *i,
			     unsigned s, uint64_t offset, unsigned size)
{
	const struct segment *seg = &c->seg[s];
	uint64_t last = i->addrsize == 2 ? 0xffff : 0xffffffff;

	if (c->mode == CODE64 && i->addrsize == 8)
		return PAGE_SIZE;
	if (c->mode != CODE64) {
		if ((seg->attr & (SEG_CODE | SEG_EXPAND_DOWN)) ==
		    SEG_EXPAND_DOWN)
			return 0;
		if (seg->limit < last)
			last = seg->limit;
	}
	return going_down(c) ? offset + size : last - offset + 1;
}

/* Host memory of the element at seg:[reg] and the elements after it, *n at
 * most; lowers *n to what may be touched.  NULL: one element, the slow way. */
static uint8_t *element_run(struct cpu *c, const struct insn *i, unsigned s,
			    unsigned reg, enum access access, uint64_t *n)
{
	unsigned size = element_size(i);
	uint64_t offset = gpr_read(c, reg, i->addrsize);
	gva_t at = seg_linear(c, (enum sreg)s, offset, size, access);
	uint64_t room = segment_room(c, i, s, offset, size), in_page;
	uint8_t *p;

	if (c->tlb_index == TLB_ALIGN)
		return NULL;
	p = mem_run(c, at, access, &in_page);
	if (!p || in_page < size || room < size)
		return NULL;
	if (going_down(c))
		in_page = (at & ~PAGE_MASK) + size;
	if (room > in_page)
		room = in_page;
	if (*n > room / size)
		*n = room / size;
	return p;
}

/* ---- MOVS, STOS, LODS ---- */

/* Element by element, as the processor does: an overlap may replicate. */
static void copy_elements(uint8_t *to, const uint8_t *from, uint64_t n,
			  unsigned size, bool down)
{
	ptrdiff_t step = down ? -(ptrdiff_t)size : (ptrdiff_t)size;

	if (!down && (to <= from || to >= from + n * size)) {
		memmove(to, from, n * size);
		return;
	}
	for (; n; n--, to += step, from += step)
		host_store(to, host_load(from, size), size);
}

static uint64_t movs_some(struct cpu *c, const struct insn *i, uint64_t n)
{
	unsigned size = element_size(i);
	uint8_t *from = NULL, *to = NULL;

	if (n > 1)
		from = element_run(c, i, i->seg, RSI, ACCESS_READ, &n);
	if (from)
		to = element_run(c, i, ES, RDI, ACCESS_WRITE, &n);
	if (to) {
		copy_elements(to, from, n, size, going_down(c));
	} else {
		gva_t x = element_linear(c, i, i->seg, RSI, size, ACCESS_READ);
		uint64_t v = mem_read(c, x, size);

		mem_write(c, element_linear(c, i, ES, RDI, size, ACCESS_WRITE),
			  v, size);
		n = 1;
	}
	advance(c, i, RSI, n, size);
	advance(c, i, RDI, n, size);
	return n;
}

static void fill_elements(uint8_t *to, uint64_t v, uint64_t n, unsigned size,
			  bool down)
{
	if (down)
		to -= (n - 1) * size;
	if (size == 1 || !v) {
		memset(to, (int)(uint8_t)v, n * size);
		return;
	}
	for (; n; n--, to += size)
		host_store(to, v, size);
}

static uint64_t stos_some(struct cpu *c, const struct insn *i, uint64_t n)
{
	unsigned size = element_size(i);
	uint64_t v = gpr_read(c, RAX, size);
	uint8_t *to = NULL;

	if (n > 1)
		to = element_run(c, i, ES, RDI, ACCESS_WRITE, &n);
	if (to) {
		fill_elements(to, v, n, size, going_down(c));
	} else {
		mem_write(c, element_linear(c, i, ES, RDI, size, ACCESS_WRITE),
			  v, size);
		n = 1;
	}
	advance(c, i, RDI, n, size);
	return n;
}

static uint64_t lods_some(struct cpu *c, const struct insn *i, uint64_t n)
{
	unsigned size = element_size(i);
	gva_t x = element_linear(c, i, i->seg, RSI, size, ACCESS_READ);

	gpr_write(c, RAX, mem_read(c, x, size), size);
	advance(c, i, RSI, 1, size);
	return 1;
}

/* ---- SCAS, CMPS: stop where equality is not what REPE or REPNE asks ---- */

static bool while_equal(const struct insn *i)
{
	return !(i->prefix & PREFIX_REPNE);
}

static uint64_t scas_some(struct cpu *c, const struct insn *i, uint64_t n)
{
	unsigned size = element_size(i);
	uint64_t a = gpr_read(c, RAX, size), v, done = 1;
	ptrdiff_t step = going_down(c) ? -(ptrdiff_t)size : (ptrdiff_t)size;
	uint8_t *y = NULL;

	if (n > 1)
		y = element_run(c, i, ES, RDI, ACCESS_READ, &n);
	if (y)
		for (v = host_load(y, size);
		     done < n && (v == a) == while_equal(i); done++)
			v = host_load(y += step, size);
	else
		v = mem_read(c, element_linear(c, i, ES, RDI, size,
					       ACCESS_READ), size);
	alu_sub(c, a, v, size);
	advance(c, i, RDI, done, size);
	return done;
}

static uint64_t cmps_some(struct cpu *c, const struct insn *i, uint64_t n)
{
	unsigned size = element_size(i);
	ptrdiff_t step = going_down(c) ? -(ptrdiff_t)size : (ptrdiff_t)size;
	uint8_t *x = NULL, *y = NULL;
	uint64_t a, b, done = 1;

	if (n > 1)
		x = element_run(c, i, i->seg, RSI, ACCESS_READ, &n);
	if (x)
		y = element_run(c, i, ES, RDI, ACCESS_READ, &n);
	if (y) {
		a = host_load(x, size);
		b = host_load(y, size);
		for (; done < n && (a == b) == while_equal(i); done++) {
			a = host_load(x += step, size);
			b = host_load(y += step, size);
		}
	} else {
		a = mem_read(c, element_linear(c, i, i->seg, RSI, size,
					       ACCESS_READ), size);
		b = mem_read(c, element_linear(c, i, ES, RDI, size,
					       ACCESS_READ), size);
	}
	alu_sub(c, a, b, size);
	advance(c, i, RSI, done, size);
	advance(c, i, RDI, done, size);
	return done;
}

/* ---- INS, OUTS: the device is touched once nothing can fault ---- */

static uint64_t ins_some(struct cpu *c, const struct insn *i, uint64_t n)
{
	unsigned size = port_size(i);
	uint16_t port = (uint16_t)c->gpr[RDX];
	gva_t y;

	port_check(c, port, size);
	y = element_linear(c, i, ES, RDI, size, ACCESS_WRITE);
	mem_probe(c, y, size, ACCESS_WRITE);
	mem_write(c, y, port_read(c, port, size), size);
	advance(c, i, RDI, 1, size);
	return 1;
}

static uint64_t outs_some(struct cpu *c, const struct insn *i, uint64_t n)
{
	unsigned size = port_size(i);
	uint16_t port = (uint16_t)c->gpr[RDX];
	gva_t x;

	port_check(c, port, size);
	x = element_linear(c, i, i->seg, RSI, size, ACCESS_READ);
	port_write(c, port, (uint32_t)mem_read(c, x, size), size);
	advance(c, i, RSI, 1, size);
	return 1;
}

/* ---- REP ---- */

/* Leave the rest for another time: come back to this instruction.  RF is set
 * meanwhile, for an interrupt to save, so that an instruction breakpoint here
 * is not reported once more (SDM 3B 17.3.1.1). */
static void resume_later(struct cpu *c, const struct insn *i)
{
	c->rip -= i->len;
	if (c->mode != CODE64)
		c->rip = (uint32_t)c->rip;
	c->rflags |= FLAG_RF;
	c->stop_block = 1;
}

static bool must_give_way(struct cpu *c)
{
	uint32_t events = atomic_load_explicit(&c->port.events,
					       memory_order_relaxed);

	if (!(c->rflags & FLAG_IF))
		events &= ~(uint32_t)VCPU_INTR;
	return c->stop_block || events;
}

/* compares: ZF ends the repetition too. */
static void repeat(struct cpu *c, const struct insn *i, string_fn some,
		   bool compares)
{
	uint64_t budget = c->step ? 1 : BURST, left, n;

	if (!(i->prefix & (PREFIX_REP | PREFIX_REPNE))) {
		some(c, i, 1);
		return;
	}
	for (left = gpr_read(c, RCX, i->addrsize); left; ) {
		n = some(c, i, left < budget ? left : budget);
		left -= n;
		budget -= n;
		gpr_write(c, RCX, left, i->addrsize);
		if (compares && !!(c->arith & FLAG_ZF) != while_equal(i))
			return;
		if (left && (!budget || must_give_way(c))) {
			resume_later(c, i);
			return;
		}
	}
}

void exec_movs(struct cpu *c, const struct insn *i)
{
	repeat(c, i, movs_some, false);
}

void exec_stos(struct cpu *c, const struct insn *i)
{
	repeat(c, i, stos_some, false);
}

void exec_lods(struct cpu *c, const struct insn *i)
{
	repeat(c, i, lods_some, false);
}

void exec_scas(struct cpu *c, const struct insn *i)
{
	repeat(c, i, scas_some, true);
}

void exec_cmps(struct cpu *c, const struct insn *i)
{
	repeat(c, i, cmps_some, true);
}

void exec_ins(struct cpu *c, const struct insn *i)
{
	repeat(c, i, ins_some, false);
}

void exec_outs(struct cpu *c, const struct insn *i)
{
	repeat(c, i, outs_some, false);
}
