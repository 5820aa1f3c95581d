/* machine/aml_test.c - encodings worked out by hand from ACPI 6.4 chapter 20.
 * SPDX-License-Identifier: MIT
 */
#include "base/bytes.h"
#include "base/test.h"
#include "machine/aml.h"

static void is(struct aml *a, const char *want, size_t len)
{
	assert_int_equal(a->len, len);
	assert_memory_equal(a->bytes, want, len);
	aml_free(a);
}

#define IS(a, want) is(a, want, sizeof(want) - 1)

static void integers_take_the_shortest_form(void **state)
{
	struct aml a = { 0 };

	aml_integer(&a, 0);
	aml_integer(&a, 1);
	aml_integer(&a, 0xff);
	aml_integer(&a, 0x100);
	aml_integer(&a, 0x10000);
	aml_integer(&a, 0x100000000);
	IS(&a, "\x00\x01\x0a\xff\x0b\x00\x01\x0c\x00\x00\x01\x00"
	       "\x0e\x00\x00\x00\x00\x01\x00\x00\x00");
}

static void paths_are_padded_and_prefixed(void **state)
{
	struct aml a = { 0 };

	aml_path(&a, "_HID");
	aml_path(&a, "\\_S5");
	aml_path(&a, "\\_SB.PCI0");
	aml_path(&a, "\\_SB.PCI0.ISA");
	IS(&a, "_HID\\_S5_\\\x2e_SB_PCI0\\\x2f\x03_SB_PCI0ISA_");
}

static void eisa_ids_are_packed(void **state)
{
	struct aml a = { 0 };

	aml_eisaid(&a, "PNP0A03");
	IS(&a, "\x0c\x41\xd0\x0a\x03");
}

static void lengths_count_themselves(void **state)
{
	static const struct { size_t body; const char *length; unsigned n; }
	rows[] = {
		{ 0, "\x01", 1 },
		{ 62, "\x3f", 1 },
		{ 63, "\x41\x04", 2 },
		{ 4093, "\x4f\xff", 2 },
		{ 4094, "\x81\x00\x01", 3 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct aml a = { 0 };
		size_t open = aml_if(&a);

		for (size_t n = 0; n < rows[i].body; n++)
			aml_byte(&a, 0xa3);
		aml_end(&a, open);
		assert_int_equal(a.len, 1 + rows[i].n + rows[i].body);
		assert_memory_equal(a.bytes + 1, rows[i].length, rows[i].n);
		if (rows[i].body)
			assert_int_equal(a.bytes[1 + rows[i].n], 0xa3);
		aml_free(&a);
	}
}

static void terms_nest(void **state)
{
	struct aml a = { 0 };
	size_t method = aml_method(&a, "_STA", 0), open = aml_if(&a);

	aml_and(&a, "PRQA", 0x80, NULL);
	aml_return(&a);
	aml_integer(&a, 9);
	aml_end(&a, open);
	aml_end(&a, method);
	IS(&a, "\x14\x13_STA\x08\xa0\x0c\x7bPRQA\x0a\x80\x00\xa4\x0a\x09");
}

static void a_resource_buffer_knows_its_size(void **state)
{
	struct aml a = { 0 };
	size_t open = aml_resources(&a);

	aml_res_io(&a, 0x60, 1);
	aml_res_irq(&a, 1);
	aml_resources_end(&a, open);
	IS(&a, "\x11\x11\x0b\x0d\x00\x47\x01\x60\x00\x60\x00\x01\x01"
	       "\x22\x02\x00\x79\x00");
}

TEST_MAIN("aml",
	TEST(integers_take_the_shortest_form),
	TEST(paths_are_padded_and_prefixed),
	TEST(eisa_ids_are_packed),
	TEST(lengths_count_themselves),
	TEST(terms_nest),
	TEST(a_resource_buffer_knows_its_size))
