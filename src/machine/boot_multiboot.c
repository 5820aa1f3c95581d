/* machine/boot_multiboot.c - Multiboot 1 images: ELF32 or with the load
 * addresses in the header (the "a.out kludge"), and modules.
 *
 * Modules come from -initrd as "file1 args,file2 args" (a comma that is part of
 * one is doubled); each gets its own page-aligned place above the kernel, and
 * its string is the file name and args.
 *
 * An image that would like a video mode is started in what there is, text mode:
 * the mode it names is only a recommendation (3.1.4).
 *
 * Source: Multiboot Specification 0.6.96, sections 3.1 to 3.3.
 *
 * SPDX-License-Identifier: MIT
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/log.h"
#include "machine/boot_inside.h"

#define HEADER_MAGIC	0x1badb002u
#define START_EAX	0x2badb002u
#define SEARCH_BYTES	8192u

#define WANT_ADDRESSES	(1u << 16)	/* header carries load addresses */
#define WANT_VIDEO	(1u << 2)
#define WANT_UNKNOWN	0xfff8u		/* to be refused */

#define INFO_MEM	(1u << 0)
#define INFO_BOOTDEV	(1u << 1)
#define INFO_CMDLINE	(1u << 2)
#define INFO_MODS	(1u << 3)
#define INFO_MMAP	(1u << 6)
#define INFO_LOADER	(1u << 9)

#define INFO_BYTES	120
#define MODS_MAX	32
#define MOD_BYTES	16
#define MMAP_BYTES	24		/* including its size field */
#define LOADER_NAME	"husk"

/* -1: no header. */
static int64_t find_header(const uint8_t *head, uint64_t len)
{
	for (uint64_t at = 0; at + 12 <= len && at < SEARCH_BYTES; at += 4)
		if (load_le32(head + at) == HEADER_MAGIC &&
		    load_le32(head + at) + load_le32(head + at + 4) +
				    load_le32(head + at + 8) == 0)
			return (int64_t)at;
	return -1;
}

/* header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr follow the
 * checksum. */
static int load_kludge(struct boot *b, const uint8_t *h, uint64_t at,
		       uint64_t *end, struct err *e)
{
	uint32_t header = load_le32(h + 12), load = load_le32(h + 16);
	uint32_t load_end = load_le32(h + 20), bss_end = load_le32(h + 24);
	uint64_t offset, len, mem;

	if (load > header || header - load > at)
		return fail(e, ENOEXEC, "%s: multiboot header at byte %llu is "
			    "for 0x%x, and the load address is 0x%x",
			    b->kernel->name, (unsigned long long)at, header,
			    load);
	offset = at - (header - load);
	len = b->kernel->size - offset;
	if (load_end) {
		if (load_end <= load || load_end - load > len)
			return fail(e, ENOEXEC, "%s: multiboot load address "
				    "0x%x, load end 0x%x, and the file ends at "
				    "0x%llx", b->kernel->name, load, load_end,
				    (unsigned long long)(load + len));
		len = load_end - load;
	}
	mem = bss_end > load + len ? bss_end - load : len;
	b->entry = load_le32(h + 28);
	*end = load + mem;
	return boot_add_file(b, b->kernel, offset, len, load, mem, e);
}

static int add_string(struct boot *b, const char *what, gpa_t *at,
		      const char *s, struct err *e)
{
	int rc = boot_add_text(b, what, *at, s, e);

	*at += strlen(s) + 1;
	return rc;
}

/* One "file args" of -initrd: its file at *place, its string at *text. */
static int add_module(struct boot *b, const char *spec, uint8_t *entry,
		      gpa_t *place, gpa_t *text, struct err *e)
{
	char *path = xstrndup(spec, strcspn(spec, " "));
	const struct boot_file *f;
	int rc;

	rc = boot_open_file(b, "-initrd", path, &f, e);
	free(path);
	if (!rc && f->size)
		rc = boot_add_file(b, f, 0, f->size, *place, f->size, e);
	if (rc)
		return rc;
	store_le32(entry, (uint32_t)*place);
	store_le32(entry + 4, (uint32_t)(*place + f->size));
	store_le32(entry + 8, (uint32_t)*text);
	*place = (*place + f->size + 4095) & ~4095ull;
	return add_string(b, "-initrd", text, spec, e);
}

/* Cuts the first spec off *list, which it writes to; NULL at the end. */
static char *next_spec(char **list)
{
	char *spec = *list, *to = spec, *from = spec;

	if (!spec || !*spec)
		return NULL;
	for (; *from && (*from != ',' || from[1] == ','); *to++ = *from++)
		if (*from == ',')
			from++;
	*list = *from ? from + 1 : from;
	*to = '\0';
	return spec + strspn(spec, " ");
}

static int add_modules(struct boot *b, gpa_t place, uint8_t *mods,
		       unsigned *count, gpa_t *text, struct err *e)
{
	char *list = xstrdup(b->cfg.initrd), *next = list, *spec;
	int rc = 0;

	*count = 0;
	while (!rc && (spec = next_spec(&next))) {
		if (!*spec)
			continue;
		if (*count == MODS_MAX)
			rc = fail(e, E2BIG, "-initrd: more than %d modules",
				  MODS_MAX);
		else
			rc = add_module(b, spec, mods + *count * MOD_BYTES,
					&place, text, e);
		++*count;
	}
	free(list);
	return rc;
}

static void fill_map(const struct boot *b, uint8_t *map)
{
	for (unsigned i = 0; i < b->cfg.e820_count; i++, map += MMAP_BYTES) {
		store_le32(map, MMAP_BYTES - 4);
		store_le64(map + 4, b->cfg.e820[i].base);
		store_le64(map + 12, b->cfg.e820[i].len);
		store_le32(map + 20, b->cfg.e820[i].type);
	}
}

/* The information structure, then modules, then the map; strings after. */
static int add_info(struct boot *b, gpa_t kernel_end, struct err *e)
{
	uint64_t mods = INFO_BYTES, map = mods + MODS_MAX * MOD_BYTES;
	uint64_t len = map + (uint64_t)b->cfg.e820_count * MMAP_BYTES;
	uint8_t *info = xcalloc(1, len);
	const char *append = b->cfg.append ? b->cfg.append : "";
	char *cmdline = xasprintf("%s%s%s", b->cfg.kernel, *append ? " " : "",
				  append);
	gpa_t text = BOOT_CMDLINE;
	unsigned count = 0;
	int rc;

	store_le32(info, INFO_MEM | INFO_BOOTDEV | INFO_CMDLINE | INFO_MODS |
			 INFO_MMAP | INFO_LOADER);
	store_le32(info + 4, 640);
	if (b->cfg.low_ram > MiB)
		store_le32(info + 8, (uint32_t)((b->cfg.low_ram - MiB) / KiB));
	store_le32(info + 12, 0x8000ffff);	/* first partition of disk 1 */
	store_le32(info + 16, (uint32_t)text);
	rc = add_string(b, "-append", &text, cmdline, e);
	free(cmdline);
	store_le32(info + 64, (uint32_t)text);
	if (!rc)
		rc = add_string(b, "loader name", &text, LOADER_NAME, e);
	if (!rc && b->cfg.initrd)
		rc = add_modules(b, (kernel_end + 4095) & ~4095ull,
				 info + mods, &count, &text, e);
	if (rc) {
		free(info);
		return rc;
	}
	store_le32(info + 20, count);
	store_le32(info + 24, (uint32_t)(BOOT_INFO + mods));
	fill_map(b, info + map);
	store_le32(info + 44, b->cfg.e820_count * MMAP_BYTES);
	store_le32(info + 48, (uint32_t)(BOOT_INFO + map));
	return boot_add_bytes(b, "multiboot information", BOOT_INFO, info, len,
			      e);
}

int boot_multiboot(struct boot *b, const uint8_t *head, uint64_t head_len,
		   struct err *e)
{
	int64_t at = find_header(head, head_len);
	uint64_t end;
	uint32_t want;
	int rc;

	if (at < 0)
		return 1;
	want = load_le32(head + at + 4);
	if (want & WANT_UNKNOWN)
		return fail(e, ENOEXEC, "%s: multiboot flags 0x%x, and of the "
			    "lower 16 only 0 to 2 are known", b->kernel->name,
			    want);
	if (want & WANT_VIDEO)
		log_warn("%s: asks for a video mode, and starts in text mode",
			 b->kernel->name);
	if (want & WANT_ADDRESSES) {
		if ((uint64_t)at + 32 > head_len)
			return fail(e, ENOEXEC, "%s: multiboot header at byte "
				    "%llu of %llu is cut short",
				    b->kernel->name, (unsigned long long)at,
				    (unsigned long long)head_len);
		rc = load_kludge(b, head + at, (uint64_t)at, &end, e);
	} else {
		if (boot_is_elf(head, head_len) &&
		    head[EI_CLASS] == ELFCLASS64)
			return fail(e, ENOEXEC, "%s: 64-bit ELF file, and "
				    "multiboot takes 32-bit ones",
				    b->kernel->name);
		rc = boot_load_elf(b, head, head_len, &b->entry, &end, e);
	}
	if (rc)
		return rc;
	b->how = ENTRY_FLAT32;
	b->eax = START_EAX;
	b->ebx = BOOT_INFO;
	return add_info(b, end < MiB ? MiB : end, e);
}
