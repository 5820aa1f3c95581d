/* machine/test_boot.h - small kernel files, and a machine to load them into,
 * for the unit tests of boot*.c.
 *
 * The machine has 4 MiB of RAM, full of A5h, so that what is cleared shows.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MACHINE_TEST_BOOT_H
#define MACHINE_TEST_BOOT_H
#include <elf.h>
#include <stdio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "cpu/x86/test_cpu.h"
#include "machine/boot.h"

#define DIRT 0xa5
#define IMAGE_MAX (64 * KiB)

struct image {
	uint8_t bytes[IMAGE_MAX];
	size_t len;
};

static const struct e820_entry test_e820[] = {
	{ 0, 0x9fc00, E820_RAM },
	{ 0x9fc00, 0x400, E820_RESERVED },
	{ 0xe0000, 0x20000, E820_RESERVED },
	{ MiB, TEST_RAM_BYTES - MiB, E820_RAM },
};

static char test_dir[64];

/* Good for the next three calls. */
static inline const char *test_path(const char *name)
{
	static char path[4][128];
	static unsigned turn;

	turn = (turn + 1) % ARRAY_LEN(path);
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", test_dir, name);
	return path[turn];
}

static inline const char *write_file(const char *name, const void *bytes,
				     size_t len)
{
	const char *path = test_path(name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	return path;
}

static inline struct boot_config test_config(const struct image *kernel)
{
	static char path[128];

	strcpy(path, write_file("kernel", kernel->bytes, kernel->len));
	return (struct boot_config){
		.kernel = path,
		.low_ram = TEST_RAM_BYTES,
		.e820 = test_e820,
		.e820_count = ARRAY_LEN(test_e820),
		.rsdp = 0xe0010,
		.long_mode = true,
	};
}

/* Opened, loaded into dirty RAM and started. */
static inline struct boot *boot_up(const struct boot_config *cfg,
				   struct test_cpu *t)
{
	struct err e = { "" };
	struct boot *b = boot_open(cfg, &e);

	assert_string_equal(e.text, "");
	assert_non_null(b);
	memset(t->ram, DIRT, TEST_RAM_BYTES);
	assert_int_equal(boot_load(b, t->bus->bus, &e), 0);
	boot_start(b, t->c);
	return b;
}

static inline void accepted(const struct boot_config *cfg)
{
	struct err e = { "" };
	struct boot *b = boot_open(cfg, &e);

	assert_string_equal(e.text, "");
	assert_non_null(b);
	boot_free(b);
}

static inline void refused(const struct boot_config *cfg, const char *says)
{
	struct err e = { "" };

	assert_null(boot_open(cfg, &e));
	if (!strstr(e.text, says))
		print_error("wanted: %s\nfound: %s\n", says, e.text);
	assert_non_null(strstr(e.text, says));
	assert_null(strchr(e.text, '\n'));
}

static inline void refused_image(const struct image *kernel, const char *says)
{
	struct boot_config cfg = test_config(kernel);

	refused(&cfg, says);
}

/* What every protocol here starts with: flat segments, no interrupts. */
static inline void assert_flat(const struct cpu *c)
{
	for (unsigned s = 0; s < SREG_COUNT; s++) {
		assert_int_equal(c->seg[s].base, 0);
		assert_int_equal(c->seg[s].limit, 0xffffffff);
	}
	assert_int_equal(flags_get(c), FLAG_ONE);
	assert_true(c->cr0 & CR0_PE);
	assert_int_equal(c->cpl, 0);
}

/* ---- ELF files ---- */

struct segment_row {
	uint32_t type;
	uint64_t offset, paddr, filesz, memsz;
	uint64_t vaddr, align;
};

static inline void elf32(struct image *im, uint64_t entry,
			 const struct segment_row *s, unsigned n)
{
	Elf32_Ehdr h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, 1 },
		.e_type = ET_EXEC, .e_machine = EM_386, .e_version = 1,
		.e_entry = (uint32_t)entry, .e_phoff = sizeof(h),
		.e_ehsize = sizeof(h), .e_phentsize = sizeof(Elf32_Phdr),
		.e_phnum = (uint16_t)n,
	};

	memcpy(im->bytes, &h, sizeof(h));
	for (unsigned i = 0; i < n; i++) {
		Elf32_Phdr p = {
			.p_type = s[i].type, .p_offset = (uint32_t)s[i].offset,
			.p_vaddr = (uint32_t)s[i].vaddr,
			.p_paddr = (uint32_t)s[i].paddr,
			.p_filesz = (uint32_t)s[i].filesz,
			.p_memsz = (uint32_t)s[i].memsz,
			.p_align = (uint32_t)s[i].align,
		};

		memcpy(im->bytes + sizeof(h) + i * sizeof(p), &p, sizeof(p));
	}
}

static inline void elf64(struct image *im, uint64_t entry,
			 const struct segment_row *s, unsigned n)
{
	Elf64_Ehdr h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 },
		.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = 1,
		.e_entry = entry, .e_phoff = sizeof(h),
		.e_ehsize = sizeof(h), .e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (uint16_t)n,
	};

	memcpy(im->bytes, &h, sizeof(h));
	for (unsigned i = 0; i < n; i++) {
		Elf64_Phdr p = {
			.p_type = s[i].type, .p_offset = s[i].offset,
			.p_vaddr = s[i].vaddr, .p_paddr = s[i].paddr,
			.p_filesz = s[i].filesz, .p_memsz = s[i].memsz,
			.p_align = s[i].align,
		};

		memcpy(im->bytes + sizeof(h) + i * sizeof(p), &p, sizeof(p));
	}
}

/* ---- the group's folder ---- */

static inline int make_test_dir(void **state)
{
	strcpy(test_dir, "/tmp/husk-boot-XXXXXX");
	return mkdtemp(test_dir) ? 0 : -1;
}

static inline int remove_test_dir(void **state)
{
	static const char *const names[] = { "kernel", "initrd", "a", "b",
					     "c,d", "fifo" };

	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		(void)unlink(test_path(names[i]));	/* may not be there */
	return rmdir(test_dir);
}

#define BOOT_TEST_MAIN(name, ...)                                             \
	int main(void)                                                        \
	{                                                                     \
		const struct CMUnitTest tests[] = { __VA_ARGS__ };            \
									      \
		return cmocka_run_group_tests_name(name, tests,               \
						   make_test_dir,             \
						   remove_test_dir);          \
	}
#endif
