/* cpu/jit/disasm.c - host code as text, by Zydis.
 *
 * Jumps into the routines of stubs.c and fields that are addressed absolutely
 * get their names behind the instruction.
 *
 * SPDX-License-Identifier: MIT
 */
#include <Zydis/Zydis.h>

#include "cpu/jit/disasm.h"
#include "cpu/jit/names.h"

struct line {
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
};

static void put_bytes(FILE *out, const uint8_t *p, unsigned len)
{
	for (unsigned n = 0; n < len; n++)
		fprintf(out, "%02x", p[n]);
	fprintf(out, "%*s", len < 12 ? 24 - 2 * (int)len : 0, "");
}

/* What the operand leads to, or an empty text. */
static void name_operand(const struct cpu *c, const struct line *l,
			 const ZydisDecodedOperand *o, const uint8_t *p,
			 char *buf, size_t size)
{
	const char *stub = NULL;

	buf[0] = '\0';
	if (o->type == ZYDIS_OPERAND_TYPE_MEMORY &&
	    o->mem.disp.has_displacement)
		jit_name_data(c, (uint64_t)o->mem.disp.value, buf, size);
	else if (o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
		 o->imm.is_relative)
		stub = jit_stub_name(c->jit, p + l->insn.length +
						     o->imm.value.s);
	if (stub)
		(void)snprintf(buf, size, "%s", stub);
}

static void put_names(FILE *out, const struct cpu *c, const struct line *l,
		      const uint8_t *p)
{
	char name[48];

	for (unsigned n = 0; n < l->insn.operand_count_visible; n++) {
		name_operand(c, l, &l->op[n], p, name, sizeof(name));
		if (name[0])
			fprintf(out, "  ; %s", name);
	}
}

static unsigned put_line(FILE *out, const ZydisDecoder *decoder,
			 const ZydisFormatter *formatter, const struct cpu *c,
			 const uint8_t *p, const uint8_t *end)
{
	uint64_t run = (uintptr_t)jit_run_address(c->jit, p);
	char text[128];
	struct line l;

	fprintf(out, "0x%012llx:  ", (unsigned long long)run);
	if (ZYAN_FAILED(ZydisDecoderDecodeFull(decoder, p, (ZyanUSize)(end - p),
					       &l.insn, l.op)) ||
	    ZYAN_FAILED(ZydisFormatterFormatInstruction(
			formatter, &l.insn, l.op, l.insn.operand_count_visible,
			text, sizeof(text), run, NULL))) {
		put_bytes(out, p, 1);
		fprintf(out, "  (bad)\n");
		return 1;
	}
	put_bytes(out, p, l.insn.length);
	fprintf(out, "  %s", text);
	put_names(out, c, &l, p);
	putc('\n', out);
	return l.insn.length;
}

void jit_disassemble(FILE *out, const struct cpu *c, const uint8_t *p,
		     const uint8_t *end)
{
	ZydisDecoder decoder;
	ZydisFormatter formatter;

	if (ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
					 ZYDIS_STACK_WIDTH_64)) ||
	    ZYAN_FAILED(ZydisFormatterInit(&formatter,
					   ZYDIS_FORMATTER_STYLE_INTEL)))
		return;
	while (p < end)
		p += put_line(out, &decoder, &formatter, c, p, end);
}
