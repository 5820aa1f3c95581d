/* cpu/jit/jit.c - the translator as an engine: from C into translated code and
 * back.
 *
 * Translated code runs until something wants C: an unlinked exit, an
 * instruction that ends its block in the interpreter, an event.  Then the
 * block at the new RIP is found or made, and the jump that led there is linked
 * to it or its RIP entered in j->jump.
 *
 * While breakpoints are set, or blocks are logged or checked, every block comes
 * back to C (`apart`).
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <nmmintrin.h>

#include "base/alloc.h"
#include "base/log.h"
#include "bus/bus.h"
#include "cpu/accel.h"
#include "cpu/code.h"
#include "cpu/engine.h"
#include "cpu/interp/vector.h"
#include "cpu/jit/cache.h"
#include "cpu/jit/check.h"
#include "cpu/jit/codelog.h"
#include "cpu/jit/kind.h"
#include "cpu/jit/ops.h"
#include "cpu/jit/tr.h"
#include "cpu/x86/debug.h"
#include "host/os.h"

#define PRESET_MIB	32		/* of code */

/* ---- where we are ---- */

static bool spans_all(const struct cpu *c, enum sreg s)
{
	return !c->seg[s].base && c->reach[s].read > 0xffffffff &&
	       c->reach[s].write > 0xffffffff;
}

/* CS, DS, ES and SS as good as not there, and the usual stack. */
static bool is_flat(const struct cpu *c)
{
	if (c->mode == CODE64)
		return c->stack_size == 8;
	return c->mode == CODE32 && c->stack_size == 4 &&
	       !cpu_paragraph_mode(c) && !c->seg[CS].base &&
	       c->seg[CS].limit == 0xffffffff && spans_all(c, DS) &&
	       spans_all(c, ES) && spans_all(c, SS);
}

static unsigned key_of(const struct cpu *c)
{
	return c->mode | (unsigned)c->tlb_index << 2 |
	       (is_flat(c) ? KEY_FLAT : 0);
}

/* What j->jump's entries must have to be valid now: see struct vcpu_port.  An
 * address space that comes back finds its own again. */
static uint32_t tag_of(struct cpu *c, unsigned key)
{
	struct jit *j = c->jit;
	uint32_t epoch = j->code_epoch + c->code_epoch;
	struct jit_tag *t = &j->tag[(c->map_epoch * 8 ^ key) & (JIT_TAGS - 1)];

	if (!t->tag || t->map_epoch != c->map_epoch || t->key != key ||
	    t->code_epoch != epoch)
		*t = (struct jit_tag){ c->map_epoch, epoch, key,
				       ++j->tag_counter };
	return t->tag;
}

/* Host address of the code at rip; NULL outside RAM.  Raises what fetching
 * raises. */
static const uint8_t *code_at(struct cpu *c, gva_t a)
{
	const struct tlb_entry *e = &c->tlb.entry[c->tlb_index][tlb_slot(a)];
	uint64_t gpa;

	if (likely((a ^ e->exec) < PAGE_SIZE))
		return (const uint8_t *)(e->host + (a ^ e->exec));
	return mem_fetch(c, a, &gpa);
}

/* ---- blocks ---- */

/* The first instruction goes on in the next page, whose fetch may fault as
 * that of the instruction would. */
static struct jit_block *make_crossing(struct cpu *c, const uint8_t *hva,
				       unsigned key)
{
	unsigned avail = (unsigned)(PAGE_SIZE - ((uintptr_t)hva & ~PAGE_MASK));
	const uint8_t *hva2;
	struct ram_page page;
	uint64_t gpa;

	if (avail >= INSN_LEN_MAX)
		return NULL;
	hva2 = mem_fetch(c, code_linear(c, c->rip + avail), &gpa);
	if (!hva2 || !bus_ram_page(c->bus, gpa, &page))
		return NULL;
	code_watch(c, &page, ram_code_lines(0, INSN_LEN_MAX));
	return jit_translate(c, hva, avail, hva2, key);
}

static struct jit_block *make(struct cpu *c, const uint8_t *hva, unsigned key)
{
	unsigned avail = (unsigned)(PAGE_SIZE - ((uintptr_t)hva & ~PAGE_MASK));
	struct jit_block *b;
	struct ram_page page;
	uint64_t gpa;

	if (!mem_fetch(c, code_linear(c, c->rip), &gpa) ||
	    !bus_ram_page(c->bus, gpa, &page))
		return NULL;
	if (!jit_has_room(c->jit))
		jit_flush(c);
	if (avail > JIT_INSNS_MAX * INSN_LEN_MAX)
		avail = JIT_INSNS_MAX * INSN_LEN_MAX;
	code_watch(c, &page, ram_code_lines((uintptr_t)hva, avail));
	c->jit->watched = __atomic_load_n(page.code, __ATOMIC_RELAXED);
	b = jit_translate(c, hva, avail, NULL, key);
	if (!b)
		b = make_crossing(c, hva, key);
	if (b)
		jit_insert(c->jit, b);
	return b;
}

static bool within_limit(const struct cpu *c, const struct jit_block *b)
{
	return c->mode == CODE64 ||
	       c->rip + b->bytes <= (uint64_t)c->seg[CS].limit + 1;
}

/* May the block run from end to end? */
static bool may_run(struct cpu *c, const struct jit_block *b)
{
	if (!within_limit(c, b))
		return false;
	return !(c->step & STEP_BREAK) ||
	       !debug_exec_within(c, code_linear(c, c->rip), b->bytes);
}

static struct jit_block *find(struct cpu *c, gva_t a, unsigned key)
{
	const uint8_t *hva = code_at(c, a);
	struct jit_block *b;

	if (!hva)
		return NULL;
	b = jit_find(c, hva, key);
	if (!b)
		b = make(c, hva, key);
	return b && may_run(c, b) ? b : NULL;
}

/* ---- joining blocks ---- */

/* Does the exit's place in its page begin this very block? */
static bool leads_to(const struct jit_exit *x, const struct jit_block *b)
{
	uintptr_t page = (uintptr_t)x->from->hva & PAGE_MASK;

	unsigned key = (x->from->key & ~KEY_PLAIN) |
		       (x->plain ? KEY_PLAIN : 0);

	return !x->to && key == b->key &&
	       (uintptr_t)b->hva == page + x->target;
}

static __attribute__((target("sse4.2"))) uint32_t crc(uint32_t from, uint64_t v)
{
	return (uint32_t)_mm_crc32_u64(from, v);
}

/* As flow.c's code finds it. */
static struct jump_entry *jump_entry(const struct cpu *c)
{
	struct jit *j = c->jit;
	uint32_t at = j->crc ? crc(c->port.tag, c->rip)
			     : ((uint32_t)c->rip ^
				(uint32_t)c->rip >> JUMP_SHIFT ^ c->port.tag)
				       * (uint32_t)sizeof(struct jump_entry);

	return &j->jump[(at & JUMP_OFFSETS) / sizeof(struct jump_entry)];
}

static struct jump_entry *neighbour(struct jit *j, struct jump_entry *e)
{
	return &j->jump[(size_t)(e - j->jump) ^ 1];
}

/* What was there moves over if it is still good: else two RIPs that have one
 * place each would push it to and fro over each other. */
static void enter_jump(struct cpu *c, const struct jit_block *b)
{
	struct jit *j = c->jit;
	struct jump_entry *e = jump_entry(c);

	if (e->rip != c->rip && e->tag >> 32 == c->port.tag)
		*neighbour(j, e) = *e;
	if (e->rip != c->rip || e->tag >> 32 != c->port.tag)
		j->stats.misses++;
	*e = (struct jump_entry){
		.rip = c->rip, .page_rip = j->page_rip,
		.code = jit_run_address(j, b->entry_cpu),
		.tag = (uint64_t)c->port.tag << 32,
	};
}

/* Every block shall come back to C. */
static bool apart(const struct cpu *c)
{
	return c->jit->check || c->step & STEP_BREAK ||
	       log_mask & (LOG_EXEC | LOG_CPU);
}

static void set_apart(struct cpu *c, bool on)
{
	if (c->jit->apart == on)
		return;
	c->jit->apart = on;
	jit_flush(c);
}

/* ---- running ---- */

struct jit_exit *jit_enter(struct cpu *c, const uint8_t *code)
{
	struct jit_exit *(*fn)(const uint8_t *code);
	struct jit *j = c->jit;
	struct jit_exit *x;

	fn = (struct jit_exit *(*)(const uint8_t *))
		(uintptr_t)jit_run_address(j, j->stub.enter);
	j->stats.enters++;
	c->insn_count++;
	c->stop_block = 0;
	x = fn(code);
	if (c->mode != CODE64)
		c->rip = (uint32_t)c->rip;
	return x;
}

/* The code for rip that j->jump knows of, or NULL. */
static const uint8_t *code_known(struct cpu *c, unsigned key)
{
	struct jit *j = c->jit;
	struct jump_entry *e = jump_entry(c);

	if (e->rip != c->rip)
		e = neighbour(j, e);
	if (!(key & KEY_FLAT) || e->rip != c->rip ||
	    e->tag != (uint64_t)c->port.tag << 32)
		return NULL;
	j->page_rip = e->page_rip;
	return e->code;
}

/* The code for rip, found or made, after `last` has led there; NULL: step. */
static const uint8_t *code_for(struct cpu *c, unsigned key,
			       struct jit_exit *last)
{
	struct jit *j = c->jit;
	gva_t a = code_linear(c, c->rip);
	uint32_t epoch = j->code_epoch;
	struct jit_block *b = find(c, a, key);

	if (!b)
		return NULL;
	j->page_rip = c->rip - (a & ~PAGE_MASK);
	if (j->apart) {
		if (j->check)
			j->check->block = b;
		engine_log_entry(c);
	} else if (last && epoch == j->code_epoch && leads_to(last, b)) {
		jit_link(j, last, b);
	} else if (!(key & KEY_PLAIN)) {
		c->port.tag = tag_of(c, key);	/* b may have made room */
		enter_jump(c, b);
	}
	return jit_run_address(j, b->entry_cpu);
}

static bool run(struct cpu *c)
{
	struct jit *j = c->jit;
	struct jit_exit *last = NULL;

	set_apart(c, apart(c));
	for (;;) {
		unsigned key = key_of(c) |
			       (last && last->plain ? KEY_PLAIN : 0);
		uint32_t epoch = j->code_epoch;
		const uint8_t *code = NULL;

		c->port.tag = j->apart ? 0 : tag_of(c, key);
		if (!last && !j->apart)
			code = code_known(c, key);
		if (!code)
			code = code_for(c, key, last);
		if (!code)
			return false;
		if (!j->apart && epoch != j->code_epoch)
			c->port.tag = tag_of(c, key);
		last = likely(!j->check) ? jit_enter(c, code)
					 : check_enter(c, code);
		if (unlikely(j->step)) {
			j->step = 0;
			return false;
		}
		/* No instruction may have run before a plain exit. */
		if (engine_must_leave(c) && !(last && last->plain))
			return true;
	}
}

/* ---- making and freeing ---- */

static size_t insns_bytes(const struct jit *j)
{
	return j->insns_max * sizeof(struct insn);
}

static void detach(struct cpu *c)
{
	struct jit *j = c->jit;

	if (!j)
		return;
	check_detach(c);
	jit_ops_free(j->ops);
	codemem_unmap(&j->mem);
	os_unmap_low(j->insns, insns_bytes(j));
	os_unmap_low(j->blocks, j->blocks_max);
	os_unmap_low(j->slot, jit_table_bytes());
	os_unmap_low(j, sizeof(*j));
	c->jit = NULL;
}

/* Kept instructions and blocks get room in proportion to the code. */
static int map_all(struct jit *j, size_t bytes, struct err *e)
{
	void *tables;

	j->insns_max = bytes / 4 / sizeof(struct insn);
	j->blocks_max = bytes / 16 * 3;
	j->insns = os_map_low(insns_bytes(j), e);
	j->blocks = os_map_low(j->blocks_max, e);
	tables = os_map_low(jit_table_bytes(), e);
	if (!j->insns || !j->blocks || !tables)
		return -ENOMEM;
	jit_set_tables(j, tables);
	return codemem_map(&j->mem, bytes, e);
}

static int attach(struct cpu *c, struct err *e)
{
	unsigned mib = c->accel->tb_size_mib ? c->accel->tb_size_mib
					     : PRESET_MIB;
	struct jit *j = os_map_low(sizeof(*j), e);
	int r;

	if (!j)
		return -ENOMEM;
	c->jit = j;
	r = map_all(j, mib * MiB, e);
	if (!r && c->accel->check)
		r = check_attach(c, e);
	if (r) {
		detach(c);
		return r;
	}
	kinds_prepare();
	/* An empty entry must not match a RIP of 0 while there is no tag. */
	for (unsigned n = 0; n < JUMP_SIZE; n++)
		j->jump[n].tag = ~0ull;
	j->bmi2 = __builtin_cpu_supports("bmi2");
	j->avx = __builtin_cpu_supports("avx");
	j->crc = __builtin_cpu_supports("sse4.2");
	j->exact_flags = c->accel->exact_flags;
	j->host_mxcsr = _mm_getcsr() & ~MXCSR_FLAGS;
	j->hot = j->mem.write;
	j->hot_end = j->cold = j->cold_start = j->mem.write + j->mem.size / 2;
	j->cold_end = j->mem.write + j->mem.size;
	jit_make_stubs(c, j);
	if (log_on(LOG_OP_STATS))
		j->ops = jit_ops_new(j->insns_max);
	jit_log_stubs(c);
	return 0;
}

const struct engine engine_jit = {
	.name = "jit",
	.attach = attach,
	.detach = detach,
	.run = run,
	.drop = jit_drop,
	.lines = jit_lines,
	.flush = jit_flush,
	.end = jit_ops_log,
};
