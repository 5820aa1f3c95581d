/* cpu/jit/check_test.c - both engines in lockstep: what is the same passes,
 * and translated code that was tampered with is found out.
 *
 * Programs run twice: once to be translated, then with their translation
 * changed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <unistd.h>

#include "cpu/jit/cache.h"
#include "cpu/jit/check.h"
#include "cpu/test_vm.h"

#define CODE	0x4000
#define DATA	0x8000
#define HANDLER	0x6000

/* ---- running ---- */

static struct test_vm *vm_checked(unsigned every)
{
	vm_accel = "jit";
	vm_options = (struct accel_options){ .check = every };
	return vm_new(1);
}

static void run(struct test_vm *vm)
{
	vm_flat(vm, 0, CODE);
	vm_cpu(vm, 0)->gpr[RAX] = 7;
	vm_cpu(vm, 0)->gpr[RCX] = 5;
	vm_run(vm);
}

/* What is printed meanwhile; the caller frees it. */
static char *run_quietly(struct test_vm *vm)
{
	FILE *file = tmpfile();
	char *text = calloc(1, 8192);
	int old = dup(STDERR_FILENO);

	assert_non_null(file);
	assert_non_null(text);
	fflush(stderr);
	dup2(fileno(file), STDERR_FILENO);
	run(vm);
	dup2(old, STDERR_FILENO);
	close(old);
	rewind(file);
	(void)!fread(text, 1, 8191, file);
	fclose(file);
	return text;
}

static const struct check *check_of(struct test_vm *vm)
{
	return vm_cpu(vm, 0)->jit->check;
}

static void assert_agreed(struct test_vm *vm)
{
	assert_int_equal(vm->stops, 0);
	assert_true(check_of(vm)->count.checked > 0);
}

/* ---- tampering ---- */

static struct jit_block *block_at(struct test_vm *vm, uint32_t eip)
{
	struct jit_block *b = jit_find(
		vm_cpu(vm, 0), vm->ram + eip,
		CODE32 | TLB_SUPERVISOR << 2 | KEY_FLAT);

	assert_non_null(b);
	return b;
}

/* The first `len` bytes like these from `at` on become those. */
static void change(const uint8_t *at, const void *these, const void *those,
		   size_t len)
{
	uint8_t *found = memmem(at, 4096, these, len);

	assert_non_null(found);
	memcpy(found, those, len);
}

#define CHANGE(at, these, those) change(at, these, those, sizeof(these) - 1)

/* ---- programs ---- */

#define END 0xe6, 0xf4, 0xf4		/* out 0f4h, al; hlt */

static const uint8_t sum[] = {
	0x01, 0xc8,			/* add eax, ecx */
	0x89, 0x05, 0x00, 0x80, 0x00, 0x00, /* mov [DATA], eax */
	END
};

static const uint8_t loop[] = {
	0xff, 0x05, 0x00, 0x80, 0x00, 0x00, /* inc dword [DATA] */
	0xf0, 0xff, 0x05, 0x04, 0x80, 0x00, 0x00, /* lock inc [DATA + 4] */
	0x50,				/* push eax */
	0x87, 0x04, 0x24,		/* xchg [esp], eax */
	0x5a,				/* pop edx */
	0xa4,				/* movsb */
	0x49,				/* dec ecx */
	0x75, 0xea,			/* jnz loop */
	END
};

static const uint8_t carry[] = {
	0x05, 0xf9, 0xff, 0xff, 0xff,	/* add eax, -7 */
	0xeb, 0x02,			/* jmp on */
	0x90, 0x90,
	0x83, 0xd1, 0x00,		/* on: adc ecx, 0 */
	END
};

static const uint8_t divide[] = {
	0x31, 0xd2,			/* xor edx, edx */
	0xc7, 0x05, 0x00, 0x80, 0x00, 0x00, 1, 0, 0, 0, /* mov [DATA], 1 */
	0xf7, 0xf2,			/* div edx */
	END
};

static const uint8_t handler[] = {
	0x58,				/* pop eax */
	0xff, 0x05, 0x00, 0x80, 0x00, 0x00, /* inc dword [DATA] */
	END
};

static const uint8_t window[] = {
	0x40,				/* inc eax */
	0x8b, 0x0d, 0x00, 0x00, 0x20, 0x00, /* mov ecx, [200000h] */
	END
};

static const uint8_t patch[] = {
	0xc6, 0x05, 0x08, 0x40, 0x00, 0x00, 0x55, /* mov byte [t+1], 55h */
	0xb0, 0x01,			/* 4007: t: mov al, 1 */
	END
};

/* ---- what is the same ---- */

static void stores_of_the_trial_are_undone(void **state)
{
	struct test_vm *vm = vm_checked(1);

	VM_LOAD(vm, CODE, loop);
	vm_cpu(vm, 0)->gpr[RSI] = vm_cpu(vm, 0)->gpr[RDI] = DATA + 16;
	run(vm);
	assert_agreed(vm);
	assert_int_equal(vm_long(vm, DATA), 5);
	assert_int_equal(vm_long(vm, DATA + 4), 5);
	assert_int_equal(vm_cpu(vm, 0)->gpr[RDX], 7);
	assert_int_equal(vm_cpu(vm, 0)->gpr[RDI], DATA + 16 + 5);
	vm_free(vm);
}

static void flags_that_are_left_out_as_dead_are_no_difference(void **state)
{
	struct test_vm *vm = vm_checked(1);

	VM_LOAD(vm, CODE, carry);
	run(vm);
	assert_agreed(vm);
	assert_int_equal(vm_cpu(vm, 0)->gpr[RCX], 6);
	vm_free(vm);
}

static void faults_are_compared_and_delivered(void **state)
{
	struct test_vm *vm = vm_checked(1);

	VM_LOAD(vm, CODE, divide);
	VM_LOAD(vm, HANDLER, handler);
	vm_gate(vm, 0, HANDLER);
	run(vm);
	assert_agreed(vm);
	assert_int_equal(vm_cpu(vm, 0)->gpr[RAX], CODE + 12);
	assert_int_equal(vm_long(vm, DATA), 2);
	vm_free(vm);
}

static void a_block_that_reaches_a_window_runs_once(void **state)
{
	struct test_vm *vm = vm_checked(1);

	VM_LOAD(vm, CODE, window);
	run(vm);
	assert_int_equal(vm->stops, 0);
	assert_int_equal(check_of(vm)->count.refused[REFUSED_WINDOW], 1);
	assert_int_equal(vm_cpu(vm, 0)->gpr[RAX], 8);
	vm_free(vm);
}

static void code_that_changes_itself_runs_once(void **state)
{
	struct test_vm *vm = vm_checked(1);

	VM_LOAD(vm, CODE, patch);
	run(vm);
	assert_int_equal(vm->stops, 0);
	assert_int_equal(check_of(vm)->count.refused[REFUSED_CODE], 1);
	assert_int_equal(vm_cpu(vm, 0)->gpr[RAX] & 0xff, 0x55);
	vm_free(vm);
}

static void every_nth_block_is_checked(void **state)
{
	struct test_vm *vm = vm_checked(2);
	uint64_t entered;

	VM_LOAD(vm, CODE, loop);
	vm_cpu(vm, 0)->gpr[RSI] = vm_cpu(vm, 0)->gpr[RDI] = DATA + 16;
	run(vm);
	assert_int_equal(vm->stops, 0);
	assert_int_equal(vm_long(vm, DATA), 5);
	entered = vm_cpu(vm, 0)->jit->stats.enters;
	assert_in_range(check_of(vm)->count.checked, 1, entered / 2);
	vm_free(vm);
}

static void only_one_processor_can_be_checked(void **state)
{
	struct accel_options accel = { .name = "jit", .check = 1 };
	struct test_bus *bus = test_bus_new();
	struct vcpu_config cfg = {
		.accel = accel, .model = "qemu64",
		.topology = { 2, 2, 1, 1 }, .bus = bus->bus,
	};
	struct err e;

	assert_null(vcpus_new(&cfg, &e));
	assert_string_equal(e.text, "check=1: 2 processors, the limit is 1");
	test_bus_free(bus);
}

/* ---- what is not ---- */

/* Runs, tampers, runs again; the machine must have stopped, saying so. */
static void assert_found(const uint8_t *code, size_t len, const void *these,
			 const void *those, size_t changed,
			 const char *const *said)
{
	struct test_vm *vm = vm_checked(1);
	char *text;

	vm_load(vm, CODE, code, len);
	run(vm);
	assert_int_equal(vm->stops, 0);
	change(block_at(vm, CODE)->entry_cpu, these, those, changed);
	text = run_quietly(vm);
	assert_int_equal(vm->stops, 1);
	assert_int_equal(vm->why, VCPU_STOP_CHECK);
	for (; *said; said++)
		if (!strstr(text, *said)) {
			print_error("%s", text);
			assert_non_null(strstr(text, *said));
		}
	free(text);
	vm_free(vm);
}

static void a_wrong_register_is_found(void **state)
{
	static const char *const said[] = {
		"rax: translated 2, interpreted c",
		"0000000000004000  add eax, ecx", NULL
	};

	/* add eax, ecx becomes sub */
	assert_found(sum, sizeof(sum), "\x01\xc8", "\x29\xc8", 2, said);
}

static void a_wrong_store_is_found(void **state)
{
	static const char *const said[] = {
		"memory at physical 8000: translated 05000000, "
		"interpreted 0c000000", NULL
	};

	/* mov [r14 + r15], eax becomes ecx */
	assert_found(sum, sizeof(sum), "\x43\x89\x04\x3e",
		     "\x43\x89\x0c\x3e", 4, said);
}

static void a_fault_that_only_one_raises_is_found(void **state)
{
	static const uint8_t code[] = {
		0x31, 0xd2,			/* xor edx, edx */
		0xb9, 0x01, 0x00, 0x00, 0x00,	/* mov ecx, 1 */
		0xf7, 0xf1,			/* div ecx */
		END
	};
	static const char *const said[] = {
		"translated: fault 0, error code 0 at 0000000000004007",
		"rip: translated 4007, interpreted 4009",
		"rcx: translated 0, interpreted 1", NULL
	};

	assert_found(code, sizeof(code), "\xb9\x01", "\xb9\x00", 2, said);
}

static void a_live_flag_that_is_lost_is_found(void **state)
{
	struct test_vm *vm = vm_checked(1);
	const struct jit_exit *x;
	char *text;

	VM_LOAD(vm, CODE, carry);
	run(vm);
	assert_int_equal(vm->stops, 0);
	assert_int_equal(vm_cpu(vm, 0)->gpr[RCX], 6);
	x = &block_at(vm, CODE)->exit[0];
	assert_int_equal(x->flags, FLAGS_HOST);
	/* lahf in the routine that saves them becomes nop */
	CHANGE(vm_cpu(vm, 0)->jit->stub.leave_host, "\x9f", "\x90");
	text = run_quietly(vm);
	assert_int_equal(vm->stops, 1);
	assert_int_equal(vm->why, VCPU_STOP_CHECK);
	assert_non_null(strstr(text, "flags 1 are read at 0000000000004009"));
	assert_non_null(strstr(text, "block at 0000000000004000"));
	free(text);
	vm_free(vm);
}

TEST_MAIN("check", TEST(stores_of_the_trial_are_undone),
	  TEST(flags_that_are_left_out_as_dead_are_no_difference),
	  TEST(faults_are_compared_and_delivered),
	  TEST(a_block_that_reaches_a_window_runs_once),
	  TEST(code_that_changes_itself_runs_once),
	  TEST(every_nth_block_is_checked),
	  TEST(only_one_processor_can_be_checked),
	  TEST(a_wrong_register_is_found), TEST(a_wrong_store_is_found),
	  TEST(a_fault_that_only_one_raises_is_found),
	  TEST(a_live_flag_that_is_lost_is_found))
