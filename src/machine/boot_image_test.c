/* machine/boot_image_test.c - multiboot images, their modules, and PVH.
 * SPDX-License-Identifier: MIT
 */
#include "machine/test_boot.h"

#define INFO		0x10000		/* mbi or start_info, in EBX */
#define LOAD		0x200000	/* physical */
#define CODE		0x1000		/* where the code is in the file */
#define CODE_BYTES	300
#define BSS_BYTES	5000

#define MB_MAGIC	0x1badb002u
#define MB_ADDRESSES	(1u << 16)

static struct image im;

static void fill_code(void)
{
	memset(&im, 0, sizeof(im));
	for (unsigned i = 0; i < CODE_BYTES; i++)
		im.bytes[CODE + i] = (uint8_t)(i * 3 + 1);
	im.len = CODE + CODE_BYTES;
}

static void put_header(uint64_t at, uint32_t flags)
{
	store_le32(im.bytes + at, MB_MAGIC);
	store_le32(im.bytes + at + 4, flags);
	store_le32(im.bytes + at + 8, 0u - MB_MAGIC - flags);
}

/* The code segment, with some bss behind it. */
static const struct segment_row code_row = {
	PT_LOAD, CODE, LOAD, CODE_BYTES, CODE_BYTES + BSS_BYTES, LOAD, 0x1000
};

static void multiboot_elf(uint32_t flags)
{
	fill_code();
	elf32(&im, LOAD + 4, &code_row, 1);
	put_header(CODE + 16, flags);
}

/* load_addr is that of the header's first byte at file offset 64. */
static void multiboot_kludge(uint32_t header, uint32_t load, uint32_t load_end,
			     uint32_t bss_end, uint32_t entry)
{
	uint8_t *h = im.bytes + 64;

	fill_code();
	put_header(64, MB_ADDRESSES);
	store_le32(h + 12, header);
	store_le32(h + 16, load);
	store_le32(h + 20, load_end);
	store_le32(h + 24, bss_end);
	store_le32(h + 28, entry);
}

static void assert_code_and_bss(const struct test_cpu *t)
{
	assert_memory_equal(t->ram + LOAD, im.bytes + CODE, CODE_BYTES);
	for (unsigned i = 0; i < BSS_BYTES; i++)
		assert_int_equal(t->ram[LOAD + CODE_BYTES + i], 0);
	assert_int_equal(t->ram[LOAD + CODE_BYTES + BSS_BYTES], DIRT);
}

/* ---- multiboot ---- */

static void multiboot_elf_is_loaded_and_entered(void **state)
{
	struct test_cpu *t = test_cpu_new();
	struct boot_config cfg;
	struct boot *b;

	multiboot_elf(3);
	cfg = test_config(&im);
	b = boot_up(&cfg, t);
	assert_code_and_bss(t);
	assert_flat(t->c);
	assert_int_equal(t->c->rip, LOAD + 4);
	assert_int_equal(t->c->gpr[RAX], 0x2badb002);
	assert_int_equal(t->c->gpr[RBX], INFO);
	assert_int_equal(t->c->mode, CODE32);
	assert_int_equal(t->c->cr0, CR0_PE | CR0_ET);
	boot_free(b);
	test_cpu_free(t);
}

static void multiboot_entry_may_be_a_virtual_address(void **state)
{
	struct segment_row rows[2] = { code_row, code_row };
	struct test_cpu *t = test_cpu_new();
	struct boot_config cfg;
	struct boot *b;

	fill_code();
	rows[0].paddr = rows[0].vaddr = LOAD + 0x10000;
	rows[1].vaddr = 0xc0200000;
	elf32(&im, 0xc0200008, rows, 2);
	put_header(CODE + 16, 0);
	cfg = test_config(&im);
	b = boot_up(&cfg, t);
	assert_int_equal(t->c->rip, LOAD + 8);
	boot_free(b);
	test_cpu_free(t);
}

static void multiboot_info_describes_the_machine(void **state)
{
	struct test_cpu *t = test_cpu_new();
	const uint8_t *i = t->ram + INFO, *map;
	struct boot_config cfg;
	char line[200];
	struct boot *b;

	multiboot_elf(0);
	cfg = test_config(&im);
	cfg.append = "a b";
	b = boot_up(&cfg, t);
	assert_int_equal(load_le32(i) & 0x4f, 0x4f);
	assert_int_equal(load_le32(i + 4), 640);
	assert_int_equal(load_le32(i + 8), 3 * 1024);
	snprintf(line, sizeof(line), "%s a b", cfg.kernel);
	assert_string_equal(t->ram + load_le32(i + 16), line);
	assert_int_equal(load_le32(i + 20), 0);
	assert_string_equal(t->ram + load_le32(i + 64), "husk");
	assert_int_equal(load_le32(i + 44), ARRAY_LEN(test_e820) * 24);
	map = t->ram + load_le32(i + 48);
	for (unsigned n = 0; n < ARRAY_LEN(test_e820); n++, map += 24) {
		assert_int_equal(load_le32(map), 20);
		assert_int_equal(load_le64(map + 4), test_e820[n].base);
		assert_int_equal(load_le64(map + 12), test_e820[n].len);
		assert_int_equal(load_le32(map + 20), test_e820[n].type);
	}
	boot_free(b);
	test_cpu_free(t);
}

static void multiboot_modules_have_pages_and_strings_of_their_own(void **state)
{
	char list[512], first[160], third[160];
	struct test_cpu *t = test_cpu_new();
	struct boot_config cfg;
	const uint8_t *mods;
	struct boot *b;

	multiboot_elf(0);
	cfg = test_config(&im);
	snprintf(first, sizeof(first), "%s x=1 y",
		 write_file("a", "module a", 8));
	(void)write_file("b", "", 0);
	snprintf(third, sizeof(third), "%s",
		 write_file("c,d", "module c", 8));
	snprintf(list, sizeof(list), "%s, %s,%s/c,,d", first, test_path("b"),
		 test_dir);
	cfg.initrd = list;
	b = boot_up(&cfg, t);
	assert_int_equal(load_le32(t->ram + INFO + 20), 3);
	mods = t->ram + load_le32(t->ram + INFO + 24);
	assert_int_equal(load_le32(mods), 0x202000);
	assert_int_equal(load_le32(mods + 4), 0x202008);
	assert_memory_equal(t->ram + 0x202000, "module a", 8);
	assert_string_equal(t->ram + load_le32(mods + 8), first);
	assert_int_equal(load_le32(mods + 16), load_le32(mods + 20));
	assert_int_equal(load_le32(mods + 32), 0x203000);
	assert_memory_equal(t->ram + 0x203000, "module c", 8);
	assert_string_equal(t->ram + load_le32(mods + 40), third);
	boot_free(b);
	test_cpu_free(t);
}

static void multiboot_modules_that_cannot_be_had_are_named(void **state)
{
	static uint8_t big[TEST_RAM_BYTES - 0x202000 + 1];
	char list[4096] = "";
	struct boot_config cfg;

	multiboot_elf(0);
	cfg = test_config(&im);
	cfg.initrd = list;
	snprintf(list, sizeof(list), "%s/nothing args,x", test_dir);
	refused(&cfg, "/nothing: No such file or directory");
	snprintf(list, sizeof(list), "%s", write_file("a", big, sizeof(big)));
	refused(&cfg, "/a: 2088961 bytes at 0x202000, and RAM ends at "
		"0x400000 there");
	(void)write_file("a", "", 0);
	*list = '\0';
	for (unsigned i = 0; i < 33; i++)
		strcat(strcat(list, ","), test_path("a"));
	refused(&cfg, "-initrd: more than 32 modules");
}

static void multiboot_addresses_in_the_header_load_it(void **state)
{
	struct test_cpu *t = test_cpu_new();
	struct boot_config cfg;
	struct boot *b;

	/* File offset CODE is to be at LOAD; the header is below that and is
	 * loaded too. */
	multiboot_kludge(LOAD - CODE + 64, LOAD - CODE, LOAD + CODE_BYTES,
			 LOAD + CODE_BYTES + BSS_BYTES, LOAD);
	im.len += 1000;		/* symbols, say */
	cfg = test_config(&im);
	b = boot_up(&cfg, t);
	assert_code_and_bss(t);
	assert_memory_equal(t->ram + LOAD - CODE, im.bytes, CODE);
	assert_int_equal(t->c->rip, LOAD);
	boot_free(b);

	/* Load end 0: all of the file; bss end 0: none. */
	multiboot_kludge(LOAD - CODE + 64, LOAD - CODE + 32, 0, 0, LOAD + 1);
	cfg = test_config(&im);
	b = boot_up(&cfg, t);
	assert_memory_equal(t->ram + LOAD - CODE + 32, im.bytes + 32,
			    im.len - 32);
	assert_int_equal(t->ram[LOAD - CODE + 31], DIRT);
	assert_int_equal(t->ram[LOAD + CODE_BYTES], DIRT);
	boot_free(b);
	test_cpu_free(t);
}

static void multiboot_headers_that_contradict_the_file_are_refused(void **state)
{
	static const struct {
		uint32_t header, load, load_end, bss_end, entry;
		const char *says;
	} rows[] = {
		{ LOAD, LOAD + 4, 0, 0, LOAD + 4,
		  "header at byte 64 is for 0x200000, and the load address is "
		  "0x200004" },
		{ LOAD, LOAD - 65, 0, 0, LOAD, "load address is 0x1fffbf" },
		{ LOAD, LOAD, LOAD + 0x2000, 0, LOAD,
		  "load address 0x200000, load end 0x202000, and the file ends "
		  "at 0x2010ec" },
		{ LOAD, LOAD, LOAD, 0, LOAD, "load end 0x200000" },
		{ LOAD, LOAD, LOAD - 1, 0, LOAD, "load end 0x1fffff" },
		{ LOAD, LOAD, 0, 0xffffffff, LOAD,
		  "4292870143 bytes at 0x200000, and RAM ends at 0x400000" },
		{ LOAD, LOAD, 0, 0, 0, "entered at 0x0, where it loads" },
		{ LOAD, LOAD, 0, LOAD + 0x2000, LOAD + 0x1fff,
		  "entered at 0x201fff, where it loads nothing" },
		{ 0xfffffff0, 0xfffffff0, 0, 0, 0xfffffff0,
		  "4332 bytes at 0xfffffff0, where none of the 4 MiB" },
		{ 0xb8000, 0xb8000, 0, 0, 0xb8000,
		  "at 0xb8000, where none of the 4 MiB of RAM is" },
		{ 0x9f000, 0x9f000, 0, 0, 0x9f000,
		  "at 0x9f000, and RAM ends at 0x9fc00 there" },
		{ 0x10000, 0x10000, 0, 0, 0x10000,
		  "multiboot information: 728 bytes at 0x10000 overlap what "
		  "is loaded at 0x10000" },
		{ 0x400, 0x400, 0, 0, 0x400, "boot GDT: 32 bytes at 0x500" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		multiboot_kludge(rows[i].header, rows[i].load,
				 rows[i].load_end, rows[i].bss_end,
				 rows[i].entry);
		refused_image(&im, rows[i].says);
	}
}

static void multiboot_headers_cut_short_or_unknown_are_refused(void **state)
{
	fill_code();
	put_header(64, MB_ADDRESSES);
	im.len = 64 + 31;
	refused_image(&im, "multiboot header at byte 64 of 95 is cut short");
	fill_code();
	im.len = 10000;
	put_header(8192 - 16, MB_ADDRESSES);
	refused_image(&im, "multiboot header at byte 8176 of 8192 is cut");
	fill_code();
	im.len = 10000;
	put_header(8192, 0);	/* too far in: no header */
	refused_image(&im, "10000 bytes, and not a Linux bzImage");
	multiboot_elf(0);
	im.bytes[CODE + 16 + 8] ^= 1;	/* the checksum */
	refused_image(&im, "ELF file without a PVH entry note");
	multiboot_elf(1 << 3);
	refused_image(&im, "multiboot flags 0x8, and of the lower 16 only");
	fill_code();
	put_header(64, 0);
	refused_image(&im, "/kernel: not an ELF file");
	im.bytes[EI_CLASS] = ELFCLASS64;
	refused_image(&im, "/kernel: not an ELF file");
	elf64(&im, LOAD, &code_row, 1);
	put_header(CODE + 16, 0);
	refused_image(&im, "64-bit ELF file, and multiboot takes 32-bit");
}

/* ---- ELF headers ---- */

static void elf_headers_that_lie_are_refused(void **state)
{
	static const struct {
		struct segment_row row;
		const char *says;
	} rows[] = {
		{ { PT_LOAD, CODE, LOAD, 300, 299, LOAD, 1 },
		  "segment 0 has 300 bytes in the file and 299 in memory" },
		{ { PT_LOAD, CODE, LOAD, 301, 301, LOAD, 1 },
		  "301 bytes wanted from byte 4096 on, and the file has 4396" },
		{ { PT_LOAD, 0xffffffff, LOAD, 2, 2, LOAD, 1 },
		  "2 bytes wanted from byte 4294967295 on" },
		{ { PT_LOAD, CODE, LOAD, 300, 0xffffffff, LOAD, 1 },
		  "4294967295 bytes at 0x200000, and RAM ends at 0x400000" },
		{ { PT_LOAD, CODE, 0xfffffff0, 300, 300, LOAD, 1 },
		  "300 bytes at 0xfffffff0, where none of the 4 MiB" },
		{ { PT_LOAD, CODE, LOAD, 0, 0, LOAD, 1 },
		  "ELF file with nothing to load" },
		{ { PT_LOAD, CODE, LOAD, 0, 300, LOAD, 1 },
		  "entered at 0x200004, where it loads nothing" },
		{ { PT_NULL, CODE, LOAD, 300, 300, LOAD, 1 },
		  "ELF file with nothing to load" },
	};
	struct segment_row two[2] = { code_row, code_row };

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		multiboot_elf(0);
		elf32(&im, LOAD + 4, &rows[i].row, 1);
		refused_image(&im, rows[i].says);
	}
	two[1].paddr = LOAD + CODE_BYTES + BSS_BYTES - 1;
	elf32(&im, LOAD + 4, two, 2);
	refused_image(&im, "5300 bytes at 0x2014b3 overlap what is loaded at "
		      "0x200000");
}

/* Places in an ELF32 header. */
enum { E_MACHINE = 18, E_PHOFF = 28, E_PHENTSIZE = 42, E_PHNUM = 44 };

static void elf_files_of_another_kind_are_refused(void **state)
{
	multiboot_elf(0);
	im.bytes[EI_CLASS] = 3;
	refused_image(&im, "ELF class 3 is neither 32 nor 64-bit");
	multiboot_elf(0);
	im.bytes[EI_DATA] = ELFDATA2MSB;
	refused_image(&im, "big-endian ELF file for machine 3, and x86 is 3");
	multiboot_elf(0);
	im.bytes[E_MACHINE] = EM_ARM;
	refused_image(&im, "little-endian ELF file for machine 40");
	multiboot_elf(0);
	store_le16(im.bytes + E_PHNUM, 0xffff);
	refused_image(&im, "65535 program headers, and the limit is 64");
	multiboot_elf(0);
	store_le16(im.bytes + E_PHENTSIZE, 31);
	refused_image(&im, "program headers of 31 bytes, not 32");
	multiboot_elf(0);
	store_le32(im.bytes + E_PHOFF, 0xfffffff0);
	refused_image(&im, "1 program headers at byte 4294967280, and the "
		      "file has 4396");
	fill_code();
	elf64(&im, LOAD, &code_row, 1);
	store_le64(im.bytes + 32, UINT64_MAX - 8);	/* e_phoff */
	refused_image(&im, "at byte 18446744073709551607, and the file");
}

/* ---- PVH ---- */

#define NOTES 0x2000

/* A note before the one that counts; returns the length of both. */
static uint64_t put_notes(uint32_t desc_len, uint64_t entry, unsigned align)
{
	uint8_t *n = im.bytes + NOTES;
	uint64_t desc_at = (12 + 4 + align - 1) & ~(align - 1);

	store_le32(n, 4);
	store_le32(n + 4, 1);
	store_le32(n + 8, 7);
	memcpy(n + 12, "Xen", 4);
	n += desc_at + align;
	store_le32(n, 4);
	store_le32(n + 4, desc_len);
	store_le32(n + 8, 18);	/* PHYS32_ENTRY */
	memcpy(n + 12, "Xen", 4);
	store_le64(n + desc_at, entry);
	im.len = NOTES + 2 * desc_at + align + desc_len;
	return im.len - NOTES;
}

static void pvh_image(bool wide, uint32_t desc_len, unsigned align)
{
	struct segment_row rows[2] = { code_row };

	fill_code();
	rows[1] = (struct segment_row){
		.type = PT_NOTE, .offset = NOTES, .align = align,
		.filesz = put_notes(desc_len, LOAD + 8, align),
	};
	if (wide)
		elf64(&im, UINT64_MAX, rows, 2);
	else
		elf32(&im, 0, rows, 2);
}

static void pvh_notes_are_found_in_either_class_and_alignment(void **state)
{
	static const struct { bool wide; uint32_t len; unsigned align; }
	rows[] = {
		{ false, 4, 4 }, { true, 4, 4 }, { true, 8, 4 },
		{ true, 4, 8 }, { true, 8, 8 }, { true, 5, 4 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct test_cpu *t = test_cpu_new();
		struct boot_config cfg;
		struct boot *b;

		pvh_image(rows[i].wide, rows[i].len, rows[i].align);
		cfg = test_config(&im);
		b = boot_up(&cfg, t);
		assert_code_and_bss(t);
		assert_flat(t->c);
		assert_int_equal(t->c->rip, LOAD + 8);
		assert_int_equal(t->c->gpr[RBX], INFO);
		assert_int_equal(t->c->mode, CODE32);
		assert_int_equal(t->c->tr.limit, 0x67);
		boot_free(b);
		test_cpu_free(t);
	}
}

static void pvh_start_info_describes_the_machine(void **state)
{
	struct test_cpu *t = test_cpu_new();
	const uint8_t *s = t->ram + INFO, *p;
	struct boot_config cfg;
	struct boot *b;

	pvh_image(true, 4, 4);
	cfg = test_config(&im);
	cfg.append = "quiet";
	cfg.initrd = write_file("initrd", "root", 4);
	b = boot_up(&cfg, t);
	assert_int_equal(load_le32(s), 0x336ec578);
	assert_int_equal(load_le32(s + 4), 1);
	assert_int_equal(load_le32(s + 12), 1);
	p = t->ram + load_le64(s + 16);
	assert_int_equal(load_le64(p), TEST_RAM_BYTES - 4096);
	assert_int_equal(load_le64(p + 8), 4);
	assert_memory_equal(t->ram + load_le64(p), "root", 4);
	assert_string_equal(t->ram + load_le64(s + 24), "quiet");
	assert_int_equal(load_le64(s + 32), 0xe0010);
	assert_int_equal(load_le32(s + 48), ARRAY_LEN(test_e820));
	p = t->ram + load_le64(s + 40);
	for (unsigned n = 0; n < ARRAY_LEN(test_e820); n++, p += 24) {
		assert_int_equal(load_le64(p), test_e820[n].base);
		assert_int_equal(load_le64(p + 8), test_e820[n].len);
		assert_int_equal(load_le32(p + 16), test_e820[n].type);
	}
	boot_free(b);
	test_cpu_free(t);
}

static void pvh_damage_is_refused(void **state)
{
	static char text[600 * KiB];
	struct boot_config cfg;

	pvh_image(true, 4, 4);
	im.len--;		/* the last note's last byte */
	refused_image(&im, "ELF file without a PVH entry note");
	pvh_image(true, 0xfffffff0, 4);
	im.len = NOTES + 64;
	refused_image(&im, "ELF file without a PVH entry note");
	pvh_image(true, 3, 4);
	refused_image(&im, "ELF file without a PVH entry note");
	pvh_image(true, 4, 4);
	store_le32(im.bytes + NOTES, 0xffffffff);	/* a name's length */
	refused_image(&im, "ELF file without a PVH entry note");
	pvh_image(true, 8, 4);
	im.bytes[im.len - 1] = 1;
	refused_image(&im, "entered at 0x100000000200008, where it loads");

	pvh_image(true, 4, 4);
	cfg = test_config(&im);
	memset(text, 'a', sizeof(text) - 1);
	cfg.append = text;
	refused(&cfg, "-append: 614399 characters, and there is room for");
	cfg.append = NULL;
	cfg.initrd = write_file("initrd", text, sizeof(text));
	assert_int_equal(truncate(cfg.initrd, TEST_RAM_BYTES - LOAD), 0);
	refused(&cfg, "/initrd: 2097152 bytes do not fit between the kernel's "
		"end at 0x2014b4 and 0x400000");
	cfg.initrd = test_path("nothing");
	refused(&cfg, "/nothing: No such file or directory");
}

BOOT_TEST_MAIN("boot_image",
	TEST(multiboot_elf_is_loaded_and_entered),
	TEST(multiboot_entry_may_be_a_virtual_address),
	TEST(multiboot_info_describes_the_machine),
	TEST(multiboot_modules_have_pages_and_strings_of_their_own),
	TEST(multiboot_modules_that_cannot_be_had_are_named),
	TEST(multiboot_addresses_in_the_header_load_it),
	TEST(multiboot_headers_that_contradict_the_file_are_refused),
	TEST(multiboot_headers_cut_short_or_unknown_are_refused),
	TEST(elf_headers_that_lie_are_refused),
	TEST(elf_files_of_another_kind_are_refused),
	TEST(pvh_notes_are_found_in_either_class_and_alignment),
	TEST(pvh_start_info_describes_the_machine),
	TEST(pvh_damage_is_refused))
