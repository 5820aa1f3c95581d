/* excuse.c - differences that are none: where the makers of processors differ
 * and Husk follows the SDM, or where what a fault leaves behind is nobody's
 * promise.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "cpu/x86/fault.h"
#include "oracle.h"

/* Encodings that AMD's processors take: VPERMQ and VPERMPD with VEX.W clear,
 * and SSE4A, which Husk does not offer. */
static bool only_amd_decodes(const struct test *t)
{
	const struct insn *i = &t->insn;

	if (i->prefix & PREFIX_VEX)
		return i->opcode <= 1 && !(i->prefix & PREFIX_W);
	return i->opcode == 0x2b || i->opcode == 0x78 || i->opcode == 0x79;
}

/* AMD's MXCSR has a bit 17 (misaligned exceptions), reserved by Intel's and by
 * a processor that does not offer it: loading it is #GP. */
bool excuse_block(const struct test *t)
{
	return t->host.mxcsr & 1 << 17 && t->guest.trap == VEC_GP;
}

bool excuse_single(const struct test *t)
{
	const struct insn_row *r = insn_row_of(&t->insn);
	bool near_branch = r->how & HOW_F64 && r->how & HOW_END;

	/* Undefined, and over 15 bytes with ModRM, SIB, displacement and
	 * immediate: the host asks for the length first. */
	if (t->decoded == DECODE_UD && t->host.trap == VEC_GP &&
	    t->insn.len + 7 > 15)
		return true;
	if (t->decoded != DECODE_OK)
		return only_amd_decodes(t);
	/* AMD: a 16-bit branch; Intel: 66 is ignored. */
	if (t->mode == CODE64 && near_branch && t->insn.prefix & PREFIX_66)
		return true;
	/* AMD refuses VEX.W outside 64-bit code in these two; Intel ignores
	 * it. */
	if (t->mode != CODE64 && t->host.trap == VEC_UD &&
	    (!strcmp(r->name, "vpextrd") || !strcmp(r->name, "vpinsrd")))
		return true;
	/* AMD's SHA takes any address; the SDM says exception type 4. */
	if (r->feature == FEAT_SHA_NI && t->insn.prefix & PREFIX_MEM &&
	    test_linear(t) & 15)
		return true;
	/* What this program itself has in the low 2 GiB (os_map_low). */
	if (t->guest.trap == VEC_PF && t->host.trap == NO_TRAP &&
	    t->guest.cr2 >> 30 == 1)
		return true;
	if (excuse_block(t))
		return true;
	/* AMD takes LOOPE and LOOPNE's condition from a REP prefix. */
	if (!strncmp(r->name, "loop", 4) &&
	    t->insn.prefix & (PREFIX_REP | PREFIX_REPNE))
		return true;
	/* AMD's gathers do not look at segment limits. */
	if (r->op[1] == VMx)
		return t->guest.trap == VEC_GP;
	/* AMD's VMASKMOV holds all of the operand against the segment limit,
	 * VMASKMOVDQU each byte; ENTER checks the alignment of a store that is
	 * not done. */
	if (t->insn.prefix & PREFIX_VEX && strstr(r->name, "maskmov") &&
	    t->mode != CODE64 && t->host.trap != t->guest.trap)
		return true;
	if (t->before.flags & FLAG_AC && !strcmp(r->name, "enter"))
		return true;
	/* AMD's state images, 10-byte operands and bytes stored under a mask
	 * wrap at 64 KiB piece by piece. */
	if ((r->op[0] == Mo || r->op[0] == Mt || r->op[1] == Mt ||
	     strstr(r->name, "maskmov")) && t->insn.addrsize == 2 && t->guest.trap != NO_TRAP)
		return true;
	/* MASKMOVQ and MASKMOVDQU where both fault: which byte is looked at
	 * first, by segment or by page. */
	if (t->mode != CODE64 && strstr(r->name, "maskmov") &&
	    t->host.trap != NO_TRAP && t->guest.trap != NO_TRAP)
		return true;
	/* The order of accesses and checks, and what was done before. */
	return t->host.trap != NO_TRAP && t->guest.trap != NO_TRAP &&
	       (!strcmp(r->name, "enter") || !strcmp(r->name, "call") ||
		!strcmp(r->name, "popa") || r->op[0] == Mo);
}
