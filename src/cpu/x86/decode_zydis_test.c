/* cpu/x86/decode_zydis_test.c - the decoder against Zydis, on random bytes.
 *
 * Both get the same bytes, biased towards prefixes, the 0F maps and VEX.  They
 * must agree on validity, length, mnemonic, address size, and on each operand:
 * register and its size, or base, index, scale, displacement, segment and size
 * of the memory, or the immediate.  What we deliberately do otherwise is in
 * the lists below.
 *
 * HUSK_SEED repeats a run, HUSK_CASES sets the cases per mode.
 *
 * SPDX-License-Identifier: MIT
 */
#include <Zydis/Zydis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/test.h"
#include "cpu/x86/insn.h"

#define CASES 300000
#define BYTES 24

/* ---- deliberate differences ---- */

/* Extensions that no model of ours offers. */
static const uint8_t absent_ext[] = {
	ZYDIS_ISA_EXT_AMD3DNOW, ZYDIS_ISA_EXT_AMD_INVLPGB,
	ZYDIS_ISA_EXT_AMX_BF16, ZYDIS_ISA_EXT_AMX_INT8,
	ZYDIS_ISA_EXT_AMX_TILE, ZYDIS_ISA_EXT_AVX512EVEX,
	ZYDIS_ISA_EXT_AVX512VEX, ZYDIS_ISA_EXT_AVX_VNNI, ZYDIS_ISA_EXT_CET,
	ZYDIS_ISA_EXT_CLZERO, ZYDIS_ISA_EXT_ENQCMD, ZYDIS_ISA_EXT_FMA4,
	ZYDIS_ISA_EXT_HRESET, ZYDIS_ISA_EXT_KEYLOCKER,
	ZYDIS_ISA_EXT_KEYLOCKER_WIDE, ZYDIS_ISA_EXT_KNC, ZYDIS_ISA_EXT_KNCE,
	ZYDIS_ISA_EXT_KNCV, ZYDIS_ISA_EXT_MCOMMIT, ZYDIS_ISA_EXT_MONITORX,
	ZYDIS_ISA_EXT_MOVDIR, ZYDIS_ISA_EXT_PADLOCK, ZYDIS_ISA_EXT_PCONFIG,
	ZYDIS_ISA_EXT_PKU, ZYDIS_ISA_EXT_PT, ZYDIS_ISA_EXT_RDPRU,
	ZYDIS_ISA_EXT_RTM, ZYDIS_ISA_EXT_SERIALIZE, ZYDIS_ISA_EXT_SGX,
	ZYDIS_ISA_EXT_SGX_ENCLV, ZYDIS_ISA_EXT_SMX, ZYDIS_ISA_EXT_SNP,
	ZYDIS_ISA_EXT_SSE4A, ZYDIS_ISA_EXT_SVM, ZYDIS_ISA_EXT_TBM,
	ZYDIS_ISA_EXT_TDX, ZYDIS_ISA_EXT_TSX_LDTRK, ZYDIS_ISA_EXT_UINTR,
	ZYDIS_ISA_EXT_VMFUNC, ZYDIS_ISA_EXT_VTX, ZYDIS_ISA_EXT_WAITPKG,
	ZYDIS_ISA_EXT_XOP,
};

/* Our name, then Zydis's for the same: it names sizes and undocumented x87
 * encodings otherwise.  F3 41 90 exchanges on real processors. */
static const char *const same_names[] = {
	"cbw cwde cdqe", "cwd cdq cqo", "jcxz jecxz jrcxz", "retf ret",
	"iret iretd iretq", "pusha pushad", "popa popad",
	"pushf pushfd pushfq", "popf popfd popfq",
	"movs movsb movsw movsd movsq", "cmps cmpsb cmpsw cmpsd cmpsq",
	"stos stosb stosw stosd stosq", "lods lodsb lodsw lodsd lodsq",
	"scas scasb scasw scasd scasq", "ins insb insw insd",
	"outs outsb outsw outsd", "xchg pause", "prefetch prefetchwt1",
	"movd movq", "pextrd pextrq", "pinsrd pinsrq", "vmovd vmovq",
	"vpextrd vpextrq", "vpinsrd vpinsrq", "fxsave fxsave64",
	"fxrstor fxrstor64", "xsave xsave64", "xrstor xrstor64",
	"xsavec xsavec64", "xsaves xsaves64", "xrstors xrstors64",
	"xsaveopt xsaveopt64", "fcom2 fcom", "fcomp3 fcomp", "fcomp5 fcomp",
	"fxch4 fxch", "fxch7 fxch", "fstp1 fstpnce", "fstp8 fstp",
	"fstp9 fstp", "fneni feni8087_nop", "fndisi fdisi8087_nop",
	"fnsetpm fsetpm287_nop",
};

/* Instructions whose operands are not compared: hints and UD have none that
 * matter, and Zydis hides an implied XMM0. */
static const char *const odd_operands[] = { "ud0", "ud1", "nop", "blendvpd",
					    "blendvps", "pblendvb",
					    "sha256rnds2" };

/* Only the low bits of a register source are read, or a 32-bit result is
 * written as if to 64 bits. */
static const char *const odd_register_sizes[] = { "lar", "lsl", "movmskps",
						  "movmskpd", "movsxd" };

/* ---- random instructions ---- */

static uint64_t random_state;

static unsigned random_below(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state * 0x2545f4914f6cdd1dull >> 33) % n;
}

static unsigned random_prefixes(uint8_t *b)
{
	static const uint8_t prefixes[] = {
		0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x26, 0x2e, 0x36, 0x3e, 0x64,
		0x65,
	};
	static const uint8_t how_many[] = { 0, 0, 0, 0, 1, 1, 1, 2, 2, 3 };
	unsigned n = how_many[random_below(ARRAY_LEN(how_many))];

	if (random_below(500) == 0)
		n = random_below(15);		/* the 15 byte limit */
	for (unsigned k = 0; k < n; k++)
		b[k] = prefixes[random_below(ARRAY_LEN(prefixes))];
	return n;
}

/* C4 or C5 and what follows, usually in an order that means something. */
static void random_vex(uint8_t *b, enum code_mode mode)
{
	uint8_t last = (uint8_t)random_below(256);

	if (random_below(2))
		last |= 0x78;			/* vvvv = 1111b */
	b[0] = random_below(3) ? 0xc4 : 0xc5;
	if (b[0] == 0xc5) {
		b[1] = last;
	} else {
		b[1] = (uint8_t)(random_below(8) << 5 | random_below(4));
		b[2] = last;
	}
	if (mode != CODE64)
		b[1] |= 0xc0;
}

static void random_bytes(uint8_t *b, enum code_mode mode)
{
	unsigned n;

	for (unsigned k = 0; k < BYTES; k++)
		b[k] = (uint8_t)random_below(256);
	n = random_prefixes(b);
	if (mode == CODE64 && random_below(2))
		b[n++] = (uint8_t)(0x40 | random_below(16));
	switch (random_below(8)) {
	case 0: case 1:
		break;
	case 2: case 3:
		b[n] = 0x0f;
		break;
	case 4: case 5:
		b[n] = 0x0f;
		b[n + 1] = random_below(2) ? 0x38 : 0x3a;
		break;
	default:
		random_vex(random_below(10) ? b : b + n, mode);
		break;
	}
}

/* ---- comparison ---- */

struct pair {
	const uint8_t *bytes;
	struct insn ours;
	ZydisDecodedInstruction theirs;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	const char *wrong;
};

static void differ(struct pair *p, const char *what)
{
	if (!p->wrong)
		p->wrong = what;
}

static bool listed(const char *name, const char *const *list, unsigned n)
{
	for (unsigned k = 0; k < n; k++)
		if (!strcmp(list[k], name))
			return true;
	return false;
}

#define LISTED(name, list) listed(name, list, ARRAY_LEN(list))

static bool absent(const struct pair *p)
{
	const ZydisDecodedInstruction *z = &p->theirs;

	for (unsigned k = 0; k < ARRAY_LEN(absent_ext); k++)
		if (z->meta.isa_ext == absent_ext[k])
			return true;
	/* No SMM; and 0F 0D with a register is AMD's #UD, not Intel's NOP. */
	return z->mnemonic == ZYDIS_MNEMONIC_RSM ||
	       (z->opcode_map == ZYDIS_OPCODE_MAP_0F && z->opcode == 0x0d);
}

static bool same_name(const char *ours, const char *theirs)
{
	size_t n = strlen(ours), t = strlen(theirs);

	if (!strcmp(ours, theirs))
		return true;
	for (unsigned k = 0; k < ARRAY_LEN(same_names); k++) {
		const char *at = same_names[k];

		if (strncmp(at, ours, n) || at[n] != ' ')
			continue;
		while ((at = strchr(at, ' ')) != NULL)
			if (!strncmp(++at, theirs, t) &&
			    (at[t] == ' ' || !at[t]))
				return true;
	}
	return false;
}

static ZydisRegister general(unsigned reg, unsigned size)
{
	if (reg == REG_NONE)
		return ZYDIS_REGISTER_NONE;
	switch (size) {
	case 1:	/* AL CL DL BL AH CH DH BH SPL BPL ... */
		return ZydisRegisterEncode(ZYDIS_REGCLASS_GPR8,
					   (ZyanU8)(reg >= REG_AH ? reg - 12 :
						    reg >= 4 ? reg + 4 : reg));
	case 2:
		return ZydisRegisterEncode(ZYDIS_REGCLASS_GPR16, (ZyanU8)reg);
	case 4:
		return ZydisRegisterEncode(ZYDIS_REGCLASS_GPR32, (ZyanU8)reg);
	default:
		return ZydisRegisterEncode(ZYDIS_REGCLASS_GPR64, (ZyanU8)reg);
	}
}

static ZydisRegister our_register(const struct operand *o)
{
	switch (o->kind) {
	case OP_GPR:	return general(o->reg, o->size);
	case OP_SREG:	return ZYDIS_REGISTER_ES + o->reg;
	case OP_CR:	return ZYDIS_REGISTER_CR0 + o->reg;
	case OP_DR:	return ZYDIS_REGISTER_DR0 + o->reg;
	case OP_MM:	return ZYDIS_REGISTER_MM0 + o->reg;
	case OP_ST:	return ZYDIS_REGISTER_ST0 + o->reg;
	case OP_VEC:
		return (o->size == 32 ? ZYDIS_REGISTER_YMM0
				      : ZYDIS_REGISTER_XMM0) + o->reg;
	default:	return ZYDIS_REGISTER_NONE;
	}
}

/* Zydis 4.0 takes [disp32] for [r13d+disp32] with REX.B and 67h. */
static bool zydis_misreads_base(const struct pair *p)
{
	const struct insn *i = &p->ours;

	return i->prefix & PREFIX_67 && i->base == REG_NONE &&
	       p->theirs.raw.rex.B && i->modrm >> 6 == 0 &&
	       (i->modrm & 7) == 4;
}

static void compare_address(struct pair *p, const ZydisDecodedOperand *z,
			    bool vector_index)
{
	const struct insn *i = &p->ours;
	ZydisRegister base = general(i->base, i->addrsize);
	uint64_t mask = ~0ull >> (64 - 8 * i->addrsize);

	if (i->prefix & PREFIX_RIP)
		base = i->addrsize == 8 ? ZYDIS_REGISTER_RIP
					: ZYDIS_REGISTER_EIP;
	if (zydis_misreads_base(p))
		return;
	if (base != z->mem.base)
		differ(p, "base");
	if (vector_index
		    ? ZydisRegisterGetId(z->mem.index) != (int)i->index
		    : general(i->index, i->addrsize) != z->mem.index)
		differ(p, "index");
	if (i->index != REG_NONE && 1u << i->scale != z->mem.scale)
		differ(p, "scale");
	if (((uint64_t)i->disp ^ (uint64_t)z->mem.disp.value) & mask)
		differ(p, "displacement");
	/* an address that is not accessed has no segment there */
	if (z->mem.type != ZYDIS_MEMOP_TYPE_AGEN &&
	    z->mem.segment - ZYDIS_REGISTER_ES != i->seg)
		differ(p, "segment");
}

static void compare_memory(struct pair *p, const struct operand *o,
			   const ZydisDecodedOperand *z)
{
	if (o->kind != OP_MEM) {
		differ(p, "memory operand");
		return;
	}
	compare_address(p, z, o->code == VMx);
	/* a gather's is counted by element, CLFLUSH's by line */
	if (o->size && o->code != VMx && z->size != 512 &&
	    o->size * 8 != z->size)
		differ(p, "memory size");
}

static void compare_immediate(struct pair *p, const struct operand *o,
			      const ZydisDecodedOperand *z)
{
	int64_t v = o->code == I2 ? p->ours.disp : p->ours.imm;
	unsigned up = 64 - (z->size ? z->size : 8);

	if (o->kind != OP_IMM ||
	    (uint64_t)v << up != z->imm.value.u << up)
		differ(p, "immediate");
}

static void compare_operand(struct pair *p, const struct operand *o,
			    const ZydisDecodedOperand *z)
{
	switch (z->type) {
	case ZYDIS_OPERAND_TYPE_REGISTER:
		if (our_register(o) == z->reg.value)
			break;
		if (!LISTED(insn_row_of(&p->ours)->name, odd_register_sizes) ||
		    o->reg != ZydisRegisterGetId(z->reg.value))
			differ(p, "register");
		break;
	case ZYDIS_OPERAND_TYPE_MEMORY:
		compare_memory(p, o, z);
		break;
	case ZYDIS_OPERAND_TYPE_IMMEDIATE:
		compare_immediate(p, o, z);
		break;
	default:
		if (o->code != Ap || z->ptr.offset != (uint32_t)p->ours.imm ||
		    z->ptr.segment != (uint16_t)p->ours.disp)
			differ(p, "far pointer");
		break;
	}
}

static bool is_string(const struct insn *i)
{
	return (i->op[0].code >= Xb && i->op[0].code <= Yz) ||
	       (i->op[1].code >= Xb && i->op[1].code <= Yz);
}

/* x87 stores and arithmetic with ST(0) implied: Zydis hides it. */
static unsigned hidden_st0(const struct pair *p, unsigned count, unsigned *skip)
{
	const struct operand *o = p->ours.op;

	*skip = 0;
	if (!(insn_how(&p->ours) & HOW_X87) || count != 2 ||
	    p->theirs.operand_count_visible != 1)
		return count;
	*skip = o[0].code == ST0;
	return 1;
}

static void compare_operands(struct pair *p)
{
	const struct insn *i = &p->ours;
	unsigned count = 0, skip;

	if (is_string(i) || LISTED(insn_row_of(i)->name, odd_operands) ||
	    p->theirs.mnemonic == ZYDIS_MNEMONIC_PAUSE)
		return;
	while (count < ARRAY_LEN(i->op) && i->op[count].kind != OP_NONE)
		count++;
	count = hidden_st0(p, count, &skip);
	if (count != p->theirs.operand_count_visible) {
		differ(p, "operand count");
		return;
	}
	for (unsigned k = 0; k < count; k++)
		compare_operand(p, &i->op[k + skip], &p->ops[k]);
}

/* Size of those that have no operand to tell it: PUSHF, CBW, RET... */
static void compare_size(struct pair *p)
{
	const struct insn_row *r = insn_row_of(&p->ours);

	if (r->map == ONE && r->op[0] == __ &&
	    p->ours.opsize * 8 != p->theirs.operand_width)
		differ(p, "operand size");
}

static void compare(struct pair *p, bool theirs_valid, bool ours_valid)
{
	const char *name;

	if (!theirs_valid || !ours_valid) {
		if (ours_valid)
			differ(p, "valid only here");
		else if (theirs_valid && !absent(p))
			differ(p, "valid only there");
		return;
	}
	name = ZydisMnemonicGetString(p->theirs.mnemonic);
	if (!same_name(insn_row_of(&p->ours)->name, name))
		differ(p, "name");
	if (p->ours.len != p->theirs.length)
		differ(p, "length");
	if (p->ours.addrsize * 8 != p->theirs.address_width)
		differ(p, "address size");
	compare_size(p);
	compare_operands(p);
}

static void report(const struct pair *p, enum code_mode mode, bool ours_valid)
{
	static const char *const modes[] = { "16", "32", "64" };
	char line[80] = "#UD", hex[2 * BYTES + 1];
	const char *name = ZydisMnemonicGetString(p->theirs.mnemonic);

	for (unsigned k = 0; k < BYTES; k++)
		(void)snprintf(hex + 2 * k, 3, "%02x", p->bytes[k]);
	if (ours_valid)
		insn_format(&p->ours, line, sizeof(line));
	print_error("%s-bit %.30s %s: %s; Zydis: %s\n", modes[mode], hex,
		    p->wrong, line, name ? name : "#UD");
}

static void open_zydis(ZydisDecoder *d, enum code_mode mode)
{
	static const struct { ZydisMachineMode mode; ZydisStackWidth stack; }
	modes[] = {
		{ ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16 },
		{ ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32 },
		{ ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64 },
	};
	static const ZydisDecoderMode off[] = {
		ZYDIS_DECODER_MODE_CET, ZYDIS_DECODER_MODE_MPX,
		ZYDIS_DECODER_MODE_KNC, ZYDIS_DECODER_MODE_WBNOINVD,
		ZYDIS_DECODER_MODE_CLDEMOTE,
	};

	ZydisDecoderInit(d, modes[mode].mode, modes[mode].stack);
	for (unsigned k = 0; k < ARRAY_LEN(off); k++)
		ZydisDecoderEnableMode(d, off[k], ZYAN_FALSE);
}

static unsigned differences(enum code_mode mode, unsigned cases)
{
	struct features have;
	ZydisDecoder zydis;
	unsigned bad = 0;

	memset(&have, 0xff, sizeof(have));
	open_zydis(&zydis, mode);
	for (unsigned n = 0; n < cases && bad < 20; n++) {
		uint8_t bytes[BYTES];
		struct pair p = { .bytes = bytes };
		bool theirs, ours;

		random_bytes(bytes, mode);
		theirs = ZYAN_SUCCESS(ZydisDecoderDecodeFull(
			&zydis, bytes, BYTES, &p.theirs, p.ops));
		ours = insn_decode(&p.ours, bytes, BYTES, mode, &have) ==
		       DECODE_OK;
		compare(&p, theirs, ours);
		if (p.wrong) {
			report(&p, mode, ours);
			bad++;
		}
	}
	return bad;
}

static void zydis_agrees_in_every_mode(void **state)
{
	const char *seed = getenv("HUSK_SEED"), *n = getenv("HUSK_CASES");
	unsigned cases = n ? (unsigned)strtoul(n, NULL, 0) : CASES;

	random_state = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
	random_state |= 1ull << 32;
	print_message("HUSK_SEED=%llu\n", (unsigned long long)random_state);
	for (enum code_mode mode = CODE16; mode <= CODE64; mode++)
		assert_int_equal(differences(mode, cases), 0);
}

TEST_MAIN("decode_zydis", TEST(zydis_agrees_in_every_mode))
