/* block/format/qcow2/map.c - where a guest's bytes are.
 *
 * Neighbours of the same kind, and in a row in the file, make one extent; it
 * ends where the caller's wish does.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "block/format/qcow2/qcow2.h"

/* Subclusters from `sub` on that have the same two bits. */
static unsigned alike(uint64_t bitmap, unsigned sub)
{
	uint64_t pair = bitmap >> sub & 0x100000001ull;
	unsigned n = 1;

	while (sub + n < SUBCLUSTERS &&
	       (bitmap >> (sub + n) & 0x100000001ull) == pair)
		n++;
	return n;
}

static void map_subclusters(const struct qcow2 *q, const struct l2_entry *l,
			    uint64_t offset, struct extent *x)
{
	unsigned bits = subcluster_bits(q);
	uint64_t inside = offset & (q->cluster_size - 1);
	unsigned sub = (unsigned)(inside >> bits);

	x->len = ((uint64_t)(sub + alike(l->bitmap, sub)) << bits) - inside;
	if (l->bitmap >> (sub + 32) & 1)
		x->kind = EXTENT_ZERO;
	else if (!(l->bitmap >> sub & 1) || x->kind != EXTENT_DATA)
		x->kind = EXTENT_BELOW;
	if (x->kind == EXTENT_BELOW)
		x->at = 0;
}

/* The piece at offset: one cluster's at most. */
static int map_one(struct qcow2 *q, uint64_t offset, struct extent *x)
{
	uint64_t inside = offset & (q->cluster_size - 1);
	struct l2_entry l;
	int rc = l2_get(q, offset, &l);

	if (rc)
		return rc;
	x->len = q->cluster_size - inside;
	x->in_place = false;
	x->at = 0;
	switch (entry_kind(q, &l)) {
	case CLUSTER_NONE:
		x->kind = EXTENT_BELOW;
		break;
	case CLUSTER_ZERO:
		x->kind = EXTENT_ZERO;
		break;
	case CLUSTER_ZERO_KEPT:
		x->kind = EXTENT_ZERO;
		x->at = (l.entry & OFFSET_MASK) + inside;
		break;
	case CLUSTER_DATA:
		x->kind = EXTENT_DATA;
		x->at = (l.entry & OFFSET_MASK) + inside;
		x->in_place = l.entry & OFLAG_COPIED && !q->broken;
		break;
	case CLUSTER_PACKED:
		x->kind = EXTENT_CODED;
		x->coded = l.entry;
		return 0;
	}
	if (has_subclusters(q))
		map_subclusters(q, &l, offset, x);
	if (x->kind != EXTENT_DATA)
		x->in_place = false;
	return 0;
}

static bool goes_on(const struct extent *x, const struct extent *next)
{
	if (x->kind != next->kind || x->kind == EXTENT_CODED ||
	    x->in_place != next->in_place)
		return false;
	return x->at || next->at ? next->at == x->at + x->len :
		x->kind != EXTENT_DATA;
}

int qcow2_map(struct image *im, uint64_t offset, struct extent *x)
{
	struct qcow2 *q = im->priv;
	uint64_t want = x->len;
	int rc;

	if (q->crypt)
		return -ENOTSUP;
	x->file = q->data ? q->data : q->file;
	rc = map_one(q, offset, x);
	while (!rc && x->len < want && offset + x->len < im->size) {
		struct extent next = *x;

		rc = map_one(q, offset + x->len, &next);
		if (!rc && !goes_on(x, &next))
			break;
		x->len += next.len;
	}
	return rc;
}
