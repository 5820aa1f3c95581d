/* cpu/jit/kind.h - how the translator treats each row of the instruction
 * table.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_JIT_KIND_H
#define CPU_JIT_KIND_H
#include "cpu/x86/insn.h"

enum kind {
	KIND_EXEC,	/* calls the interpreter's function */
	KIND_COPY,	/* the same instruction, operands moved */
	KIND_READS,	/* likewise; writes no operand */
	KIND_BOTH,	/* likewise; writes op1 too */
	KIND_BIT,	/* BT...: a bit number in a register reaches past a
			 * memory operand */
	KIND_DIV, KIND_IDIV,
	KIND_LEA, KIND_NOP,
	KIND_CLI, KIND_STI, KIND_PUSHF, KIND_SWAPGS,
	KIND_STRING,	/* MOVS, STOS */
	KIND_PUSH, KIND_POP, KIND_LEAVE,
	KIND_JCC, KIND_JMP, KIND_JMP_NEAR, KIND_CALL, KIND_CALL_NEAR, KIND_RET,
	KIND_VECTOR,
};

/* Once per process, before the first use. */
void kinds_prepare(void);
enum kind kind_of(const struct insn *i);

#endif
