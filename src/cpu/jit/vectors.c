/* cpu/jit/vectors.c - see vectors.h
 *
 * Source: SDM 1 11.6, SDM 1 13.3.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/vector.h"
#include "cpu/jit/vectors.h"

uint8_t jit_vectors_allowed(const struct cpu *c)
{
	if (!c->jit->avx || c->cr0 & (CR0_EM | CR0_TS) || !(c->cr4 & CR4_OSFXSR) ||
	    (~c->x87.mxcsr & MXCSR_MASKS))
		return 0;
	if (cpu_paragraph_mode(c) || !(c->cr4 & CR4_OSXSAVE) ||
	    (c->xcr0 & (XCR0_SSE | XCR0_AVX)) != (XCR0_SSE | XCR0_AVX))
		return VEC_SSE;
	return VEC_SSE | VEC_AVX;
}

uint8_t jit_vectors_for(const struct cpu *c, const struct insn *i)
{
	uint8_t have = jit_vectors_allowed(c);
	bool avx = insn_row_of(i)->map >= V1;

	return have & (avx ? VEC_AVX : VEC_SSE) ? have : 0;
}
