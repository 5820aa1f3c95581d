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
#include "base/num.h"
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
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

bool boot_is_elf(const uint8_t *head, uint64_t len)
{
	return len >= sizeof(Elf64_Ehdr) && !memcmp(head, ELFMAG, SELFMAG);
}

/* What counts of either class's header. */
struct ehdr {
	bool wide;
	uint64_t entry, phoff;
	unsigned phnum, phentsize;
};

static int read_ehdr(const struct boot *b, const uint8_t *head, struct ehdr *h,
		     struct err *e)
{
	const Elf64_Ehdr *w = (const void *)head;
	const Elf32_Ehdr *n = (const void *)head;
	unsigned class = head[EI_CLASS], size = sizeof(Elf64_Phdr);

	*h = (struct ehdr){ true, w->e_entry, w->e_phoff, w->e_phnum,
			    w->e_phentsize };
	if (class == ELFCLASS32) {
		*h = (struct ehdr){ false, n->e_entry, n->e_phoff, n->e_phnum,
				    n->e_phentsize };
		size = sizeof(Elf32_Phdr);
	} else if (class != ELFCLASS64) {
		return fail(e, ENOEXEC, "%s: ELF class %u is neither 32 nor "
			    "64-bit", b->kernel->name, class);
	}
	/* Both are at one place in either class. */
	if (head[EI_DATA] != ELFDATA2LSB ||
	    (w->e_machine != EM_386 && w->e_machine != EM_X86_64))
		return fail(e, ENOEXEC, "%s: %s-endian ELF file for machine "
			    "%u, and x86 is %u or %u", b->kernel->name,
			    head[EI_DATA] == ELFDATA2LSB ? "little" : "big",
			    w->e_machine, EM_386, EM_X86_64);
	if (h->phnum > PHDRS_MAX)
		return fail(e, ENOEXEC, "%s: %u program headers, and the limit "
			    "is %d", b->kernel->name, h->phnum, PHDRS_MAX);
	if (h->phnum && h->phentsize != size)
		return fail(e, ENOEXEC, "%s: program headers of %u bytes, not "
			    "%u", b->kernel->name, h->phentsize, size);
	return 0;
}

/* Reads the program headers into out; returns how many, or -errno. */
static int read_phdrs(const struct boot *b, const uint8_t *head,
		      struct phdr *out, uint64_t *entry, struct err *e)
{
	struct ehdr h;
	uint64_t end;
	int rc = read_ehdr(b, head, &h, e);

	if (rc)
		return rc;
	if (!checked_add(h.phoff, h.phnum * h.phentsize, &end) ||
	    end > b->kernel->size)
		return fail(e, ENOEXEC, "%s: %u program headers at byte %llu, "
			    "and the file has %llu", b->kernel->name, h.phnum,
			    (unsigned long long)h.phoff,
			    (unsigned long long)b->kernel->size);
	for (unsigned i = 0; i < h.phnum; i++) {
		union { Elf64_Phdr w; Elf32_Phdr n; } p;

		rc = boot_pread(b->kernel, h.phoff + i * h.phentsize, &p,
				h.phentsize, e);
		if (rc)
			return rc;
		if (h.wide)
			out[i] = (struct phdr){ p.w.p_type, p.w.p_offset,
				p.w.p_vaddr, p.w.p_paddr, p.w.p_filesz,
				p.w.p_memsz, p.w.p_align };
		else
			out[i] = (struct phdr){ p.n.p_type, p.n.p_offset,
				p.n.p_vaddr, p.n.p_paddr, p.n.p_filesz,
				p.n.p_memsz, p.n.p_align };
	}
	*entry = h.entry;
	return (int)h.phnum;
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
			return fail(e, ENOEXEC, "%s: segment %u has %llu bytes "
				    "in the file and %llu in memory",
				    b->kernel->name, i,
				    (unsigned long long)p[i].filesz,
				    (unsigned long long)p[i].memsz);
		rc = boot_add_file(b, b->kernel, p[i].offset, p[i].filesz,
				   p[i].paddr, p[i].memsz, e);
		if (rc)
			return rc;
		if (p[i].paddr + p[i].memsz > *end)
			*end = p[i].paddr + p[i].memsz;
	}
	if (!*end)
		return fail(e, ENOEXEC, "%s: ELF file with nothing to load",
			    b->kernel->name);
	return 0;
}

/* The gABI has e_entry virtual, and segments are loaded by p_paddr. */
static uint64_t physical_entry(uint64_t entry, const struct phdr *p,
			       unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (p[i].type == PT_LOAD && entry >= p[i].vaddr &&
		    entry - p[i].vaddr < p[i].memsz)
			return entry - p[i].vaddr + p[i].paddr;
	return entry;
}

int boot_load_elf(struct boot *b, const uint8_t *head, uint64_t head_len,
		  uint64_t *entry, uint64_t *end, struct err *e)
{
	struct phdr p[PHDRS_MAX];
	int n;

	if (!boot_is_elf(head, head_len))
		return fail(e, ENOEXEC, "%s: not an ELF file",
			    b->kernel->name);
	n = read_phdrs(b, head, p, entry, e);
	if (n < 0)
		return n;
	*entry = physical_entry(*entry, p, (unsigned)n);
	return load_segments(b, p, (unsigned)n, end, e);
}

/* ---- PVH ---- */

static uint64_t align_up(uint64_t v, unsigned align)
{
	return (v + align - 1) & ~(uint64_t)(align - 1);
}

/* Look for the Xen note in one note segment; the last note may lack its
 * padding. */
static bool find_pvh_entry(const uint8_t *notes, uint64_t len, unsigned align,
			   uint64_t *entry)
{
	uint64_t at = 0;

	while (at < len && len - at >= 12) {
		uint32_t name = load_le32(notes + at);
		uint32_t desc = load_le32(notes + at + 4);
		uint32_t type = load_le32(notes + at + 8);
		uint64_t desc_at = align_up(at + 12 + name, align);

		if (desc_at > len || desc > len - desc_at)
			return false;
		if (type == XEN_NOTE_PHYS32_ENTRY && name == 4 && desc >= 4 &&
		    !memcmp(notes + at + 12, "Xen", 4)) {
			*entry = desc >= 8 ? load_le64(notes + desc_at) :
					     load_le32(notes + desc_at);
			return true;
		}
		at = align_up(desc_at + desc, align);
	}
	return false;
}

static bool pvh_entry(const struct boot *b, const struct phdr *p, unsigned n,
		      uint64_t *entry)
{
	bool found = false;

	for (unsigned i = 0; i < n && !found; i++) {
		uint8_t *notes;

		if (p[i].type != PT_NOTE || p[i].filesz > NOTES_MAX)
			continue;
		notes = xmalloc(p[i].filesz + 1);
		if (!boot_pread(b->kernel, p[i].offset, notes, p[i].filesz,
				NULL))
			found = find_pvh_entry(notes, p[i].filesz,
					       p[i].align == 8 ? 8 : 4, entry);
		free(notes);
	}
	return found;
}

static int add_pvh_initrd(struct boot *b, uint64_t floor, uint8_t *module,
			  struct err *e)
{
	uint64_t at, top = b->cfg.low_ram;
	const struct boot_file *f;
	int rc;

	rc = boot_open_file(b, "-initrd", b->cfg.initrd, &f, e);
	if (rc)
		return rc;
	at = f->size <= top ? (top - f->size) & ~4095ull : 0;
	if (at < floor)
		return fail(e, ENOSPC, "%s: %llu bytes do not fit between the "
			    "kernel's end at 0x%llx and 0x%llx", f->name,
			    (unsigned long long)f->size,
			    (unsigned long long)floor, (unsigned long long)top);
	store_le64(module, at);
	store_le64(module + 8, f->size);
	return f->size ? boot_add_file(b, f, 0, f->size, at, f->size, e) : 0;
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
	int n, rc;

	if (!boot_is_elf(head, head_len))
		return 1;
	n = read_phdrs(b, head, p, &unused, e);
	if (n < 0)
		return n;
	if (!pvh_entry(b, p, (unsigned)n, &b->entry))
		return fail(e, ENOEXEC, "%s: ELF file without a PVH entry "
			    "note", b->kernel->name);
	rc = load_segments(b, p, (unsigned)n, &end, e);
	if (!rc)
		rc = boot_add_text(b, "-append", BOOT_CMDLINE, append, e);
	if (!rc)
		rc = add_start_info(b, end < MiB ? MiB : end, e);
	b->how = ENTRY_FLAT32;
	b->ebx = BOOT_INFO;
	return rc;
}
