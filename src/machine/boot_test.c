/* machine/boot_test.c - kernel files that are none, and Linux's.
 * SPDX-License-Identifier: MIT
 */
#include <sys/stat.h>

#include "machine/test_boot.h"

#define PARAMS		0x10000		/* boot_params, in ESI */
#define PAGE_TABLES	0x14000
#define SETUP_BYTES	1024		/* one sector of setup code */
#define CODE_BYTES	5000
#define INITRD_MAX	0x37ffff

/* Offsets in the file and, from 1f1h on, in boot_params. */
enum { SETUP_SECTS = 0x1f1, SYSSIZE = 0x1f4, JUMP = 0x200, MAGIC = 0x202,
       VERSION = 0x206, LOADER = 0x210, LOADFLAGS = 0x211, CODE32_START = 0x214,
       RAMDISK = 0x218, RAMDISK_SIZE = 0x21c, CMDLINE_PTR = 0x228,
       ADDR_MAX = 0x22c, RELOCATABLE = 0x234, XLOADFLAGS = 0x236,
       CMDLINE_SIZE = 0x238, PREF = 0x258, INIT_SIZE = 0x260 };

/* A bzImage whose "code" is a count of bytes. */
static struct image *bzimage(unsigned version)
{
	static struct image im;
	uint8_t *h = im.bytes;

	memset(&im, 0, sizeof(im));
	h[SETUP_SECTS] = 1;
	store_le32(h + SYSSIZE, (CODE_BYTES + 15) / 16);
	h[JUMP] = 0xeb;
	h[JUMP + 1] = 0x6a;
	memcpy(h + MAGIC, "HdrS", 4);
	store_le16(h + VERSION, (uint16_t)version);
	h[LOADFLAGS] = 1;
	store_le32(h + ADDR_MAX, INITRD_MAX);
	store_le32(h + CMDLINE_SIZE, 255);
	im.len = SETUP_BYTES + CODE_BYTES;
	for (unsigned i = 0; i < CODE_BYTES; i++)
		h[SETUP_BYTES + i] = (uint8_t)(i * 7);
	return &im;
}

static void assert_code_at(const struct test_cpu *t, const struct image *im,
			   gpa_t at)
{
	assert_memory_equal(t->ram + at, im->bytes + SETUP_BYTES, CODE_BYTES);
}

/* ---- what every kernel file is asked ---- */

static void files_that_are_no_kernel_are_refused(void **state)
{
	static struct image im;
	struct boot_config cfg;

	im.len = 0;
	refused_image(&im, "/kernel: empty");
	im.len = 1;
	refused_image(&im, "/kernel: 1 bytes, and not a Linux bzImage");
	memset(im.bytes, 'x', sizeof(im.bytes));
	im.len = sizeof(im.bytes);
	refused_image(&im, "/kernel: 65536 bytes, and not a Linux bzImage");
	cfg = test_config(&im);
	cfg.kernel = test_dir;
	refused(&cfg, "-kernel /tmp/husk-boot-");
	refused(&cfg, ": not a regular file");
	cfg.kernel = test_path("nothing");
	refused(&cfg, "/nothing: No such file or directory");
	cfg.kernel = test_path("fifo");
	assert_int_equal(mkfifo(cfg.kernel, 0600), 0);
	refused(&cfg, "/fifo: not a regular file");
}

/* ---- Linux ---- */

static void linux_protocols_choose_the_entry(void **state)
{
	static const struct {
		unsigned version;
		bool xlf64, long_mode, entry64;
	} rows[] = {
		{ 0x206, true, true, false },
		{ 0x20a, true, true, false },
		{ 0x20c, false, true, false },
		{ 0x20c, true, false, false },
		{ 0x20c, true, true, true },
		{ 0x20f, true, true, true },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct image *im = bzimage(rows[i].version);
		struct test_cpu *t = test_cpu_new();
		struct boot_config cfg;
		struct boot *b;

		im->bytes[XLOADFLAGS] = rows[i].xlf64;
		cfg = test_config(im);
		cfg.long_mode = rows[i].long_mode;
		b = boot_up(&cfg, t);
		assert_flat(t->c);
		assert_code_at(t, im, MiB);
		assert_int_equal(t->c->gpr[RSI], PARAMS);
		assert_int_equal(t->c->seg[CS].selector, 0x10);
		assert_int_equal(t->c->seg[DS].selector, 0x18);
		assert_int_equal(t->c->rip,
				 MiB + (rows[i].entry64 ? 0x200 : 0));
		assert_int_equal(t->c->mode,
				 rows[i].entry64 ? CODE64 : CODE32);
		assert_int_equal(!!(t->c->cr0 & CR0_PG), rows[i].entry64);
		boot_free(b);
		test_cpu_free(t);
	}
}

static void linux_long_mode_starts_with_4_gib_mapped(void **state)
{
	struct image *im = bzimage(0x20f);
	struct test_cpu *t = test_cpu_new();
	struct boot_config cfg;
	struct boot *b;

	im->bytes[XLOADFLAGS] = 1;
	cfg = test_config(im);
	b = boot_up(&cfg, t);
	assert_int_equal(t->c->cr3, PAGE_TABLES);
	assert_int_equal(t->c->cr4, CR4_PAE);
	assert_int_equal(t->c->efer, EFER_LME | EFER_LMA);
	for (uint64_t at = 0; at < 4 * GiB; at += 2 * MiB) {
		const uint8_t *p = t->ram + PAGE_TABLES;

		p = t->ram + (load_le64(p) & ~0xfffull);
		p = t->ram + (load_le64(p + at / GiB * 8) & ~0xfffull);
		assert_int_equal(load_le64(p + at / (2 * MiB) % 512 * 8),
				 at | 0x83);
	}
	boot_free(b);
	test_cpu_free(t);
}

static void linux_boot_params_say_where_everything_is(void **state)
{
	static const char initrd[] = "the initial root";
	struct test_cpu *t = test_cpu_new();
	struct image *im = bzimage(0x20f);
	struct boot_config cfg = test_config(im);
	const uint8_t *p = t->ram + PARAMS;
	struct boot *b;

	cfg.append = "console=ttyS0";
	cfg.initrd = write_file("initrd", initrd, sizeof(initrd));
	b = boot_up(&cfg, t);
	assert_memory_equal(p + MAGIC, "HdrS", 4);
	assert_int_equal(p[LOADER], 0xff);
	assert_int_equal(load_le32(p + CODE32_START), MiB);
	assert_string_equal(t->ram + load_le32(p + CMDLINE_PTR),
			    "console=ttyS0");
	/* As high as the kernel allows, on a page. */
	assert_int_equal(load_le32(p + RAMDISK), 0x37f000);
	assert_int_equal(load_le32(p + RAMDISK_SIZE), sizeof(initrd));
	assert_string_equal(t->ram + 0x37f000, initrd);
	assert_int_equal(load_le64(p + 0x070), 0xe0010);
	assert_int_equal(p[0x1e8], ARRAY_LEN(test_e820));
	for (unsigned i = 0; i < ARRAY_LEN(test_e820); i++) {
		assert_int_equal(load_le64(p + 0x2d0 + i * 20),
				 test_e820[i].base);
		assert_int_equal(load_le64(p + 0x2d8 + i * 20),
				 test_e820[i].len);
		assert_int_equal(load_le32(p + 0x2e0 + i * 20),
				 test_e820[i].type);
	}
	/* What the protocol does not name is zero. */
	assert_int_equal(p[0x1ef], 0);
	assert_int_equal(p[0x290], 0);
	boot_free(b);
	test_cpu_free(t);
}

static void linux_without_initrd_or_with_an_empty_one_has_none(void **state)
{
	struct test_cpu *t = test_cpu_new();
	struct image *im = bzimage(0x20f);
	struct boot_config cfg;
	struct boot *b;

	store_le32(im->bytes + RAMDISK, 0x1234);
	for (unsigned empty = 0; empty < 2; empty++) {
		cfg = test_config(im);
		cfg.initrd = empty ? write_file("initrd", "", 0) : NULL;
		b = boot_up(&cfg, t);
		assert_int_equal(load_le32(t->ram + PARAMS + RAMDISK), 0);
		assert_int_equal(load_le32(t->ram + PARAMS + RAMDISK_SIZE), 0);
		assert_string_equal(t->ram + load_le32(t->ram + PARAMS +
						       CMDLINE_PTR), "");
		boot_free(b);
	}
	test_cpu_free(t);
}

static void linux_goes_where_a_relocatable_kernel_prefers(void **state)
{
	struct image *im = bzimage(0x20f);
	struct test_cpu *t = test_cpu_new();
	struct boot_config cfg;
	struct boot *b;

	im->bytes[RELOCATABLE] = 1;
	store_le64(im->bytes + PREF, 0x200000);
	store_le32(im->bytes + INIT_SIZE, 0x10000);
	cfg = test_config(im);
	b = boot_up(&cfg, t);
	assert_code_at(t, im, 0x200000);
	assert_int_equal(t->c->rip, 0x200000);
	assert_int_equal(load_le32(t->ram + PARAMS + CODE32_START), 0x200000);
	/* The protocol asks for memory there, not for zeroes. */
	assert_int_equal(t->ram[0x200000 + CODE_BYTES], DIRT);
	boot_free(b);
	test_cpu_free(t);
}

static void linux_keeps_clear_of_where_it_will_run(void **state)
{
	static uint8_t initrd[0x80000];
	struct image *im = bzimage(0x20f);
	struct boot_config cfg;

	/* It loads at 1 MiB and moves itself to 2 MiB. */
	store_le64(im->bytes + PREF, 0x200000);
	store_le32(im->bytes + INIT_SIZE, 0x100000);
	cfg = test_config(im);
	cfg.initrd = write_file("initrd", initrd, sizeof(initrd));
	accepted(&cfg);
	store_le32(im->bytes + INIT_SIZE, 0x100001);
	cfg.kernel = write_file("kernel", im->bytes, im->len);
	refused(&cfg, "-initrd /tmp/");
	refused(&cfg, "524288 bytes do not fit between the kernel's end at "
		"0x300001 and 0x380000");
	store_le32(im->bytes + INIT_SIZE, 0x200001);
	cfg.kernel = write_file("kernel", im->bytes, im->len);
	refused(&cfg, "/kernel: 3145729 bytes at 0x100000, and RAM ends at "
		"0x400000 there");
	/* Sizes that would wrap around. */
	store_le32(im->bytes + INIT_SIZE, 0xffffffff);
	store_le64(im->bytes + PREF, UINT64_MAX);
	refused_image(im, "/kernel: 4294967295 bytes at 0x100000, and RAM");
}

static void linux_damaged_or_old_is_refused(void **state)
{
	struct image *im = bzimage(0x205);

	refused_image(im, "/kernel: boot protocol 2.05, and 2.06 with a high");
	im = bzimage(0x20f);
	im->bytes[LOADFLAGS] = 0;
	refused_image(im, "boot protocol 2.15, and 2.06 with a high-loaded");
	im = bzimage(0x20f);
	im->len = SETUP_BYTES + CODE_BYTES / 2;
	refused_image(im, "/kernel: 3524 bytes, and its header says 6032");
	im->len = SETUP_BYTES;
	refused_image(im, "/kernel: 1024 bytes, and its header says 6032");
	im->len = 700;
	refused_image(im, "/kernel: 700 bytes, and its header says 6032");
	im->len = 0x28f;	/* inside the setup header */
	refused_image(im, "/kernel: 655 bytes, and not a Linux bzImage");
	im = bzimage(0x20f);
	im->bytes[XLOADFLAGS] = 1;
	store_le32(im->bytes + SYSSIZE, 0);
	im->len = SETUP_BYTES + 0x200;
	refused_image(im, "/kernel: entered at 0x100200, where it loads "
		      "nothing");
}

static void linux_command_line_has_the_kernel_s_limit(void **state)
{
	static char text[600 * KiB];
	struct image *im = bzimage(0x20f);
	struct boot_config cfg = test_config(im);

	memset(text, 'a', 255);
	cfg.append = text;
	accepted(&cfg);
	text[255] = 'a';
	refused(&cfg, "-append: 256 characters, and the kernel takes 255");
	/* And where the kernel sets none, ours. */
	memset(text, 'a', sizeof(text) - 1);
	store_le32(im->bytes + CMDLINE_SIZE, 0xffffffff);
	cfg = test_config(im);
	cfg.append = text;
	refused(&cfg, "-append: 614399 characters, and there is room for "
		"458751");
}

static void an_initrd_that_cannot_be_had_is_named(void **state)
{
	struct boot_config cfg = test_config(bzimage(0x20f));

	cfg.initrd = test_path("nothing");
	refused(&cfg, "-initrd /tmp/husk-boot-");
	refused(&cfg, "/nothing: No such file or directory");
	cfg.initrd = test_dir;
	refused(&cfg, ": not a regular file");
}

static void ram_too_small_for_the_kernel_is_said(void **state)
{
	static const struct e820_entry tiny[] = { { 0, 0x9fc00, E820_RAM } };
	struct boot_config cfg = test_config(bzimage(0x20f));

	cfg.e820 = tiny;
	cfg.e820_count = 1;
	cfg.low_ram = MiB;
	refused(&cfg, "/kernel: 5000 bytes at 0x100000, where none of the 1 "
		"MiB of RAM is");
}

/* ---- resets ---- */

static void loading_again_brings_everything_back(void **state)
{
	struct test_cpu *t = test_cpu_new();
	struct image *im = bzimage(0x20f);
	struct boot_config cfg = test_config(im);
	struct boot *b = boot_up(&cfg, t);

	memset(t->ram, 0, TEST_RAM_BYTES);
	assert_int_equal(boot_load(b, t->bus->bus, NULL), 0);
	assert_code_at(t, im, MiB);
	assert_memory_equal(t->ram + PARAMS + MAGIC, "HdrS", 4);
	boot_free(b);
	test_cpu_free(t);
}

static void a_file_that_shrank_meanwhile_is_named(void **state)
{
	struct test_cpu *t = test_cpu_new();
	struct boot_config cfg = test_config(bzimage(0x20f));
	struct err e = { "" };
	struct boot *b;

	cfg.initrd = write_file("initrd", "1234", 4);
	b = boot_up(&cfg, t);
	assert_int_equal(truncate(cfg.initrd, 1), 0);
	assert_true(boot_load(b, t->bus->bus, &e) < 0);
	assert_non_null(strstr(e.text, "/initrd: ends at byte 1, 3 more"));
	boot_free(b);
	test_cpu_free(t);
}

BOOT_TEST_MAIN("boot",
	TEST(files_that_are_no_kernel_are_refused),
	TEST(linux_protocols_choose_the_entry),
	TEST(linux_long_mode_starts_with_4_gib_mapped),
	TEST(linux_boot_params_say_where_everything_is),
	TEST(linux_without_initrd_or_with_an_empty_one_has_none),
	TEST(linux_goes_where_a_relocatable_kernel_prefers),
	TEST(linux_keeps_clear_of_where_it_will_run),
	TEST(linux_damaged_or_old_is_refused),
	TEST(linux_command_line_has_the_kernel_s_limit),
	TEST(an_initrd_that_cannot_be_had_is_named),
	TEST(ram_too_small_for_the_kernel_is_said),
	TEST(loading_again_brings_everything_back),
	TEST(a_file_that_shrank_meanwhile_is_named))
