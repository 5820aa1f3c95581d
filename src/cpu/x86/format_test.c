/* cpu/x86/format_test.c
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/bytes.h"
#include "base/test.h"
#include "cpu/x86/insn.h"

static void lines_read_as_intel_writes_them(void **state)
{
	static const struct {
		enum code_mode mode;
		const char *bytes;
		const char *line;
	} cases[] = {
		{ CODE64, "\x48\x03\x43\x08", "add rax, qword [rbx+0x8]" },
		{ CODE64, "\xf0\x0f\xb1\x0c\xb7",
		  "lock cmpxchg dword [rdi+rsi*4], ecx" },
		{ CODE64, "\x65\x48\x8b\x05\x10\xff\xff\xff",
		  "mov rax, qword [gs:rip-0xf0]" },
		{ CODE64, "\x75\xfe", "jnz $-2" },
		{ CODE64, "\xf3\xa4", "rep movs byte [es:rdi], byte [ds:rsi]" },
		{ CODE64, "\x44\x88\xe0", "mov al, r12b" },
		{ CODE64, "\x88\xe0", "mov al, ah" },
		{ CODE64, "\x6a\xff", "push -0x1" },
		{ CODE64, "\x41\x0f\x20\xc0", "mov r8, cr0" },
		{ CODE32, "\x9a\x01\x02\x03\x04\x08\x01",
		  "call 0x108:0x4030201" },
		{ CODE32, "\x8e\xd8", "mov ds, ax" },
		{ CODE16, "\x8b\x46\x02", "mov ax, word [bp+0x2]" },
		{ CODE16, "\x01\x1e\x34\x12", "add word [0x1234], bx" },
	};
	struct features have;
	struct insn i;
	char line[64];

	memset(&have, 0xff, sizeof(have));
	for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
		/* 0 bytes are part of none: strlen() is the length. */
		assert_int_equal(insn_decode(&i, (const void *)cases[k].bytes,
					     (unsigned)strlen(cases[k].bytes),
					     cases[k].mode, &have), DECODE_OK);
		insn_format(&i, line, sizeof(line));
		assert_string_equal(line, cases[k].line);
	}
}

static void a_small_buffer_is_not_overrun(void **state)
{
	struct features have;
	struct insn i;
	char line[8];

	memset(&have, 0xff, sizeof(have));
	insn_decode(&i, (const void *)"\x48\x03\x43\x08", 4, CODE64, &have);
	memset(line, 'x', sizeof(line));
	insn_format(&i, line, 6);
	assert_string_equal(line, "add r");
	assert_int_equal(line[6], 'x');
	insn_format(&i, line, 0);
}

TEST_MAIN("format",
	  TEST(lines_read_as_intel_writes_them),
	  TEST(a_small_buffer_is_not_overrun))
