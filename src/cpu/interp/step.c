/* cpu/interp/step.c - see step.h
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/exec.h"
#include "cpu/interp/step.h"

#define INSN_MAX 15

/* Bytes the code segment has from rip on, at most `want`. */
static unsigned within_limit(const struct cpu *c, unsigned want)
{
	if (c->mode == CODE64)
		return want;
	if (c->rip > c->seg[CS].limit)
		return 0;
	if (c->seg[CS].limit - c->rip < want)
		return (unsigned)(c->seg[CS].limit - c->rip + 1);
	return want;
}

static _Noreturn void raise_undecodable(struct cpu *c, enum decode_result r)
{
	if (r == DECODE_UD)
		fault_ud(c);
	fault_gp0(c);	/* DECODE_LONG */
}

/* Fetch code at rip + n, of which `allowed` bytes are wanted in all: to the end
 * of the page, or one byte where there is no RAM.  Returns the new n. */
static unsigned fetch_more(struct cpu *c, uint8_t *bytes, unsigned n,
			   unsigned allowed)
{
	gva_t a = code_linear(c, c->rip + n);
	uint64_t gpa, room = PAGE_SIZE - (a & ~PAGE_MASK);
	const uint8_t *p = mem_fetch(c, a, &gpa);

	if (!p) {
		bytes[n] = mem_fetch_byte(c, a);
		return n + 1;
	}
	if (room > allowed - n)
		room = allowed - n;
	memcpy(bytes + n, p, room);
	return n + (unsigned)room;
}

void step_decode(struct cpu *c, struct insn *out)
{
	unsigned allowed = within_limit(c, INSN_MAX);
	uint8_t bytes[INSN_MAX];
	enum decode_result r;
	unsigned n = 0;

	do {
		if (n == allowed)
			fault_gp0(c);	/* past the limit, or too long */
		n = fetch_more(c, bytes, n, allowed);
		r = insn_decode(out, bytes, n, (enum code_mode)c->mode,
				&c->features);
	} while (r == DECODE_MORE);
	if (r != DECODE_OK)
		raise_undecodable(c, r);
	insn_choose_exec(out, (enum code_mode)c->mode);
}
