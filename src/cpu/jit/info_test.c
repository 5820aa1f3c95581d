/* cpu/jit/info_test.c - what the translator tells of itself: logs, counters,
 * names for perf.
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cpu/jit/disasm.h"
#include "cpu/jit/info.h"
#include "cpu/jit/names.h"
#include "cpu/jit/ops.h"
#include "cpu/test_vm.h"
#include "host/perfmap.h"

/* CPUID three times, a store far away, the end. */
static const uint8_t program[] = {
	0xbe, 3, 0, 0, 0,			/* mov esi, 3 */
	0x0f, 0xa2,				/* again: cpuid */
	0x4e,					/* dec esi */
	0x75, 0xfb,				/* jnz again */
	0x89, 0x35, 0x00, 0x80, 0x01, 0x00,	/* mov [18000h], esi */
	0xe6, VM_END_PORT,			/* out */
	0xf4,					/* hlt */
};

static char text[64 * 1024];

static struct test_vm *run(const char *accel)
{
	struct test_vm *vm;

	vm_accel = accel;
	vm = vm_new(1);
	VM_LOAD(vm, 0x4000, program);
	vm_flat(vm, 0, 0x4000);
	vm_run(vm);
	return vm;
}

static void read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
}

static FILE *into_text(void)
{
	FILE *f;

	memset(text, 0, sizeof(text));
	f = fmemopen(text, sizeof(text), "w");
	assert_non_null(f);
	return f;
}

#define ASSERT_SAYS(what) assert_non_null(strstr(text, what))

/* ---- info jit ---- */

static void info_tells_blocks_and_memory(void **state)
{
	struct test_vm *vm = run("jit");
	FILE *f = into_text();

	jit_info(vm->vcpus, f);
	fclose(f);
	ASSERT_SAYS("CPU #0\n");
	ASSERT_SAYS(" valid; ");
	ASSERT_SAYS("times from C");
	ASSERT_SAYS(" KiB\n");
	assert_null(strstr(text, "because"));	/* op_stats is off */
	vm_free(vm);
}

static void info_without_a_translator_says_so(void **state)
{
	struct test_vm *vm = run("interp");
	FILE *f = into_text();

	jit_info(vm->vcpus, f);
	fclose(f);
	ASSERT_SAYS("there is no translated code");
	vm_free(vm);
}

/* ---- op_stats ---- */

/* The columns of the row that ends in `name`. */
static void row_of(const char *name, unsigned long long column[5])
{
	char *at = strstr(text, name);

	assert_non_null(at);
	while (at > text && at[-1] != '\n')
		at--;
	assert_int_equal(sscanf(at, "%llu %llu %llu %llu %llu", &column[0],
				&column[1], &column[2], &column[3],
				&column[4]), 5);
}

static void op_stats_count_runs_by_reason(void **state)
{
	unsigned long long column[5];
	struct test_vm *vm;
	FILE *f;

	log_mask |= LOG_OP_STATS;
	vm = run("jit");
	f = into_text();
	jit_ops_print(vm->vcpus, f, 1000);
	fclose(f);
	row_of("  cpuid        0F A2\n", column);
	assert_int_equal(column[0], 3);		/* no translation */
	assert_int_equal(column[1], 0);
	assert_int_equal(column[3], column[4]);
	row_of("  mov          89\n", column);
	assert_int_equal(column[0], 0);
	assert_int_equal(column[1], 1);		/* not yet in the TLB */
	assert_int_equal(column[4], 0);
	log_mask &= ~(uint32_t)LOG_OP_STATS;
	vm_free(vm);
}

static void op_stats_begin_with_what_ran_most(void **state)
{
	struct test_vm *vm;
	FILE *f;

	log_mask |= LOG_OP_STATS;
	vm = run("jit");
	f = into_text();
	jit_ops_print(vm->vcpus, f, 1);
	fclose(f);
	ASSERT_SAYS("cpuid");
	assert_null(strstr(text, "mov"));
	log_mask &= ~(uint32_t)LOG_OP_STATS;
	vm_free(vm);
}

/* ---- out_asm ---- */

static void out_asm_shows_host_code_by_guest_instruction(void **state)
{
	char path[] = "/tmp/husk-info-test.XXXXXX";
	int fd = mkstemp(path);
	struct test_vm *vm;
	struct err e;

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(log_set_file(path, &e), 0);
	log_mask |= LOG_OUT_ASM;
	vm = run("jit");
	log_mask &= ~(uint32_t)LOG_OUT_ASM;
	read_file(path);
	unlink(path);
	ASSERT_SAYS("STUB: enter [size=");
	ASSERT_SAYS("OUT: [size=");
	ASSERT_SAYS("  -- 0x00004000: mov esi, 0x3\n");
	ASSERT_SAYS("  -- 0x00004005: cpuid\n");
	ASSERT_SAYS("  ; exec\n");
	ASSERT_SAYS("  -- cold, 0x0000400a: mov ");
	ASSERT_SAYS("  ; tlb write\n");
	assert_null(strstr(text, "(bad)"));
	vm_free(vm);
}

static void fields_that_code_names_have_names(void **state)
{
	struct test_vm *vm = run("jit");
	const struct cpu *c = vm_cpu(vm, 0);
	char name[48];

	jit_name_data(c, (uintptr_t)&c->gpr[R14], name, sizeof(name));
	assert_string_equal(name, "guest r14");
	jit_name_data(c, (uintptr_t)&c->tlb.entry[1][5].host, name,
		      sizeof(name));
	assert_string_equal(name, "tlb host");
	jit_name_data(c, (uintptr_t)&c->jit->page_rip, name, sizeof(name));
	assert_string_equal(name, "page_rip");
	jit_name_data(c, (uintptr_t)c - 1, name, sizeof(name));
	assert_string_equal(name, "");
	vm_free(vm);
}

/* ---- perf ---- */

static void blocks_and_routines_have_names_for_perf(void **state)
{
	struct test_vm *vm;
	char path[32];
	struct err e;

	assert_int_equal(perfmap_open(&e), 0);
	vm = run("jit");
	perfmap_close();
	(void)snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	read_file(path);
	unlink(path);
	ASSERT_SAYS(" husk:leave_cpu vcpu0\n");
	ASSERT_SAYS(" husk:4000 vcpu0\n");
	ASSERT_SAYS(" husk:4000.cold vcpu0\n");
	vm_free(vm);
}

TEST_MAIN("info", TEST(info_tells_blocks_and_memory),
	  TEST(info_without_a_translator_says_so),
	  TEST(op_stats_count_runs_by_reason),
	  TEST(op_stats_begin_with_what_ran_most),
	  TEST(out_asm_shows_host_code_by_guest_instruction),
	  TEST(fields_that_code_names_have_names),
	  TEST(blocks_and_routines_have_names_for_perf))
