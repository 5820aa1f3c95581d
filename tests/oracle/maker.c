/* maker.c - see maker.h
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "maker.h"
#include "random.h"

#define REACH 5000	/* of a gather or a bit test */

struct maker m;

/* ---- the memory before ---- */

void maker_fill_memory(void)
{
	static uint8_t pattern[DATA_BYTES];
	static bool ready;
	uint64_t r = 1;

	for (unsigned k = 0; !ready && k < DATA_BYTES; k += 32)
		case_bytes(&r, pattern + k, 32);
	ready = true;
	for (unsigned p = 0; p < DATA_PAGES; p++)
		if (DATA_RIGHTS[p] == 'w')
			memcpy(host_data + 4096 * p, pattern + 4096 * p, 4096);
}

bool maker_writable(uint64_t at, unsigned len)
{
	uint64_t o = at - DATA_AT;

	return o < DATA_BYTES && o + len <= DATA_BYTES &&
	       DATA_RIGHTS[o / 4096] == 'w' &&
	       DATA_RIGHTS[(o + len - 1) / 4096] == 'w';
}

bool maker_near_blur(uint64_t at)
{
	for (unsigned n = 0; n < m.t->blurs; n++)
		if (at - m.t->blur[n].at + REACH < 2 * REACH)
			return true;
	return false;
}

bool maker_in_data(uint64_t at)
{
	uint64_t o = at - DATA_AT;

	return o < DATA_BYTES && data_page_mapped((unsigned)(o / 4096)) &&
	       !maker_near_blur(at);
}

uint64_t maker_address(void)
{
	uint64_t at;

	do
		at = case_address(&m.r);
	while (maker_near_blur(at));
	return at;
}

/* ---- what has been made ---- */

void maker_flags_after(struct test *t, const struct insn *i)
{
	static const char *const conditional[] = { "sh", "sa", "ro", "rc",
						   "scas", "cmps" };
	const struct insn_row *row = insn_row_of(i);
	bool certain = true;

	for (unsigned n = 0; n < ARRAY_LEN(conditional); n++)
		if (!strncmp(row->name, conditional[n],
			     strlen(conditional[n])))
			certain = false;
	if (certain)
		t->junk &= ~row->sets;
	t->junk |= row->junk;
}

struct block_insn *maker_append(const struct candidate *c, bool reached)
{
	struct block_insn *b = &m.t->block[m.t->count++];

	*b = (struct block_insn){ (uint16_t)m.at, reached, c->insn };
	memcpy(m.t->bytes + m.at, c->bytes, c->insn.len);
	m.at += c->insn.len;
	return b;
}

bool maker_replay(void)
{
	struct block_insn *last = NULL;

	m.c = guest_begin(m.t);
	for (unsigned n = 0; n < m.t->count; n++) {
		struct block_insn *b = &m.t->block[n];

		if (!b->reached)
			continue;
		if (last && m.c->rip != maker_rip(b->at))
			return false;
		if (guest_step(&b->insn, maker_rip(b->at)) != NO_TRAP ||
		    m.c->rflags & FLAG_TF)
			return false;
		last = b;
	}
	return true;
}

bool maker_poke(uint64_t at, uint64_t v, unsigned size)
{
	uint8_t *p = host_data + (at - DATA_AT);
	uint64_t old = 0;

	if (!maker_writable(at, size))
		return false;
	memcpy(&old, p, size);
	memcpy(p, &v, size);
	if (maker_replay())
		return true;
	memcpy(p, &old, size);
	(void)maker_replay();
	return false;
}

/* ---- instructions made to order ---- */

bool candidate_decode(struct candidate *c)
{
	return insn_decode(&c->insn, c->bytes, 15, m.t->mode,
			   &oracle_features) == DECODE_OK;
}

unsigned candidate_mov(struct candidate *c, unsigned reg, uint64_t v)
{
	bool wide = m.t->mode == CODE64 && v >> 32;
	unsigned n = 0;

	memset(c->bytes, 0, sizeof(c->bytes));
	if (m.t->mode == CODE16)
		c->bytes[n++] = 0x66;
	if (wide || reg >= 8)
		c->bytes[n++] = (uint8_t)(0x40 | wide << 3 | reg >> 3);
	c->bytes[n++] = (uint8_t)(0xb8 | (reg & 7));
	memcpy(c->bytes + n, &v, wide ? 8 : 4);
	(void)candidate_decode(c);
	return n;
}

bool maker_set_register(unsigned reg, uint64_t v, unsigned size)
{
	struct candidate c;
	struct block_insn *b;

	v = case_join(m.c->gpr[reg], v, size);
	if (!m.t->count) {
		m.t->before.gpr[reg] = m.t->mode == CODE64 ? v : (uint32_t)v;
		return maker_replay();
	}
	if (m.t->count + 1 >= m.most)
		return false;
	(void)candidate_mov(&c, reg, v);
	b = maker_append(&c, true);
	return guest_step(&b->insn, maker_rip(b->at)) == NO_TRAP;
}
