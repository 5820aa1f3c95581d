/* cpu/jit/kind.c - see kind.h
 *
 * Rows are told apart by the interpreter's function, which is what decides how
 * an instruction works.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>

#include "base/bytes.h"
#include "cpu/interp/exec.h"
#include "cpu/jit/kind.h"

#define ROWS_MAX 4096

static uint8_t kinds[ROWS_MAX];

static const struct {
	exec_fn exec;
	uint8_t kind;
} by_function[] = {
	{ exec_add, KIND_COPY }, { exec_or, KIND_COPY },
	{ exec_adc, KIND_COPY }, { exec_sbb, KIND_COPY },
	{ exec_and, KIND_COPY }, { exec_sub, KIND_COPY },
	{ exec_xor, KIND_COPY }, { exec_inc, KIND_COPY },
	{ exec_dec, KIND_COPY }, { exec_neg, KIND_COPY },
	{ exec_not, KIND_COPY }, { exec_mov, KIND_COPY },
	{ exec_movzx, KIND_COPY }, { exec_movsx, KIND_COPY },
	{ exec_movsxd, KIND_COPY }, { exec_imul_r, KIND_COPY },
	{ exec_rol, KIND_COPY }, { exec_ror, KIND_COPY },
	{ exec_rcl, KIND_COPY }, { exec_rcr, KIND_COPY },
	{ exec_shl, KIND_COPY }, { exec_shr, KIND_COPY },
	{ exec_sar, KIND_COPY }, { exec_shld, KIND_COPY },
	{ exec_shrd, KIND_COPY }, { exec_bsf, KIND_COPY },
	{ exec_bsr, KIND_COPY }, { exec_tzcnt, KIND_COPY },
	{ exec_lzcnt, KIND_COPY }, { exec_popcnt, KIND_COPY },
	{ exec_bswap, KIND_COPY }, { exec_setcc, KIND_COPY },
	{ exec_cmovcc, KIND_COPY }, { exec_movbe, KIND_COPY },
	{ exec_movnti, KIND_COPY }, { exec_adcx, KIND_COPY },
	{ exec_adox, KIND_COPY }, { exec_crc32, KIND_COPY },
	{ exec_andn, KIND_COPY }, { exec_blsr, KIND_COPY },
	{ exec_blsi, KIND_COPY }, { exec_blsmsk, KIND_COPY },
	{ exec_bzhi, KIND_COPY }, { exec_bextr, KIND_COPY },
	{ exec_pext, KIND_COPY }, { exec_pdep, KIND_COPY },
	{ exec_shlx, KIND_COPY }, { exec_shrx, KIND_COPY },
	{ exec_sarx, KIND_COPY }, { exec_rorx, KIND_COPY },
	{ exec_cbw, KIND_COPY }, { exec_cwd, KIND_COPY },
	{ exec_lahf, KIND_COPY }, { exec_sahf, KIND_COPY },
	{ exec_cmc, KIND_COPY }, { exec_clc, KIND_COPY },
	{ exec_stc, KIND_COPY },
	{ exec_cmp, KIND_READS }, { exec_test, KIND_READS },
	{ exec_mul, KIND_READS }, { exec_imul, KIND_READS },
	{ exec_xchg, KIND_BOTH }, { exec_xadd, KIND_BOTH },
	{ exec_mulx, KIND_BOTH },
	{ exec_cmpxchg, KIND_COPY }, { exec_cmpxchg8b, KIND_COPY },
	{ exec_cmpxchg16b, KIND_COPY },
	{ exec_bt, KIND_BIT }, { exec_bts, KIND_BIT },
	{ exec_btr, KIND_BIT }, { exec_btc, KIND_BIT },
	{ exec_div, KIND_DIV }, { exec_idiv, KIND_IDIV },
	{ exec_lea, KIND_LEA },
	{ exec_cli, KIND_CLI }, { exec_sti, KIND_STI },
	{ exec_pushf, KIND_PUSHF }, { exec_swapgs, KIND_SWAPGS },
	{ exec_nop, KIND_NOP }, { exec_prefetch, KIND_NOP },
	{ exec_fence, KIND_COPY },
	{ exec_movs, KIND_STRING }, { exec_stos, KIND_STRING },
	{ exec_push, KIND_PUSH }, { exec_pop, KIND_POP },
	{ exec_leave, KIND_LEAVE },
	{ exec_jcc, KIND_JCC }, { exec_jmp, KIND_JMP },
	{ exec_jmp_near, KIND_JMP_NEAR }, { exec_call, KIND_CALL },
	{ exec_call_near, KIND_CALL_NEAR }, { exec_ret, KIND_RET },
	{ exec_vector, KIND_VECTOR }, { exec_vector_str, KIND_VECTOR },
	{ exec_vzeroupper, KIND_VECTOR }, { exec_vzeroall, KIND_VECTOR },
};

static void fill(void)
{
	for (unsigned row = 0; row < insn_row_count; row++)
		for (unsigned n = 0; n < ARRAY_LEN(by_function); n++)
			if (exec_rows[row] == by_function[n].exec)
				kinds[row] = by_function[n].kind;
}

void kinds_prepare(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, fill);
}

enum kind kind_of(const struct insn *i)
{
	enum kind kind = (enum kind)kinds[i->row];

	if (insn_how(i) & HOW_MMX ||
	    (insn_how(i) & HOW_CPL0 && kind != KIND_SWAPGS))
		return KIND_EXEC;
	return kind;
}
