/* cpu/code.c - see code.h
 * SPDX-License-Identifier: MIT
 */
#include "bus/bus.h"
#include "cpu/code.h"
#include "cpu/engine.h"
#include "cpu/vcpu.h"
#include "cpu/x86/journal.h"
#include "cpu/x86/mem.h"

struct watch {
	const struct ram_page *page;
	uint8_t lines;
};

static void start_watch(struct cpu *c, void *arg)
{
	const struct watch *w = arg;

	__atomic_fetch_or(w->page->code, w->lines, __ATOMIC_SEQ_CST);
	/* Translated code may have an address in hand (jit/group.c). */
	c->stop_block = 1;
	tlb_protect_page(c, w->page->hva);
}

/* Bits are set while all others stand still, so whoever sees one knows that no
 * vCPU has a write tag for the page any more. */
void code_watch(struct cpu *c, const struct ram_page *page, uint8_t lines)
{
	struct watch w = { page, lines };

	if (!__atomic_load_n(page->code, __ATOMIC_SEQ_CST))
		vcpu_exclusive(c, start_watch, &w);
	else
		__atomic_fetch_or(page->code, lines, __ATOMIC_SEQ_CST);
}

struct written {
	const uint8_t *hva;
	uint8_t *code;		/* the page's code byte */
	unsigned len;
	unsigned vcpus_left;
	uint8_t lines;		/* of the page, that vCPUs seen keep code of */
};

static void drop_written(struct cpu *c, void *arg)
{
	struct written *w = arg;
	const uint8_t *page = (const uint8_t *)((uintptr_t)w->hva & PAGE_MASK);

	c->engine->drop(c, w->hva, w->len);
	w->lines |= c->engine->lines(c, page);
	/* While all stand still: none has set a bit and not yet kept the
	 * block that it is for. */
	if (!--w->vcpus_left)
		__atomic_store_n(w->code, w->lines, __ATOMIC_SEQ_CST);
}

void code_written(struct cpu *c, uint64_t gpa, unsigned len)
{
	struct written w = { .len = len, .vcpus_left = vcpu_siblings(c) };
	struct ram_page page;

	if (!bus_ram_page(c->bus, gpa, &page))
		return;
	w.hva = page.hva + (gpa & ~PAGE_MASK);
	w.code = page.code;
	if (!(__atomic_load_n(page.code, __ATOMIC_RELAXED) &
	      ram_code_lines((uintptr_t)w.hva, len)))
		return;
	trial_refuse(c, REFUSED_CODE);
	vcpu_exclusive(c, drop_written, &w);
}
