/* cpu/x86/insn_table_test.c - what must be true of the rows of insn.def.
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "base/bytes.h"
#include "base/test.h"
#include "cpu/x86/decode.h"

#define FLAGS_KNOWN (FLAGS_ARITH | FLAG_DF)

static void complain(const struct insn_row *r, const char *what)
{
	print_error("map %u prefix %u opcode %02x modrm %03x %s: %s\n", r->map,
		    r->prefix, r->opcode, r->modrm, r->name, what);
}

static unsigned needs(const struct insn_row *r)
{
	unsigned need = r->modrm == ANY || r->modrm == REXB ? 0 : NEED_MODRM;

	for (unsigned n = 0; n < ARRAY_LEN(r->op); n++)
		need |= operand_needs(r->op[n]);
	return need;
}

/* Rows told apart by these are alternatives. */
static bool disjoint(const struct insn_row *a, const struct insn_row *b)
{
	static const uint32_t pairs[][2] = {
		{ HOW_L0, HOW_L1 }, { HOW_W0, HOW_W1 },
		{ HOW_NO64, HOW_ONLY64 },
	};
	unsigned na = needs(a), nb = needs(b);

	for (unsigned k = 0; k < ARRAY_LEN(pairs); k++)
		if ((a->how & pairs[k][0] && b->how & pairs[k][1]) ||
		    (a->how & pairs[k][1] && b->how & pairs[k][0]))
			return true;
	return (na & NEED_MEM && nb & NEED_REG) ||
	       (na & NEED_REG && nb & NEED_MEM);
}

static bool same_encoding(const struct insn_row *a, const struct insn_row *b)
{
	return a->map == b->map && a->opcode == b->opcode &&
	       a->prefix == b->prefix && a->modrm == b->modrm &&
	       !disjoint(a, b);
}

static void no_two_rows_claim_one_encoding(void **state)
{
	unsigned bad = 0;

	for (unsigned a = 0; a < insn_row_count; a++)
		for (unsigned b = a + 1; b < insn_row_count; b++)
			if (same_encoding(&insn_rows[a], &insn_rows[b])) {
				complain(&insn_rows[b], "claimed twice");
				bad++;
			}
	assert_int_equal(bad, 0);
}

static void an_opcode_has_modrm_in_all_its_rows_or_none(void **state)
{
	uint8_t seen[INSN_MAPS][256] = { { 0 } };

	for (unsigned k = 0; k < insn_row_count; k++) {
		const struct insn_row *r = &insn_rows[k];
		uint8_t how = needs(r) & NEED_MODRM ? 1 : 2;

		seen[r->map][r->opcode] |= how;
		if (seen[r->map][r->opcode] == 3)
			complain(r, "others of the opcode differ in ModRM");
		assert_int_not_equal(seen[r->map][r->opcode], 3);
	}
}

static void undefined_flags_are_among_those_written(void **state)
{
	for (unsigned k = 0; k < insn_row_count; k++) {
		const struct insn_row *r = &insn_rows[k];

		if (r->junk & ~r->sets)
			complain(r, "junk flags that are not set");
		assert_int_equal(r->junk & ~r->sets, 0);
		assert_int_equal((r->uses | r->sets) & ~FLAGS_KNOWN, 0);
	}
}

/* Where a row is wrong in itself; NULL where it is not. */
static const char *contradiction(const struct insn_row *r)
{
	static const uint32_t never[] = { HOW_L0 | HOW_L1, HOW_W0 | HOW_W1,
					  HOW_NO64 | HOW_ONLY64,
					  HOW_D64 | HOW_F64 };
	unsigned need = needs(r);

	for (unsigned k = 0; k < ARRAY_LEN(never); k++)
		if ((r->how & never[k]) == never[k])
			return "how contradicts itself";
	if ((need & NEED_MEM) && (need & NEED_REG))
		return "register only and memory only";
	if (r->how & HOW_LOCK && (r->op[0] > Mx || !(r->how & HOW_RMW)))
		return "LOCK without a memory operand to modify";
	if (r->map < V1 && r->how & (HOW_L0 | HOW_L1 | HOW_NDS0))
		return "VEX fields without VEX";
	if (r->map >= V1 && !(r->how & (HOW_AVX | HOW_PROT)))
		return "VEX in real mode";
	if (r->map >= V1 && r->prefix == PANY)
		return "VEX without pp";
	if (r->modrm == REXB && r->opcode != 0x90)
		return "REXB";
	for (unsigned n = 1; n < ARRAY_LEN(r->op); n++)
		if (r->op[n] != __ && r->op[n - 1] == __)
			return "a gap among the operands";
	return NULL;
}

static void rows_do_not_contradict_themselves(void **state)
{
	for (unsigned k = 0; k < insn_row_count; k++) {
		const char *what = contradiction(&insn_rows[k]);

		if (what)
			complain(&insn_rows[k], what);
		assert_null(what);
	}
}

TEST_MAIN("insn_table",
	  TEST(no_two_rows_claim_one_encoding),
	  TEST(an_opcode_has_modrm_in_all_its_rows_or_none),
	  TEST(undefined_flags_are_among_those_written),
	  TEST(rows_do_not_contradict_themselves))
