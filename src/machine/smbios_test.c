/* machine/smbios_test.c - the structures as dmidecode walks them.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>

#include "base/test.h"
#include "machine/smbios.h"

static uint8_t area[0x10000];
static const uint8_t *entry;

static void build(struct smbios_config *c)
{
	struct tables t = { 0xf0000, area, 0, sizeof(area) };
	gpa_t at;

	memset(area, 0, sizeof(area));
	c->sockets = 2;
	c->cores = 3;
	c->threads = 2;
	c->map = memmap_split(20 * GiB);
	at = smbios_build(c, &t, NULL);
	assert_in_range(at, 0xf0000, 0xfffe0);
	assert_int_equal(at & 15, 0);
	entry = area + (at - 0xf0000);
}

static const uint8_t *first(void)
{
	return area + (load_le32(entry + 24) - 0xf0000);
}

static const uint8_t *next(const uint8_t *p)
{
	p += p[1];
	while (p[0] || p[1])
		p++;
	return p + 2;
}

/* The nth structure of a type; NULL if there is none. */
static const uint8_t *find(uint8_t type, unsigned n)
{
	const uint8_t *p = first();
	unsigned count = load_le16(entry + 28);

	for (; count--; p = next(p))
		if (p[0] == type && !n--)
			return p;
	return NULL;
}

static const char *string(const uint8_t *p, unsigned off)
{
	const char *s = (const char *)p + p[1];

	for (unsigned n = p[off]; n > 1; n--)
		s += strlen(s) + 1;
	return p[off] ? s : "";
}

static void the_entry_point_covers_all_structures(void **state)
{
	struct smbios_config c = { 0 };
	const uint8_t *p;
	unsigned count;

	build(&c);
	assert_memory_equal(entry, "_SM_", 4);
	assert_int_equal(tables_checksum(entry, 31), 0);
	assert_int_equal(tables_checksum(entry + 16, 15), 0);
	p = first();
	for (count = load_le16(entry + 28); count > 1; count--)
		p = next(p);
	assert_int_equal(p[0], 127);
	assert_ptr_equal(next(p), first() + load_le16(entry + 22));
}

static void the_structures_a_system_needs_are_there(void **state)
{
	static const struct { uint8_t type, count; } rows[] = {
		{ 0, 1 }, { 1, 1 }, { 2, 0 }, { 3, 1 }, { 4, 2 }, { 16, 1 },
		{ 17, 2 }, { 19, 2 }, { 32, 1 }, { 127, 1 },
	};
	struct smbios_config c = { 0 };

	build(&c);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].count)
			assert_non_null(find(rows[i].type, rows[i].count - 1u));
		assert_null(find(rows[i].type, rows[i].count));
	}
	assert_string_equal(string(find(1, 0), 5),
			    "Standard PC (i440FX + PIIX, 1996)");
	assert_string_equal(string(find(4, 1), 4), "CPU 1");
	assert_int_equal(find(4, 0)[0x23], 3);
	assert_int_equal(find(4, 0)[0x25], 6);
	assert_int_equal(load_le16(find(17, 0) + 0x0c), 16 * 1024);
	assert_int_equal(load_le16(find(17, 1) + 0x0c), 4 * 1024);
	assert_int_equal(load_le32(find(19, 1) + 4), 4 * MiB);
}

static void options_change_fields(void **state)
{
	static const char *const options[] = {
		"type=1,manufacturer=Acme,serial=S1,"
		"uuid=00112233-4455-6677-8899-aabbccddeeff",
		"type=1,manufacturer=Acme,, Inc.",
		"type=0,vendor=V,release=1.20",
		"type=2,asset=A", "type=4,max-speed=3500", "type=17,loc_pfx=S",
	};
	static const uint8_t uuid[] = {
		0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66,
		0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
	};
	struct smbios_config c = { 0 };

	for (unsigned i = 0; i < ARRAY_LEN(options); i++)
		assert_int_equal(smbios_option(&c, options[i], NULL), 0);
	build(&c);
	assert_string_equal(string(find(1, 0), 4), "Acme, Inc.");
	assert_string_equal(string(find(1, 0), 7), "S1");
	assert_memory_equal(find(1, 0) + 8, uuid, 16);
	assert_int_equal(find(0, 0)[0x14], 1);
	assert_int_equal(find(0, 0)[0x15], 20);
	assert_string_equal(string(find(2, 0), 8), "A");
	assert_int_equal(load_le16(find(4, 0) + 0x14), 3500);
	assert_string_equal(string(find(17, 1), 0x10), "S 1");
	smbios_free(&c);
}

static void bad_options_are_refused(void **state)
{
	static const char *const bad[][2] = {
		{ "manufacturer=x", "'type' is missing" },
		{ "type=11,value=x", "type 11 is not in this version" },
		{ "type=300", "300" },
		{ "type=1,bogus=x", "bogus" },
		{ "type=1,uuid=1234", "1234" },
		{ "type=0,release=x", "'x' is not MAJOR.MINOR" },
		{ "type=4,max-speed=70000", "70000" },
	};
	struct smbios_config c = { 0 };
	struct err e;

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		assert_true(smbios_option(&c, bad[i][0], &e) < 0);
		assert_non_null(strstr(e.text, bad[i][1]));
	}
	assert_int_equal(c.option_count, 0);
}

static void too_small_an_area_is_refused(void **state)
{
	struct smbios_config c = { .sockets = 16 };
	struct err e;

	c.map = memmap_split(4 * GiB);
	for (size_t room = 0; room < 1024; room += 16) {
		struct tables t = { 0xf0000, area, 0, room };

		assert_int_equal(smbios_build(&c, &t, &e), 0);
	}
}

TEST_MAIN("smbios",
	TEST(the_entry_point_covers_all_structures),
	TEST(the_structures_a_system_needs_are_there),
	TEST(options_change_fields),
	TEST(bad_options_are_refused),
	TEST(too_small_an_area_is_refused))
