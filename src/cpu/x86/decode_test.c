/* cpu/x86/decode_test.c - encodings that are easy to get wrong, one by one.
 * decode_zydis_test.c compares random ones with another decoder.
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/bytes.h"
#include "base/test.h"
#include "cpu/x86/insn.h"

static struct features all_features(void)
{
	struct features f;

	memset(&f, 0xff, sizeof(f));
	return f;
}

static enum decode_result decode(struct insn *i, enum code_mode mode,
				 const char *bytes, unsigned n)
{
	struct features have = all_features();

	return insn_decode(i, (const uint8_t *)bytes, n, mode, &have);
}

#define BYTES(s) s, sizeof(s) - 1

static void names_are_those_of_the_manual(void **state)
{
	static const struct {
		enum code_mode mode;
		const char *bytes;
		unsigned n;
		const char *name;
	} cases[] = {
		{ CODE64, BYTES("\x90"), "nop" },
		{ CODE64, BYTES("\x41\x90"), "xchg" },
		{ CODE64, BYTES("\xf3\x90"), "pause" },
		{ CODE64, BYTES("\x66\x90"), "nop" },
		{ CODE64, BYTES("\xf6\xc8\x01"), "test" },	/* F6/1 */
		{ CODE64, BYTES("\xf7\xc8\1\2\3\4"), "test" },
		{ CODE64, BYTES("\xd0\xf0"), "shl" },	/* D0/6 */
		{ CODE32, BYTES("\x82\xc0\x01"), "add" },
		{ CODE32, BYTES("\xd6"), "salc" },
		{ CODE64, BYTES("\xf1"), "int1" },
		{ CODE64, BYTES("\x0f\x0b"), "ud2" },
		{ CODE64, BYTES("\x0f\xb9\x00"), "ud1" },
		{ CODE64, BYTES("\x0f\xff\x00"), "ud0" },
		{ CODE64, BYTES("\x63\xc1"), "movsxd" },
		{ CODE32, BYTES("\x63\xc1"), "arpl" },
		{ CODE32, BYTES("\xc4\x00"), "les" },
		{ CODE32, BYTES("\xc5\x00"), "lds" },
		{ CODE32, BYTES("\x62\x00"), "bound" },
		{ CODE32, BYTES("\xc4\xe2\x78\xf2\xc1"), "andn" },
		{ CODE64, BYTES("\x0f\x01\xca"), "clac" },
		{ CODE64, BYTES("\x0f\x01\xd0"), "xgetbv" },
		{ CODE64, BYTES("\x0f\x01\xf8"), "swapgs" },
		{ CODE64, BYTES("\x0f\x01\x38"), "invlpg" },
		{ CODE64, BYTES("\xf3\x0f\xbc\xc1"), "tzcnt" },
		{ CODE64, BYTES("\x0f\xbc\xc1"), "bsf" },
		{ CODE64, BYTES("\xf2\x0f\xbc\xc1"), "bsf" },
		{ CODE64, BYTES("\x0f\x38\xf0\x00"), "movbe" },
		{ CODE64, BYTES("\xf2\x0f\x38\xf0\x00"), "crc32" },
		{ CODE64, BYTES("\x66\xf2\x0f\x38\xf1\x00"), "crc32" },
		{ CODE64, BYTES("\x66\x0f\x38\xf6\xc0"), "adcx" },
		{ CODE64, BYTES("\xf3\x0f\x38\xf6\xc0"), "adox" },
		{ CODE64, BYTES("\x66\xf3\x0f\x38\xf6\xc0"), "adox" },
		{ CODE64, BYTES("\x48\x0f\xc7\x08"), "cmpxchg16b" },
		{ CODE64, BYTES("\x0f\xc7\x08"), "cmpxchg8b" },
		{ CODE64, BYTES("\x0f\xae\xe8"), "lfence" },
		{ CODE64, BYTES("\xf3\x0f\x1e\xfa"), "nop" },	/* ENDBR64 */
		{ CODE64, BYTES("\x0f\x20\x00"), "mov" },	/* mod ignored */
	};

	for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
		struct insn i;

		assert_int_equal(decode(&i, cases[k].mode, cases[k].bytes,
					cases[k].n), DECODE_OK);
		assert_string_equal(insn_row_of(&i)->name, cases[k].name);
		assert_int_equal(i.len, cases[k].n);
	}
}

static void what_is_not_there_is_refused(void **state)
{
	static const struct {
		enum code_mode mode;
		const char *bytes;
		unsigned n;
	} cases[] = {
		{ CODE64, BYTES("\x82\xc0\x01") },
		{ CODE64, BYTES("\xd6") },
		{ CODE64, BYTES("\x06") },
		{ CODE64, BYTES("\x62\xf1\x7c\x48\x58\xc0") },	/* EVEX */
		{ CODE32, BYTES("\x62\xc0") },
		{ CODE64, BYTES("\x8f\xe8\x78\x00") },	/* XOP */
		{ CODE64, BYTES("\x0f\x01\xc1") },		/* VMCALL */
		{ CODE64, BYTES("\x66\xc4\xe2\x78\xf2\xc1") },
		{ CODE64, BYTES("\xf3\xc4\xe2\x78\xf2\xc1") },
		{ CODE64, BYTES("\xf0\xc4\xe2\x78\xf2\xc1") },
		{ CODE64, BYTES("\x48\xc4\xe2\x78\xf2\xc1") },
		{ CODE64, BYTES("\xc4\xe2\x7c\xf2\xc1") },	/* L = 1 */
		{ CODE64, BYTES("\xf0\x01\xc0") },		/* LOCK on register */
		{ CODE64, BYTES("\xf0\x03\x00") },		/* LOCK, memory source */
		{ CODE64, BYTES("\xf0\x39\x00") },		/* LOCK CMP */
		{ CODE64, BYTES("\xf0\x90") },
		{ CODE64, BYTES("\x8d\xc0") },		/* LEA of a register */
		{ CODE64, BYTES("\x8e\xc8") },		/* MOV CS */
		{ CODE64, BYTES("\x8e\xf0") },		/* MOV sixth segment */
		{ CODE64, BYTES("\x0f\x20\xc8") },		/* MOV from CR1 */
		{ CODE64, BYTES("\x44\x0f\x21\xc0") },	/* DR8 */
		{ CODE64, BYTES("\xff\xf8") },		/* FF/7 */
		{ CODE64, BYTES("\xff\xd8") },		/* far call, register */
		{ CODE64, BYTES("\x0f\xb8\xc0") },		/* JMPE */
	};

	for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
		struct insn i;

		assert_int_equal(decode(&i, cases[k].mode, cases[k].bytes,
					cases[k].n), DECODE_UD);
	}
}

static void an_absent_feature_takes_its_row_away(void **state)
{
	struct features have = all_features();
	struct insn i;

	feature_put(&have, FEAT_BMI1, false);
	insn_decode(&i, (const uint8_t *)"\xf3\x0f\xbc\xc1", 4, CODE64, &have);
	assert_string_equal(insn_row_of(&i)->name, "bsf");
	assert_int_equal(insn_decode(&i, (const uint8_t *)"\xc4\xe2\x78\xf2\xc1",
				     5, CODE64, &have), DECODE_UD);
}

static void short_and_long_instructions_are_told_apart(void **state)
{
	static const char prefixes[] =
		"\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90";
	struct insn i;

	assert_int_equal(decode(&i, CODE64, "\x48\x81\xc0\1\2\3", 6), DECODE_MORE);
	assert_int_equal(decode(&i, CODE64, "\x48\x81\xc0\1\2\3\4", 7), DECODE_OK);
	assert_int_equal(decode(&i, CODE64, prefixes, 15), DECODE_OK);
	assert_int_equal(i.len, 15);
	assert_int_equal(decode(&i, CODE64, prefixes, 14), DECODE_MORE);
	assert_int_equal(decode(&i, CODE64, "\x66\x66\x66\x66\x66\x66\x66\x66"
				"\x66\x66\x66\x66\x66\x66\x66\x90", 16),
			 DECODE_LONG);
}

static void only_the_rex_before_the_opcode_counts(void **state)
{
	struct insn i;

	decode(&i, CODE64, BYTES("\x48\x66\x01\xc0"));
	assert_int_equal(i.opsize, 2);
	decode(&i, CODE64, BYTES("\x66\x48\x01\xc0"));
	assert_int_equal(i.opsize, 8);
	decode(&i, CODE64, BYTES("\x4f\x40\x01\xc0"));
	assert_int_equal(i.opsize, 4);
	assert_int_equal(i.op[0].reg, RAX);
}

static void byte_registers_depend_on_any_rex(void **state)
{
	struct insn i;

	decode(&i, CODE64, BYTES("\x88\xe0"));
	assert_int_equal(i.op[1].reg, REG_AH);
	decode(&i, CODE64, BYTES("\x40\x88\xe0"));
	assert_int_equal(i.op[1].reg, RSP);
	decode(&i, CODE64, BYTES("\xb7\x01"));
	assert_int_equal(i.op[0].reg, REG_AH + 3);
}

static void the_stack_segment_goes_with_stack_bases(void **state)
{
	static const struct {
		enum code_mode mode;
		const char *bytes;
		unsigned n;
		enum sreg seg;
	} cases[] = {
		{ CODE64, BYTES("\x8b\x04\x24"), SS },	/* [rsp] */
		{ CODE64, BYTES("\x8b\x45\x00"), SS },	/* [rbp] */
		{ CODE64, BYTES("\x41\x8b\x45\x00"), DS },	/* [r13] */
		{ CODE64, BYTES("\x41\x8b\x04\x24"), DS },	/* [r12] */
		{ CODE64, BYTES("\x8b\x04\x2b"), DS },	/* [rbx+rbp] */
		{ CODE64, BYTES("\x3e\x8b\x45\x00"), SS },	/* DS ignored */
		{ CODE64, BYTES("\x36\x8b\x03"), DS },	/* SS ignored */
		{ CODE64, BYTES("\x64\x2e\x8b\x03"), FS },
		{ CODE64, BYTES("\x64\x65\x8b\x03"), GS },
		{ CODE32, BYTES("\x3e\x8b\x45\x00"), DS },
		{ CODE32, BYTES("\x64\x2e\x8b\x03"), CS },
		{ CODE32, BYTES("\x8b\x04\x25\0\0\0\0"), DS },
		{ CODE16, BYTES("\x8b\x02"), SS },		/* [bp+si] */
		{ CODE16, BYTES("\x8b\x06\0\0"), DS },	/* [disp16] */
		{ CODE16, BYTES("\x8b\x46\0"), SS },	/* [bp+0] */
	};

	for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
		struct insn i;

		assert_int_equal(decode(&i, cases[k].mode, cases[k].bytes,
					cases[k].n), DECODE_OK);
		assert_int_equal(i.seg, cases[k].seg);
	}
}

static void addresses_have_their_parts(void **state)
{
	struct insn i;

	decode(&i, CODE64, BYTES("\x4a\x8d\x44\xa3\xf0"));	/* [rbx+r12*4-16] */
	assert_int_equal(i.base, RBX);
	assert_int_equal(i.index, R12);
	assert_int_equal(i.scale, 2);
	assert_int_equal(i.disp, -16);
	decode(&i, CODE64, BYTES("\x8b\x05\x10\0\0\0"));	/* [rip+16] */
	assert_true(i.prefix & PREFIX_RIP);
	assert_int_equal(i.base, REG_NONE);
	decode(&i, CODE64, BYTES("\x67\x8b\x05\x10\0\0\0"));	/* [eip+16] */
	assert_true(i.prefix & PREFIX_RIP);
	assert_int_equal(i.addrsize, 4);
	decode(&i, CODE32, BYTES("\x8b\x05\x10\0\0\0"));
	assert_false(i.prefix & PREFIX_RIP);
	decode(&i, CODE32, BYTES("\x67\x8b\x41\x10"));	/* [bx+di+16] */
	assert_int_equal(i.base, RBX);
	assert_int_equal(i.index, RDI);
	assert_int_equal(i.addrsize, 2);
	decode(&i, CODE64, BYTES("\x48\xa1\1\2\3\4\5\6\7\x08"));
	assert_true(i.disp == 0x0807060504030201);
	decode(&i, CODE64, BYTES("\x42\x8b\x04\x25\0\0\0\0")); /* [r12*1+0] */
	assert_int_equal(i.index, R12);
	decode(&i, CODE64, BYTES("\x8b\x04\x65\0\0\0\0"));	/* no index */
	assert_int_equal(i.index, REG_NONE);
	assert_int_equal(i.scale, 0);
}

static void operand_sizes_follow_prefixes_and_mode(void **state)
{
	static const struct {
		enum code_mode mode;
		const char *bytes;
		unsigned n;
		unsigned opsize;
	} cases[] = {
		{ CODE16, BYTES("\x50"), 2 }, { CODE16, BYTES("\x66\x50"), 4 },
		{ CODE32, BYTES("\x50"), 4 }, { CODE32, BYTES("\x66\x50"), 2 },
		{ CODE64, BYTES("\x50"), 8 }, { CODE64, BYTES("\x66\x50"), 2 },
		{ CODE64, BYTES("\x66\xe9\0\0\0\0"), 8 },	/* as Intel */
		{ CODE64, BYTES("\x66\xc3"), 8 },
		{ CODE64, BYTES("\xcb"), 4 }, { CODE64, BYTES("\x48\xcf"), 8 },
		{ CODE64, BYTES("\x0f\x20\xc0"), 8 },
		{ CODE32, BYTES("\x0f\x20\xc0"), 4 },
	};

	for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
		struct insn i;

		assert_int_equal(decode(&i, cases[k].mode, cases[k].bytes,
					cases[k].n), DECODE_OK);
		assert_int_equal(i.opsize, cases[k].opsize);
		assert_int_equal(i.len, cases[k].n);
	}
}

static void immediates_extend_as_their_codes_say(void **state)
{
	static const struct {
		enum code_mode mode;
		const char *bytes;
		unsigned n;
		int64_t imm;
	} cases[] = {
		{ CODE64, BYTES("\x48\x83\xc0\xff"), -1 },		/* Is */
		{ CODE64, BYTES("\xb0\xff"), 0xff },		/* Ib */
		{ CODE64, BYTES("\x48\x05\xfe\xff\xff\xff"), -2 },	/* Iz */
		{ CODE64, BYTES("\x48\xb8\1\0\0\0\0\0\0\x80"),
		  (int64_t)0x8000000000000001 },		/* Iv */
		{ CODE64, BYTES("\xeb\xfe"), -2 },			/* Jb */
		{ CODE64, BYTES("\xd1\xe0"), 1 },			/* I1 */
		{ CODE32, BYTES("\xc2\xff\xff"), 0xffff },		/* Iw */
		{ CODE32, BYTES("\x9a\1\2\3\4\x08\0"), 0x04030201 },
		{ CODE64, BYTES("\xc8\x10\0\x01"), 0x10 },
	};
	struct insn i;

	for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
		assert_int_equal(decode(&i, cases[k].mode, cases[k].bytes,
					cases[k].n), DECODE_OK);
		assert_true(i.imm == cases[k].imm);
	}
	decode(&i, CODE32, BYTES("\x9a\1\2\3\4\x08\0"));
	assert_int_equal(i.disp, 8);
	decode(&i, CODE64, BYTES("\xc8\x10\0\x01"));
	assert_int_equal(i.disp, 1);
}

TEST_MAIN("decode",
	  TEST(names_are_those_of_the_manual),
	  TEST(what_is_not_there_is_refused),
	  TEST(an_absent_feature_takes_its_row_away),
	  TEST(short_and_long_instructions_are_told_apart),
	  TEST(only_the_rex_before_the_opcode_counts),
	  TEST(byte_registers_depend_on_any_rex),
	  TEST(the_stack_segment_goes_with_stack_bases),
	  TEST(addresses_have_their_parts),
	  TEST(operand_sizes_follow_prefixes_and_mode),
	  TEST(immediates_extend_as_their_codes_say))
