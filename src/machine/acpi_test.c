/* machine/acpi_test.c - the tables as a kernel walks them, and the DSDT as
 * Intel's compiler understands it (skipped where iasl is not installed).
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/test.h"
#include "machine/acpi.h"
#include "machine/aml.h"

#define AREA 0x20000

static const uint32_t ids[] = { 0, 1, 2, 300 };

static const struct acpi_config config = {
	.cpus = ARRAY_LEN(ids), .apic_ids = ids,
	.map = { .below_4g = 3 * GiB, .above_4g = 5 * GiB },
	.hpet = true, .serials = 5,
};

struct area {
	uint8_t bytes[AREA];
	struct tables t;
	gpa_t rsdp;
};

static struct area *build(const struct acpi_config *c)
{
	struct area *a = test_calloc(1, sizeof(*a));

	a->t = (struct tables){ .base = 0xe0000, .bytes = a->bytes,
				.room = AREA };
	a->rsdp = acpi_build(c, &a->t, NULL);
	assert_int_not_equal(a->rsdp, 0);
	return a;
}

static const uint8_t *at(const struct area *a, uint64_t address)
{
	assert_in_range(address, 0xe0000, 0xe0000 + AREA - 1);
	return a->bytes + (address - 0xe0000);
}

static uint8_t sum(const uint8_t *p, size_t len)
{
	return (uint8_t)-tables_checksum(p, len);
}

/* The table with that signature among the XSDT's; NULL if it is not there. */
static const uint8_t *find(const struct area *a, const char *signature)
{
	const uint8_t *xsdt = at(a, load_le64(at(a, a->rsdp) + 24));
	uint32_t len = load_le32(xsdt + 4);

	for (uint32_t i = 36; i < len; i += 8) {
		const uint8_t *p = at(a, load_le64(xsdt + i));

		if (!memcmp(p, signature, 4)) {
			assert_int_equal(sum(p, load_le32(p + 4)), 0);
			return p;
		}
	}
	return NULL;
}

static void the_root_leads_to_all_tables(void **state)
{
	struct area *a = build(&config);
	const uint8_t *rsdp = at(a, a->rsdp), *rsdt;

	assert_int_equal(a->rsdp & 15, 0);
	assert_memory_equal(rsdp, "RSD PTR ", 8);
	assert_int_equal(sum(rsdp, 20), 0);
	assert_int_equal(sum(rsdp, 36), 0);
	rsdt = at(a, load_le32(rsdp + 16));
	assert_memory_equal(rsdt, "RSDT", 4);
	assert_int_equal(sum(rsdt, load_le32(rsdt + 4)), 0);
	assert_int_equal(load_le32(rsdt + 4), 36 + 3 * 4);
	assert_non_null(find(a, "FACP"));
	assert_non_null(find(a, "APIC"));
	assert_non_null(find(a, "HPET"));
	test_free(a);
}

static void the_fadt_points_to_facs_and_dsdt(void **state)
{
	struct area *a = build(&config);
	const uint8_t *fadt = find(a, "FACP"), *dsdt;

	assert_int_equal(load_le32(fadt + 4), 244);
	assert_int_equal(load_le32(fadt + 36) & 63, 0);
	assert_memory_equal(at(a, load_le32(fadt + 36)), "FACS", 4);
	dsdt = at(a, load_le64(fadt + 140));
	assert_memory_equal(dsdt, "DSDT", 4);
	assert_int_equal(sum(dsdt, load_le32(dsdt + 4)), 0);
	assert_int_equal(load_le32(fadt + 76), 0x608);
	assert_int_equal(load_le32(fadt + 116 + 4), 0xcf9);
	assert_int_equal(fadt[128], 0x0f);
	test_free(a);
}

static void the_madt_lists_processors_and_overrides(void **state)
{
	struct area *a = build(&config);
	const uint8_t *madt = find(a, "APIC"), *p = madt + 44;
	const uint8_t *end = madt + load_le32(madt + 4);
	unsigned count[16] = { 0 };

	assert_int_equal(load_le32(madt + 36), 0xfee00000);
	for (; p < end; p += p[1]) {
		assert_in_range(p[0], 0, 15);
		assert_true(p[1] >= 6);
		count[p[0]]++;
		if (p[0] == 2 && p[3] == 0)
			assert_int_equal(load_le32(p + 4), 2);
		if (p[0] == 9)
			assert_int_equal(load_le32(p + 4), 300);
	}
	assert_ptr_equal(p, end);
	assert_int_equal(count[0], 3);
	assert_int_equal(count[9], 1);
	assert_int_equal(count[1], 1);
	assert_int_equal(count[2], 5);
	assert_int_equal(count[4], 1);
	test_free(a);
}

static void without_hpet_there_is_no_table_of_it(void **state)
{
	struct acpi_config c = config;
	struct area *a;

	c.hpet = false;
	a = build(&c);
	assert_null(find(a, "HPET"));
	test_free(a);
}

static void too_small_an_area_is_refused(void **state)
{
	static uint8_t bytes[0x1000];
	struct err e;

	for (size_t room = 0; room < sizeof(bytes); room += 64) {
		struct tables t = { 0xe0000, bytes, 0, room };

		assert_int_equal(acpi_build(&config, &t, &e), 0);
		assert_non_null(strstr(e.text, "below 1 MiB"));
	}
}

/* ---- iasl ---- */

static int run(const char *dir, const char *command)
{
	char line[256];

	snprintf(line, sizeof(line), "cd %s && %s >/dev/null 2>&1", dir, command);
	return system(line);
}

static void write_table(const char *dir, const uint8_t *p)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/dsdt.aml", dir);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, load_le32(p + 4), f), load_le32(p + 4));
	fclose(f);
}

static void iasl_takes_the_dsdt_apart_and_together_again(void **state)
{
	struct area *a;
	const uint8_t *fadt;
	char dir[] = "/tmp/husk-acpi-XXXXXX";

	if (system("command -v iasl >/dev/null 2>&1"))
		skip();
	assert_non_null(mkdtemp(dir));
	a = build(&config);
	fadt = find(a, "FACP");
	write_table(dir, at(a, load_le32(fadt + 40)));
	test_free(a);
	assert_int_equal(run(dir, "iasl -d dsdt.aml"), 0);
	assert_int_equal(run(dir, "iasl -we -p again dsdt.dsl"), 0);
	assert_int_equal(run(dir, "grep -q LNKC dsdt.dsl"), 0);
	assert_int_equal(run(dir, "rm -f dsdt.* again.*"), 0);
	assert_int_equal(rmdir(dir), 0);
}

TEST_MAIN("acpi",
	TEST(the_root_leads_to_all_tables),
	TEST(the_fadt_points_to_facs_and_dsdt),
	TEST(the_madt_lists_processors_and_overrides),
	TEST(without_hpet_there_is_no_table_of_it),
	TEST(too_small_an_area_is_refused),
	TEST(iasl_takes_the_dsdt_apart_and_together_again))
