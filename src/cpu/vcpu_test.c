/* cpu/vcpu_test.c - several vCPUs: parking, exclusive work, each other's code,
 * INIT and SIPI, shutdown.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/test_vm.h"

#define CODE	0x4000
#define FLAG	0x8000		/* writer's number, and reader's answer */
#define COUNTERS 0x9000

/* ---- programs; numbers in the comments are addresses of labels ---- */

static const uint8_t count_up[] = {
	0xff, 0x02,			/* 4000: inc dword [edx] */
	0xeb, 0xfc,			/* jmp l */
};

static const uint8_t add_across_pages[] = {
	/* 4000: lock inc dword [0x8ffe] */
	0xf0, 0xff, 0x05, 0xfe, 0x8f, 0x00, 0x00,
	0xe2, 0xf7,			/* loop l */
	0xe6, 0xf4,			/* out 0xf4, al */
	0xf4,				/* hlt */
};

static const uint8_t real_mode_done[] = {
	0xe6, 0xf4,			/* out 0xf4, al */
	0xf4,				/* hlt */
};

static const uint8_t writer[] = {
	0x89, 0x0d, 0x01, 0x50, 0x00, 0x00, /* 4000: mov [0x5001], ecx */
	0x89, 0x0d, 0x00, 0x80, 0x00, 0x00, /* mov [0x8000], ecx */
	0x39, 0x0d, 0x04, 0x80, 0x00, 0x00, /* 400c: cmp [0x8004], ecx */
	0x75, 0xf8,			/* jne w */
	0x49,				/* dec ecx */
	0x75, 0xe9,			/* jnz l */
	/* mov dword [0x8000], -1 */
	0xc7, 0x05, 0x00, 0x80, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff,
	0xe6, 0xf4,			/* out 0xf4, al */
	0xf4,				/* hlt */
};

static const uint8_t reader[] = {
	0x8b, 0x0d, 0x00, 0x80, 0x00, 0x00, /* 6000: mov ecx, [0x8000] */
	0x39, 0xd9,			/* cmp ecx, ebx */
	0x74, 0xf6,			/* je l */
	0x89, 0xcb,			/* mov ebx, ecx */
	0x83, 0xf9, 0xff,		/* cmp ecx, -1 */
	0x74, 0x11,			/* je e */
	0xe8, 0xea, 0xef, 0xff, 0xff,	/* call 0x5000 */
	0x39, 0xc8,			/* cmp eax, ecx */
	0x75, 0x08,			/* jne e */
	0x89, 0x0d, 0x04, 0x80, 0x00, 0x00, /* mov [0x8004], ecx */
	0xeb, 0xde,			/* jmp l */
	0xe6, 0xf4,			/* 6022: out 0xf4, al */
	0xf4,				/* hlt */
};

static const uint8_t function[] = {
	0xb8, 0x00, 0x00, 0x00, 0x00,	/* mov eax, 0 */
	0xc3,				/* ret */
};

static const uint8_t patch_own[] = {
	0x89, 0x4a, 0x01,		/* 4000: mov [edx+1], ecx */
	0xff, 0xd2,			/* call edx */
	0x39, 0xc8,			/* cmp eax, ecx */
	0x75, 0x02,			/* jne e */
	0xe2, 0xf5,			/* loop l */
	0xe6, 0xf4,			/* 400b: out 0xf4, al */
	0xf4,				/* hlt */
};

static const uint8_t done[] = {
	0xe6, 0xf4,			/* out 0xf4, al */
	0xf4,				/* hlt */
};

static const uint8_t halt[] = {
	0xf4,				/* hlt */
};

/* ---- parking ---- */

static struct test_vm *counting(unsigned cpus)
{
	struct test_vm *vm = vm_new(cpus);

	VM_LOAD(vm, CODE, count_up);
	for (unsigned n = 0; n < cpus; n++) {
		vm_flat(vm, n, CODE);
		vm_cpu(vm, n)->gpr[RDX] = COUNTERS + 64 * n;
	}
	return vm;
}

static void paused_vcpus_stand_still(void **state)
{
	struct test_vm *vm = counting(VM_CPUS);
	uint32_t before[VM_CPUS];

	assert_true(vcpus_paused(vm->vcpus));
	for (unsigned round = 0; round < 200; round++) {
		vcpus_resume(vm->vcpus);
		assert_false(vcpus_paused(vm->vcpus));
		if (round == 100)
			while (!vm_long(vm, COUNTERS + 64 * 3))
				;
		vcpus_pause(vm->vcpus);
		for (unsigned n = 0; n < VM_CPUS; n++)
			before[n] = vm_long(vm, COUNTERS + 64 * n);
		vcpus_pause(vm->vcpus);		/* once more does no harm */
		for (unsigned n = 0; n < VM_CPUS; n++) {
			struct cpu *c = vm_cpu(vm, n);

			assert_int_equal(vm_long(vm, COUNTERS + 64 * n),
					 before[n]);
			assert_true(c->rip == CODE || c->rip == CODE + 2);
			assert_null(c->insn);
		}
	}
	vm_free(vm);
}

static void a_halted_vcpu_sees_its_reset(void **state)
{
	struct test_vm *vm = vm_new(1);

	for (unsigned round = 0; round < 200; round++) {
		vm_load(vm, CODE, halt, sizeof(halt));
		vm_flat(vm, 0, CODE);
		vm_cpu(vm, 0)->insn_count = 0;
		vcpus_resume(vm->vcpus);
		while (round % 2 && !vm_insns(vm, 0))
			;	/* some of the time, let it halt */
		vcpus_pause(vm->vcpus);
		vcpus_reset(vm->vcpus);
		vm_load(vm, CODE, done, sizeof(done));
		vm_flat(vm, 0, CODE);
		vm_run(vm);
	}
	vm_free(vm);
}

/* ---- exclusive work ---- */

static void exclusive_work_at_once_takes_turns(void **state)
{
	struct test_vm *vm = vm_new(2);

	VM_LOAD(vm, CODE, patch_own);
	for (unsigned n = 0; n < 2; n++) {
		vm_load(vm, 0x5000 + 0x40 * n, function, sizeof(function));
		vm_flat(vm, n, CODE);
		vm_cpu(vm, n)->gpr[RDX] = 0x5000 + 0x40 * n;
		vm_cpu(vm, n)->gpr[RCX] = 2000;
	}
	vcpus_resume(vm->vcpus);
	vm_wait(vm);
	vm_wait(vm);
	for (unsigned n = 0; n < 2; n++)
		assert_int_equal(vm_cpu(vm, n)->gpr[RCX], 0);
	vm_free(vm);
}

static void pausing_waits_for_exclusive_work(void **state)
{
	struct test_vm *vm = vm_new(2);

	VM_LOAD(vm, CODE, patch_own);
	for (unsigned n = 0; n < 2; n++) {
		vm_load(vm, 0x5000 + 0x40 * n, function, sizeof(function));
		vm_flat(vm, n, CODE);
		vm_cpu(vm, n)->gpr[RDX] = 0x5000 + 0x40 * n;
		vm_cpu(vm, n)->gpr[RCX] = 0xffffffff;
	}
	for (unsigned round = 0; round < 200; round++) {
		vcpus_resume(vm->vcpus);
		vcpus_pause(vm->vcpus);
		for (unsigned n = 0; n < 2; n++)
			assert_null(vm_cpu(vm, n)->insn);
	}
	vm_free(vm);
}

static void code_that_another_vcpu_wrote_is_seen(void **state)
{
	struct test_vm *vm = vm_new(2);

	VM_LOAD(vm, CODE, writer);
	VM_LOAD(vm, 0x6000, reader);
	VM_LOAD(vm, 0x5000, function);
	vm_flat(vm, 0, CODE);
	vm_flat(vm, 1, 0x6000);
	vm_cpu(vm, 0)->gpr[RCX] = 200;
	vcpus_resume(vm->vcpus);
	vm_wait(vm);
	vm_wait(vm);
	assert_int_equal(vm_long(vm, FLAG), 0xffffffff);
	assert_int_equal(vm_long(vm, FLAG + 4), 1);
	vm_free(vm);
}

static void locked_additions_across_pages_all_count(void **state)
{
	struct test_vm *vm = vm_new(VM_CPUS);

	VM_LOAD(vm, CODE, add_across_pages);
	for (unsigned n = 0; n < VM_CPUS; n++) {
		vm_flat(vm, n, CODE);
		vm_cpu(vm, n)->gpr[RCX] = 2000;
	}
	vcpus_resume(vm->vcpus);
	for (unsigned n = 0; n < VM_CPUS; n++)
		vm_wait(vm);
	assert_int_equal(load_le32(vm->ram + 0x8ffe), 2000 * VM_CPUS);
	vm_free(vm);
}

/* ---- INIT, SIPI, shutdown ---- */

static void sipi_behind_init_starts_a_vcpu(void **state)
{
	struct test_vm *vm = vm_new(2);
	struct cpu *c = vm_cpu(vm, 1);

	VM_LOAD(vm, 0x10000, real_mode_done);
	VM_LOAD(vm, CODE, halt);
	vm_flat(vm, 0, CODE);
	assert_true(c->wait_sipi);
	c->port.sipi_vector = 0x10;
	vcpu_raise(&c->port, VCPU_INIT);
	vcpu_raise(&c->port, VCPU_SIPI);
	vm_run(vm);
	assert_int_equal(vm->intc[1].inits, 1);
	assert_false(c->wait_sipi);
	assert_int_equal(c->seg[CS].selector, 0x1000);
	assert_int_equal(c->seg[CS].base, 0x10000);
	vm_free(vm);
}

static void init_makes_a_running_vcpu_wait_for_sipi(void **state)
{
	struct test_vm *vm = counting(2);
	struct cpu *c = vm_cpu(vm, 1);

	vcpus_resume(vm->vcpus);
	vcpu_raise(&c->port, VCPU_INIT);
	while (!vm->intc[1].inits)
		;
	vcpus_pause(vm->vcpus);
	assert_true(c->wait_sipi);
	assert_int_equal(c->rip, 0xfff0);
	assert_int_equal(c->cr0 & CR0_PE, 0);
	vm_free(vm);
}

static void a_triple_fault_is_told(void **state)
{
	struct test_vm *vm = vm_new(1);
	struct cpu *c = vm_cpu(vm, 0);

	vm_load(vm, CODE, "\x0f\x0b", 2);	/* UD2 */
	vm_flat(vm, 0, CODE);
	c->idtr.limit = 0;
	vm_run(vm);
	assert_int_equal(vm->stops, 1);
	assert_int_equal(vm->why, VCPU_STOP_SHUTDOWN);
	assert_int_equal(c->rip, CODE);
	vm_free(vm);
}

VM_TEST_MAIN("vcpu",
	     TEST(paused_vcpus_stand_still),
	     TEST(a_halted_vcpu_sees_its_reset),
	     TEST(exclusive_work_at_once_takes_turns),
	     TEST(pausing_waits_for_exclusive_work),
	     TEST(code_that_another_vcpu_wrote_is_seen),
	     TEST(locked_additions_across_pages_all_count),
	     TEST(sipi_behind_init_starts_a_vcpu),
	     TEST(init_makes_a_running_vcpu_wait_for_sipi),
	     TEST(a_triple_fault_is_told))
