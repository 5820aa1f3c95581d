/* cpu/x86/stlb.c - see stlb.h
 *
 * Sets are found by address alone: a global page must be found from every
 * address space.  Lines that lost their number are not searched for; they are
 * replaced in turn with those of other address spaces, before those of this.
 *
 * Numbers are 32 bits wide.  Before they run out everything is emptied and
 * they start again.
 *
 * Source: SDM 3A 4.10.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/bytes.h"
#include "cpu/x86/stlb.h"

#define NUMBERS_SPARE	8	/* more than one call gives out */

/* ---- numbers ---- */

static void forget_seen(struct stlb *s)
{
	for (unsigned half = 0; half < 2; half++) {
		s->large_seen[half] = (struct gva_range){ ~0ull, 0 };
		s->global_seen[half] = (struct gva_range){ ~0ull, 0 };
	}
	s->large_bits = 0;
}

static void start_again(struct stlb *s)
{
	memset(s->small, 0, sizeof(s->small));
	memset(s->large, 0, sizeof(s->large));
	memset(s->pcid, 0, sizeof(s->pcid));
	s->global = s->last = 1;
	s->space_floor = s->epoch_floor = 1;
	forget_seen(s);
}

uint32_t stlb_enter(struct stlb *s, unsigned pcid)
{
	if (unlikely(s->last - 1 >= UINT32_MAX - NUMBERS_SPARE))
		start_again(s);
	if (s->pcid[pcid].space < s->space_floor)
		s->pcid[pcid].space = ++s->last;
	if (s->pcid[pcid].epoch < s->epoch_floor)
		s->pcid[pcid].epoch = ++s->last;
	s->space = s->pcid[pcid].space;
	return s->pcid[pcid].epoch;
}

/* ---- sets ---- */

static unsigned fold(gva_t a, unsigned bits, unsigned sets)
{
	uint64_t n = a >> bits;

	return (n ^ n >> 10 ^ n >> 20) & (sets - 1);
}

static struct stlb_set *small_set(const struct stlb *s, gva_t a)
{
	return (struct stlb_set *)&s->small[fold(a, PAGE_BITS, STLB_SETS)];
}

static struct stlb_set *large_set(const struct stlb *s, gva_t a)
{
	return (struct stlb_set *)
		&s->large[fold(a, STLB_LARGE_BITS, STLB_LARGE_SETS)];
}

static bool holds(const struct stlb *s, const struct stlb_set *set, unsigned w)
{
	return set->space[w] == s->space || set->space[w] == s->global;
}

/* The way with this page, or -1. */
static int way_of(const struct stlb *s, const struct stlb_set *set, gva_t page)
{
	for (int w = 0; w < STLB_WAYS; w++)
		if (set->page[w] == page && holds(s, set, (unsigned)w))
			return w;
	return -1;
}

bool stlb_find(const struct stlb *s, gva_t a, struct translation *out)
{
	const struct stlb_set *set;
	int w;

	if (stlb_maybe_large(s, a)) {
		set = large_set(s, a);
		w = way_of(s, set, a & ~0ull << STLB_LARGE_BITS);
		if (w >= 0) {
			*out = set->to[w];
			return true;
		}
	}
	set = small_set(s, a);
	w = way_of(s, set, a & PAGE_MASK);
	if (w < 0)
		return false;
	*out = set->to[w];
	return true;
}

static unsigned victim(const struct stlb *s, struct stlb_set *set)
{
	for (unsigned i = 0; i < STLB_WAYS; i++) {
		unsigned w = set->next++ % STLB_WAYS;

		if (!holds(s, set, w))
			return w;
	}
	return set->next++ % STLB_WAYS;
}

static void widen(struct gva_range *r, gva_t a, unsigned bits)
{
	gva_t low = a & ~0ull << bits;
	gva_t high = low | ~(~0ull << bits);

	if (low < r->low)
		r->low = low;
	if (high > r->high)
		r->high = high;
}

void stlb_add(struct stlb *s, gva_t a, unsigned page_bits,
	      const struct translation *t)
{
	bool large = page_bits > PAGE_BITS;
	struct stlb_set *set = large ? large_set(s, a) : small_set(s, a);
	gva_t page = a & ~0ull << (large ? STLB_LARGE_BITS : PAGE_BITS);
	int same = way_of(s, set, page);
	unsigned w = same >= 0 ? (unsigned)same : victim(s, set);

	set->page[w] = page;
	set->space[w] = t->flags & TLB_GLOBAL ? s->global : s->space;
	set->to[w] = *t;
	if (t->flags & TLB_GLOBAL)
		widen(&s->global_seen[a >> 63], a, page_bits);
	if (!large)
		return;
	widen(&s->large_seen[a >> 63], a, page_bits);
	if (page_bits > s->large_bits)
		s->large_bits = (uint8_t)page_bits;
}

/* ---- dropping ---- */

void stlb_drop_all(struct stlb *s)
{
	s->global = ++s->last;
	stlb_drop_spaces(s);
	forget_seen(s);
}

void stlb_drop_spaces(struct stlb *s)
{
	s->space_floor = s->epoch_floor = s->last + 1;
}

void stlb_drop_space(struct stlb *s, unsigned pcid)
{
	s->pcid[pcid].space = s->pcid[pcid].epoch = 0;
}

/* Of the set, what lies in the 2^bits bytes around a. */
static void drop_in(struct stlb_set *set, gva_t a, unsigned bits,
		    uint32_t space, uint32_t global)
{
	for (unsigned w = 0; w < STLB_WAYS; w++)
		if (!((set->page[w] ^ a) >> bits) &&
		    (set->space[w] == space || set->space[w] == global))
			set->space[w] = 0;
}

void stlb_drop_page(struct stlb *s, unsigned pcid, gva_t a, bool global)
{
	const struct gva_range *globals = &s->global_seen[a >> 63];
	uint32_t of_all = global ? s->global : 0;
	uint32_t space = s->pcid[pcid].space;

	drop_in(small_set(s, a), a, PAGE_BITS, space, of_all);
	if (stlb_maybe_large(s, a))
		for (unsigned i = 0; i < STLB_LARGE_SETS; i++)
			drop_in(&s->large[i], a, s->large_bits, space, of_all);
	s->pcid[pcid].epoch = 0;
	if (global && a >= globals->low && a <= globals->high)
		s->epoch_floor = s->last + 1;
}
