/* cpu/interp/block_test.c - what becomes a block, and for how long.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/block.h"
#include "cpu/test_vm.h"

#define CODE	0x4000

static const uint8_t code[] = {
	0x43,				/* inc ebx */
	0xb8, 0x01, 0x00, 0x00, 0x00,	/* mov eax, 1 */
	0xf4,				/* hlt */
	0x43,				/* inc ebx */
};

static struct test_vm *with_code_at(uint32_t at, uint32_t eip)
{
	struct test_vm *vm;

	vm_accel = "interp";
	vm = vm_new(1);
	VM_LOAD(vm, at, code);
	vm_flat(vm, 0, eip);
	return vm;
}

static void a_block_is_decoded_once(void **state)
{
	struct test_vm *vm = with_code_at(CODE, CODE);
	struct cpu *c = vm_cpu(vm, 0);
	const struct block *b = block_find(c);

	assert_non_null(b);
	assert_int_equal(b->bytes, 7);	/* HLT ends it */
	assert_ptr_equal(block_find(c), b);
	vm_free(vm);
}

static void a_block_whose_bytes_change_is_dropped(void **state)
{
	struct test_vm *vm = with_code_at(CODE, CODE);
	struct cpu *c = vm_cpu(vm, 0);
	const struct block *b = block_find(c);

	block_drop(c, vm->ram + CODE + 7, 1);
	assert_ptr_equal(block_find(c), b);
	assert_int_equal(block_lines(c, vm->ram + CODE), 1);
	block_drop(c, vm->ram + CODE + 6, 1);
	assert_int_equal(block_lines(c, vm->ram + CODE), 0);
	assert_ptr_not_equal(block_find(c), b);
	vm_free(vm);
}

static void an_instruction_across_pages_is_stepped(void **state)
{
	struct test_vm *vm = with_code_at(CODE + 0xffe, CODE + 0xfff);

	assert_null(block_find(vm_cpu(vm, 0)));
	vm_free(vm);
}

TEST_MAIN("block",
	  TEST(a_block_is_decoded_once),
	  TEST(a_block_whose_bytes_change_is_dropped),
	  TEST(an_instruction_across_pages_is_stepped))
