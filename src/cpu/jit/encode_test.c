/* cpu/jit/encode_test.c - guest instructions written with their operands
 * moved, as Zydis reads them.
 *
 * Random instructions of those that the translator copies, of all code modes,
 * get random places for their operands.  What is written must be, in 64-bit
 * code, an instruction of the same name with operands of the same kinds and
 * sizes in those places, and with the same immediate.
 *
 * SPDX-License-Identifier: MIT
 */
#include <Zydis/Zydis.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/test.h"
#include "cpu/jit/tr.h"

#define TRIES 600000
#define BYTES 16

struct decoded {
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
};

static struct features all_features;

/* ---- random things ---- */

static uint64_t random_state = 0x9e3779b97f4a7c15;

static unsigned random_below(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state * 0x2545f4914f6cdd1dull >> 33) % n;
}

static void random_bytes(uint8_t *b)
{
	static const uint8_t prefixes[] = { 0x66, 0xf2, 0xf3, 0xf0, 0x67 };
	unsigned n = 0;

	for (unsigned k = 0; k < BYTES; k++)
		b[k] = (uint8_t)random_below(256);
	if (random_below(2))
		b[n++] = prefixes[random_below(ARRAY_LEN(prefixes))];
	if (random_below(3) == 0)
		b[n++] = (uint8_t)(0x40 | random_below(16));	/* REX */
	switch (random_below(4)) {
	case 0:
		b[n++] = 0x0f;
		break;
	case 1:
		b[n++] = 0x0f;
		b[n] = random_below(2) ? 0x38 : 0x3a;
		break;
	case 2:
		b[0] = 0xc4;
		b[1] = (uint8_t)(0xe0 | (1 + random_below(3)));
		b[2] |= random_below(2) ? 0x78 : 0;
		break;
	default:
		break;
	}
}

/* ---- which, and where to ---- */

static bool is_copied(const struct insn *i)
{
	enum kind kind = kind_of(i);

	for (unsigned n = 0; n < 4; n++)
		if (i->op[n].code == Ob || i->op[n].code == Ov)
			return false;	/* copy.c writes them itself */
	return (kind >= KIND_COPY && kind <= KIND_IDIV) || kind == KIND_VECTOR;
}

static bool is_high_byte(const struct operand *o)
{
	return o->kind == OP_GPR && o->reg >= REG_AH;
}

static bool has_high_byte(const struct insn *i)
{
	for (unsigned n = 0; n < 4; n++)
		if (is_high_byte(&i->op[n]))
			return true;
	return false;
}

/* AH to BH stay, and then nothing may need REX. */
static unsigned random_place(const struct insn *i, const struct operand *o)
{
	if (is_high_byte(o))
		return o->reg - REG_AH + 4u;
	if (o->kind == OP_GPR && o->size == 1 && o->reg < 4)
		return random_below(4);
	if (has_high_byte(i))
		return random_below(o->size == 1 ? 4 : 8);
	if (o->kind == OP_GPR && o->size == 1 && o->reg < 8)
		return 4 + random_below(12);	/* SPL to R15B */
	return random_below(16);
}

static bool random_places(const struct insn *i, struct places *p)
{
	static const int32_t disps[] = { 0, 8, -128, 0x12345 };

	*p = (struct places){ .rm = H_NONE };
	for (unsigned n = 0; n < 4; n++) {
		const struct operand *o = &i->op[n];
		unsigned to = random_place(i, o);
		enum place place = tr_place_of((enum operand_code)o->code);

		if (o->kind == OP_MEM) {
			if (has_high_byte(i))
				return false;
			p->memory = true;
			p->rm = (uint8_t)random_below(16);
			p->disp = disps[random_below(ARRAY_LEN(disps))];
			continue;
		}
		/* XCHG of RAX with itself is NOP. */
		if (place == PLACE_LOW && exec_rows[i->row] == exec_xchg)
			to |= 1;
		switch (place) {
		case PLACE_REG:  p->reg = (uint8_t)to; break;
		case PLACE_RM:   p->rm = (uint8_t)to; break;
		case PLACE_VVVV: p->vvvv = (uint8_t)to; break;
		case PLACE_LOW:  p->low = (uint8_t)to; break;
		default: break;
		}
	}
	return true;
}

/* ---- comparing ---- */

static bool decode(struct decoded *d, enum code_mode mode, const uint8_t *b,
		   unsigned len)
{
	static const struct { ZydisMachineMode mode; ZydisStackWidth stack; }
	modes[] = {
		{ ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16 },
		{ ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32 },
		{ ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64 },
	};
	ZydisDecoder z;

	ZydisDecoderInit(&z, modes[mode].mode, modes[mode].stack);
	return ZYAN_SUCCESS(
		ZydisDecoderDecodeFull(&z, b, len, &d->insn, d->op));
}

/* As struct operand has it. */
static unsigned number_of(ZydisRegister r)
{
	if (r >= ZYDIS_REGISTER_AH && r <= ZYDIS_REGISTER_BH)
		return REG_AH + (unsigned)(r - ZYDIS_REGISTER_AH);
	if (r >= ZYDIS_REGISTER_SPL && r <= ZYDIS_REGISTER_R15B)
		return 4 + (unsigned)(r - ZYDIS_REGISTER_SPL);
	return (unsigned)ZydisRegisterGetId(r);
}

static unsigned place_of(const struct insn *i, unsigned n,
			 const struct places *p)
{
	const struct operand *o = &i->op[n];

	if (is_high_byte(o))
		return o->reg;
	switch (tr_place_of((enum operand_code)o->code)) {
	case PLACE_REG:  return p->reg;
	case PLACE_RM:   return p->rm;
	case PLACE_VVVV: return p->vvvv;
	case PLACE_LOW:  return p->low;
	default:	 return o->reg;
	}
}

/* Zydis tells the default size where only low bits are read or written. */
static bool same_class(const ZydisDecodedOperand *a,
		       const ZydisDecodedOperand *b)
{
	ZydisRegisterClass was = ZydisRegisterGetClass(a->reg.value);
	ZydisRegisterClass is = ZydisRegisterGetClass(b->reg.value);

	return was == is || (was == ZYDIS_REGCLASS_GPR32 &&
			     is == ZYDIS_REGCLASS_GPR64 &&
			     a->size <= b->size && a->element_count == 1);
}

static const char *wrong_operand(const struct insn *i, unsigned n,
				 const struct places *p,
				 const ZydisDecodedOperand *was,
				 const ZydisDecodedOperand *is)
{
	uint64_t mask;

	if (was->type != is->type)
		return "operand type";
	switch (is->type) {
	case ZYDIS_OPERAND_TYPE_REGISTER:
		if (number_of(is->reg.value) != place_of(i, n, p))
			return "register";
		return same_class(was, is) ? NULL : "register class";
	case ZYDIS_OPERAND_TYPE_MEMORY:
		if (is->mem.base - ZYDIS_REGISTER_RAX != p->rm ||
		    is->mem.index != ZYDIS_REGISTER_NONE ||
		    is->mem.disp.value != p->disp)
			return "address";
		return was->size == is->size ? NULL : "memory size";
	default:
		mask = i->op[0].size && i->op[0].size < 8
			       ? ~0ull >> (64 - i->op[0].size * 8) : ~0ull;
		return ((was->imm.value.u ^ is->imm.value.u) & mask)
			       ? "immediate" : NULL;
	}
}

static const char *what_is_wrong(const struct insn *i, const struct places *p,
				 const struct decoded *was,
				 const struct decoded *is)
{
	if (was->insn.mnemonic != is->insn.mnemonic)
		return "name";
	if (was->insn.operand_count_visible != is->insn.operand_count_visible)
		return "operand count";
	if (!(was->insn.attributes & ZYDIS_ATTRIB_HAS_LOCK) !=
	    !(is->insn.attributes & ZYDIS_ATTRIB_HAS_LOCK))
		return "lock";
	for (unsigned n = 0; n < is->insn.operand_count_visible; n++) {
		const char *wrong = wrong_operand(i, n, p, &was->op[n],
						  &is->op[n]);

		if (wrong)
			return wrong;
	}
	return NULL;
}

/* ---- tests ---- */

static void report(const char *wrong, const struct insn *i,
		   enum code_mode mode, const uint8_t *code, unsigned len)
{
	char text[96], hex[2 * 32 + 1] = "";

	insn_format(i, text, sizeof(text));
	for (unsigned n = 0; n < len && n < 32; n++)
		(void)snprintf(hex + 2 * n, 3, "%02x", code[n]);
	print_error("%u-bit %s: written as %s: %s\n", 16u << mode, text, hex,
		    wrong);
}

/* False: not an instruction for this test. */
static bool try_one(const uint8_t *bytes, enum code_mode mode, bool *well)
{
	uint8_t written[64];
	struct code k = { written };
	struct decoded was, is;
	struct places p;
	struct insn i;
	const char *wrong;
	unsigned len;

	if (insn_decode(&i, bytes, BYTES, mode, &all_features) != DECODE_OK ||
	    !is_copied(&i) || !random_places(&i, &p) ||
	    !decode(&was, mode, bytes, BYTES) ||
	    was.insn.mnemonic == ZYDIS_MNEMONIC_PAUSE)	/* F3 41 90 */
		return false;
	tr_put_insn(&k, &i, &p);
	len = (unsigned)(k.p - written);
	if (!decode(&is, CODE64, written, len))
		wrong = "no instruction";
	else if (is.insn.length != len)
		wrong = "length";
	else
		wrong = what_is_wrong(&i, &p, &was, &is);
	if (wrong)
		report(wrong, &i, mode, written, len);
	*well &= !wrong;
	return true;
}

static void instructions_are_the_same_with_their_operands_moved(void **state)
{
	unsigned count = 0;
	bool well = true;

	kinds_prepare();
	memset(&all_features, 0xff, sizeof(all_features));
	for (unsigned n = 0; n < TRIES; n++) {
		uint8_t bytes[BYTES];

		random_bytes(bytes);
		count += try_one(bytes, (enum code_mode)(n % 3), &well);
	}
	assert_true(well);
	assert_true(count > TRIES / 10);
}

struct example {
	enum code_mode mode;
	const char *bytes;
	unsigned len;
	struct places places;
	const char *written;
};

#define EXAMPLE(mode, bytes, written, ...)                                    \
	{ mode, bytes, sizeof(bytes) - 1, { __VA_ARGS__ }, written }

static const struct example examples[] = {
	/* add eax, ebx -> add r13d, r15d */
	EXAMPLE(CODE32, "\x01\xd8", "\x45\x01\xfd", .rm = H_R13, .reg = H_R15),
	/* 66 16-bit code: add ax, bx has a prefix now */
	EXAMPLE(CODE16, "\x01\xd8", "\x66\x01\xd8", .rm = H_RAX, .reg = H_RBX),
	/* inc eax of one byte, which is REX to the host */
	EXAMPLE(CODE32, "\x40", "\xff\xc0", .low = H_RAX, .rm = H_NONE),
	EXAMPLE(CODE32, "\x66\x4c", "\x66\x41\xff\xcd", .low = H_R13,
		.rm = H_NONE),
	/* mov ah, ch has no REX; mov al, sil must have one */
	EXAMPLE(CODE64, "\x88\xec", "\x88\xec", .rm = 4, .reg = 5),
	EXAMPLE(CODE64, "\x40\x88\xf0", "\x40\x88\xf0", .rm = H_RAX,
		.reg = H_RSI),
	/* [r14], [r12], [r13], [r13 + disp8] */
	EXAMPLE(CODE64, "\x8b\x03", "\x41\x8b\x06", .memory = true,
		.rm = H_R14, .reg = H_RAX),
	EXAMPLE(CODE64, "\x8b\x03", "\x41\x8b\x04\x24", .memory = true,
		.rm = H_R12, .reg = H_RAX),
	EXAMPLE(CODE64, "\x8b\x03", "\x41\x8b\x45\x00", .memory = true,
		.rm = H_R13, .reg = H_RAX),
	EXAMPLE(CODE64, "\x8b\x03", "\x41\x8b\x45\x08", .memory = true,
		.rm = H_R13, .reg = H_RAX, .disp = 8),
	/* add word [ebx], imm16 */
	EXAMPLE(CODE32, "\x66\x81\x03\x34\x12", "\x66\x41\x81\x06\x34\x12",
		.memory = true, .rm = H_R14),
	/* mov r8, imm64 -> mov r14, imm64 */
	EXAMPLE(CODE64, "\x49\xb8\x08\x07\x06\x05\x04\x03\x02\x01",
		"\x49\xbe\x08\x07\x06\x05\x04\x03\x02\x01", .low = H_R14,
		.rm = H_NONE),
	/* lock xadd [ebx], ecx */
	EXAMPLE(CODE32, "\xf0\x0f\xc1\x0b", "\xf0\x41\x0f\xc1\x0e",
		.memory = true, .rm = H_R14, .reg = H_RCX),
	/* vpaddd ymm1, ymm2, [eax] */
	EXAMPLE(CODE32, "\xc5\xed\xfe\x08", "\xc4\xc1\x6d\xfe\x0e",
		.memory = true, .rm = H_R14, .reg = 1, .vvvv = 2),
	/* shlx ebx, ecx, edx -> shlx r14d, ecx, r15d */
	EXAMPLE(CODE64, "\xc4\xe2\x69\xf7\xd9", "\xc4\x62\x01\xf7\xf1",
		.rm = H_RCX, .reg = H_R14, .vvvv = H_R15),
};

static void examples_are_written_byte_for_byte(void **state)
{
	kinds_prepare();
	memset(&all_features, 0xff, sizeof(all_features));
	for (unsigned n = 0; n < ARRAY_LEN(examples); n++) {
		const struct example *x = &examples[n];
		uint8_t written[64] = { 0 };
		struct code k = { written };
		struct insn i;

		assert_int_equal(insn_decode(&i, (const uint8_t *)x->bytes,
					     x->len, x->mode, &all_features),
				 DECODE_OK);
		tr_put_insn(&k, &i, &x->places);
		if (memcmp(written, x->written, (size_t)(k.p - written)))
			report("unlike the example", &i, x->mode, written,
			       (unsigned)(k.p - written));
		assert_memory_equal(written, x->written, k.p - written);
	}
}

TEST_MAIN("encode",
	  TEST(instructions_are_the_same_with_their_operands_moved),
	  TEST(examples_are_written_byte_for_byte))
