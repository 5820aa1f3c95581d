/* cpu/x86/insn_table.c - insn.def as an array.
 *
 * The rows know nothing of any engine: the interpreter's functions are in
 * exec_rows[] (cpu/interp/exec_table.c), which has the same order, so that
 * tests and tools link the decoder alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/bytes.h"
#include "cpu/x86/insn.h"

/* The columns' short names: HOW_ and FLAG_ without their prefixes. */
enum {
	LOCK = HOW_LOCK, END = HOW_END, D64 = HOW_D64, F64 = HOW_F64,
	NO64 = HOW_NO64, ONLY64 = HOW_ONLY64, CPL0 = HOW_CPL0,
	PROT = HOW_PROT, REP = HOW_REP, L0 = HOW_L0, L1 = HOW_L1,
	W0 = HOW_W0, W1 = HOW_W1, NDS0 = HOW_NDS0, ALIGN = HOW_ALIGN,
	X87 = HOW_X87, MMX = HOW_MMX, SSE = HOW_SSE, AVX = HOW_AVX,
	FP = HOW_FP, SAVES = HOW_SAVES, RMW = HOW_RMW, NOWAIT = HOW_NOWAIT,
	SYS = HOW_SYS, RFAULT = HOW_RFAULT,
};

enum {
	CF = FLAG_CF, PF = FLAG_PF, AF = FLAG_AF, ZF = FLAG_ZF, SF = FLAG_SF,
	OF = FLAG_OF, DF = FLAG_DF,
	ARITH = FLAGS_ARITH, LAHF = FLAGS_LAHF, NOTC = ARITH & ~CF,
	SZAP = SF | ZF | AF | PF,
};

const struct insn_row insn_rows[] = {
#define INSN(map_, prefix_, opcode_, modrm_, name_, exec_, feature_, a, b, c, \
	     d, how_, uses_, sets_, junk_)                                    \
	{ .map = map_, .prefix = prefix_, .opcode = opcode_,                  \
	  .modrm = modrm_, .name = #name_, .feature = FEAT_##feature_,        \
	  .op = { a, b, c, d }, .how = how_, .uses = uses_, .sets = sets_,    \
	  .junk = junk_ },
#include "cpu/x86/insn.def"
#undef INSN
};

const unsigned insn_row_count = ARRAY_LEN(insn_rows);
