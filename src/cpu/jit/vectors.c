/* cpu/jit/vectors.c - see vectors.h
 *
 * Source: SDM 1 11.6, SDM 1 13.3.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/vector.h"
#include "cpu/jit/vectors.h"

/* Which instructions would run now without #UD or #NM, and with all SIMD
 * exceptions masked. */
static uint8_t allowed(const struct cpu *c)
{
	if (!c->jit->avx || c->cr0 & (CR0_EM | CR0_TS) ||
	    !(c->cr4 & CR4_OSFXSR) || (~c->x87.mxcsr & MXCSR_MASKS))
		return 0;
	if (cpu_paragraph_mode(c) || !(c->cr4 & CR4_OSXSAVE) ||
	    (c->xcr0 & (XCR0_SSE | XCR0_AVX)) != (XCR0_SSE | XCR0_AVX))
		return VEC_SSE;
	return VEC_SSE | VEC_AVX;
}

static uint8_t upper_halves(const struct cpu *c)
{
	uint64_t any = 0;

	for (unsigned n = 0; n < 16; n++)
		any |= c->v[n].q[2] | c->v[n].q[3];
	return any ? VEC_UPPER : 0;
}

uint8_t jit_vectors_for(const struct cpu *c, const struct insn *i)
{
	uint8_t have = allowed(c);
	bool avx = insn_row_of(i)->map >= V1;

	return have & (avx ? VEC_AVX : VEC_SSE) ? have | upper_halves(c) : 0;
}

uint8_t jit_vectors_again(const struct cpu *c, uint8_t had)
{
	had &= VEC_SSE | VEC_AVX;
	return (allowed(c) & had) == had ? had | upper_halves(c) : 0;
}
