/* bus/ram.c - guest-physical RAM and ROM: a small sorted array of runs.
 *
 * Looking up takes no lock: readers copy what they want out of the array and
 * start again if a sequence number says that it was being changed meanwhile.
 * So a guest that remaps its ROM shadow in a loop costs time, never memory.
 * A later mapping cuts its range out of earlier ones.
 *
 * Limits: RAM_RUNS_MAX runs, RAM_BACKINGS_MAX distinct host areas.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "bus/inside.h"

void ram_map_init(struct ram_map *m)
{
	pthread_mutex_init(&m->lock, NULL);
}

void ram_map_free(struct ram_map *m)
{
	for (unsigned i = 0; i < m->backing_count; i++)
		free(m->backings[i].code);
	pthread_mutex_destroy(&m->lock);
}

/* ---- readers ---- */

/* The first run that ends after `at`; m->count if none does. */
static unsigned search(const struct ram_map *m, gpa_t at)
{
	unsigned lo = 0, hi = m->count;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		const struct ram_run *r = &m->runs[mid % RAM_RUNS_MAX];

		if (at >= r->base && at - r->base >= r->len)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Copies the run that holds `at`, or the next above it; false if none. */
static bool find(const struct bus *b, gpa_t at, struct ram_run *out)
{
	const struct ram_map *m = &b->ram;

	for (;;) {
		uint32_t seq = atomic_load_explicit(&m->seq,
						    memory_order_acquire);
		unsigned i = search(m, at);
		bool found = i < m->count && i < RAM_RUNS_MAX;

		if (found)
			*out = m->runs[i];
		atomic_thread_fence(memory_order_acquire);
		/* Pairs with begin_change() and end_change(). */
		if (!(seq & 1) && seq == atomic_load_explicit(
						 &m->seq, memory_order_relaxed))
			return found;
	}
}

bool bus_ram_page(const struct bus *b, gpa_t at, struct ram_page *out)
{
	gpa_t page = at & ~(PAGE_SIZE - 1);
	struct ram_run r;

	if (!find(b, page, &r) || page < r.base)
		return false;
	*out = (struct ram_page){
		.hva = r.hva + (page - r.base),
		.code = r.code + ((page - r.base) >> PAGE_BITS),
		.readonly = r.readonly,
	};
	return true;
}

/* ---- changing the map ---- */

static void begin_change(struct ram_map *m)
{
	atomic_fetch_add_explicit(&m->seq, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

static void end_change(struct ram_map *m)
{
	atomic_fetch_add_explicit(&m->seq, 1, memory_order_release);
}

static void insert(struct ram_map *m, unsigned i, struct ram_run r)
{
	assert(m->count < RAM_RUNS_MAX);
	memmove(&m->runs[i + 1], &m->runs[i],
		(m->count - i) * sizeof(m->runs[0]));
	m->runs[i] = r;
	m->count++;
}

/* The part of r from `off` bytes in. */
static struct ram_run tail_of(struct ram_run r, uint64_t off)
{
	r.base += off;
	r.len -= off;
	r.hva += off;
	r.code += off >> PAGE_BITS;
	return r;
}

/* Take [base, base + len) out of every run; may split one in two. */
static void cut(struct ram_map *m, gpa_t base, uint64_t len)
{
	unsigned i = search(m, base);

	while (i < m->count && m->runs[i].base < base + len) {
		struct ram_run r = m->runs[i];
		gpa_t end = r.base + r.len;

		if (r.base < base) {
			m->runs[i++].len = base - r.base;
			if (end > base + len)
				insert(m, i, tail_of(r, base + len - r.base));
		} else if (end > base + len) {
			m->runs[i] = tail_of(r, base + len - r.base);
			break;
		} else {
			m->count--;
			memmove(&m->runs[i], &m->runs[i + 1],
				(m->count - i) * sizeof(m->runs[0]));
		}
	}
}

/* Neighbours that show neighbouring bytes become one again, so that mapping
 * back and forth does not wear the array out. */
static void merge(struct ram_map *m)
{
	unsigned to = 0;

	for (unsigned i = 1; i < m->count; i++) {
		struct ram_run *a = &m->runs[to], *r = &m->runs[i];

		if (a->base + a->len == r->base && a->hva + a->len == r->hva &&
		    a->code + (a->len >> PAGE_BITS) == r->code &&
		    a->readonly == r->readonly)
			a->len += r->len;
		else
			m->runs[++to] = *r;
	}
	if (m->count)
		m->count = to + 1;
}

/* The code bytes for [hva, hva + len); NULL if there is no room. */
static uint8_t *code_of(struct ram_map *m, uint8_t *hva, uint64_t len)
{
	struct backing *n = &m->backings[m->backing_count];

	for (unsigned i = 0; i < m->backing_count; i++) {
		struct backing *k = &m->backings[i];
		uint64_t off = (uintptr_t)hva - (uintptr_t)k->hva;

		if (hva >= k->hva && off < k->len && len <= k->len - off)
			return k->code + (off >> PAGE_BITS);
	}
	if (m->backing_count == RAM_BACKINGS_MAX)
		return NULL;
	*n = (struct backing){ hva, len, calloc(len >> PAGE_BITS, 1) };
	if (n->code)
		m->backing_count++;
	return n->code;
}

static int check_range(gpa_t base, uint64_t len, struct err *e)
{
	if (!len || (base | len) & (PAGE_SIZE - 1) || base + len < base)
		return fail(e, EINVAL,
			    "ram: 0x%" PRIx64 " bytes at 0x%" PRIx64
			    " are not whole pages", len, base);
	return 0;
}

int bus_map_ram(struct bus *b, gpa_t base, uint64_t len, uint8_t *hva,
		bool readonly, struct err *e)
{
	struct ram_map *m = &b->ram;
	uint8_t *code = NULL;
	int rc = check_range(base, len, e);

	if (rc)
		return rc;
	assert(!((uintptr_t)hva & (PAGE_SIZE - 1)));
	pthread_mutex_lock(&m->lock);
	/* Cutting may add one run, inserting one more. */
	if (m->count + 2 <= RAM_RUNS_MAX)
		code = code_of(m, hva, len);
	if (code) {
		begin_change(m);
		cut(m, base, len);
		insert(m, search(m, base), (struct ram_run){
			base, len, hva, code, readonly });
		merge(m);
		end_change(m);
	}
	pthread_mutex_unlock(&m->lock);
	if (!code)
		return fail(e, ENOSPC,
			    "ram: more than %d pieces in the memory map",
			    RAM_RUNS_MAX);
	bus_bump_generation(b);
	return 0;
}

int bus_unmap_ram(struct bus *b, gpa_t base, uint64_t len, struct err *e)
{
	struct ram_map *m = &b->ram;
	bool room;
	int rc = check_range(base, len, e);

	if (rc)
		return rc;
	pthread_mutex_lock(&m->lock);
	room = m->count + 1 <= RAM_RUNS_MAX;
	if (room) {
		begin_change(m);
		cut(m, base, len);
		end_change(m);
	}
	pthread_mutex_unlock(&m->lock);
	if (!room)
		return fail(e, ENOSPC,
			    "ram: more than %d pieces in the memory map",
			    RAM_RUNS_MAX);
	bus_bump_generation(b);
	return 0;
}

/* ---- copying in and out ---- */

/* Guest and device agree through aligned words (ring indices, page-table
 * entries), so a copy of one must not be seen half done. */
static void copy(void *to, const void *from, uint64_t len)
{
	uintptr_t mixed = (uintptr_t)to | (uintptr_t)from;

	if (len == 8 && !(mixed & 7))
		*(volatile uint64_t *)to = *(const volatile uint64_t *)from;
	else if (len == 4 && !(mixed & 3))
		*(volatile uint32_t *)to = *(const volatile uint32_t *)from;
	else if (len == 2 && !(mixed & 1))
		*(volatile uint16_t *)to = *(const volatile uint16_t *)from;
	else
		memcpy(to, from, len);
}

/* How many of the `len` bytes at `at` lie in one run, or in the hole before
 * the next one (then *r has len 0). */
static uint64_t stretch(const struct bus *b, gpa_t at, uint64_t len,
			struct ram_run *r)
{
	uint64_t room = len;

	if (!find(b, at, r)) {
		r->len = 0;
	} else if (at < r->base) {
		room = r->base - at;
		r->len = 0;
	} else {
		room = r->len - (at - r->base);
	}
	return len < room ? len : room;
}

int bus_read(struct bus *b, gpa_t at, void *buf, uint64_t len)
{
	uint8_t *to = buf;
	int rc = 0;

	while (len) {
		struct ram_run r;
		uint64_t n = stretch(b, at, len, &r);

		if (r.len) {
			copy(to, r.hva + (at - r.base), n);
		} else {
			memset(to, 0xff, n);
			rc = -EFAULT;
		}
		at += n;
		to += n;
		len -= n;
	}
	return rc;
}

static bool has_code(const struct ram_run *r, gpa_t at, uint64_t len)
{
	uint64_t first = (at - r->base) >> PAGE_BITS;
	uint64_t last = (at - r->base + len - 1) >> PAGE_BITS;

	/* The engine sets the byte, then reads what it decodes; we write, then
	 * look at the byte.  One of the two sees the other. */
	atomic_thread_fence(memory_order_seq_cst);
	for (uint64_t i = first; i <= last; i++)
		if (__atomic_load_n(&r->code[i], __ATOMIC_RELAXED))
			return true;
	return false;
}

int bus_write(struct bus *b, gpa_t at, const void *buf, uint64_t len)
{
	const uint8_t *from = buf;
	int rc = 0;

	while (len) {
		struct ram_run r;
		uint64_t n = stretch(b, at, len, &r);

		if (!r.len)
			rc = -EFAULT;
		else if (!r.readonly) {
			copy(r.hva + (at - r.base), from, n);
			if (b->code_hook && has_code(&r, at, n))
				b->code_hook(b->code_hook_ctx, at, n);
		}
		at += n;
		from += n;
		len -= n;
	}
	return rc;
}

void bus_set_code_hook(struct bus *b,
		       void (*hook)(void *ctx, gpa_t at, uint64_t len),
		       void *ctx)
{
	b->code_hook_ctx = ctx;
	b->code_hook = hook;
}
