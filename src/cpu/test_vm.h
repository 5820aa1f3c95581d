/* cpu/test_vm.h - vCPUs on their own threads with a megabyte of RAM: for unit
 * tests that run small programs.
 *
 *   struct test_vm *vm = vm_new(1);
 *   vm_load(vm, 0x4000, code, sizeof(code));
 *   vm_flat(vm, 0, 0x4000);
 *   vm_run(vm);				// until OUT 0F4h
 *   assert_int_equal(vm_cpu(vm, 0)->gpr[RAX], 1);
 *   vm_free(vm);
 *
 * VM_TEST_MAIN(), in place of TEST_MAIN(), runs the tests once on each engine.
 *
 * Programs run in flat 32-bit segments without paging.  OUT to port 0F4h parks
 * the vCPU and counts as an end, as does a stop by itself (triple fault, gdb);
 * HLT behind it keeps the rest of the block from running on.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_TEST_VM_H
#define CPU_TEST_VM_H
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

#include "base/bytes.h"
#include "base/test.h"
#include "bus/test_bus.h"
#include "cpu/vcpu.h"
#include "cpu/x86/state.h"

#define VM_CPUS		4
#define VM_RAM		(1 * MiB)
#define VM_GDT		0x800
#define VM_IDT		0x1000
#define VM_STACKS	0x20000		/* 4 KiB each */
#define VM_END_PORT	0xf4
#define VM_PATIENCE_S	60

/* The engine of the next vm_new(). */
static const char *vm_accel = ACCEL_PRESET;
/* And its other properties. */
static struct accel_options vm_options;

#define VM_TEST_MAIN(name, ...)                                               \
	int main(void)                                                        \
	{                                                                     \
		const struct CMUnitTest tests[] = { __VA_ARGS__ };            \
		int failed;                                                   \
									      \
		vm_accel = "interp";                                          \
		failed = cmocka_run_group_tests_name(name ", interp", tests,  \
						     NULL, NULL);             \
		vm_accel = "jit";                                             \
		return failed + cmocka_run_group_tests_name(                  \
					name ", jit", tests, NULL, NULL);     \
	}

/* A local interrupt controller with one vector to give. */
struct vm_intc {
	struct vcpu_port *port;
	_Atomic int vector;
	_Atomic unsigned inits;
};

struct test_vm {
	struct test_bus *bus;
	uint8_t *ram;
	struct vcpus *vcpus;
	struct window end_port;
	struct vm_intc intc[VM_CPUS];
	sem_t ended;
	_Atomic unsigned stops;
	_Atomic int why;	/* enum vcpu_stop of the last */
};

static inline struct cpu *vm_cpu(struct test_vm *vm, unsigned n)
{
	return vcpus_get(vm->vcpus, n);
}

/* ---- its interrupt controller and its port ---- */

static int vm_ack(void *intc)
{
	struct vm_intc *i = intc;

	vcpu_lower(i->port, VCPU_INTR);
	return i->vector;
}

static void vm_init(void *intc)
{
	((struct vm_intc *)intc)->inits++;
}

static const struct intc_ops vm_intc_ops = { .ack = vm_ack, .init = vm_init };

static inline void vm_interrupt(struct test_vm *vm, unsigned n, int vector)
{
	vm->intc[n].vector = vector;
	vcpu_raise(vm->intc[n].port, VCPU_INTR);
}

static void vm_end(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct test_vm *vm = dev;

	vcpu_raise(&vm_cpu(vm, vcpu_current())->port, VCPU_PAUSE);
	sem_post(&vm->ended);
}

static void vm_stopped(void *ctx, struct cpu *c, enum vcpu_stop why)
{
	struct test_vm *vm = ctx;

	vm->why = (int)why;
	vm->stops++;
	sem_post(&vm->ended);
}

static const struct io_ops vm_end_io = {
	.min_size = 1, .max_size = 1, .write = vm_end,
};

/* ---- life ---- */

/* Without threads: for tests that run a vCPU on their own. */
static inline struct test_vm *vm_new_unstarted(unsigned cpus)
{
	struct test_vm *vm = calloc(1, sizeof(*vm));
	struct vcpu_config cfg = {
		.accel = vm_options, .model = "qemu64",
		.topology = { cpus, cpus, 1, 1 },
	};
	struct err e;

	assert_non_null(vm);
	cfg.accel.name = vm_accel;
	vm->bus = test_bus_new();
	vm->ram = test_bus_ram(vm->bus, 0, VM_RAM);
	vm->end_port = (struct window){ .name = "end", .ops = &vm_end_io,
					.dev = vm };
	assert_int_equal(bus_map_ports(vm->bus->bus, &vm->end_port,
				       VM_END_PORT, 1, &e), 0);
	sem_init(&vm->ended, 0, 0);
	cfg.bus = vm->bus->bus;
	vm->vcpus = vcpus_new(&cfg, &e);
	assert_non_null(vm->vcpus);
	for (unsigned n = 0; n < cpus; n++) {
		vm->intc[n].port = &vm_cpu(vm, n)->port;
		vcpus_set_intc(vm->vcpus, n, &vm_intc_ops, &vm->intc[n]);
	}
	vcpus_set_stop_handler(vm->vcpus, vm_stopped, vm);
	return vm;
}

static inline struct test_vm *vm_new(unsigned cpus)
{
	struct test_vm *vm = vm_new_unstarted(cpus);
	struct err e;

	assert_int_equal(vcpus_start(vm->vcpus, &e), 0);
	return vm;
}

static inline void vm_free(struct test_vm *vm)
{
	vcpus_pause(vm->vcpus);
	vcpus_free(vm->vcpus);
	test_bus_free(vm->bus);
	sem_destroy(&vm->ended);
	free(vm);
}

/* ---- programs and what they need ---- */

static inline void vm_load(struct test_vm *vm, gpa_t at, const void *code,
			   size_t len)
{
	assert_int_equal(bus_write(vm->bus->bus, at, code, len), 0);
}

#define VM_LOAD(vm, at, code) vm_load(vm, at, code, sizeof(code))

static inline uint32_t vm_long(const struct test_vm *vm, gpa_t at)
{
	return __atomic_load_n((const uint32_t *)(const void *)(vm->ram + at),
			       __ATOMIC_ACQUIRE);
}

/* How many instructions vCPU n has executed, as of its last block. */
static inline uint64_t vm_insns(struct test_vm *vm, unsigned n)
{
	return __atomic_load_n(&vm_cpu(vm, n)->insn_count, __ATOMIC_ACQUIRE);
}

/* vCPU n stands at eip in flat 32-bit code, interrupts off. */
static inline void vm_flat(struct test_vm *vm, unsigned n, uint32_t eip)
{
	const uint32_t data = SEG_P | SEG_S | SEG_WRITABLE | SEG_ACCESSED |
			      SEG_DB | SEG_G;
	struct cpu *c = vm_cpu(vm, n);

	store_le64(vm->ram + VM_GDT + 0x08, 0x00cf9b000000ffff);
	store_le64(vm->ram + VM_GDT + 0x10, 0x00cf93000000ffff);
	for (unsigned s = 0; s < SREG_COUNT; s++)
		c->seg[s] = (struct segment){ 0x10, data, 0xffffffff, 0 };
	c->seg[CS] = (struct segment){ 0x08, data | SEG_CODE, 0xffffffff, 0 };
	c->gdtr = (struct table_register){ VM_GDT, 0x17 };
	c->idtr = (struct table_register){ VM_IDT, 0x7ff };
	c->cr0 |= CR0_PE;
	c->cr4 |= CR4_OSFXSR;
	flags_set(c, 0, ~0u);
	c->gpr[RSP] = VM_STACKS + (n + 1) * 0x1000;
	c->rip = eip;
	c->halted = c->wait_sipi = false;
	cpu_derive(c);
}

/* An interrupt gate to flat code at eip. */
static inline void vm_gate(struct test_vm *vm, uint8_t vector, uint32_t eip)
{
	store_le64(vm->ram + VM_IDT + 8 * vector,
		   (uint64_t)(eip >> 16) << 48 | 0x8e0000080000ull |
			   (eip & 0xffff));
}

/* ---- running ---- */

static inline void vm_wait(struct test_vm *vm)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += VM_PATIENCE_S;
	assert_int_equal(sem_timedwait(&vm->ended, &until), 0);
}

/* Until one of them has come to an end; all are parked then. */
static inline void vm_run(struct test_vm *vm)
{
	vcpus_resume(vm->vcpus);
	vm_wait(vm);
	vcpus_pause(vm->vcpus);
}

#endif
