/* block/format/vmdk/vmdk.c - VMware's disk: a descriptor and its extents.
 *
 * The disk is its extents one after the other.  A flat extent is bytes in a
 * file, a sparse one has grains (sparse.c).  The file that is opened is either
 * one sparse extent with the descriptor in it, or the descriptor alone.
 *
 * Grains are taken at the end of an extent's file, and their entries written
 * after they are durable.  The content id (CID) changes with the first flush
 * of an open image, so that images above can tell.
 *
 * Source: VMware, Virtual Disk Format 5.0.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "block/format/formats.h"
#include "block/format/vmdk/vmdk.h"

#define EXTENTS_MAX	4096u
#define ZEROED_GRAIN	1u		/* an entry, with VMDK_ZEROED */

static int vmdk_probe(const uint8_t *head, size_t len, const char *name)
{
	size_t i = 0;

	(void)name;
	if (len >= 4 && !memcmp(head, "KDMV", 4))
		return 100;
	/* Comments and empty lines, then a version. */
	while (i < len && (head[i] == '#' || head[i] == ' ' ||
			   head[i] == '\n' || head[i] == '\r')) {
		if (head[i] == '#')
			while (i < len && head[i] != '\n')
				i++;
		i++;
	}
	return i && len - i >= 9 && i < len &&
	       !memcmp(head + i, "version=", 8) ? 100 : 0;
}

/* ---- open ---- */

static struct vmdk_extent *add_extent(struct vmdk *v)
{
	v->extents = xrealloc(v->extents,
			      (v->count + 1) * sizeof(v->extents[0]));
	v->extents[v->count] = (struct vmdk_extent){ .start = 0 };
	return &v->extents[v->count++];
}

static int open_file(struct image *im, struct vmdk_extent *x,
		     const char *name, struct err *e)
{
	char *path = image_resolve_name(im->file->name, name);
	int rc = file_open(&x->file, path, im->flags, e);

	free(path);
	return rc ? rc : file_lock(x->file, false, e);
}

static int open_extent(struct image *im, struct vmdk_extent *x,
		       const char *name, struct err *e)
{
	uint64_t len = x->len;
	int rc;

	if (!strcmp(x->type, "ZERO")) {
		x->zero = true;
		return 0;
	}
	x->flat = !strcmp(x->type, "FLAT") || !strcmp(x->type, "VMFS");
	if (!x->flat && strcmp(x->type, "SPARSE"))
		return fail(e, ENOTSUP, "vmdk: extents of type %s are not "
			    "supported", x->type);
	rc = open_file(im, x, name, e);
	if (rc)
		return rc;
	if (!x->flat) {
		rc = vmdk_open_sparse(im, x, e);
		if (!rc && x->len < len)
			rc = fail(e, EINVAL, "vmdk: '%s' has %llu bytes, the "
				  "descriptor says %llu", x->file->name,
				  (unsigned long long)x->len,
				  (unsigned long long)len);
		x->len = len;
		return rc;
	}
	if (x->flat_at > x->file->size || x->file->size - x->flat_at < len)
		return fail(e, EINVAL, "vmdk: '%s' is shorter than its extent",
			    x->file->name);
	return 0;
}

/* RW 4194304 SPARSE "name-s001.vmdk", and for flat ones an offset. */
static int parse_extent(struct image *im, struct vmdk *v, const char *line,
			struct err *e)
{
	unsigned long long sectors, at = 0;
	char access[12], type[12], name[513] = "";
	struct vmdk_extent *x;
	int n = sscanf(line, "%11s %llu %11s \"%512[^\"\n\r]\" %llu", access,
		       &sectors, type, name, &at);

	if (n < 3 || (n < 4 && strcmp(type, "ZERO")))
		return fail(e, EINVAL, "vmdk: extent '%.40s' is not understood",
			    line);
	if (strcmp(access, "RW"))
		return fail(e, ENOTSUP, "vmdk: extents with access %s are not "
			    "supported", access);
	if (v->count >= EXTENTS_MAX || sectors > INT64_MAX / SECTOR ||
	    at > INT64_MAX / SECTOR ||
	    im->size > INT64_MAX - sectors * SECTOR)
		return fail(e, EFBIG, "vmdk: more than %u extents or 2^63 "
			    "bytes", EXTENTS_MAX);
	x = add_extent(v);
	memcpy(x->type, type, sizeof(type));
	x->start = im->size;
	x->len = sectors * SECTOR;
	x->flat_at = at * SECTOR;
	im->size += x->len;
	return open_extent(im, x, name, e);
}

static int parse_extents(struct image *im, struct vmdk *v, const char *text,
			 struct err *e)
{
	int rc = 0;

	while (text && *text && !rc) {
		text += strspn(text, " \t\r\n");
		if (!strncmp(text, "RW ", 3) || !strncmp(text, "RDONLY ", 7) ||
		    !strncmp(text, "NOACCESS ", 9))
			rc = parse_extent(im, v, text, e);
		text = strchr(text, '\n');
	}
	if (!rc && !v->count)
		rc = fail(e, EINVAL, "vmdk: the descriptor names no extents");
	return rc;
}

static void read_facts(struct image *im, struct vmdk *v, const char *text)
{
	const char *cid = strstr(text, "\nCID=");
	char *hint = vmdk_text_value(text, "parentFileNameHint");

	v->type = vmdk_text_value(text, "createType");
	v->cid = vmdk_text_cid(text, "CID", 0);
	v->parent_cid = vmdk_text_cid(text, "parentCID", VMDK_NO_PARENT);
	if (cid && strspn(cid + 5, "0123456789abcdefABCDEF") == 8)
		v->cid_at = v->text_at + (uint64_t)(cid + 5 - text);
	if (hint && *hint && v->parent_cid != VMDK_NO_PARENT) {
		im->backing_name = hint;
		im->backing_format = xstrdup("vmdk");
	} else {
		free(hint);
	}
}

/* One unit for all; grains may not lie across it. */
static int choose_unit(struct image *im, const struct vmdk *v, struct err *e)
{
	for (unsigned i = 0; i < v->count; i++) {
		const struct vmdk_extent *x = &v->extents[i];

		if (!x->grain)
			continue;
		if ((im->cluster && x->grain != im->cluster) ||
		    (im->writable && x->start % x->grain))
			return fail(e, ENOTSUP, "vmdk: extents whose grains "
				    "do not fit together can%s",
				    im->writable ? " only be read" :
				    "not be read");
		im->cluster = x->grain;
	}
	return 0;
}

static bool is_sparse(struct image_file *f)
{
	uint8_t magic[4] = { 0 };

	return !file_read(f, 0, magic, 4) && !memcmp(magic, "KDMV", 4);
}

static int vmdk_open(struct image *im, struct err *e)
{
	struct vmdk *v = xcalloc(1, sizeof(*v));
	struct vmdk_extent *x;
	char *text = NULL;
	int rc;

	im->priv = v;
	rc = vmdk_read_text(im->file, &text, &v->text_at, e);
	if (!rc)
		read_facts(im, v, text);
	if (!rc && is_sparse(im->file)) {
		x = add_extent(v);
		x->file = im->file;
		rc = vmdk_open_sparse(im, x, e);
		im->size = x->len;
	} else if (!rc) {
		rc = v->type ? parse_extents(im, v, text, e) :
			fail(e, EINVAL, "vmdk: there is no descriptor");
	}
	free(text);
	if (!rc)
		rc = choose_unit(im, v, e);
	for (unsigned i = 0; i < v->count; i++)
		if (v->extents[i].flags & VMDK_COMPRESSED)
			im->packs = true;
	return rc;
}

/* A new id for changed contents, once. */
static int renew_cid(struct image *im)
{
	struct vmdk *v = im->priv;
	char text[9];
	int rc;

	if (v->cid_new || !v->cid_at)
		return 0;
	sector_random((uint8_t *)&v->cid, sizeof(v->cid));
	(void)snprintf(text, sizeof(text), "%08x", v->cid);
	rc = file_write(im->file, v->cid_at, text, 8);
	v->cid_new = !rc;
	return rc;
}

static int vmdk_flush(struct image *im)
{
	struct vmdk *v = im->priv;
	int rc = renew_cid(im);

	for (unsigned i = 0; i < v->count && !rc; i++) {
		struct vmdk_extent *x = &v->extents[i];

		if (x->next > x->had)
			rc = sector_fill_to(x->file, x->next);
		if (!rc && x->table)
			rc = sector_table_sync(x->table);
		else if (!rc && x->file)
			rc = file_flush(x->file);
	}
	return rc ? rc : file_flush(im->file);
}

static int vmdk_close(struct image *im)
{
	struct vmdk *v = im->priv;
	int rc = im->writable && atomic_load(&im->dirty) ? vmdk_flush(im) : 0;

	for (unsigned i = 0; i < v->count; i++) {
		sector_table_free(v->extents[i].table);
		if (v->extents[i].file != im->file)
			file_close(v->extents[i].file);
	}
	free(v->extents);
	free(v->type);
	free(v);
	return rc;
}

/* ---- map ---- */

/* offset < im->size, and extents leave no gaps. */
static struct vmdk_extent *extent_of(const struct vmdk *v, uint64_t offset)
{
	unsigned low = 0, high = v->count;

	while (high - low > 1) {
		unsigned mid = low + (high - low) / 2;

		if (v->extents[mid].start <= offset)
			low = mid;
		else
			high = mid;
	}
	return &v->extents[low];
}

static int map_grain(struct vmdk_extent *g, uint64_t inside, uint64_t start,
		     struct extent *x)
{
	uint64_t grain = inside - inside % g->grain;
	uint32_t sector;
	int rc = vmdk_get(g, inside, &sector);

	if (rc)
		return rc;
	x->len = grain + g->grain - inside;
	if (!sector) {
		x->kind = EXTENT_BELOW;
		return 0;
	}
	if (sector == ZEROED_GRAIN && g->flags & VMDK_ZEROED) {
		x->kind = EXTENT_ZERO;
		return 0;
	}
	if (sector * SECTOR < g->overhead)
		return -EIO;
	x->at = sector * SECTOR;
	if (g->flags & VMDK_COMPRESSED) {
		x->kind = EXTENT_CODED;
		x->coded = start + grain;
		return 0;
	}
	x->kind = EXTENT_DATA;
	x->in_place = true;
	x->at += inside - grain;
	return 0;
}

static int vmdk_map(struct image *im, uint64_t offset, struct extent *x)
{
	const struct vmdk *v = im->priv;
	struct vmdk_extent *g = extent_of(v, offset);
	uint64_t inside = offset - g->start, left = g->len - inside;
	int rc = 0;

	x->file = g->file ? g->file : im->file;
	if (g->zero) {
		x->kind = EXTENT_ZERO;
		x->len = left;
	} else if (g->flat) {
		x->kind = EXTENT_DATA;
		x->in_place = x->sparse = true;
		x->at = g->flat_at + inside;
		x->len = left;
	} else {
		rc = map_grain(g, inside, g->start, x);
	}
	if (x->len > left)
		x->len = left;
	return rc;
}

/* ---- allocate ---- */

static int take(struct vmdk_extent *g, uint64_t len, uint64_t *at)
{
	if (g->next / SECTOR > UINT32_MAX)
		return -EFBIG;
	*at = g->next;
	g->next += sector_round_up(len, SECTOR);
	return 0;
}

static void set_range(const struct image *im, const struct vmdk_extent *g,
		      uint64_t offset, struct reserve *r)
{
	r->file = g->file;
	r->start = offset - (offset - g->start) % im->cluster;
	r->end = r->start + im->cluster;
}

static int vmdk_allocate(struct image *im, uint64_t offset, uint64_t len,
			 struct reserve *r)
{
	struct vmdk_extent *g = extent_of(im->priv, offset);
	int rc;

	(void)len;
	if (g->zero || g->flags & VMDK_COMPRESSED)
		return -ENOTSUP;
	set_range(im, g, offset, r);
	rc = take(g, im->cluster, &r->at);
	r->note = r->at / SECTOR;
	r->zeroed = r->at >= g->file->size;
	return rc;
}

/* The marker is written here, and the file's length kept whole sectors. */
static int vmdk_allocate_packed(struct image *im, uint64_t offset,
				size_t packed, struct reserve *r)
{
	struct vmdk_extent *g = extent_of(im->priv, offset);
	uint8_t marker[VMDK_MARKER_BYTES];
	int rc;

	if (!(g->flags & VMDK_COMPRESSED))
		return -ENOTSUP;
	set_range(im, g, offset, r);
	rc = take(g, VMDK_MARKER_BYTES + packed, &r->at);
	if (!rc && g->next > g->file->size)
		rc = file_resize(g->file, g->next, PREALLOC_OFF, NULL);
	if (rc)
		return rc;
	store_le64(marker, (r->start - g->start) / SECTOR);
	store_le32(marker + 8, (uint32_t)packed);
	rc = file_write(g->file, r->at, marker, sizeof(marker));
	r->note = r->at / SECTOR;
	r->at += VMDK_MARKER_BYTES;
	return rc;
}

static int vmdk_link(struct image *im, const struct reserve *r)
{
	struct vmdk_extent *g = extent_of(im->priv, r->start);

	return vmdk_set(g, r->start - g->start, (uint32_t)r->note);
}

static void vmdk_unlink(struct image *im, const struct reserve *r)
{
	struct vmdk_extent *g = extent_of(im->priv, r->start);

	if (r->at + im->cluster == g->next)
		g->next = r->at;
}

/* Only with zeroed grains; a grain that is there is lost. */
static int vmdk_zero(struct image *im, uint64_t offset, uint64_t len,
		     unsigned req)
{
	const struct vmdk *v = im->priv;
	uint64_t end = offset + len;
	int rc = 0;

	(void)req;
	for (unsigned i = 0; i < v->count; i++)
		if (!(v->extents[i].flags & VMDK_ZEROED))
			return -ENOTSUP;
	for (; offset < end && !rc; offset += im->cluster) {
		struct vmdk_extent *g = extent_of(v, offset);

		rc = vmdk_set(g, offset - g->start, ZEROED_GRAIN);
	}
	return rc;
}

/* ---- check and info ---- */

static int check_extent(struct vmdk_extent *g, struct image_check *c)
{
	uint64_t size = g->file->size;
	uint32_t sector;
	int rc = 0;

	for (uint64_t at = 0; at < g->len && !rc; at += g->grain) {
		char *line;

		rc = vmdk_get(g, at, &sector);
		if (rc || !sector || g->flags & VMDK_COMPRESSED ||
		    (sector == ZEROED_GRAIN && g->flags & VMDK_ZEROED) ||
		    (sector * SECTOR < size && sector * SECTOR >= g->overhead))
			continue;
		c->corruptions++;
		if (!c->say)
			continue;
		line = xasprintf("ERROR: the grain of sector %llu is at sector"
				 " %u, outside the file's grains",
				 (unsigned long long)((g->start + at) /
						      SECTOR), sector);
		c->say(c->say_ctx, line);
		free(line);
	}
	return rc;
}

static int vmdk_check(struct image *im, unsigned fix, struct image_check *c,
		      struct err *e)
{
	const struct vmdk *v = im->priv;
	int rc = 0;

	if (fix)
		return fail(e, ENOTSUP, "vmdk: nothing can be repaired");
	for (unsigned i = 0; i < v->count && !rc; i++)
		if (v->extents[i].grain)
			rc = check_extent(&v->extents[i], c);
	return rc ? fail(e, -rc, "vmdk: cannot read the tables: %s",
			 strerror(-rc)) : 0;
}

static void extent_facts(struct image_fact *list, const struct vmdk_extent *x)
{
	struct image_fact *d = fact_dict(list, NULL);

	if (x->flags & VMDK_COMPRESSED)
		fact_bool(d, "compressed", true);
	fact_number(d, "virtual-size", x->len);
	fact_text(d, "filename", x->file ? x->file->name : "");
	if (x->grain)
		fact_number(d, "cluster-size", x->grain);
	fact_text(d, "format", x->type);
}

static int vmdk_info(struct image *im, struct image_info *info, struct err *e)
{
	const struct vmdk *v = im->priv;
	struct image_fact *list;

	(void)e;
	info->specific_type = "vmdk";
	info->specific = fact_dict(NULL, NULL);
	fact_number(info->specific, "cid", v->cid);
	fact_number(info->specific, "parent-cid", v->parent_cid);
	fact_text(info->specific, "create-type", v->type ? v->type : "");
	list = fact_list(info->specific, "extents");
	for (unsigned i = 0; i < v->count; i++) {
		const struct vmdk_extent *x = &v->extents[i];
		uint64_t bytes = 0;

		extent_facts(list, x);
		if (x->file && x->file != im->file && x->file->proto->usage &&
		    !x->file->proto->usage(x->file, &bytes))
			info->disk_size += bytes;
	}
	return 0;
}

const struct image_format vmdk_format = {
	.name = "vmdk", .zero_init = true, .probe = vmdk_probe,
	.open = vmdk_open, .close = vmdk_close, .map = vmdk_map,
	.decode = vmdk_decode, .allocate = vmdk_allocate, .link = vmdk_link,
	.unlink = vmdk_unlink, .zero = vmdk_zero, .flush = vmdk_flush,
	.encode = vmdk_encode, .allocate_packed = vmdk_allocate_packed,
	.check = vmdk_check, .info = vmdk_info, .create = vmdk_create,
	.create_options = vmdk_options,
};
