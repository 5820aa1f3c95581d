/* block/format/qed_check.c - is every cluster of a QED image used once?
 *
 * A bit per cluster of the file.  Entries that lead nowhere can be removed;
 * clusters that nothing leads to stay lost, since QED knows no free ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "block/format/qed.h"

#define CLUSTERS_MAX	(1ull << 30)	/* 128 MiB of bits */

struct walk {
	struct image *im;
	struct qed *q;
	struct image_check *c;
	uint8_t *used;
	uint64_t clusters;	/* whole ones in the file */
	uint64_t last;		/* offset of the one before in its table */
	bool fix;
};

static void say(const struct walk *w, const char *what, uint64_t at)
{
	char *line;

	if (!w->c->say)
		return;
	line = xasprintf("ERROR: %s at %llu", what, (unsigned long long)at);
	w->c->say(w->c->say_ctx, line);
	free(line);
}

/* Marks n clusters; false: something else has one of them. */
static bool use(struct walk *w, uint64_t at, uint64_t n)
{
	bool once = true;

	for (uint64_t i = at / w->q->cluster; n-- && i < w->clusters; i++) {
		once = once && !(w->used[i / 8] >> i % 8 & 1);
		w->used[i / 8] |= (uint8_t)(1 << i % 8);
	}
	return once;
}

/* An entry that leads nowhere. */
static int bad_entry(struct walk *w, struct table_cache *c, const char *what,
		     uint64_t at)
{
	int rc = w->fix ? qed_set_entry(c, at, 0) : 0;

	say(w, what, at);
	if (w->fix && !rc)
		w->c->corruptions_fixed++;
	else
		w->c->corruptions++;
	return rc;
}

static int check_l2(struct walk *w, uint64_t table, uint64_t entries)
{
	uint64_t entry;
	int rc = 0;

	w->last = 0;
	for (uint64_t i = 0; i < entries && !rc; i++) {
		uint64_t at = table + i * QED_ENTRY_BYTES;

		rc = qed_entry(w->q->l2_cache, at, &entry);
		if (rc || entry <= QED_ZERO)
			continue;
		w->c->allocated_clusters++;
		if (w->last && w->last + w->q->cluster != entry)
			w->c->fragmented_clusters++;
		w->last = entry;
		if (!qed_offset_ok(w->im, entry, 1)) {
			rc = bad_entry(w, w->q->l2_cache, "wrong L2 entry",
				       at);
		} else if (!use(w, entry, 1)) {
			w->c->corruptions++;
			say(w, "a cluster used twice, by the L2 entry", at);
		}
	}
	return rc;
}

static int check_l1(struct walk *w)
{
	uint64_t per = w->q->entries, left = w->c->total_clusters, l2;
	int rc = 0;

	(void)use(w, w->q->l1, w->q->table / w->q->cluster);
	for (uint64_t i = 0; i < per && left && !rc; i++) {
		uint64_t at = w->q->l1 + i * QED_ENTRY_BYTES;
		uint64_t n = left < per ? left : per;

		left -= n;
		rc = qed_entry(w->q->l1_cache, at, &l2);
		if (rc || !l2)
			continue;
		if (!qed_offset_ok(w->im, l2, w->q->table)) {
			rc = bad_entry(w, w->q->l1_cache, "wrong L1 entry",
				       at);
		} else if (!use(w, l2, w->q->table / w->q->cluster)) {
			/* Walked already, or data: not a second time. */
			w->c->corruptions++;
			say(w, "a cluster used twice, by the L1 entry", at);
		} else {
			rc = check_l2(w, l2, n);
		}
	}
	return rc;
}

static void count_leaks(struct walk *w)
{
	for (uint64_t i = w->q->header / w->q->cluster; i < w->clusters; i++)
		w->c->leaks += !(w->used[i / 8] >> i % 8 & 1);
}

/* All is well now: say so in the header. */
static int clear_flag(struct walk *w)
{
	uint64_t features = load_le64(w->q->head + Q_FEATURES);
	int rc = qed_flush(w->im);

	if (rc || !(features & QED_NEED_CHECK))
		return rc;
	store_le64(w->q->head + Q_FEATURES,
		   features & ~(uint64_t)QED_NEED_CHECK);
	return qed_write_header(w->im);
}

int qed_check(struct image *im, unsigned fix, struct image_check *c,
	      struct err *e)
{
	struct qed *q = im->priv;
	struct walk w = { .im = im, .q = q, .c = c,
			  .fix = fix & FIX_ERRORS };
	int rc;

	w.clusters = im->file->size / q->cluster;
	if (w.clusters > CLUSTERS_MAX)
		return fail(e, EFBIG, "qed: file of %llu clusters is over "
			    "%llu", (unsigned long long)w.clusters,
			    CLUSTERS_MAX);
	w.used = calloc(1, w.clusters / 8 + 1);
	if (!w.used)
		return fail(e, ENOMEM, "qed: no memory to check");
	c->total_clusters = im->size / q->cluster + !!(im->size % q->cluster);
	rc = check_l1(&w);
	if (!rc)
		count_leaks(&w);
	if (!rc && w.fix && !c->corruptions)
		rc = clear_flag(&w);
	free(w.used);
	return rc ? fail(e, -rc, "qed: cannot check: %s", strerror(-rc)) : 0;
}
