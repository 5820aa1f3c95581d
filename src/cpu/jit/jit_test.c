/* cpu/jit/jit_test.c - blocks: made, linked, dropped and left, while programs
 * and their memory change.
 *
 * Also snippets of 64-bit code run by both engines, above all with the
 * registers that stay in memory.  Code that changes the block it is in is in
 * cpu/loop_test.c, for each engine.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sched.h>

#include "cpu/engine.h"
#include "cpu/jit/cache.h"
#include "cpu/test_vm.h"

#define CODE	0x4000
#define DATA	0x8000
#define COUNT	DATA		/* endless loops count here */
#define HANDLER	0x6000
#define HANDLED	(DATA + 4)

#define END 0xe6, VM_END_PORT, 0xf4	/* out 0f4h, al; hlt */

/* ---- running ---- */

static struct test_vm *vm_jit(unsigned mib)
{
	vm_accel = "jit";
	vm_options = (struct accel_options){ .tb_size_mib = mib };
	return vm_new(1);
}

static struct jit *jit_of(struct test_vm *vm)
{
	return vm_cpu(vm, 0)->jit;
}

static struct test_vm *loaded(const uint8_t *code, size_t len)
{
	struct test_vm *vm = vm_jit(0);

	vm_load(vm, CODE, code, len);
	return vm;
}

#define LOADED(code) loaded(code, sizeof(code))

static void run(struct test_vm *vm, uint32_t ecx)
{
	struct cpu *c = vm_cpu(vm, 0);

	vm_flat(vm, 0, CODE);
	c->gpr[RAX] = c->gpr[RBX] = 0;
	c->gpr[RCX] = ecx;
	vm_run(vm);
	assert_int_equal(vm->stops, 0);
}

static uint64_t ebx(struct test_vm *vm)
{
	return vm_cpu(vm, 0)->gpr[RBX];
}

static struct jit_block *block_at(struct test_vm *vm, uint32_t eip)
{
	return jit_find(vm_cpu(vm, 0), vm->ram + eip,
			CODE32 | TLB_SUPERVISOR << 2 | KEY_FLAT);
}

/* ---- links ---- */

static const uint8_t two_blocks[] = {
	0x40,				/* 4000: inc eax */
	0xeb, 0x0d,			/* jmp 4010 */
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0x83, 0xc3, 0x01,		/* 4010: add ebx, 1 */
	0x49,				/* dec ecx */
	0x75, 0xea,			/* jnz 4000 */
	END
};

static struct jit_exit *link_between(struct test_vm *vm, uint32_t from,
				     uint32_t to)
{
	struct jit_block *a = block_at(vm, from), *b = block_at(vm, to);

	assert_non_null(a);
	assert_non_null(b);
	for (unsigned n = 0; n < a->exits; n++)
		if (a->exit[n].to == b)
			return &a->exit[n];
	return NULL;
}

static const uint8_t *target_of(const uint8_t *site)
{
	int32_t rel;

	memcpy(&rel, site, 4);
	return site + 4 + rel;
}

static void blocks_of_a_loop_are_linked(void **state)
{
	struct test_vm *vm = LOADED(two_blocks);
	struct jit_exit *x;

	run(vm, 1000);
	assert_int_equal(ebx(vm), 1000);
	x = link_between(vm, 0x4000, 0x4010);
	assert_non_null(x);
	assert_ptr_not_equal(target_of(x->site), x->stub);
	assert_non_null(link_between(vm, 0x4010, 0x4000));
	assert_true(jit_of(vm)->stats.enters < 20);
	vm_free(vm);
}

/* With exact flags no block hangs on the code of another. */
static struct test_vm *two_blocks_exact(void)
{
	struct test_vm *vm;

	vm_accel = "jit";
	vm_options = (struct accel_options){ .exact_flags = true };
	vm = vm_new(1);
	VM_LOAD(vm, CODE, two_blocks);
	return vm;
}

static void jumps_into_a_dropped_block_are_put_back(void **state)
{
	struct test_vm *vm = two_blocks_exact();
	struct cpu *c = vm_cpu(vm, 0);
	struct jit_exit *x;

	run(vm, 10);
	x = link_between(vm, 0x4000, 0x4010);
	assert_non_null(x);
	c->engine->drop(c, vm->ram + 0x4012, 1);
	assert_null(block_at(vm, 0x4010));
	assert_non_null(block_at(vm, 0x4000));
	assert_null(x->to);
	assert_ptr_equal(target_of(x->site), x->stub);
	run(vm, 10);
	assert_int_equal(ebx(vm), 10);
	assert_non_null(link_between(vm, 0x4000, 0x4010));
	vm_free(vm);
}

static void a_block_that_is_dropped_leaves_no_link_behind(void **state)
{
	struct test_vm *vm = two_blocks_exact();
	struct cpu *c = vm_cpu(vm, 0);

	run(vm, 10);
	c->engine->drop(c, vm->ram + 0x4000, 1);
	for (struct jit_exit *x = block_at(vm, 0x4010)->incoming; x;
	     x = x->next_incoming)
		assert_ptr_equal(x->from->hva, vm->ram + 0x4010);
	c->engine->drop(c, vm->ram + 0x4010, 1);
	run(vm, 10);
	assert_int_equal(ebx(vm), 10);
	vm_free(vm);
}

static void code_written_by_a_device_is_seen_through_links(void **state)
{
	static const uint8_t two = 2;
	struct test_vm *vm = LOADED(two_blocks);

	run(vm, 100);
	vm_load(vm, 0x4012, &two, 1);		/* add ebx, 2 */
	run(vm, 100);
	assert_int_equal(ebx(vm), 200);
	vm_free(vm);
}

static void a_flush_forgets_all_and_nothing_is_lost(void **state)
{
	struct test_vm *vm = LOADED(two_blocks);
	struct cpu *c = vm_cpu(vm, 0);

	run(vm, 10);
	c->engine->flush(c);
	assert_null(block_at(vm, 0x4000));
	assert_int_equal(c->engine->lines(c, vm->ram + CODE), 0);
	run(vm, 10);
	assert_int_equal(ebx(vm), 10);
	vm_free(vm);
}

/* ---- a cache that is too small ---- */

static void code_that_does_not_fit_runs_right(void **state)
{
	static const uint8_t step[] = { 0xff, 0x05, 0x00, 0x80, 0x00, 0x00 };
	static const uint8_t end[] = { END };
	const unsigned steps = 100000, rounds = 3;
	const uint32_t start = 0x30000;
	uint32_t at = start + steps * (uint32_t)sizeof(step);
	uint8_t jump[] = { 0x49, 0x0f, 0x85, 0, 0, 0, 0 }; /* dec ecx; jnz */
	struct test_vm *vm = vm_jit(1);
	struct jit *j = jit_of(vm);

	for (unsigned n = 0; n < steps; n++)
		memcpy(vm->ram + start + n * sizeof(step), step, sizeof(step));
	store_le32(jump + 3, start - (at + (uint32_t)sizeof(jump)));
	VM_LOAD(vm, at, jump);
	VM_LOAD(vm, at + sizeof(jump), end);
	vm_flat(vm, 0, start);
	vm_cpu(vm, 0)->gpr[RCX] = rounds;
	vm_run(vm);
	assert_int_equal(vm_long(vm, DATA), steps * rounds);
	assert_true(j->stats.flushes > rounds);
	assert_true(j->mem.size <= 1 * MiB);
	assert_true(j->hot <= j->hot_end && j->cold <= j->cold_end);
	vm_free(vm);
}

/* ---- events ---- */

#define COUNTS 0xff, 0x05, 0x00, 0x80, 0x00, 0x00	/* inc [COUNT] */

static const struct { const char *name; uint8_t code[24]; } endless[] = {
	{ "jmp", { COUNTS, 0xeb, 0xf8 } },
	{ "jnc", { COUNTS, 0xf8, 0x73, 0xf7 } },
	{ "call", { COUNTS, 0xe8, 0, 0, 0, 0, 0x58, 0xeb, 0xf2 } },
	{ "call backwards", { COUNTS, 0x83, 0xc4, 0x04, 0xe8, 0xf2, 0xff,
			      0xff, 0xff } },
	{ "jmp eax", { COUNTS, 0xb8, 0x00, 0x40, 0, 0, 0xff, 0xe0 } },
	{ "ret", { COUNTS, 0x68, 0x00, 0x40, 0, 0, 0xc3 } },
	{ "another page", { COUNTS, 0xe9, 0xf5, 0x0f, 0, 0 } },
	{ "another page, jnc", { COUNTS, 0xf8, 0x0f, 0x83, 0xf3, 0x0f, 0,
				 0 } },
	{ "call to another page", { COUNTS, 0xe8, 0xf5, 0x0f, 0, 0 } },
};

/* At 5000h: back to CODE, with the stack empty. */
static const uint8_t back[] = {
	0xbc, 0x00, 0x10, 0x02, 0x00,	/* mov esp, 21000h */
	0xe9, 0xf6, 0xef, 0xff, 0xff,	/* jmp 4000h */
};

static void start_endless(struct test_vm *vm, unsigned n)
{
	VM_LOAD(vm, CODE, endless[n].code);
	VM_LOAD(vm, 0x5000, back);
	vm_flat(vm, 0, CODE);
	store_le32(vm->ram + COUNT, 0);
	vcpus_resume(vm->vcpus);
	while (vm_long(vm, COUNT) < 2000 && !vm->stops)
		sched_yield();
}

/* Hangs if it is not so. */
static void every_endless_loop_notices_events(void **state)
{
	for (unsigned n = 0; n < ARRAY_LEN(endless); n++) {
		struct test_vm *vm = vm_jit(0);

		start_endless(vm, n);
		vcpus_pause(vm->vcpus);
		if (vm->stops)
			print_error("%s\n", endless[n].name);
		assert_int_equal(vm->stops, 0);
		vm_free(vm);
	}
}

static void interrupts_arrive_in_every_endless_loop(void **state)
{
	static const uint8_t handler[] = {
		0xff, 0x05, 0x04, 0x80, 0x00, 0x00,	/* inc [HANDLED] */
		0xcf,					/* iretd */
	};

	for (unsigned n = 0; n < ARRAY_LEN(endless); n++) {
		struct test_vm *vm = vm_jit(0);

		VM_LOAD(vm, HANDLER, handler);
		vm_gate(vm, 0x40, HANDLER);
		start_endless(vm, n);
		vcpus_pause(vm->vcpus);
		flags_set(vm_cpu(vm, 0), FLAG_IF, FLAG_IF);
		vcpus_resume(vm->vcpus);
		for (unsigned i = 1; i <= 50; i++) {
			vm_interrupt(vm, 0, 0x40);
			while (vm_long(vm, HANDLED) != i && !vm->stops)
				sched_yield();
		}
		vcpus_pause(vm->vcpus);
		assert_int_equal(vm->stops, 0);
		vm_free(vm);
	}
}

/* ---- addresses that change ---- */

#define PD	0x10000
#define PT	0x11000
#define PD2	0x12000
#define PT2	0x13000

static void map_all(struct test_vm *vm, uint32_t pd, uint32_t pt)
{
	for (uint32_t n = 0; n < VM_RAM / PAGE_SIZE; n++)
		store_le32(vm->ram + pt + 4 * n,
			   n * (uint32_t)PAGE_SIZE | 3);
	store_le32(vm->ram + pd, pt | 3);
}

/* 9000h is one of these. */
static void load_targets(struct test_vm *vm)
{
	static const uint8_t one[] = { 0x43, 0xc3 };	/* inc ebx; ret */
	static const uint8_t sixteen[] = {
		0x83, 0xc3, 0x10, 0xc3			/* add ebx, 16; ret */
	};

	VM_LOAD(vm, 0x30000, one);
	VM_LOAD(vm, 0x31000, sixteen);
}

static void run_paged(struct test_vm *vm, uint32_t ecx)
{
	struct cpu *c = vm_cpu(vm, 0);

	vm_flat(vm, 0, CODE);
	c->cr3 = PD;
	c->cr0 |= CR0_PG;
	cpu_derive(c);
	c->gpr[RBX] = 0;
	c->gpr[RCX] = ecx;
	c->gpr[RSI] = PD;
	c->gpr[RDI] = PD2;
	vm_run(vm);
	assert_int_equal(vm->stops, 0);
}

static const uint8_t remap_invlpg[] = {
	0xe8, 0xfb, 0x4f, 0x00, 0x00,	/* call 9000h */
	0x81, 0x35, 0x24, 0x10, 0x01, 0x00, 0x00, 0x10, 0x00, 0x00,
					/* xor dword [PT + 9 * 4], 1000h */
	0x0f, 0x01, 0x3d, 0x00, 0x90, 0x00, 0x00, /* invlpg [9000h] */
	0x49,				/* dec ecx */
	0x75, 0xe7,			/* jnz */
	END
};

static const uint8_t remap_cr3[] = {
	0xe8, 0xfb, 0x4f, 0x00, 0x00,	/* call 9000h */
	0x81, 0x35, 0x24, 0x10, 0x01, 0x00, 0x00, 0x10, 0x00, 0x00,
					/* xor dword [PT + 9 * 4], 1000h */
	0x0f, 0x22, 0xde,		/* mov cr3, esi */
	0x49,				/* dec ecx */
	0x75, 0xeb,			/* jnz */
	END
};

static const uint8_t switch_cr3[] = {
	0xe8, 0xfb, 0x4f, 0x00, 0x00,	/* call 9000h */
	0x0f, 0x22, 0xdf,		/* mov cr3, edi */
	0x87, 0xf7,			/* xchg edi, esi */
	0x49,				/* dec ecx */
	0x75, 0xf3,			/* jnz */
	END
};

static void calls_reach_the_page_that_is_mapped_now(void **state)
{
	static const struct { const uint8_t *code; size_t len; } ways[] = {
		{ remap_invlpg, sizeof(remap_invlpg) },
		{ remap_cr3, sizeof(remap_cr3) },
		{ switch_cr3, sizeof(switch_cr3) },
	};

	for (unsigned n = 0; n < ARRAY_LEN(ways); n++) {
		struct test_vm *vm = loaded(ways[n].code, ways[n].len);

		load_targets(vm);
		map_all(vm, PD, PT);
		map_all(vm, PD2, PT2);
		store_le32(vm->ram + PT + 9 * 4, 0x30003);
		store_le32(vm->ram + PT2 + 9 * 4, 0x31003);
		run_paged(vm, 200);
		assert_int_equal(ebx(vm), 100 * (1 + 16));
		vm_free(vm);
	}
}

/* ---- code that changes, and data beside code ---- */

static void a_loop_may_change_its_own_operand_each_time(void **state)
{
	static const uint8_t code[] = {
		0xb8, 0x01, 0x00, 0x00, 0x00,	/* mov eax, 1 */
		0x01, 0xc3,			/* add ebx, eax */
		0xff, 0x05, 0x01, 0x40, 0x00, 0x00, /* inc dword [4001h] */
		0x49,				/* dec ecx */
		0x75, 0xf0,			/* jnz */
		END
	};
	struct test_vm *vm = LOADED(code);

	run(vm, 300);
	assert_int_equal(ebx(vm), 300 * 301 / 2);
	vm_free(vm);
}

static void data_beside_code_drops_no_code(void **state)
{
	static const uint16_t places[] = { 0x4040, 0x4800 };
	uint8_t code[] = {
		0xff, 0x05, 0x00, 0x00, 0x00, 0x00, /* inc dword [place] */
		0x49,				/* dec ecx */
		0x75, 0xf7,			/* jnz */
		END
	};

	for (unsigned n = 0; n < ARRAY_LEN(places); n++) {
		struct test_vm *vm;

		store_le32(code + 2, places[n]);
		vm = LOADED(code);
		run(vm, 20000);
		assert_int_equal(vm_long(vm, places[n]), 20000);
		assert_true(jit_of(vm)->stats.drops < 3);
		vm_free(vm);
	}
}

/* What a block takes for dead hangs on code that is not its own. */
static void flags_are_live_once_the_code_that_reads_them_is_there(void **state)
{
	static const uint8_t code[] = {
		0x01, 0xc9,			/* add ecx, ecx */
		0xe9, 0x39, 0x0f, 0x00, 0x00,	/* jmp 4f40h */
	};
	static const uint8_t first[] = {
		0x39, 0xc0,			/* 4f40: cmp eax, eax */
		0x90, END
	};
	static const uint8_t then[] = {
		0x0f, 0x92, 0xc3,		/* 4f40: setc bl */
		END
	};
	struct test_vm *vm = LOADED(code);

	VM_LOAD(vm, 0x4f40, first);
	run(vm, 0x80000000);
	VM_LOAD(vm, 0x4f40, then);
	run(vm, 0x80000000);
	assert_int_equal(ebx(vm), 1);
	vm_free(vm);
}

/* ---- 64-bit snippets on both engines ---- */

static const struct { const char *name; uint8_t len; uint8_t code[40]; }
snippets[] = {
#define S(name, ...) { name, sizeof((uint8_t[]){ __VA_ARGS__ }), { __VA_ARGS__ } }
	S("add r13, r14", 0x4d, 0x01, 0xf5),
	S("add r14d, r15d", 0x45, 0x01, 0xfe),
	S("stc; adc r13, r14", 0xf9, 0x4d, 0x11, 0xf5),
	S("mov r13b, r14b", 0x45, 0x88, 0xf5),
	S("mov r15w, ax", 0x66, 0x41, 0x89, 0xc7),
	S("mov sil, r13b", 0x44, 0x88, 0xee),
	S("mov ah, ch; add ah, bl", 0x88, 0xec, 0x00, 0xdc),
	S("mov r15b, dil; mov dil, r14b", 0x41, 0x88, 0xff, 0x44, 0x88, 0xf7),
	S("xchg r14, r15", 0x4d, 0x87, 0xfe),
	S("xchg r13b, al", 0x44, 0x86, 0xe8),
	S("xadd r13, r15", 0x4d, 0x0f, 0xc1, 0xfd),
	S("xadd r14d, r14d", 0x45, 0x0f, 0xc1, 0xf6),
	S("cmpxchg r14, r15", 0x4d, 0x0f, 0xb1, 0xfe),
	S("mov rax, [r13+r15*2+4]", 0x4b, 0x8b, 0x44, 0x7d, 0x04),
	S("mov [r13], r14", 0x4d, 0x89, 0x75, 0x00),
	S("add [r13], r14b", 0x45, 0x00, 0x75, 0x00),
	S("mov r14, [rip+100h]", 0x4c, 0x8b, 0x35, 0x00, 0x01, 0x00, 0x00),
	S("mov r14, fs:[r13]", 0x64, 0x4d, 0x8b, 0x75, 0x00),
	S("lea r15, [r13+r14]", 0x4f, 0x8d, 0x7c, 0x35, 0x00),
	S("lea r14d, [r14+1]", 0x45, 0x8d, 0x76, 0x01),
	S("push r13; pop r14", 0x41, 0x55, 0x41, 0x5e),
	S("push [r13]; pop r15", 0x41, 0xff, 0x75, 0x00, 0x41, 0x5f),
	S("push rsp; pop r13", 0x54, 0x41, 0x5d),
	S("push r14; pop rsp; sub rsp, r14", 0x41, 0x56, 0x5c, 0x4c, 0x29,
	  0xf4),
	S("pushf; pop r14", 0x9c, 0x41, 0x5e),
	S("imul r13, r14; cmp al, al", 0x4d, 0x0f, 0xaf, 0xee, 0x38, 0xc0),
	S("mul r14; cmp al, al", 0x49, 0xf7, 0xe6, 0x38, 0xc0),
	S("xor edx, edx; div r15; cmp al, al", 0x31, 0xd2, 0x49, 0xf7, 0xf7,
	  0x38, 0xc0),
	S("cdq; idiv r15d; cmp al, al", 0x99, 0x41, 0xf7, 0xff, 0x38, 0xc0),
	S("shl r14, cl", 0x49, 0xd3, 0xe6),
	S("shld r13, r14, 5", 0x4d, 0x0f, 0xa4, 0xf5, 0x05),
	S("movzx r15d, r14b", 0x45, 0x0f, 0xb6, 0xfe),
	S("movsx r13, word [r13]", 0x4d, 0x0f, 0xbf, 0x6d, 0x00),
	S("stc; setc r14b", 0xf9, 0x41, 0x0f, 0x92, 0xc6),
	S("cmp eax, eax; cmovz r15, [r13]", 0x39, 0xc0, 0x4d, 0x0f, 0x44,
	  0x7d, 0x00),
	S("bswap r14", 0x49, 0x0f, 0xce),
	S("bt r14, r15", 0x4d, 0x0f, 0xa3, 0xfe),
	S("bts [r13], r15", 0x4d, 0x0f, 0xab, 0x7d, 0x00),
	S("lock cmpxchg16b [r13]", 0xf0, 0x49, 0x0f, 0xc7, 0x4d, 0x00),
	S("movq xmm0, r14; movq r15, xmm0", 0x66, 0x49, 0x0f, 0x6e, 0xc6,
	  0x66, 0x49, 0x0f, 0x7e, 0xc7),
	S("dec r15; jnz", 0x49, 0xff, 0xcf, 0x75, 0xfb),
	S("call; pop r13", 0xe8, 0x00, 0x00, 0x00, 0x00, 0x41, 0x5d),
	S("leave with rbp in r13's page", 0x4c, 0x89, 0xed, 0xc9),
	S("mov rsi, r13; lea rdi, [r13+4]; mov ecx, 30; rep movsb",
	  0x4c, 0x89, 0xee, 0x49, 0x8d, 0x7d, 0x04, 0xb9, 0x1e, 0, 0, 0,
	  0xf3, 0xa4),
	S("mov rsi, r13; lea rdi, [r13+0fe0h]; mov ecx, 6; rep movsq; "
	  "mov rdi, r13; lea rsi, [r13+0fe4h]; mov ecx, 5; rep movsd",
	  0x4c, 0x89, 0xee, 0x49, 0x8d, 0xbd, 0xe0, 0x0f, 0, 0, 0xb9, 6, 0,
	  0, 0, 0xf3, 0x48, 0xa5, 0x4c, 0x89, 0xef, 0x49, 0x8d, 0xb5, 0xe4,
	  0x0f, 0, 0, 0xb9, 5, 0, 0, 0, 0xf3, 0xa5),
	S("lea rdi, [r13+20]; mov ecx, 9; std; rep stosb; cld",
	  0x49, 0x8d, 0x7d, 0x14, 0xb9, 9, 0, 0, 0, 0xfd, 0xf3, 0xaa, 0xfc),
	S("lea rdi, [r13+2]; xor ecx, ecx; rep stosw; mov cl, 3; rep stosw",
	  0x49, 0x8d, 0x7d, 0x02, 0x31, 0xc9, 0xf3, 0x66, 0xab, 0xb1, 3,
	  0xf3, 0x66, 0xab),
	/* Loops, where they are in host registers. */
	S("mov r15d, 600; add rax, [r13]; add r13, 8; xor r14, rax; "
	  "mov [r13], r14b; dec r15; jnz",
	  0x41, 0xbf, 0x58, 0x02, 0x00, 0x00, 0x49, 0x03, 0x45, 0x00, 0x49,
	  0x83, 0xc5, 0x08, 0x49, 0x31, 0xc6, 0x45, 0x88, 0x75, 0x00, 0x49,
	  0xff, 0xcf, 0x75, 0xec),
	S("mov r15d, 50; add r14, r15; dec r15; cmp r15, 7; je; "
	  "test r15, r15; jnz",
	  0x41, 0xbf, 0x32, 0x00, 0x00, 0x00, 0x4d, 0x01, 0xfe, 0x49, 0xff,
	  0xcf, 0x49, 0x83, 0xff, 0x07, 0x74, 0x05, 0x4d, 0x85, 0xff, 0x75,
	  0xef),
	S("mov r15d, 20; mov rax, r15; xor edx, edx; not rdx; idiv r14; "
	  "add rsi, rax; dec r15; jnz",
	  0x41, 0xbf, 0x14, 0x00, 0x00, 0x00, 0x4c, 0x89, 0xf8, 0x31, 0xd2,
	  0x48, 0xf7, 0xd2, 0x49, 0xf7, 0xfe, 0x48, 0x01, 0xc6, 0x49, 0xff,
	  0xcf, 0x75, 0xed),
#undef S
};

/* 64-bit code without paging, which no processor would run. */
static void vm_long_code(struct test_vm *vm)
{
	struct cpu *c = vm_cpu(vm, 0);

	vm_flat(vm, 0, CODE);
	c->seg[CS].attr = (c->seg[CS].attr | SEG_L) & ~SEG_DB;
	c->efer |= EFER_LME | EFER_LMA;
	cpu_derive(c);
	assert_int_equal(c->mode, CODE64);
	for (unsigned r = 0; r < 16; r++)
		if (r != RSP)
			c->gpr[r] = 0x1234567887654321 + r;
	c->gpr[R13] = DATA + 16;
	c->gpr[R14] = 0x1122334455667788;
	c->gpr[R15] = 3;
}

struct result {
	uint64_t gpr[16];
	uint32_t flags;
	uint8_t data[64];
};

static void run_snippet(unsigned n, const char *accel, struct result *r)
{
	static const uint8_t end[] = { END };
	struct test_vm *vm;

	vm_accel = accel;
	vm_options = (struct accel_options){ .name = NULL };
	vm = vm_new(1);
	vm_load(vm, CODE, snippets[n].code, snippets[n].len);
	VM_LOAD(vm, CODE + snippets[n].len, end);
	for (unsigned i = 0; i < 256; i++)
		vm->ram[DATA + i] = (uint8_t)(i * 7);
	vm_long_code(vm);
	vm_run(vm);
	assert_int_equal(vm->stops, 0);
	memcpy(r->gpr, vm_cpu(vm, 0)->gpr, sizeof(r->gpr));
	r->flags = flags_get(vm_cpu(vm, 0));
	memcpy(r->data, vm->ram + DATA, sizeof(r->data));
	vm_free(vm);
}

static void registers_in_memory_are_like_the_others(void **state)
{
	for (unsigned n = 0; n < ARRAY_LEN(snippets); n++) {
		struct result a, b;

		run_snippet(n, "interp", &a);
		run_snippet(n, "jit", &b);
		if (memcmp(a.gpr, b.gpr, sizeof(a.gpr)) ||
		    a.flags != b.flags ||
		    memcmp(a.data, b.data, sizeof(a.data)))
			print_error("%s\n", snippets[n].name);
		assert_memory_equal(a.gpr, b.gpr, sizeof(a.gpr));
		assert_int_equal(a.flags, b.flags);
		assert_memory_equal(a.data, b.data, sizeof(a.data));
	}
}

/* ---- returns ---- */

/* The mark that no call is open is a number that a guest may return to. */
static void a_return_to_a_forged_address_stays_in_the_guest(void **state)
{
	static const uint8_t code[] = {
		0xb9, 5, 0, 0, 0,		/* mov ecx, 5 */
		0x50, 0x58, 0xff, 0xc9,		/* push; pop; dec ecx */
		0x75, 0xfa,			/* jnz: the TLB knows the stack */
		0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0x80, /* mov rax, 1 << 63 */
		0x50, 0xeb, 0x00, 0xc3,		/* push rax; jmp; ret */
		END
	};
	struct test_vm *vm = vm_jit(0);

	VM_LOAD(vm, CODE, code);
	vm_long_code(vm);
	vm_run(vm);
	assert_int_equal(vm->stops, 1);		/* no handler for #GP */
	assert_int_equal(vm->why, VCPU_STOP_SHUTDOWN);
	vm_free(vm);
}

/* What takes most cold code, as often as a block may have it. */
static void a_block_of_indirect_calls_fits(void **state)
{
	struct test_vm *vm = vm_jit(0);
	uint32_t at = CODE + 0x800;
	static const uint8_t start[] = { 0xbb, 0x00, 0x80, 0, 0 };
	static const uint8_t end[] = { END };

	VM_LOAD(vm, CODE, start);		/* mov ebx, COUNT */
	for (unsigned n = 0; n < 200; n++)
		vm_load(vm, CODE + 5 + 2 * n, "\xff\x13", 2); /* call [ebx] */
	VM_LOAD(vm, CODE + 5 + 2 * 200, end);
	vm_load(vm, COUNT, &at, 4);
	vm_load(vm, at, "\x40\xc3", 2);		/* inc eax; ret */
	run(vm, 0);
	assert_int_equal(vm_cpu(vm, 0)->gpr[RAX], 200);
	vm_free(vm);
}

/* Functions that call the next one twice run for 2^44 returns. */
static void a_tree_of_forward_calls_notices_events(void **state)
{
	static const uint8_t start[] = {
		0xff, 0x05, 0x00, 0x80, 0, 0,	/* inc dword [COUNT] */
		0xe8, 5, 0, 0, 0,		/* call the first function */
		END
	};
	static const uint8_t function[] = {
		0xe8, 6, 0, 0, 0, 0xe8, 1, 0, 0, 0, 0xc3,
	};
	struct test_vm *vm = vm_jit(0);
	unsigned at = CODE + 16;

	VM_LOAD(vm, CODE, start);
	for (unsigned n = 0; n < 44; n++, at += sizeof(function))
		VM_LOAD(vm, at, function);
	vm_load(vm, at, "\xc3", 1);
	vm_flat(vm, 0, CODE);
	vcpus_resume(vm->vcpus);
	while (!vm_long(vm, COUNT))
		(void)sched_yield();
	vcpus_pause(vm->vcpus);		/* or not before the test's time limit */
	assert_int_equal(vm->stops, 0);
	vm_free(vm);
}

TEST_MAIN("jit", TEST(blocks_of_a_loop_are_linked),
	  TEST(jumps_into_a_dropped_block_are_put_back),
	  TEST(a_block_that_is_dropped_leaves_no_link_behind),
	  TEST(code_written_by_a_device_is_seen_through_links),
	  TEST(a_flush_forgets_all_and_nothing_is_lost),
	  TEST(code_that_does_not_fit_runs_right),
	  TEST(every_endless_loop_notices_events),
	  TEST(interrupts_arrive_in_every_endless_loop),
	  TEST(calls_reach_the_page_that_is_mapped_now),
	  TEST(a_loop_may_change_its_own_operand_each_time),
	  TEST(data_beside_code_drops_no_code),
	  TEST(flags_are_live_once_the_code_that_reads_them_is_there),
	  TEST(registers_in_memory_are_like_the_others),
	  TEST(a_return_to_a_forged_address_stays_in_the_guest),
	  TEST(a_block_of_indirect_calls_fits),
	  TEST(a_tree_of_forward_calls_notices_events))
