/* machine/smbios.c - see smbios.h
 *
 * Each structure is a formatted area, then its strings, then a zero byte; the
 * formatted area refers to strings by number.  `struct writer` builds one
 * after the other right in the table area.
 *
 * Limits: types 0 to 4 and 17 can be changed by -smbios; type=11, file= and
 * the fields of QEMU that no row below names are refused.
 *
 * Source: DMTF DSP0134 (SMBIOS) 2.8.0.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>

#include "base/num.h"
#include "base/optstr.h"
#include "machine/smbios.h"

#define ENTRY_LEN	31
#define DIMM_MAX	(16 * GiB)
#define NO_HANDLE	0xffff

enum handle {
	BIOS_HANDLE = 0x000, SYSTEM_HANDLE = 0x100, BOARD_HANDLE = 0x200,
	CHASSIS_HANDLE = 0x300, CPU_HANDLE = 0x400, ARRAY_HANDLE = 0x1000,
	DIMM_HANDLE = 0x1100, RANGE_HANDLE = 0x1300, BOOT_HANDLE = 0x2000,
	END_HANDLE = 0x7f00,
};

/* ---- options ---- */

/* Text fields: where their string's number goes in the structure, and what
 * they say unless told otherwise. */
static const struct text_row {
	uint8_t type, off;
	const char *key, *preset;
} text_rows[] = {
	{ 0, 0x04, "vendor", "Husk" },
	{ 0, 0x05, "version", "none" },
	{ 0, 0x08, "date", "01/01/2026" },
	{ 1, 0x04, "manufacturer", "Husk" },
	{ 1, 0x05, "product", "Standard PC (i440FX + PIIX, 1996)" },
	{ 1, 0x06, "version", "pc" },
	{ 1, 0x07, "serial", NULL },
	{ 1, 0x19, "sku", NULL },
	{ 1, 0x1a, "family", NULL },
	{ 2, 0x04, "manufacturer", "Husk" },
	{ 2, 0x05, "product", "Standard PC (i440FX + PIIX, 1996)" },
	{ 2, 0x06, "version", "pc" },
	{ 2, 0x07, "serial", NULL },
	{ 2, 0x08, "asset", NULL },
	{ 2, 0x0a, "location", NULL },
	{ 3, 0x04, "manufacturer", "Husk" },
	{ 3, 0x06, "version", "pc" },
	{ 3, 0x07, "serial", NULL },
	{ 3, 0x08, "asset", NULL },
	{ 3, 0x15, "sku", NULL },
	{ 4, 0x07, "manufacturer", "Husk" },
	{ 4, 0x10, "version", "pc" },
	{ 4, 0x20, "serial", NULL },
	{ 4, 0x21, "asset", NULL },
	{ 4, 0x22, "part", NULL },
	{ 17, 0x11, "bank", NULL },
	{ 17, 0x17, "manufacturer", "Husk" },
	{ 17, 0x18, "serial", NULL },
	{ 17, 0x19, "asset", NULL },
	{ 17, 0x1a, "part", NULL },
};

static uint64_t type_of(struct optstr *o)
{
	uint64_t type = 256;

	(void)optstr_u64(o, "type", 0, 255, &type, NULL);
	return type;
}

/* The last option of that type that has the key. */
static const char *option(const struct smbios_config *c, uint8_t type,
			  const char *key, const char *preset)
{
	const char *found = preset;

	for (unsigned i = 0; i < c->option_count; i++)
		if (type_of(c->options[i]) == type &&
		    optstr_get(c->options[i], key))
			found = optstr_get(c->options[i], key);
	return found;
}

static bool has_option(const struct smbios_config *c, uint8_t type)
{
	for (unsigned i = 0; i < c->option_count; i++)
		if (type_of(c->options[i]) == type)
			return true;
	return false;
}

static bool parse_uuid(const char *s, uint8_t out[16])
{
	int used = 0;

	return sscanf(s, "%2hhx%2hhx%2hhx%2hhx-%2hhx%2hhx-%2hhx%2hhx-%2hhx%2hhx"
		      "-%2hhx%2hhx%2hhx%2hhx%2hhx%2hhx%n", &out[0], &out[1],
		      &out[2], &out[3], &out[4], &out[5], &out[6], &out[7],
		      &out[8], &out[9], &out[10], &out[11], &out[12],
		      &out[13], &out[14], &out[15], &used) == 16 &&
	       used == 36 && !s[36];
}

static bool parse_release(const char *s, uint8_t *major, uint8_t *minor)
{
	int used = 0;

	return sscanf(s, "%hhu.%hhu%n", major, minor, &used) == 2 && !s[used];
}

/* The fields that are not text; marks them known. */
static int check_numbers(struct smbios_config *c, struct optstr *o,
			 uint64_t type, struct err *e)
{
	const char *uuid = type == 1 ? optstr_get(o, "uuid") : NULL;
	const char *release = type == 0 ? optstr_get(o, "release") : NULL;
	uint64_t n = 0;
	uint8_t skip[2];
	int r = 0;

	if (uuid && !parse_uuid(uuid, c->uuid))
		return fail(e, EINVAL, "uuid: '%s' is not of the form"
			    " 01234567-89ab-cdef-0123-456789abcdef", uuid);
	c->has_uuid |= uuid != NULL;
	if (release && !parse_release(release, &skip[0], &skip[1]))
		return fail(e, EINVAL, "release: '%s' is not MAJOR.MINOR",
			    release);
	if (type == 4) {
		(void)optstr_get(o, "sock_pfx");
		r = optstr_u64(o, "max-speed", 0, 0xffff, &n, e);
		if (r == 0)
			r = optstr_u64(o, "current-speed", 0, 0xffff, &n, e);
	} else if (type == 17) {
		(void)optstr_get(o, "loc_pfx");
		r = optstr_u64(o, "speed", 0, 0xffff, &n, e);
	}
	return r;
}

static int check_option(struct smbios_config *c, struct optstr *o,
			struct err *e)
{
	uint64_t type = 256;
	bool known = false;
	int r = optstr_u64(o, "type", 0, 255, &type, e);

	if (r < 0)
		return r;
	if (type == 256)
		return fail(e, EINVAL, "'type' is missing");
	for (unsigned i = 0; i < ARRAY_LEN(text_rows); i++)
		if (text_rows[i].type == type) {
			(void)optstr_get(o, text_rows[i].key);
			known = true;
		}
	if (!known)
		return fail(e, ENOTSUP, "type %u is not in this version",
			    (unsigned)type);
	r = check_numbers(c, o, type, e);
	return r < 0 ? r : optstr_finish(o, e);
}

int smbios_option(struct smbios_config *c, const char *text, struct err *e)
{
	struct optstr *o;
	int r;

	if (c->option_count == SMBIOS_OPTIONS_MAX)
		return fail(e, E2BIG, "-smbios is given more than %d times",
			    SMBIOS_OPTIONS_MAX);
	r = optstr_parse(&o, text, NULL, e);
	if (r < 0)
		return r;
	r = check_option(c, o, e);
	if (r < 0) {
		err_prefix(e, "-smbios %s", text);
		optstr_free(o);
		return r;
	}
	c->options[c->option_count++] = o;
	return 0;
}

void smbios_free(struct smbios_config *c)
{
	while (c->option_count)
		optstr_free(c->options[--c->option_count]);
}

/* ---- writing structures ---- */

struct writer {
	const struct smbios_config *c;
	struct tables *t;
	struct err *e;
	bool full;		/* something did not fit: spare is written */
	uint8_t spare[256];
	uint8_t *now;		/* the formatted area being filled */
	gpa_t first;
	size_t started;		/* t->len at the start of now */
	unsigned strings, count, longest;
};

static uint8_t *take(struct writer *w, size_t len)
{
	gpa_t at;
	uint8_t *p = tables_take(w->t, len, 1, &at, w->e);

	if (p)
		return p;
	w->full = true;
	return len <= sizeof(w->spare) ? w->spare : NULL;
}

static void put_string(struct writer *w, unsigned off, const char *s)
{
	size_t len = s ? strlen(s) + 1 : 0;
	uint8_t *p;

	if (len <= 1)
		return;
	p = take(w, len);
	if (!p)
		return;
	memcpy(p, s, len);
	w->now[off] = (uint8_t)++w->strings;
}

static uint8_t *begin(struct writer *w, uint8_t type, uint8_t len,
		      uint16_t handle)
{
	w->started = w->t->len;
	w->strings = 0;
	w->now = take(w, len);
	w->now[0] = type;
	w->now[1] = len;
	store_le16(w->now + 2, handle);
	return w->now;
}

static void end(struct writer *w)
{
	size_t len;

	for (unsigned i = 0; i < ARRAY_LEN(text_rows); i++) {
		const struct text_row *r = &text_rows[i];

		if (r->type == w->now[0])
			put_string(w, r->off, option(w->c, r->type, r->key,
						     r->preset));
	}
	(void)take(w, w->strings ? 1 : 2);
	len = w->t->len - w->started;
	if (len > w->longest)
		w->longest = (unsigned)len;
	w->count++;
}

static unsigned number(const struct writer *w, uint8_t type, const char *key,
		       unsigned preset)
{
	const char *s = option(w->c, type, key, NULL);
	uint64_t v = preset;

	if (s)		/* checked when the option was taken */
		(void)parse_u64(key, s, 0, 0xffff, &v, NULL);
	return (unsigned)v;
}

/* ---- the structures ---- */

static void bios(struct writer *w)
{
	const char *release = option(w->c, 0, "release", NULL);
	uint8_t *p = begin(w, 0, 24, BIOS_HANDLE);

	store_le16(p + 0x06, 0xf000);	/* segment */
	store_le64(p + 0x0a, 1 << 3);	/* characteristics not supported */
	p[0x13] = 0x14;			/* virtual machine, targeted content */
	if (release)
		(void)parse_release(release, &p[0x14], &p[0x15]);
	p[0x16] = p[0x17] = 0xff;	/* no embedded controller */
	end(w);
}

/* The first three fields are numbers, kept little-endian (7.2.1). */
static void put_uuid(uint8_t *p, const uint8_t u[16])
{
	static const uint8_t from[16] = {
		3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15,
	};

	for (unsigned i = 0; i < 16; i++)
		p[i] = u[from[i]];
}

static void system_information(struct writer *w)
{
	uint8_t *p = begin(w, 1, 27, SYSTEM_HANDLE);

	if (w->c->has_uuid)
		put_uuid(p + 8, w->c->uuid);
	p[0x18] = 6;			/* wake-up: power switch */
	end(w);
}

static void baseboard(struct writer *w)
{
	uint8_t *p;

	if (!has_option(w->c, 2))
		return;
	p = begin(w, 2, 15, BOARD_HANDLE);
	p[0x09] = 0x01;			/* hosting board */
	store_le16(p + 0x0b, CHASSIS_HANDLE);
	p[0x0d] = 0x0a;			/* motherboard */
	end(w);
}

static void chassis(struct writer *w)
{
	uint8_t *p = begin(w, 3, 22, CHASSIS_HANDLE);

	p[0x05] = 1;			/* type: other */
	p[0x09] = p[0x0a] = p[0x0b] = 3;	/* states: safe */
	p[0x0c] = 2;			/* security: unknown */
	end(w);
}

static uint8_t cores_byte(unsigned n)
{
	return (uint8_t)(n < 255 ? n : 255);
}

static void processor(struct writer *w, unsigned n)
{
	const struct smbios_config *c = w->c;
	uint8_t *p = begin(w, 4, 42, (uint16_t)(CPU_HANDLE + n));
	char socket[64];

	snprintf(socket, sizeof(socket), "%.48s %u",
		 option(c, 4, "sock_pfx", "CPU"), n);
	put_string(w, 0x04, socket);
	p[0x05] = 3;			/* central processor */
	p[0x06] = 1;			/* family: other */
	store_le16(p + 0x14, (uint16_t)number(w, 4, "max-speed", 2000));
	store_le16(p + 0x16, (uint16_t)number(w, 4, "current-speed", 2000));
	p[0x18] = 0x41;			/* populated, enabled */
	p[0x19] = 1;			/* upgrade: other */
	store_le16(p + 0x1a, NO_HANDLE);
	store_le16(p + 0x1c, NO_HANDLE);
	store_le16(p + 0x1e, NO_HANDLE);
	p[0x23] = p[0x24] = cores_byte(c->cores);
	p[0x25] = cores_byte(c->cores * c->threads);
	store_le16(p + 0x26, 0x0004);	/* 64-bit capable */
	store_le16(p + 0x28, 1);
	end(w);
}

static uint64_t ram_size(const struct writer *w)
{
	return w->c->map.below_4g + w->c->map.above_4g;
}

static unsigned dimm_count(const struct writer *w)
{
	return (unsigned)((ram_size(w) + DIMM_MAX - 1) / DIMM_MAX);
}

static void memory_array(struct writer *w)
{
	uint8_t *p = begin(w, 16, 23, ARRAY_HANDLE);
	uint64_t kib = ram_size(w) / KiB;

	p[0x04] = 1;			/* location: other */
	p[0x05] = 3;			/* system memory */
	p[0x06] = 3;			/* no error correction */
	store_le32(p + 0x07, kib < 0x80000000 ? (uint32_t)kib : 0x80000000);
	store_le16(p + 0x0b, 0xfffe);	/* no error information */
	store_le16(p + 0x0d, (uint16_t)dimm_count(w));
	if (kib >= 0x80000000)
		store_le64(p + 0x0f, ram_size(w));
	end(w);
}

static void memory_device(struct writer *w, unsigned n)
{
	uint64_t left = ram_size(w) - n * DIMM_MAX;
	uint64_t mib = (left < DIMM_MAX ? left : DIMM_MAX) / MiB;
	unsigned speed = number(w, 17, "speed", 0);
	uint8_t *p = begin(w, 17, 40, (uint16_t)(DIMM_HANDLE + n));
	char locator[64];

	store_le16(p + 0x04, ARRAY_HANDLE);
	store_le16(p + 0x06, 0xfffe);
	store_le16(p + 0x08, 0xffff);	/* widths unknown */
	store_le16(p + 0x0a, 0xffff);
	store_le16(p + 0x0c, (uint16_t)mib);
	p[0x0e] = 0x09;			/* DIMM */
	snprintf(locator, sizeof(locator), "%.48s %u",
		 option(w->c, 17, "loc_pfx", "DIMM"), n);
	put_string(w, 0x10, locator);
	p[0x12] = 0x07;			/* RAM */
	store_le16(p + 0x13, 0x0002);	/* type detail: other */
	store_le16(p + 0x15, (uint16_t)speed);
	store_le16(p + 0x20, (uint16_t)speed);
	end(w);
}

static void mapped_range(struct writer *w, unsigned n, uint64_t base,
			 uint64_t len)
{
	uint8_t *p;
	uint64_t first = base / KiB, last = (base + len) / KiB - 1;

	if (!len)
		return;
	p = begin(w, 19, 31, (uint16_t)(RANGE_HANDLE + n));
	if (last < 0xffffffff) {
		store_le32(p + 0x04, (uint32_t)first);
		store_le32(p + 0x08, (uint32_t)last);
	} else {
		store_le32(p + 0x04, 0xffffffff);
		store_le32(p + 0x08, 0xffffffff);
		store_le64(p + 0x0f, base);
		store_le64(p + 0x17, base + len - 1);
	}
	store_le16(p + 0x0c, ARRAY_HANDLE);
	p[0x0e] = 1;			/* devices that form one row */
	end(w);
}

static void all_structures(struct writer *w)
{
	const struct memmap *m = &w->c->map;

	bios(w);
	system_information(w);
	baseboard(w);
	chassis(w);
	for (unsigned n = 0; n < w->c->sockets; n++)
		processor(w, n);
	memory_array(w);
	for (unsigned n = 0; n < dimm_count(w); n++)
		memory_device(w, n);
	mapped_range(w, 0, 0, m->below_4g);
	mapped_range(w, 1, MEMMAP_HIGH, m->above_4g);
	(void)begin(w, 32, 11, BOOT_HANDLE);	/* no errors detected */
	end(w);
	(void)begin(w, 127, 4, END_HANDLE);
	end(w);
}

static void entry_point(uint8_t *p, const struct writer *w, size_t len)
{
	memcpy(p, "_SM_", 4);
	p[5] = ENTRY_LEN;
	p[6] = 2;
	p[7] = 8;
	store_le16(p + 8, (uint16_t)w->longest);
	memcpy(p + 16, "_DMI_", 5);
	store_le16(p + 22, (uint16_t)len);
	store_le32(p + 24, (uint32_t)w->first);
	store_le16(p + 28, (uint16_t)w->count);
	p[30] = 0x28;			/* revision, in BCD */
	p[21] = tables_checksum(p + 16, 15);
	p[4] = tables_checksum(p, ENTRY_LEN);
}

gpa_t smbios_build(const struct smbios_config *c, struct tables *t,
		   struct err *e)
{
	struct writer w = { .c = c, .t = t, .e = e };
	size_t start, len;
	gpa_t at;
	uint8_t *p;

	if (!tables_take(t, 0, 16, &w.first, e))
		return 0;
	start = t->len;
	all_structures(&w);
	if (w.full)
		return 0;
	len = t->len - start;
	p = tables_take(t, ENTRY_LEN, 16, &at, e);
	if (!p)
		return 0;
	entry_point(p, &w, len);
	return at;
}
