/* machine/boot.c - see boot.h: files, chunks, and the state a kernel starts in.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/num.h"
#include "cpu/x86/state.h"
#include "machine/boot_inside.h"

#define COPY_BYTES (64 * KiB)

/* Selectors of the flat GDT below (Linux boot protocol: CS 10h, DS 18h). */
#define BOOT_CS 0x10
#define BOOT_DS 0x18

int boot_open_file(struct boot *b, const char *option, const char *path,
		   const struct boot_file **out, struct err *e)
{
	struct boot_file *f = &b->file[b->files];
	struct stat st;

	if (b->files == FILES_MAX)
		return fail(e, E2BIG, "%s %s: more than %d files", option, path,
			    FILES_MAX);
	/* Not to wait for the other end if it is a pipe. */
	f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (f->fd < 0)
		return fail(e, errno, "%s %s: %s", option, path,
			    strerror(errno));
	f->name = xasprintf("%s %s", option, path);
	b->files++;
	if (fstat(f->fd, &st))
		return fail(e, errno, "%s: %s", f->name, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(e, EINVAL, "%s: not a regular file", f->name);
	f->size = (uint64_t)st.st_size;
	*out = f;
	return 0;
}

int boot_pread(const struct boot_file *f, uint64_t offset, void *buf,
	       uint64_t len, struct err *e)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = pread(f->fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(e, EIO, "%s: %s", f->name, strerror(errno));
		if (!n)
			return fail(e, EIO, "%s: ends at byte %llu, %llu more "
				    "expected", f->name,
				    (unsigned long long)offset,
				    (unsigned long long)len);
		p += n;
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

/* ---- chunks ---- */

/* Outside what the memory map calls RAM there are the VGA hole, the tables
 * below 1 MiB, and devices. */
static int check_ram(const struct boot_config *cfg, const char *what, gpa_t at,
		     uint64_t len, struct err *e)
{
	for (unsigned i = 0; i < cfg->e820_count; i++) {
		const struct e820_entry *m = &cfg->e820[i];

		if (m->type != E820_RAM || at < m->base ||
		    at - m->base >= m->len)
			continue;
		if (len <= m->len - (at - m->base))
			return 0;
		return fail(e, ENOSPC, "%s: %llu bytes at 0x%llx, and RAM ends "
			    "at 0x%llx there", what, (unsigned long long)len,
			    (unsigned long long)at,
			    (unsigned long long)(m->base + m->len));
	}
	return fail(e, ENOSPC, "%s: %llu bytes at 0x%llx, where none of the "
		    "%llu MiB of RAM is", what, (unsigned long long)len,
		    (unsigned long long)at,
		    (unsigned long long)((cfg->low_ram + cfg->high_ram) / MiB));
}

static int add_chunk(struct boot *b, const char *what, const struct chunk *new,
		     struct err *e)
{
	int rc = check_ram(&b->cfg, what, new->at, new->len, e);

	if (rc)
		return rc;
	for (unsigned i = 0; i < b->chunks; i++) {
		const struct chunk *k = &b->chunk[i];

		if (new->at < k->at + k->len && k->at < new->at + new->len)
			return fail(e, EEXIST,
				    "%s: %llu bytes at 0x%llx overlap what is "
				    "loaded at 0x%llx", what,
				    (unsigned long long)new->len,
				    (unsigned long long)new->at,
				    (unsigned long long)k->at);
	}
	if (b->chunks == CHUNKS_MAX)
		return fail(e, E2BIG, "%s: more than %d pieces to load", what,
			    CHUNKS_MAX);
	b->chunk[b->chunks++] = *new;
	return 0;
}

int boot_add_file(struct boot *b, const struct boot_file *f, uint64_t offset,
		  uint64_t file_len, gpa_t at, uint64_t len, struct err *e)
{
	struct chunk k = { .at = at, .len = len, .file_len = file_len,
			   .file = f, .offset = offset, .zero_rest = true };
	uint64_t end;

	if (!checked_add(offset, file_len, &end) || end > f->size)
		return fail(e, ENOEXEC, "%s: %llu bytes wanted from byte %llu "
			    "on, and the file has %llu", f->name,
			    (unsigned long long)file_len,
			    (unsigned long long)offset,
			    (unsigned long long)f->size);
	return add_chunk(b, f->name, &k, e);
}

int boot_add_bytes(struct boot *b, const char *what, gpa_t at, uint8_t *bytes,
		   uint64_t len, struct err *e)
{
	struct chunk k = { .at = at, .len = len, .file_len = len,
			   .bytes = bytes };
	int rc = add_chunk(b, what, &k, e);

	if (rc)
		free(bytes);
	return rc;
}

int boot_add_text(struct boot *b, const char *what, gpa_t at, const char *text,
		  struct err *e)
{
	uint64_t len = strlen(text) + 1;

	if (at >= BOOT_LOW_END || len > BOOT_LOW_END - at)
		return fail(e, E2BIG, "%s: %llu characters, and there is room "
			    "for %llu", what, (unsigned long long)len - 1,
			    at < BOOT_LOW_END ?
			    (unsigned long long)(BOOT_LOW_END - at - 1) : 0);
	return boot_add_bytes(b, what, at, (uint8_t *)xstrdup(text), len, e);
}

/* The first n bytes of what the chunk has from `done` on, in buf or in place;
 * NULL if the file cannot be read. */
static const uint8_t *next_bytes(const struct chunk *k, uint64_t done,
				 uint64_t n, uint8_t *buf, struct err *e)
{
	uint64_t from_file = 0;

	if (!k->file)
		return k->bytes + done;
	if (done < k->file_len)
		from_file = k->file_len - done < n ? k->file_len - done : n;
	if (boot_pread(k->file, k->offset + done, buf, from_file, e))
		return NULL;
	memset(buf + from_file, 0, n - from_file);
	return buf;
}

static int load_chunk(const struct chunk *k, struct bus *bus, uint8_t *buf,
		      struct err *e)
{
	uint64_t len = k->zero_rest ? k->len : k->file_len;

	for (uint64_t done = 0; done < len;) {
		uint64_t n = len - done < COPY_BYTES ? len - done : COPY_BYTES;
		const uint8_t *src = next_bytes(k, done, n, buf, e);

		if (!src)
			return -EIO;
		if (bus_write(bus, k->at + done, src, n))
			return fail(e, EFAULT, "%s: no RAM at 0x%llx",
				    k->file ? k->file->name : "boot data",
				    (unsigned long long)(k->at + done));
		done += n;
	}
	return 0;
}

int boot_load(struct boot *b, struct bus *bus, struct err *e)
{
	uint8_t *buf = xmalloc(COPY_BYTES);
	int rc = 0;

	for (unsigned i = 0; !rc && i < b->chunks; i++)
		rc = load_chunk(&b->chunk[i], bus, buf, e);
	free(buf);
	return rc;
}

/* ---- the state a kernel starts in ---- */

/* null, unused, flat 32-bit or 64-bit code, flat data. */
static int add_gdt(struct boot *b, struct err *e)
{
	uint8_t *gdt = xcalloc(4, 8);

	store_le64(gdt + BOOT_CS, b->how == ENTRY_LONG64 ? 0x00af9b000000ffffull
							 : 0x00cf9b000000ffffull);
	store_le64(gdt + BOOT_DS, 0x00cf93000000ffffull);
	return boot_add_bytes(b, "boot GDT", BOOT_GDT, gdt, 32, e);
}

/* The first 4 GiB one to one with 2 MiB pages, for the 64-bit entry. */
static int add_identity_map(struct boot *b, struct err *e)
{
	uint8_t *t = xcalloc(6, 4096);

	store_le64(t, (BOOT_PAGES + 4096) | 3);
	for (unsigned i = 0; i < 4; i++)
		store_le64(t + 4096 + i * 8, (BOOT_PAGES + 8192 + i * 4096) | 3);
	for (uint64_t i = 0; i < 4 * 512; i++)
		store_le64(t + 8192 + i * 8, i << 21 | 0x83);
	return boot_add_bytes(b, "boot page tables", BOOT_PAGES, t, 6 * 4096,
			      e);
}

static struct segment flat(uint16_t selector, uint32_t attr)
{
	return (struct segment){ .selector = selector, .attr = attr,
				 .limit = 0xffffffff };
}

void boot_start(const struct boot *b, struct cpu *c)
{
	bool long64 = b->how == ENTRY_LONG64;

	c->seg[CS] = flat(BOOT_CS, SEG_G | SEG_P | SEG_S | SEG_CODE |
				   SEG_WRITABLE | SEG_ACCESSED |
				   (long64 ? SEG_L : SEG_DB));
	for (unsigned s = 0; s < SREG_COUNT; s++)
		if (s != CS)
			c->seg[s] = flat(BOOT_DS, SEG_G | SEG_DB | SEG_P |
					 SEG_S | SEG_WRITABLE | SEG_ACCESSED);
	c->gdtr = (struct table_register){ .base = BOOT_GDT, .limit = 31 };
	c->idtr = (struct table_register){ 0 };
	/* A busy TSS, as the PVH ABI asks. */
	c->tr = (struct segment){ .attr = SEG_P | 11, .limit = 0x67 };
	c->cr0 = CR0_PE | CR0_ET;
	if (long64) {
		c->cr0 |= CR0_PG | CR0_NE;
		c->cr4 = CR4_PAE;
		c->cr3 = BOOT_PAGES;
		c->efer = EFER_LME | EFER_LMA;
	}
	flags_set(c, 0, ~0u);
	c->rip = b->entry;
	c->gpr[RAX] = b->eax;
	c->gpr[RBX] = b->ebx;
	c->gpr[RSI] = b->esi;
	c->cpl = 0;
	cpu_derive(c);
}

/* ---- opening ---- */

static int detect(struct boot *b, struct err *e)
{
	static int (*const protocols[])(struct boot *, const uint8_t *,
					uint64_t, struct err *) = {
		boot_multiboot, boot_pvh, boot_linux,
	};
	const struct boot_file *f = b->kernel;
	uint8_t head[KERNEL_HEAD];
	uint64_t n = f->size < sizeof(head) ? f->size : sizeof(head);
	int rc = boot_pread(f, 0, head, n, e);

	if (rc)
		return rc;
	if (!n)
		return fail(e, ENOEXEC, "%s: empty", f->name);
	for (unsigned i = 0; i < ARRAY_LEN(protocols); i++) {
		rc = protocols[i](b, head, n, e);
		if (rc != 1)
			return rc;
	}
	return fail(e, ENOEXEC, "%s: %llu bytes, and not a Linux bzImage, a "
		    "multiboot image or an ELF file with a PVH entry", f->name,
		    (unsigned long long)f->size);
}

/* A damaged kernel is better found here than by a guest that resets for ever.
 */
static int check_entry(const struct boot *b, struct err *e)
{
	for (unsigned i = 0; i < b->chunks; i++) {
		const struct chunk *k = &b->chunk[i];

		if (k->file == b->kernel && b->entry >= k->at &&
		    b->entry - k->at < k->file_len)
			return 0;
	}
	return fail(e, ENOEXEC, "%s: entered at 0x%llx, where it loads nothing",
		    b->kernel->name, (unsigned long long)b->entry);
}

struct boot *boot_open(const struct boot_config *cfg, struct err *e)
{
	struct boot *b = xcalloc(1, sizeof(*b));

	b->cfg = *cfg;
	if (boot_open_file(b, "-kernel", cfg->kernel, &b->kernel, e) ||
	    detect(b, e) || check_entry(b, e) || add_gdt(b, e) ||
	    (b->how == ENTRY_LONG64 && add_identity_map(b, e))) {
		boot_free(b);
		return NULL;
	}
	return b;
}

void boot_free(struct boot *b)
{
	if (!b)
		return;
	for (unsigned i = 0; i < b->chunks; i++)
		free(b->chunk[i].bytes);
	for (unsigned i = 0; i < b->files; i++) {
		close(b->file[i].fd);
		free(b->file[i].name);
	}
	free(b);
}
