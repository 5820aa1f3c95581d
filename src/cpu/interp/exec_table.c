/* cpu/interp/exec_table.c - the interpreter's function of each row of insn.def.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/exec.h"

const exec_fn exec_rows[] = {
#define INSN(map, prefix, opcode, modrm, name, exec, ...) exec_##exec,
#include "cpu/x86/insn.def"
#undef INSN
};
