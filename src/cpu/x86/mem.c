/* cpu/x86/mem.c - see mem.h: what the inline fast paths leave over.
 *
 * An access is one part, or two when it crosses into the next page.  Both are
 * translated for the whole access before anything is read or stored.  A part
 * in RAM is one load or store of its size; a part in a register window goes to
 * the bus whole if its size is one the bus knows, else in aligned pieces, low
 * address first.  Stores to ROM are dropped.
 *
 * Code.  After a store the page's code byte is looked at, with a full fence
 * between (mem.h, code_written).  Between mem_rmw_begin() and _end() the call
 * waits, because it may wait for vCPUs that wait for our lock.
 *
 * Alignment checking (CPL 3, AM and AC set) uses table TLB_ALIGN, which is
 * never filled: all its accesses come here, are checked, and go on with the
 * rights of TLB_USER.  Vector and other block accesses are not checked.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <pthread.h>

#include "bus/bus.h"
#include "cpu/x86/debug.h"
#include "cpu/x86/fault.h"
#include "cpu/x86/journal.h"
#include "cpu/x86/paging.h"

/* The part of an access that lies in one page. */
struct part {
	struct tlb_ref ref;
	unsigned off;		/* within the page */
	unsigned len;
};

struct span {
	struct part part[2];
	unsigned count;
};

/* Held by one vCPU between mem_rmw_begin() and mem_rmw_end(). */
static pthread_mutex_t rmw_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- one part ---- */

static uint64_t load_sized(const void *p, unsigned size)
{
	switch (size) {
	case 1:	return *(const uint8_t *)p;
	case 2:	return load_le16(p);
	case 4:	return load_le32(p);
	default: return load_le64(p);
	}
}

static void store_sized(void *p, uint64_t v, unsigned size)
{
	switch (size) {
	case 1:	*(uint8_t *)p = (uint8_t)v; break;
	case 2:	store_le16(p, (uint16_t)v); break;
	case 4:	store_le32(p, (uint32_t)v); break;
	default: store_le64(p, v); break;
	}
}

static bool is_access_size(unsigned n)
{
	return n == 1 || n == 2 || n == 4 || n == 8;
}

/* The largest piece at `off` that is aligned and at most `len` bytes. */
static unsigned piece(unsigned off, unsigned len)
{
	unsigned n = 8;

	while (n > len || (off & (n - 1)))
		n >>= 1;
	return n;
}

static uint64_t mmio_read(struct cpu *c, uint64_t gpa, unsigned size)
{
	trial_refuse(c, REFUSED_WINDOW);
	return bus_mmio_read(c->bus, gpa, size);
}

static void mmio_write(struct cpu *c, uint64_t gpa, uint64_t v, unsigned size)
{
	trial_refuse(c, REFUSED_WINDOW);
	bus_mmio_write(c->bus, gpa, v, size);
}

static void window_read(struct cpu *c, const struct part *p, uint8_t *buf)
{
	uint64_t gpa = p->ref.back->gpa;
	unsigned n;

	for (unsigned i = 0; i < p->len; i += n) {
		uint64_t v;

		n = is_access_size(p->len) ? p->len
					   : piece(p->off + i, p->len - i);
		v = mmio_read(c, gpa + p->off + i, n);
		memcpy(buf + i, &v, n);
	}
}

static void window_write(struct cpu *c, const struct part *p,
			 const uint8_t *buf)
{
	uint64_t gpa = p->ref.back->gpa;
	unsigned n;

	for (unsigned i = 0; i < p->len; i += n) {
		uint64_t v = 0;

		n = is_access_size(p->len) ? p->len
					   : piece(p->off + i, p->len - i);
		memcpy(&v, buf + i, n);
		mmio_write(c, gpa + p->off + i, v, n);
	}
}

static void part_read(struct cpu *c, const struct part *p, uint8_t *buf)
{
	if (p->ref.back->hva)
		memcpy(buf, p->ref.back->hva + p->off, p->len);
	else
		window_read(c, p, buf);
}

void mem_tell_code(struct cpu *c, uint64_t gpa, unsigned len)
{
	unsigned n = c->rmw_written_count;

	if (!c->rmw_held) {
		code_written(c, gpa, len);
		return;
	}
	for (unsigned i = 0; i < n; i++)	/* an entry marked twice */
		if (c->rmw_written[i].gpa == gpa &&
		    c->rmw_written[i].len == len)
			return;
	assert(n < RMW_WRITTEN_MAX);
	c->rmw_written[n].gpa = gpa;
	c->rmw_written[n].len = len;
	c->rmw_written_count++;
}

/* Has the store to this part hit decoded code?  Pairs with the engine, which
 * sets the byte, fences and then reads the code. */
static void check_code(struct cpu *c, const struct part *p)
{
	const struct tlb_back *b = p->ref.back;

	if (!b->hva || !b->code || (p->ref.flags & TLB_ROM))
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(b->code, __ATOMIC_RELAXED))
		mem_tell_code(c, b->gpa + p->off, p->len);
}

/* Does a store change host memory? */
static bool is_ram(const struct part *p)
{
	return p->ref.back->hva && !(p->ref.flags & TLB_ROM);
}

static uint8_t *part_host(const struct part *p)
{
	return p->ref.back->hva + p->off;
}

static uint64_t part_gpa(const struct part *p)
{
	return p->ref.back->gpa + p->off;
}

static void part_write(struct cpu *c, const struct part *p, const uint8_t *buf)
{
	if (is_ram(p)) {
		trial_store(c, part_gpa(p), part_host(p), p->len);
		memcpy(part_host(p), buf, p->len);
	} else if (!p->ref.back->hva) {
		window_write(c, p, buf);
	}
	check_code(c, p);
}

/* ---- whole accesses ---- */

static void check_alignment(struct cpu *c, gva_t a, unsigned size)
{
	if (a & (size - 1))
		fault_raise_code(c, VEC_AC, 0);
}

/* The page after a's: addresses wrap at 4 GiB outside 64-bit code. */
static gva_t next_page(const struct cpu *c, gva_t a)
{
	gva_t next = (a & PAGE_MASK) + PAGE_SIZE;

	if (next == 1ull << 32 && c->mode != CODE64)
		return 0;
	return next;
}

static void span_find(struct cpu *c, gva_t a, unsigned len, unsigned table,
		      enum access access, struct span *s)
{
	unsigned off = a & ~PAGE_MASK;
	unsigned first = len <= PAGE_SIZE - off ? len : PAGE_SIZE - off;

	if (on_trial(c) && access != ACCESS_READ)
		(void)journal_tag(c, a & PAGE_MASK, table | TLB_WRITES);
	s->part[0] = (struct part){ tlb_find(c, a, table, access), off, first };
	s->count = 1;
	if (first == len)
		return;
	s->part[1] = (struct part){
		tlb_find(c, next_page(c, a), table, access), 0, len - first,
	};
	s->count = 2;
}

static bool span_watched(const struct span *s)
{
	uint8_t flags = s->part[0].ref.flags;

	if (s->count == 2)
		flags |= s->part[1].ref.flags;
	return flags & TLB_WATCHED;
}

static void span_read(struct cpu *c, gva_t a, void *buf, unsigned len,
		      unsigned table)
{
	struct span s;

	span_find(c, a, len, table, ACCESS_READ, &s);
	part_read(c, &s.part[0], buf);
	if (s.count == 2)
		part_read(c, &s.part[1], (uint8_t *)buf + s.part[0].len);
	if (unlikely(span_watched(&s)))
		debug_check_data(c, a, len, ACCESS_READ);
}

static void span_write(struct cpu *c, gva_t a, const void *buf, unsigned len,
		       unsigned table)
{
	struct span s;

	span_find(c, a, len, table, ACCESS_WRITE, &s);
	part_write(c, &s.part[0], buf);
	if (s.count == 2)
		part_write(c, &s.part[1],
			   (const uint8_t *)buf + s.part[0].len);
	if (unlikely(span_watched(&s)))
		debug_check_data(c, a, len, ACCESS_WRITE);
}

uint64_t mem_read_slow(struct cpu *c, gva_t a, unsigned size, unsigned table)
{
	unsigned off = a & ~PAGE_MASK;
	struct tlb_ref r;
	uint64_t v = 0;

	if (unlikely(table == TLB_ALIGN)) {
		check_alignment(c, a, size);
		table = TLB_USER;
	}
	if (unlikely(off > PAGE_SIZE - size)) {
		span_read(c, a, &v, size, table);
		return v;
	}
	r = tlb_find(c, a, table, ACCESS_READ);
	if (likely(r.back->hva != NULL))
		v = load_sized(r.back->hva + off, size);
	else
		v = mmio_read(c, r.back->gpa + off, size);
	if (unlikely(r.flags & TLB_WATCHED))
		debug_check_data(c, a, size, ACCESS_READ);
	return v;
}

void mem_write_slow(struct cpu *c, gva_t a, uint64_t v, unsigned size,
		    unsigned table)
{
	struct part p = { .off = a & ~PAGE_MASK, .len = size };

	if (unlikely(table == TLB_ALIGN)) {
		check_alignment(c, a, size);
		table = TLB_USER;
	}
	if (unlikely(p.off > PAGE_SIZE - size)) {
		span_write(c, a, &v, size, table);
		return;
	}
	p.ref = tlb_find(c, a, table, ACCESS_WRITE);
	if (likely(is_ram(&p))) {
		trial_store(c, part_gpa(&p), part_host(&p), size);
		store_sized(part_host(&p), v, size);
	} else if (!p.ref.back->hva) {
		mmio_write(c, part_gpa(&p), v, size);
	}
	check_code(c, &p);
	if (unlikely(p.ref.flags & TLB_WATCHED))
		debug_check_data(c, a, size, ACCESS_WRITE);
	else
		tlb_retag_write(c, a, table);
}

/* ---- by size and by privilege ---- */

static uint64_t read_table(struct cpu *c, gva_t a, unsigned size,
			   unsigned table)
{
	const void *p = mem_hit_read(c, a, size, table);

	return likely(p != NULL) ? load_sized(p, size)
				 : mem_read_slow(c, a, size, table);
}

static void write_table(struct cpu *c, gva_t a, uint64_t v, unsigned size,
			unsigned table)
{
	void *p = mem_hit_write(c, a, size, table);

	if (likely(p != NULL))
		store_sized(p, v, size);
	else
		mem_write_slow(c, a, v, size, table);
}

/* Table of accesses made at privilege cpl (SDM 3A 4.6.1). */
static unsigned table_at(const struct cpu *c, unsigned cpl)
{
	bool ac = c->rflags & FLAG_AC;

	if (cpl == 3)
		return ac && (c->cr0 & CR0_AM) ? TLB_ALIGN : TLB_USER;
	return (c->cr4 & CR4_SMAP) && !ac ? TLB_SMAP : TLB_SUPERVISOR;
}

uint64_t mem_read(struct cpu *c, gva_t a, unsigned size)
{
	return read_table(c, a, size, c->tlb_index);
}

void mem_write(struct cpu *c, gva_t a, uint64_t v, unsigned size)
{
	write_table(c, a, v, size, c->tlb_index);
}

uint64_t mem_read_sys(struct cpu *c, gva_t a, unsigned size)
{
	return read_table(c, a, size, tlb_sys_table(c));
}

void mem_write_sys(struct cpu *c, gva_t a, uint64_t v, unsigned size)
{
	write_table(c, a, v, size, tlb_sys_table(c));
}

uint64_t mem_read_as(struct cpu *c, gva_t a, unsigned size, unsigned cpl)
{
	return read_table(c, a, size, table_at(c, cpl));
}

void mem_write_as(struct cpu *c, gva_t a, uint64_t v, unsigned size,
		  unsigned cpl)
{
	write_table(c, a, v, size, table_at(c, cpl));
}

/* ---- blocks ---- */

/* Rights of the running code's data accesses, alignment left out. */
static unsigned data_table(const struct cpu *c)
{
	return c->tlb_index == TLB_ALIGN ? TLB_USER : c->tlb_index;
}

void mem_read_block(struct cpu *c, gva_t a, void *buf, unsigned len)
{
	const void *p = mem_hit_read(c, a, len, data_table(c));

	if (likely(p != NULL))
		memcpy(buf, p, len);
	else
		span_read(c, a, buf, len, data_table(c));
}

void mem_write_block(struct cpu *c, gva_t a, const void *buf, unsigned len)
{
	void *p = mem_hit_write(c, a, len, data_table(c));

	if (likely(p != NULL))
		memcpy(p, buf, len);
	else
		span_write(c, a, buf, len, data_table(c));
}

void mem_probe(struct cpu *c, gva_t a, unsigned len, enum access access)
{
	struct span s;

	/* of one operand, which is misaligned before it is absent */
	if (access == ACCESS_RMW && unlikely(c->tlb_index == TLB_ALIGN))
		check_alignment(c, a, len);
	if (len)
		span_find(c, a, len, data_table(c), access, &s);
}

/* ---- read-modify-write ---- */

static uint8_t code_byte(const struct tlb_ref *r)
{
	return r->back->code ? __atomic_load_n(r->back->code, __ATOMIC_SEQ_CST)
			     : 0;
}

/* RAM without a watchpoint; writes may yet have to be told to the engine. */
static bool host_serves(const struct tlb_ref *r, enum access access)
{
	if (!r->back->hva || (r->flags & TLB_WATCHED))
		return false;
	return access == ACCESS_READ || !(r->flags & TLB_ROM);
}

static bool plain_ram(const struct tlb_ref *r, enum access access)
{
	return host_serves(r, access) &&
	       (access == ACCESS_READ || !code_byte(r));
}

/* The caller is about to store to code by a host instruction: the engine hears
 * of it at the next event check, before another instruction runs. */
static void tell_code_after(struct cpu *c, const struct part *p)
{
	if (!(code_byte(&p->ref) & ram_code_lines(p->off, p->len)))
		return;
	trial_refuse(c, REFUSED_CODE);
	c->rmw_code.gpa = p->ref.back->gpa + p->off;
	c->rmw_code.len = p->len;
	c->stop_block = 1;
	atomic_fetch_or(&c->port.events, VCPU_SYNC);
}

void mem_rmw_tell(struct cpu *c)
{
	unsigned len = c->rmw_code.len;

	c->rmw_code.len = 0;
	if (len)
		code_written(c, c->rmw_code.gpa, len);
}

void *mem_rmw_host(struct cpu *c, gva_t a, unsigned size)
{
	unsigned table = data_table(c);
	void *p = mem_hit_write(c, a, size, table);
	struct span s;

	if (unlikely(c->tlb_index == TLB_ALIGN))
		check_alignment(c, a, size);
	if (likely(p != NULL))
		return p;
	span_find(c, a, size, table, ACCESS_RMW, &s);
	if (s.count == 2 || !host_serves(&s.part[0].ref, ACCESS_RMW))
		return NULL;
	tell_code_after(c, &s.part[0]);
	trial_store(c, part_gpa(&s.part[0]), part_host(&s.part[0]), size);
	return part_host(&s.part[0]);
}

void mem_rmw_begin(struct cpu *c)
{
	pthread_mutex_lock(&rmw_lock);
	c->rmw_held = true;
	c->rmw_written_count = 0;
}

void mem_rmw_end(struct cpu *c)
{
	c->rmw_held = false;
	pthread_mutex_unlock(&rmw_lock);
	for (unsigned i = 0; i < c->rmw_written_count; i++)
		code_written(c, c->rmw_written[i].gpa, c->rmw_written[i].len);
	c->rmw_written_count = 0;
}

void mem_rmw_abort(struct cpu *c)
{
	if (c->rmw_held)
		mem_rmw_end(c);
}

/* ---- string runs and instruction fetch ---- */

uint8_t *mem_run(struct cpu *c, gva_t a, enum access access, uint64_t *len)
{
	unsigned off = a & ~PAGE_MASK;
	struct tlb_ref r;

	if (c->tlb_index == TLB_ALIGN)
		return NULL;
	r = tlb_find(c, a, c->tlb_index, access);
	if (!plain_ram(&r, access) || on_trial(c))
		return NULL;
	*len = PAGE_SIZE - off;
	return r.back->hva + off;
}

const uint8_t *mem_fetch(struct cpu *c, gva_t a, uint64_t *gpa)
{
	struct tlb_ref r = tlb_find(c, a, data_table(c), ACCESS_EXEC);
	unsigned off = a & ~PAGE_MASK;

	*gpa = r.back->gpa + off;
	return r.back->hva ? r.back->hva + off : NULL;
}

uint8_t mem_fetch_byte(struct cpu *c, gva_t a)
{
	uint64_t gpa;
	const uint8_t *p = mem_fetch(c, a, &gpa);

	return p ? *p : (uint8_t)mmio_read(c, gpa, 1);
}
