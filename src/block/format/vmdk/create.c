/* block/format/vmdk/create.c - make a VMDK: descriptor, and files for extents.
 *
 * Grain tables are all made now, twice, as VMware's hosted products want them;
 * most of them are holes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "block/format/vmdk/vmdk.h"

#define SPLIT		(2 * GiB)	/* bytes of an extent, twoGb... */
#define TEXT_SECTORS	20u
#define SPARSE_MAX	(8ull << 40)	/* the directory stays 512 KiB */

const struct image_option vmdk_options[] = {
	{ "size", "bytes of the disk", OPTION_SIZE, NULL },
	{ "adapter_type", "ide, lsilogic, buslogic or legacyESX",
	  OPTION_STRING, NULL },
	{ "backing_file", "name of the image below", OPTION_STRING, NULL },
	{ "backing_fmt", "vmdk, if given", OPTION_STRING, NULL },
	{ "compat6", "version 6 of the virtual hardware", OPTION_BOOL, "off" },
	{ "hwversion", "version of the virtual hardware", OPTION_STRING,
	  "undefined" },
	{ "toolsversion", "version of the guest's tools", OPTION_STRING,
	  NULL },
	{ "subformat", "monolithicSparse, monolithicFlat, "
	  "twoGbMaxExtentSparse, twoGbMaxExtentFlat or streamOptimized",
	  OPTION_STRING, NULL },
	{ "zeroed_grain", "mark grains of zeroes in the tables", OPTION_BOOL,
	  NULL },
	{ NULL, NULL, 0, NULL },
};

static const char *const subformats[] = {
	"monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse",
	"twoGbMaxExtentFlat", "streamOptimized",
};

struct wish {
	uint64_t size;
	const char *adapter, *below, *below_format, *hardware, *tools, *sub;
	bool compat6, zeroed, flat, split, stream;
	uint32_t parent_cid;
};

/* ---- options ---- */

static int check_adapter(const struct wish *w, struct err *e)
{
	static const char *const names[] = {
		"ide", "lsilogic", "buslogic", "legacyESX",
	};

	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(w->adapter, names[i]))
			return 0;
	return fail(e, EINVAL, "vmdk: adapter type '%s' is unknown",
		    w->adapter);
}

static int check_subformat(struct wish *w, struct err *e)
{
	bool known = false;

	for (unsigned i = 0; i < ARRAY_LEN(subformats); i++)
		known = known || !strcmp(w->sub, subformats[i]);
	if (!known)
		return fail(e, EINVAL, "vmdk: subformat '%s' is unknown",
			    w->sub);
	w->flat = strstr(w->sub, "Flat");
	w->split = !strncmp(w->sub, "twoGb", 5);
	w->stream = !strcmp(w->sub, "streamOptimized");
	if (w->flat && w->below)
		return fail(e, ENOTSUP, "vmdk: flat images have nothing below "
			    "them");
	if (w->flat && w->zeroed)
		return fail(e, ENOTSUP, "vmdk: flat images have no zeroed "
			    "grains");
	if (!w->flat && w->size > SPARSE_MAX)
		return fail(e, EFBIG, "vmdk: size %llu is over 8 TiB",
			    (unsigned long long)w->size);
	return 0;
}

/* Values go into a text with quotes: none, and no lines, in them. */
static int check_value(const char *v, struct err *e)
{
	if (v && (strpbrk(v, "\"\r\n") || strlen(v) > 1024))
		return fail(e, EINVAL, "vmdk: '%.40s' cannot be written into a "
			    "descriptor", v);
	return 0;
}

static const char *text_option(struct optstr *opts, const char *key,
			       const char *preset)
{
	const char *v = optstr_get(opts, key);

	return v ? v : preset;
}

static int parse(struct optstr *opts, struct wish *w, struct err *e)
{
	int rc = sector_size_option(opts, &w->size, e);

	w->adapter = text_option(opts, "adapter_type", "ide");
	w->below = text_option(opts, "backing_file", NULL);
	w->below_format = text_option(opts, "backing_fmt", "vmdk");
	w->hardware = text_option(opts, "hwversion", "undefined");
	w->tools = text_option(opts, "toolsversion", "2147483647");
	w->sub = text_option(opts, "subformat", subformats[0]);
	if (!rc)
		rc = optstr_bool(opts, "compat6", &w->compat6, e);
	if (!rc)
		rc = optstr_bool(opts, "zeroed_grain", &w->zeroed, e);
	if (!rc && w->compat6 && strcmp(w->hardware, "undefined"))
		rc = fail(e, EINVAL, "vmdk: compat6 and hwversion exclude each "
			  "other");
	if (!rc && strcmp(w->below_format, "vmdk"))
		rc = fail(e, EINVAL, "vmdk: the image below must be a vmdk");
	if (!strcmp(w->hardware, "undefined"))
		w->hardware = w->compat6 ? "6" : "4";
	rc = rc ? rc : check_adapter(w, e);
	rc = rc ? rc : check_subformat(w, e);
	rc = rc ? rc : check_value(w->below, e);
	rc = rc ? rc : check_value(w->hardware, e);
	return rc ? rc : check_value(w->tools, e);
}

static int find_parent(struct image_file *f, struct wish *w, struct err *e)
{
	struct image_file *below;
	char *path, *text = NULL;
	uint64_t at;
	int rc;

	w->parent_cid = VMDK_NO_PARENT;
	if (!w->below)
		return 0;
	path = image_resolve_name(f->name, w->below);
	rc = file_open(&below, path, IMAGE_SHARE, e);
	free(path);
	if (rc)
		return rc;
	rc = vmdk_read_text(below, &text, &at, e);
	if (!rc)
		w->parent_cid = vmdk_text_cid(text, "CID", 0);
	free(text);
	file_close(below);
	return rc;
}

/* ---- a sparse extent ---- */

/* A directory at `at` and its tables behind it, all in sectors. */
static int write_directory(struct image_file *f, uint64_t at, uint64_t tables,
			   uint64_t dir_sectors, struct err *e)
{
	size_t len = (size_t)(dir_sectors * SECTOR);
	uint8_t *d = xcalloc(1, len + 1);
	int rc;

	for (uint64_t i = 0; i < tables; i++)
		store_le32(d + i * 4, (uint32_t)(at + dir_sectors + i *
						 (VMDK_ENTRIES * 4 / SECTOR)));
	rc = sector_write(f, at * SECTOR, d, len, e);
	free(d);
	return rc;
}

static int make_sparse(struct image_file *f, const struct wish *w,
		       uint64_t size, struct err *e)
{
	uint64_t span = (uint64_t)VMDK_GRAIN * VMDK_ENTRIES;
	uint64_t tables = size / span + !!(size % span);
	uint64_t dir = sector_round_up(tables * 4, SECTOR) / SECTOR;
	uint64_t all = dir + tables * (VMDK_ENTRIES * 4 / SECTOR);
	uint64_t rgd = 1 + TEXT_SECTORS, gd = rgd + all, overhead;
	uint8_t h[VMDK_HEADER_BYTES] = "KDMV";
	int rc;

	overhead = sector_round_up(gd + all, VMDK_GRAIN / SECTOR);
	store_le32(h + V_VERSION, w->stream ? 3 : w->zeroed ? 2 : 1);
	store_le32(h + V_FLAGS, VMDK_HAS_NEWLINES | VMDK_HAS_RGD |
		   (w->stream ? VMDK_COMPRESSED | VMDK_MARKERS : 0) |
		   (w->zeroed ? VMDK_ZEROED : 0));
	store_le64(h + V_CAPACITY, size / SECTOR);
	store_le64(h + V_GRAIN, VMDK_GRAIN / SECTOR);
	store_le64(h + V_TEXT_AT, 1);
	store_le64(h + V_TEXT_LEN, TEXT_SECTORS);
	store_le32(h + V_ENTRIES, VMDK_ENTRIES);
	store_le64(h + V_RGD, rgd);
	store_le64(h + V_GD, gd);
	store_le64(h + V_OVERHEAD, overhead);
	memcpy(h + V_NEWLINES, "\n \r\n", 4);
	store_le16(h + V_COMPRESSION, w->stream ? 1 : 0);
	rc = sector_write(f, 0, h, sizeof(h), e);
	if (!rc)
		rc = write_directory(f, rgd, tables, dir, e);
	if (!rc)
		rc = write_directory(f, gd, tables, dir, e);
	return rc ? rc : file_resize(f, overhead * SECTOR, PREALLOC_OFF, e);
}

/* ---- extents ---- */

/* "dir/disk.vmdk" and "-flat": the new file's path; *name: without dir. */
static char *extent_path(const char *image, const char *suffix,
			 const char **name)
{
	const char *slash = strrchr(image, '/');
	const char *base = slash ? slash + 1 : image;
	const char *dot = strrchr(base, '.');
	size_t stem = dot ? (size_t)(dot - image) : strlen(image);
	char *path = xasprintf("%.*s%s%s", (int)stem, image, suffix,
			       dot ? dot : "");

	*name = path + (base - image);
	return path;
}

static int make_extent(struct image_file *f, const struct wish *w, unsigned n,
		       uint64_t size, FILE *text, struct err *e)
{
	struct image_file *x;
	const char *name;
	char suffix[16], *path;
	int rc;

	(void)snprintf(suffix, sizeof(suffix), !w->split ? "-flat" :
		       w->flat ? "-f%03u" : "-s%03u", n);
	path = extent_path(f->name, suffix, &name);
	rc = check_value(name, e);
	if (!rc)
		rc = file_create(&x, path, e);
	if (!rc) {
		rc = w->flat ? file_resize(x, size, PREALLOC_OFF, e) :
			make_sparse(x, w, size, e);
		file_close(x);
	}
	fprintf(text, "RW %llu %s \"%s\"%s\n",
		(unsigned long long)(size / SECTOR),
		w->flat ? "FLAT" : "SPARSE", name, w->flat ? " 0" : "");
	free(path);
	return rc;
}

static int make_extents(struct image_file *f, const struct wish *w,
			FILE *text, struct err *e)
{
	const char *slash = strrchr(f->name, '/');
	const char *base = slash ? slash + 1 : f->name;
	uint64_t left = w->size;
	int rc = 0;

	if (!w->flat && !w->split) {
		fprintf(text, "RW %llu SPARSE \"%s\"\n",
			(unsigned long long)(w->size / SECTOR), base);
		rc = check_value(base, e);
		return rc ? rc : make_sparse(f, w, w->size, e);
	}
	for (unsigned n = 1; (left || n == 1) && !rc; n++) {
		uint64_t size = w->split && left > SPLIT ? SPLIT : left;

		rc = make_extent(f, w, n, size, text, e);
		left -= size;
	}
	return rc;
}

static int write_text(struct image_file *f, const struct wish *w, FILE *text,
		      struct err *e)
{
	unsigned heads = strcmp(w->adapter, "ide") ? 255 : 16;
	uint32_t cid;
	int rc;

	sector_random((uint8_t *)&cid, sizeof(cid));
	fprintf(text, "# Disk DescriptorFile\nversion=1\nCID=%08x\n"
		"parentCID=%08x\ncreateType=\"%s\"\n", cid, w->parent_cid,
		w->sub);
	if (w->below)
		fprintf(text, "parentFileNameHint=\"%s\"\n", w->below);
	fprintf(text, "\n# Extent description\n");
	rc = make_extents(f, w, text, e);
	fprintf(text, "\n# The Disk Data Base\n#DDB\n\n"
		"ddb.virtualHWVersion = \"%s\"\n"
		"ddb.geometry.cylinders = \"%llu\"\n"
		"ddb.geometry.heads = \"%u\"\nddb.geometry.sectors = \"63\"\n"
		"ddb.adapterType = \"%s\"\nddb.toolsVersion = \"%s\"\n",
		w->hardware, (unsigned long long)(w->size / (63 * SECTOR *
							     heads)),
		heads, w->adapter, w->tools);
	return rc;
}

int vmdk_create(struct image_file *f, struct optstr *opts, struct err *e)
{
	struct wish w = { 0 };
	char *text = NULL;
	bool inside;
	size_t len = 0;
	FILE *out;
	int rc = parse(opts, &w, e);

	if (!rc)
		rc = find_parent(f, &w, e);
	if (rc)
		return rc;
	out = open_memstream(&text, &len);
	if (!out)
		return fail(e, ENOMEM, "vmdk: no memory for a descriptor");
	rc = write_text(f, &w, out, e);
	if (fclose(out) && !rc)
		rc = fail(e, ENOMEM, "vmdk: no memory for a descriptor");
	inside = !w.flat && !w.split;
	if (!rc && inside && len > VMDK_TEXT_MAX)
		rc = fail(e, EINVAL, "vmdk: descriptor of %zu bytes is over "
			  "%u", len, VMDK_TEXT_MAX);
	if (!rc)
		rc = sector_write(f, inside ? SECTOR : 0, text, len, e);
	free(text);
	return rc;
}
