/* aim.c - have memory operands where there is memory: by the displacement, by a
 * MOV in front that loads a register, or, of the first instruction, by the
 * registers before.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/bytes.h"
#include "maker.h"
#include "random.h"

uint64_t maker_linear(uint64_t offset, unsigned seg)
{
	uint64_t a = offset + case_segment_base(m.t, seg);

	return m.t->mode == CODE64 ? a : (uint32_t)a;
}

bool insn_has_vector_index(const struct insn *i)
{
	return insn_row_of(i)->op[1] == VMx;
}

/* The operand's offset, without an index that is a vector. */
static uint64_t offset_of(const struct insn *i)
{
	uint64_t a = (uint64_t)i->disp;

	if (i->base != REG_NONE)
		a += m.c->gpr[i->base];
	if (i->index != REG_NONE && !insn_has_vector_index(i))
		a += m.c->gpr[i->index] << i->scale;
	if (i->prefix & PREFIX_RIP)
		a += maker_rip(m.at) + i->len;
	return i->addrsize == 8	  ? a
	       : i->addrsize == 4 ? (uint32_t)a
				  : (uint16_t)a;
}

uint64_t maker_linear_of(const struct insn *i)
{
	return maker_linear(offset_of(i), i->seg);
}

/* Move the operand to offset by its displacement, if it has a wide one. */
static bool aim_displacement(struct candidate *c, uint64_t offset)
{
	const struct insn *i = &c->insn;
	unsigned code = i->op[0].kind == OP_MEM ? i->op[0].code
						: i->op[1].code;
	unsigned size = c->e.wide_address ? 4 : 2;
	int64_t disp = (int64_t)(offset - offset_of(i)) + i->disp;
	bool wide = i->modrm >> 6 == 2 || i->prefix & PREFIX_RIP ||
		    (i->base == REG_NONE && i->modrm >> 6 == 0);

	if (code == Ob || code == Ov) {
		memcpy(c->bytes + i->len - i->addrsize, &offset, i->addrsize);
		return candidate_decode(c);
	}
	if (!wide || c->e.disp_at + size > 15 ||
	    (i->addrsize == 8 && disp != (int32_t)disp))
		return false;
	memcpy(c->bytes + c->e.disp_at, &disp, size);
	return candidate_decode(c);
}

static bool aim_register(const struct insn *i, uint64_t offset)
{
	uint64_t v = offset - (uint64_t)i->disp;

	if (i->base == REG_NONE)
		return i->index != REG_NONE && !insn_has_vector_index(i) &&
		       maker_set_register(i->index, v >> i->scale, i->addrsize);
	if (i->index != REG_NONE && !insn_has_vector_index(i)) {
		if (i->index == i->base)
			v /= 1 + (1u << i->scale);
		else
			v -= m.c->gpr[i->index] << i->scale;
	}
	return maker_set_register(i->base, v, i->addrsize);
}

/* Small offsets, for indices that count from the operand: only where the
 * register still is as it was before the block. */
static bool tame_vector_index(const struct insn *i)
{
	uint8_t *v = m.t->before.ymm[i->index];
	unsigned wide = i->opcode & 1 ? 8 : 4;

	for (unsigned k = 0; k < 32; k += wide) {
		int64_t x = (int64_t)below(&m.r, 512) - 128;

		memcpy(v + k, &x, wide);
	}
	return maker_replay();
}

/* A field that is seldom right by chance. */
static bool tame_image(const struct insn *i)
{
	const char *name = insn_row_of(i)->name;
	uint64_t at = maker_linear_of(i);

	if (!strcmp(name, "fxrstor"))
		at += 24;
	else if (!strstr(name, "ldmxcsr"))
		return true;
	return maker_writable(at, 4) &&
	       maker_poke(at, load_le32(host_data + (at - DATA_AT)) & 0xffff, 4);
}

bool aim_operand(struct candidate *c)
{
	uint64_t at, offset;

	if (insn_has_vector_index(&c->insn) && !tame_vector_index(&c->insn))
		return false;
	if (maker_in_data(maker_linear_of(&c->insn)) && !one_in(&m.r, 8))
		return tame_image(&c->insn);
	at = maker_address();
	offset = at - case_segment_base(m.t, c->insn.seg);
	if (m.t->mode == CODE64 && one_in(&m.r, 200))
		offset |= 0x7ff0ull << 48;	/* not canonical */
	return (aim_displacement(c, offset) || aim_register(&c->insn, offset)) &&
	       tame_image(&c->insn);
}

bool aim_pointer(unsigned reg, unsigned seg, unsigned size)
{
	uint64_t v = size == 8	 ? m.c->gpr[reg]
		     : size == 4 ? (uint32_t)m.c->gpr[reg]
				 : (uint16_t)m.c->gpr[reg];

	if (maker_in_data(maker_linear(v, seg)))
		return true;
	v = maker_address();
	if (reg == RSP || reg == RBP)
		v &= ~7ull;
	return maker_set_register(reg, v - case_segment_base(m.t, seg), size);
}

static bool aim_string(const struct insn *i)
{
	for (unsigned n = 0; n < 2; n++) {
		unsigned code = i->op[n].code;

		if ((code == Xb || code == Xv || code == Xz) &&
		    !aim_pointer(RSI, i->seg, i->addrsize))
			return false;
		if ((code == Yb || code == Yv || code == Yz) &&
		    !aim_pointer(RDI, ES, i->addrsize))
			return false;
	}
	if (i->prefix & (PREFIX_REP | PREFIX_REPNE))
		return maker_set_register(RCX, below(&m.r, 24), i->addrsize);
	return true;
}

bool row_is_one_of(const struct insn_row *row, const char *const *names)
{
	for (; *names; names++)
		if (!strcmp(row->name, *names))
			return true;
	return false;
}

bool aim_implicit(const struct insn *i)
{
	static const char *const stack[] = { "push", "pop", "pusha", "popa",
					     "pushf", "popf", "call", "ret",
					     "enter", NULL };
	const struct insn_row *row = insn_row_of(i);
	unsigned size = m.c->stack_size;

	if (row->how & HOW_REP)
		return aim_string(i);
	if (row_is_one_of(row, stack))
		return aim_pointer(RSP, SS, size);
	if (!strcmp(row->name, "leave"))
		return aim_pointer(RBP, SS, size);
	if (!strcmp(row->name, "xlat"))
		return aim_pointer(RBX, i->seg, i->addrsize);
	if (!strncmp(row->name, "maskmov", 7) ||
	    !strcmp(row->name, "vmaskmovdqu"))
		return aim_pointer(RDI, i->seg, i->addrsize);
	if (!strncmp(row->name, "bt", 2) && i->op[1].kind == OP_GPR &&
	    i->prefix & PREFIX_MEM)
		return maker_set_register(i->op[1].reg,
				    (uint64_t)((int64_t)below(&m.r, 4096) -
					       2048), 8);
	return true;
}
