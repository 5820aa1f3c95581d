/* machine/boot_elf.c - ELF images by physical address, and the PVH entry.
 *
 * PVH: the kernel names a 32-bit entry point in a Xen note and is given a
 * struct hvm_start_info in EBX.
 *
 * Source: System V gABI chapters 4 and 5; Xen public/arch-x86/hvm/start_info.h
 * and docs/misc/pvh for the layout and the register state.
 *
 * SPDX-License-Identifier: MIT
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "machine/boot_inside.h"

#define XEN_NOTE_PHYS32_ENTRY	18
#define NOTES_MAX		(64 * KiB)
#define PHDRS_MAX		64

#define START_MAGIC		0x336ec578u
#define START_INFO_BYTES	56
#define MODULE_BYTES		32
#define MEMMAP_BYTES		24

/* One program header of either class, widened. */
struct phdr {
	uint32_t type;
	uint64_t offset, paddr, filesz, memsz;
};

static bool is_elf(const uint8_t *head, uint64_t len)
{
	return len >= sizeof(Elf64_Ehdr) && !memcmp(head, ELFMAG, SELFMAG);
}

/* Reads the program headers into out; returns how many, or -errno. */
static int read_phdrs(struct boot *b, const uint8_t *head, struct phdr *out,
		      uint64_t *entry, struct err *e)
{
	bool wide = head[EI_CLASS] == ELFCLASS64;
	const Elf64_Ehdr *e64 = (const void *)head;
	const Elf32_Ehdr *e32 = (const void *)head;
	uint64_t at = wide ? e64->e_phoff : e32->e_phoff;
	unsigned n = wide ? e64->e_phnum : e32->e_phnum;
	unsigned size = wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);

	if (head[EI_DATA] != ELFDATA2LSB)
		return fail(e, ENOEXEC, "-kernel %s: big-endian ELF",
			    b->cfg.kernel);
	if (n > PHDRS_MAX)
		return fail(e, ENOEXEC, "-kernel %s: %u program headers, and "
			    "the limit is %d", b->cfg.kernel, n, PHDRS_MAX);
	*entry = wide ? e64->e_entry : e32->e_entry;
	for (unsigned i = 0; i < n; i++) {
		union { Elf64_Phdr w; Elf32_Phdr n; } p;
		int rc = boot_pread(b->kernel_fd, at + i * size, &p, size,
				    b->cfg.kernel, e);

		if (rc)
			return rc;
		if (wide)
			out[i] = (struct phdr){ p.w.p_type, p.w.p_offset,
				p.w.p_paddr, p.w.p_filesz, p.w.p_memsz };
		else
			out[i] = (struct phdr){ p.n.p_type, p.n.p_offset,
				p.n.p_paddr, p.n.p_filesz, p.n.p_memsz };
	}
	return (int)n;
}

static int load_segments(struct boot *b, const struct phdr *p, unsigned n,
			 uint64_t *end, struct err *e)
{
	*end = 0;
	for (unsigned i = 0; i < n; i++) {
		int rc;

		if (p[i].type != PT_LOAD || !p[i].memsz)
			continue;
		if (p[i].filesz > p[i].memsz)
			return fail(e, ENOEXEC, "-kernel %s: segment %u has "
				    "more bytes in the file than in memory",
				    b->cfg.kernel, i);
		rc = boot_add_file(b, "-kernel", p[i].paddr, p[i].memsz,
				   b->kernel_fd, p[i].offset, p[i].filesz, e);
		if (rc)
			return rc;
		if (p[i].paddr + p[i].memsz > *end)
			*end = p[i].paddr + p[i].memsz;
	}
	if (!*end)
		return fail(e, ENOEXEC, "-kernel %s: ELF without anything to "
			    "load", b->cfg.kernel);
	return 0;
}

int boot_load_elf(struct boot *b, const uint8_t *head, uint64_t head_len,
		  uint64_t *entry, uint64_t *end, struct err *e)
{
	struct phdr p[PHDRS_MAX];
	int n;

	if (!is_elf(head, head_len))
		return fail(e, ENOEXEC, "-kernel %s: not an ELF file",
			    b->cfg.kernel);
	n = read_phdrs(b, head, p, entry, e);
	return n < 0 ? n : load_segments(b, p, (unsigned)n, end, e);
}

/* Look for the Xen note in one note segment. */
static bool find_pvh_entry(const uint8_t *notes, uint64_t len, uint32_t *entry)
{
	uint64_t at = 0;

	while (len - at >= 12) {
		uint32_t name = load_le32(notes + at);
		uint32_t desc = load_le32(notes + at + 4);
		uint32_t type = load_le32(notes + at + 8);
		uint64_t desc_at = at + 12 + ((name + 3ull) & ~3ull);
		uint64_t next = desc_at + ((desc + 3ull) & ~3ull);

		if (next > len)
			return false;
		if (type == XEN_NOTE_PHYS32_ENTRY && name == 4 && desc >= 4 &&
		    !memcmp(notes + at + 12, "Xen", 4)) {
			*entry = load_le32(notes + desc_at);
			return true;
		}
		at = next;
	}
	return false;
}

static bool pvh_entry(struct boot *b, const struct phdr *p, unsigned n,
		      uint32_t *entry)
{
	bool found = false;

	for (unsigned i = 0; i < n && !found; i++) {
		uint8_t *notes;

		if (p[i].type != PT_NOTE || p[i].filesz > NOTES_MAX)
			continue;
		notes = xmalloc(p[i].filesz + 1);
		if (!boot_pread(b->kernel_fd, p[i].offset, notes, p[i].filesz,
				b->cfg.kernel, NULL))
			found = find_pvh_entry(notes, p[i].filesz, entry);
		free(notes);
	}
	return found;
}

static int add_pvh_initrd(struct boot *b, uint64_t floor, uint8_t *module,
			  struct err *e)
{
	uint64_t size, at, top = b->cfg.low_ram;
	int fd, rc;

	rc = boot_open_file(b, "-initrd", b->cfg.initrd, &fd, &size, e);
	if (rc)
		return rc;
	at = size <= top ? (top - size) & ~4095ull : 0;
	if (at < floor)
		return fail(e, ENOSPC, "-initrd %s: %llu bytes do not fit "
			    "above the kernel's end at 0x%llx in %llu MiB",
			    b->cfg.initrd, (unsigned long long)size,
			    (unsigned long long)floor,
			    (unsigned long long)(top / MiB));
	store_le64(module, at);
	store_le64(module + 8, size);
	return size ? boot_add_file(b, "-initrd", at, size, fd, 0, size, e) : 0;
}

/* hvm_start_info, then one module entry, then the memory map. */
static int add_start_info(struct boot *b, uint64_t kernel_end, struct err *e)
{
	uint64_t len = START_INFO_BYTES + MODULE_BYTES +
		       (uint64_t)b->cfg.e820_count * MEMMAP_BYTES;
	uint8_t *s = xcalloc(1, len), *map = s + START_INFO_BYTES + MODULE_BYTES;
	int rc;

	store_le32(s, START_MAGIC);
	store_le32(s + 4, 1);			/* version: has a memory map */
	store_le64(s + 24, BOOT_CMDLINE);
	store_le64(s + 32, b->cfg.rsdp);
	store_le64(s + 40, BOOT_INFO + START_INFO_BYTES + MODULE_BYTES);
	store_le32(s + 48, b->cfg.e820_count);
	if (b->cfg.initrd) {
		store_le32(s + 12, 1);
		store_le64(s + 16, BOOT_INFO + START_INFO_BYTES);
		rc = add_pvh_initrd(b, kernel_end, s + START_INFO_BYTES, e);
		if (rc) {
			free(s);
			return rc;
		}
	}
	for (unsigned i = 0; i < b->cfg.e820_count; i++) {
		store_le64(map + i * MEMMAP_BYTES, b->cfg.e820[i].base);
		store_le64(map + i * MEMMAP_BYTES + 8, b->cfg.e820[i].len);
		store_le32(map + i * MEMMAP_BYTES + 16, b->cfg.e820[i].type);
	}
	return boot_add_bytes(b, "start_info", BOOT_INFO, s, len, e);
}

int boot_pvh(struct boot *b, const uint8_t *head, uint64_t head_len,
	     struct err *e)
{
	const char *append = b->cfg.append ? b->cfg.append : "";
	struct phdr p[PHDRS_MAX];
	uint64_t unused, end;
	uint32_t entry;
	int n, rc;

	if (!is_elf(head, head_len))
		return 1;
	n = read_phdrs(b, head, p, &unused, e);
	if (n < 0)
		return n;
	if (!pvh_entry(b, p, (unsigned)n, &entry))
		return fail(e, ENOEXEC, "-kernel %s: ELF file without a PVH "
			    "entry note", b->cfg.kernel);
	rc = load_segments(b, p, (unsigned)n, &end, e);
	if (!rc)
		rc = boot_add_bytes(b, "-append", BOOT_CMDLINE,
				    (uint8_t *)xstrdup(append),
				    strlen(append) + 1, e);
	if (!rc)
		rc = add_start_info(b, end, e);
	b->how = ENTRY_FLAT32;
	b->entry = entry;
	b->ebx = BOOT_INFO;
	return rc;
}
