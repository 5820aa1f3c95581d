/* cpu/loop_test.c - one vCPU runs small programs on each engine: code that
 * changes, halts and interrupts, single steps and breakpoints.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/loop.h"
#include "cpu/test_vm.h"
#include "cpu/x86/debug.h"
#include "cpu/x86/fault.h"

#define CODE	0x4000
#define HERE	0x8000		/* handlers count here */
#define NMIS	HERE
#define INTERRUPTS (HERE + 4)
#define TRACE	0x9000

/* ---- programs; numbers in the comments are addresses of labels ---- */

static const uint8_t int_handler[] = {
	0xff, 0x05, 0x04, 0x80, 0x00, 0x00, /* inc dword [0x8004] */
	0x89, 0xca,			/* mov edx, ecx */
	0xcf,				/* iretd */
};

static const uint8_t nmi_handler[] = {
	0xff, 0x05, 0x00, 0x80, 0x00, 0x00, /* inc dword [0x8000] */
	0xcf,				/* iretd */
};

static const uint8_t patch_byte[] = {
	0xc6, 0x05, 0x08, 0x40, 0x00, 0x00, 0x55, /* mov byte [t+1], 0x55 */
	0xb0, 0x01,			/* 4007: mov al, 1 */
	0x0f, 0xb6, 0xd8,		/* movzx ebx, al */
	0xe6, 0xf4,			/* out 0xf4, al */
	0xf4,				/* hlt */
};

static const uint8_t patch_string[] = {
	0xbf, 0x0f, 0x40, 0x00, 0x00,	/* mov edi, t+1 */
	0xb9, 0x01, 0x00, 0x00, 0x00,	/* mov ecx, 1 */
	0xb0, 0x55,			/* mov al, 0x55 */
	0xf3, 0xaa,			/* rep stosb */
	0xb0, 0x01,			/* 400e: mov al, 1 */
	0x0f, 0xb6, 0xd8,		/* movzx ebx, al */
	0xe6, 0xf4,			/* out 0xf4, al */
	0xf4,				/* hlt */
};

static const uint8_t patch_locked[] = {
	0xb0, 0x54,			/* mov al, 0x54 */
	0xf0, 0x00, 0x05, 0x0a, 0x40, 0x00, 0x00, /* lock add [t+1], al */
	0xb0, 0x01,			/* 4009: mov al, 1 */
	0x0f, 0xb6, 0xd8,		/* movzx ebx, al */
	0xe6, 0xf4,			/* out 0xf4, al */
	0xf4,				/* hlt */
};

static const uint8_t patch_vector[] = {
	0x0f, 0x10, 0x05, 0x00, 0x80, 0x00, 0x00, /* movups xmm0, [0x8000] */
	0x0f, 0x11, 0x05, 0x0f, 0x40, 0x00, 0x00, /* movups [t+1], xmm0 */
	0xb0, 0x01,			/* 400e: mov al, 1 */
	0x0f, 0xb6, 0xd8,		/* movzx ebx, al */
	0xe6, 0xf4,			/* out 0xf4, al */
	0xf4,				/* hlt */
};

static const uint8_t patch_stack[] = {
	0xbc, 0x0f, 0x40, 0x00, 0x00,	/* mov esp, t+5 */
	0x68, 0xb0, 0x55, 0x0f, 0xb6,	/* push dword 0xb60f55b0 */
	0x90,				/* 400a: db 0x90 */
	0xb0, 0x01,			/* mov al, 1 */
	0x0f, 0xb6, 0xd8,		/* movzx ebx, al */
	0xe6, 0xf4,			/* out 0xf4, al */
	0xf4,				/* hlt */
};

static const uint8_t patch_crossing[] = {
	/* mov dword [0x4ffe], 0x0f55b090 */
	0xc7, 0x05, 0xfe, 0x4f, 0x00, 0x00, 0x90, 0xb0, 0x55, 0x0f,
	0x90,				/* nop */
	0x90,				/* nop */
	0x90,				/* nop */
	0x90,				/* nop */
	0x90,				/* nop */
	0xb0, 0x01,			/* mov al, 1 */
	0x0f, 0xb6, 0xd8,		/* movzx ebx, al */
	0xe6, 0xf4,			/* out 0xf4, al */
	0xf4,				/* hlt */
};

static const uint8_t patch_called[] = {
	0xb9, 0x02, 0x00, 0x00, 0x00,	/* mov ecx, 2 */
	0xe8, 0xf6, 0x03, 0x00, 0x00,	/* 4005: call 0x4400 */
	0x01, 0xc3,			/* add ebx, eax */
	0xc6, 0x05, 0x01, 0x44, 0x00, 0x00, 0x10, /* mov byte [0x4401], 0x10 */
	0xe2, 0xf0,			/* loop l */
	0xe6, 0xf4,			/* out 0xf4, al */
	0xf4,				/* hlt */
};

static const uint8_t function[] = {
	0xb8, 0x01, 0x00, 0x00, 0x00,	/* mov eax, 1 */
	0xc3,				/* ret */
};

static const uint8_t spin[] = {
	0xe8, 0xfb, 0x03, 0x00, 0x00,	/* 4000: call 0x4400 */
	0xff, 0x05, 0x00, 0x80, 0x00, 0x00, /* inc dword [0x8000] */
	0xeb, 0xf3,			/* jmp l */
};

static const uint8_t halt_interruptible[] = {
	0xfb,				/* sti */
	0xf4,				/* hlt */
	0xe6, 0xf4,			/* out 0xf4, al */
	0xf4,				/* hlt */
};

static const uint8_t halt_cli[] = {
	0xfa,				/* cli */
	0xf4,				/* hlt */
	0xe6, 0xf4,			/* out 0xf4, al */
	0xf4,				/* hlt */
};

static const uint8_t sti_inc[] = {
	0x31, 0xc9,			/* xor ecx, ecx */
	0xfb,				/* sti */
	0x41,				/* inc ecx */
	0x41,				/* inc ecx */
	0xe6, 0xf4,			/* out 0xf4, al */
	0xf4,				/* hlt */
};

static const uint8_t sti_cli[] = {
	0xfb,				/* sti */
	0xfa,				/* cli */
	0xe6, 0xf4,			/* out 0xf4, al */
	0xf4,				/* hlt */
};

static const uint8_t sti_mov_ss[] = {
	0x31, 0xc9,			/* xor ecx, ecx */
	0x66, 0x8c, 0xd0,		/* mov ax, ss */
	0xfb,				/* sti */
	0x8e, 0xd0,			/* mov ss, ax */
	0x41,				/* inc ecx */
	0x41,				/* inc ecx */
	0xe6, 0xf4,			/* out 0xf4, al */
	0xf4,				/* hlt */
};

static const uint8_t step_handler[] = {
	0x50,				/* push eax */
	0x8b, 0x44, 0x24, 0x04,		/* mov eax, [esp+4] */
	0x89, 0x45, 0x00,		/* mov [ebp], eax */
	0x83, 0xc5, 0x04,		/* add ebp, 4 */
	0x58,				/* pop eax */
	0xcf,				/* iretd */
};

static const uint8_t step_int[] = {
	0x90,				/* nop */
	0xcf,				/* iretd */
};

static const uint8_t stepped[] = {
	0xbd, 0x00, 0x90, 0x00, 0x00,	/* mov ebp, 0x9000 */
	0xbf, 0x00, 0x80, 0x00, 0x00,	/* mov edi, 0x8000 */
	0x66, 0x8c, 0xd0,		/* mov ax, ss */
	0x9c,				/* pushfd */
	0x81, 0x0c, 0x24, 0x00, 0x01, 0x00, 0x00, /* or dword [esp], 0x100 */
	0x9d,				/* popfd */
	0x90,				/* nop */
	0xb9, 0x03, 0x00, 0x00, 0x00,	/* mov ecx, 3 */
	0xf3, 0xaa,			/* 401c: rep stosb */
	0xcd, 0x30,			/* int 0x30 */
	0x90,				/* nop */
	0x8e, 0xd0,			/* mov ss, ax */
	0x90,				/* nop */
	0x9c,				/* pushfd */
	0x81, 0x24, 0x24, 0xff, 0xfe, 0xff, 0xff, /* and dword [esp], ~0x100 */
	0x9d,				/* popfd */
	0xe6, 0xf4,			/* out 0xf4, al */
	0xf4,				/* hlt */
};

static const uint8_t watched_mov_ss[] = {
	0xbd, 0x00, 0x90, 0x00, 0x00,	/* mov ebp, 0x9000 */
	0x8e, 0x15, 0x00, 0x81, 0x00, 0x00, /* mov ss, [0x8100] */
	0x41,				/* inc ecx */
	0x41,				/* inc ecx */
	0xe6, 0xf4,			/* out 0xf4, al */
	0xf4,				/* hlt */
};

static const uint8_t break_handler[] = {
	0xff, 0x05, 0x00, 0x80, 0x00, 0x00, /* inc dword [0x8000] */
	/* or dword [esp+8], 0x10000 */
	0x81, 0x4c, 0x24, 0x08, 0x00, 0x00, 0x01, 0x00,
	0xcf,				/* iretd */
};

static const uint8_t breakpoint[] = {
	0x43,				/* inc ebx */
	0x43,				/* inc ebx */
	0x43,				/* inc ebx */
	0xe6, 0xf4,			/* out 0xf4, al */
	0xf4,				/* hlt */
};

static const uint8_t undefined[] = {
	0x43,				/* inc ebx */
	0x0f, 0x0b,			/* ud2 */
};

/* ---- code that changes ---- */

static void stores_to_the_next_instruction_are_seen(void **state)
{
	static const struct {
		const uint8_t *code;
		size_t len;
		uint32_t at;
	} rows[] = {
		{ patch_byte, sizeof(patch_byte), CODE },
		{ patch_string, sizeof(patch_string), CODE },
		{ patch_locked, sizeof(patch_locked), CODE },
		{ patch_vector, sizeof(patch_vector), CODE },
		{ patch_stack, sizeof(patch_stack), CODE },
		{ patch_crossing, sizeof(patch_crossing), 0x4ff0 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct test_vm *vm = vm_new(1);

		/* What patch_vector stores: its own code, one byte changed. */
		memcpy(vm->ram + HERE, patch_vector + 15,
		       sizeof(patch_vector) - 15);
		vm->ram[HERE] = 0x55;
		vm_load(vm, rows[i].at, rows[i].code, rows[i].len);
		vm_flat(vm, 0, rows[i].at);
		vm_run(vm);
		assert_int_equal(vm_cpu(vm, 0)->gpr[RBX], 0x55);
		vm_free(vm);
	}
}

static void a_function_that_changed_is_decoded_again(void **state)
{
	struct test_vm *vm = vm_new(1);

	VM_LOAD(vm, CODE, patch_called);
	VM_LOAD(vm, 0x4400, function);
	vm_flat(vm, 0, CODE);
	vm_run(vm);
	assert_int_equal(vm_cpu(vm, 0)->gpr[RBX], 0x11);
	vm_free(vm);
}

static void dma_into_code_is_seen(void **state)
{
	struct test_vm *vm = vm_new(1);

	VM_LOAD(vm, CODE, spin);
	VM_LOAD(vm, 0x4400, function);
	vm_flat(vm, 0, CODE);
	vcpus_resume(vm->vcpus);
	while (!vm_long(vm, HERE))
		;	/* the old function has run */
	vm_load(vm, 0x4400, "\xe6\xf4\xf4", 3);
	vm_wait(vm);
	vm_free(vm);
}

/* ---- halts and interrupts ---- */

static struct test_vm *with_handlers(struct test_vm *vm, const void *code,
				     size_t len)
{
	vm_load(vm, CODE, code, len);
	VM_LOAD(vm, 0x2000, int_handler);
	VM_LOAD(vm, 0x2100, nmi_handler);
	vm_gate(vm, 0x20, 0x2000);
	vm_gate(vm, VEC_NMI, 0x2100);
	vm_flat(vm, 0, CODE);
	return vm;
}

static struct test_vm *interruptible(const void *code, size_t len)
{
	return with_handlers(vm_new(1), code, len);
}

static void an_interrupt_wakes_from_hlt(void **state)
{
	struct test_vm *vm = interruptible(halt_interruptible,
					   sizeof(halt_interruptible));

	vcpus_resume(vm->vcpus);
	vm_interrupt(vm, 0, 0x20);
	vm_wait(vm);
	assert_int_equal(vm_long(vm, INTERRUPTS), 1);
	vm_free(vm);
}

static void only_an_nmi_wakes_with_interrupts_off(void **state)
{
	struct test_vm *vm = interruptible(halt_cli, sizeof(halt_cli));

	vm_interrupt(vm, 0, 0x20);
	vcpus_resume(vm->vcpus);
	while (!__atomic_load_n(&vm_cpu(vm, 0)->halted, __ATOMIC_ACQUIRE))
		;	/* CLI and HLT */
	vcpu_raise_nmi(vm->intc[0].port);
	vm_wait(vm);
	assert_int_equal(vm_long(vm, NMIS), 1);
	assert_int_equal(vm_long(vm, INTERRUPTS), 0);
	vm_free(vm);
}

static void two_nmis_at_once_are_two(void **state)
{
	struct test_vm *vm = interruptible(sti_cli, sizeof(sti_cli));

	for (unsigned i = 0; i < 3; i++)	/* the third is lost */
		vcpu_raise_nmi(vm->intc[0].port);
	vm_run(vm);
	assert_int_equal(vm_long(vm, NMIS), 2);
	vm_free(vm);
}

static void sti_holds_interrupts_off_for_one_instruction(void **state)
{
	struct test_vm *vm = interruptible(sti_inc, sizeof(sti_inc));

	vm_interrupt(vm, 0, 0x20);
	vm_run(vm);
	assert_int_equal(vm_long(vm, INTERRUPTS), 1);
	assert_int_equal(vm_cpu(vm, 0)->gpr[RDX], 1);
	vm_free(vm);
}

static void sti_then_cli_lets_no_interrupt_in(void **state)
{
	struct test_vm *vm = interruptible(sti_cli, sizeof(sti_cli));

	vm_interrupt(vm, 0, 0x20);
	vm_run(vm);
	assert_int_equal(vm_long(vm, INTERRUPTS), 0);
	vm_free(vm);
}

static void mov_ss_holds_interrupts_off_for_one_instruction(void **state)
{
	struct test_vm *vm = interruptible(sti_mov_ss, sizeof(sti_mov_ss));

	vm_interrupt(vm, 0, 0x20);
	vm_run(vm);
	assert_int_equal(vm_long(vm, INTERRUPTS), 1);
	assert_int_equal(vm_cpu(vm, 0)->gpr[RDX], 1);
	vm_free(vm);
}

/* ---- faults in faults ---- */

/* Ring 3 loads from an odd address, its stack is odd as well, and #AC's handler
 * is in ring 3: benign exceptions do not add up to a double fault. */
static void alignment_checks_without_end_shut_down(void **state)
{
	static const uint8_t load_odd[] = { 0xa1, 0x01, 0x80, 0x00, 0x00 };
	struct test_vm *vm = vm_new(1);
	struct cpu *c = vm_cpu(vm, 0);

	VM_LOAD(vm, CODE, load_odd);
	vm_flat(vm, 0, CODE);
	store_le64(vm->ram + VM_GDT + 0x18, 0x00cffb000000ffff);
	store_le64(vm->ram + VM_IDT + 8 * VEC_AC, 0xee0000184000);
	c->gdtr.limit = 0x1f;
	c->seg[CS].selector = 0x1b;
	c->seg[CS].attr |= 3 << SEG_DPL_SHIFT;
	c->seg[SS].attr |= 3 << SEG_DPL_SHIFT;
	c->cpl = 3;
	c->cr0 |= CR0_AM;
	flags_set(c, FLAG_AC, FLAG_AC);
	cpu_derive(c);
	c->gpr[RSP]--;
	vm_run(vm);
	assert_int_equal(vm->stops, 1);
	assert_int_equal(vm->why, VCPU_STOP_SHUTDOWN);
	assert_int_equal(c->fault.vector, VEC_AC);
	vm_free(vm);
}

/* ---- steps and breakpoints ---- */

/* SDM 3B 17.3.1.4: not after POPF that sets TF, MOV SS and INT n; after each
 * round of REP, and after POPF that clears TF. */
static void tf_traps_after_each_instruction(void **state)
{
	static const uint32_t eips[] = {
		0x4017, 0x401c, 0x401c, 0x401c, 0x401e, 0x4021, 0x4024,
		0x4025, 0x402c, 0x402d,
	};
	struct test_vm *vm = vm_new(1);

	VM_LOAD(vm, CODE, stepped);
	VM_LOAD(vm, 0x2200, step_handler);
	VM_LOAD(vm, 0x2300, step_int);
	vm_gate(vm, VEC_DB, 0x2200);
	vm_gate(vm, 0x30, 0x2300);
	vm_flat(vm, 0, CODE);
	vm_run(vm);
	for (unsigned i = 0; i < ARRAY_LEN(eips); i++)
		assert_int_equal(vm_long(vm, TRACE + 4 * i), eips[i]);
	assert_int_equal(vm_cpu(vm, 0)->gpr[RBP],
			 TRACE + 4 * ARRAY_LEN(eips));
	assert_true(vm_cpu(vm, 0)->dr6 & DR6_BS);
	vm_free(vm);
}

static void mov_ss_holds_off_its_own_watchpoint(void **state)
{
	struct test_vm *vm = vm_new(1);
	struct cpu *c = vm_cpu(vm, 0);

	VM_LOAD(vm, CODE, watched_mov_ss);
	VM_LOAD(vm, 0x2200, step_handler);
	store_le16(vm->ram + 0x8100, 0x10);
	vm_gate(vm, VEC_DB, 0x2200);
	vm_flat(vm, 0, CODE);
	c->dr[0] = 0x8100;
	c->dr7 |= 1 | 3 << 16 | 1 << 18;	/* two bytes, read or write */
	debug_points_changed(c);
	vm_run(vm);
	assert_int_equal(vm_long(vm, TRACE), CODE + 12);	/* not + 11 */
	assert_int_equal(c->gpr[RBP], TRACE + 4);
	assert_int_equal(c->dr6 & (DR6_POINTS | DR6_BS), 1);
	vm_free(vm);
}

static void rf_goes_past_an_instruction_breakpoint(void **state)
{
	struct test_vm *vm = vm_new(1);
	struct cpu *c = vm_cpu(vm, 0);

	VM_LOAD(vm, CODE, breakpoint);
	VM_LOAD(vm, 0x2200, break_handler);
	vm_gate(vm, VEC_DB, 0x2200);
	vm_flat(vm, 0, CODE);
	c->dr[1] = CODE + 1;
	c->dr7 |= 1 << 2;
	debug_points_changed(c);
	vm_run(vm);
	assert_int_equal(vm_long(vm, HERE), 1);
	assert_int_equal(c->gpr[RBX], 3);
	assert_int_equal(c->dr6 & DR6_POINTS, 1 << 1);
	vm_free(vm);
}

static void gdb_stops_before_its_breakpoint(void **state)
{
	struct debug_points points = {
		.count = 1,
		.point = { { .kind = DEBUG_EXEC, .at = CODE + 1, .len = 1 } },
	};
	struct test_vm *vm = vm_new(1);
	struct cpu *c = vm_cpu(vm, 0);

	VM_LOAD(vm, CODE, breakpoint);
	vm_flat(vm, 0, CODE);
	c->debug = &points;
	debug_points_changed(c);
	vm_run(vm);
	assert_int_equal(vm->stops, 1);
	assert_int_equal(vm->why, VCPU_STOP_DEBUG);
	assert_int_equal(c->rip, CODE + 1);
	assert_int_equal(c->gpr[RBX], 1);
	c->gdb_resumed = true;
	vm_run(vm);
	assert_int_equal(vm->stops, 1);
	assert_int_equal(c->gpr[RBX], 3);
	vm_free(vm);
}

static void gdb_steps_into_the_handler_of_a_fault(void **state)
{
	struct test_vm *vm = interruptible(undefined, sizeof(undefined));
	struct cpu *c = vm_cpu(vm, 0);

	vm_gate(vm, VEC_UD, 0x2100);
	vm_interrupt(vm, 0, 0x20);	/* waits while gdb steps */
	flags_set(c, FLAG_IF, FLAG_IF);
	c->step |= STEP_GDB;
	vm_run(vm);
	assert_int_equal(c->rip, CODE + 1);
	vm_run(vm);
	assert_int_equal(c->rip, 0x2100);
	vm_run(vm);
	assert_int_equal(vm_long(vm, NMIS), 1);
	assert_int_equal(vm->stops, 3);
	vm_free(vm);
}

/* Faults for ever, without an instruction that ends. */
static void a_limited_run_counts_faults_as_turns(void **state)
{
	struct test_vm *vm = with_handlers(vm_new_unstarted(1), undefined,
					   sizeof(undefined));
	struct cpu *c = vm_cpu(vm, 0);
	uint64_t rsp = c->gpr[RSP];

	c->rip = CODE + 1;
	vm_gate(vm, VEC_UD, CODE + 1);
	vcpu_lower(&c->port, VCPU_PAUSE);
	cpu_run_for(c, 100);
	assert_int_equal(c->rip, CODE + 1);
	assert_int_equal(rsp - c->gpr[RSP], 100 * 12);
	vm_free(vm);
}

static void a_limited_run_ends_at_a_halt(void **state)
{
	struct test_vm *vm = with_handlers(vm_new_unstarted(1),
					   "\x90\xf4\x90", 3);
	struct cpu *c = vm_cpu(vm, 0);

	vcpu_lower(&c->port, VCPU_PAUSE);
	cpu_run_for(c, 100);
	assert_true(c->halted);
	assert_int_equal(c->rip, CODE + 2);
	vm_free(vm);
}

VM_TEST_MAIN("loop",
	     TEST(a_limited_run_counts_faults_as_turns),
	     TEST(a_limited_run_ends_at_a_halt),
	     TEST(stores_to_the_next_instruction_are_seen),
	     TEST(a_function_that_changed_is_decoded_again),
	     TEST(dma_into_code_is_seen),
	     TEST(an_interrupt_wakes_from_hlt),
	     TEST(only_an_nmi_wakes_with_interrupts_off),
	     TEST(two_nmis_at_once_are_two),
	     TEST(sti_holds_interrupts_off_for_one_instruction),
	     TEST(sti_then_cli_lets_no_interrupt_in),
	     TEST(mov_ss_holds_interrupts_off_for_one_instruction),
	     TEST(alignment_checks_without_end_shut_down),
	     TEST(tf_traps_after_each_instruction),
	     TEST(mov_ss_holds_off_its_own_watchpoint),
	     TEST(rf_goes_past_an_instruction_breakpoint),
	     TEST(gdb_stops_before_its_breakpoint),
	     TEST(gdb_steps_into_the_handler_of_a_fault))
