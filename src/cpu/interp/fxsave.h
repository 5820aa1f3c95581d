/* cpu/interp/fxsave.h - the legacy region of FXSAVE and XSAVE.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_INTERP_FXSAVE_H
#define CPU_INTERP_FXSAVE_H
#include "cpu/x86/insn.h"

/* Byte offsets (SDM 1 tables 10-2 and 13-1). */
#define FX_FDP		16
#define FX_MXCSR	24
#define FX_ST		32
#define FX_XMM		160
#define FX_BYTES	512

/* wide: REX.W, 64-bit pointers without selectors. */
void fx_put_x87(const struct cpu *c, uint8_t *image, bool wide);
void fx_get_x87(struct cpu *c, const uint8_t *image, bool wide);

/* XMM registers that this code can name: 8 or 16. */
unsigned fx_xmm_count(const struct cpu *c);
void fx_put_xmm(const struct cpu *c, uint8_t *image);
void fx_get_xmm(struct cpu *c, const uint8_t *image);

#endif
