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

#define LOW_4G 0x100000000ull

/* Selectors of the flat GDT below (Linux boot protocol: CS 10h, DS 18h). */
#define BOOT_CS 0x10
#define BOOT_DS 0x18

int boot_open_file(struct boot *b, const char *option, const char *path,
		   int *fd, uint64_t *size, struct err *e)
{
	struct stat st;

	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return fail(e, errno, "%s %s: %s", option, path,
			    strerror(errno));
	if (b->fd_count == CHUNKS_MAX) {
		close(*fd);
		return fail(e, E2BIG, "%s %s: more than %d files", option, path,
			    CHUNKS_MAX);
	}
	b->fds[b->fd_count++] = *fd;
	if (fstat(*fd, &st))
		return fail(e, errno, "%s %s: %s", option, path,
			    strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(e, EINVAL, "%s %s: not a regular file", option,
			    path);
	*size = (uint64_t)st.st_size;
	return 0;
}

int boot_pread(int fd, uint64_t offset, void *buf, uint64_t len,
	       const char *path, struct err *e)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = pread(fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(e, EIO, "%s: %s", path, strerror(errno));
		if (!n)
			return fail(e, EIO, "%s: ends at byte %llu, %llu more "
				    "expected", path,
				    (unsigned long long)offset,
				    (unsigned long long)len);
		p += n;
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

/* ---- chunks ---- */

static bool in_ram(const struct boot_config *cfg, gpa_t at, uint64_t len)
{
	uint64_t end;

	if (!checked_add(at, len, &end))
		return false;
	return end <= cfg->low_ram ||
	       (at >= LOW_4G && end <= LOW_4G + cfg->high_ram);
}

static int add_chunk(struct boot *b, const char *what, const struct chunk *new,
		     struct err *e)
{
	if (!in_ram(&b->cfg, new->at, new->len))
		return fail(e, ENOSPC,
			    "%s: %llu bytes at 0x%llx do not fit in %llu MiB "
			    "of RAM", what, (unsigned long long)new->len,
			    (unsigned long long)new->at,
			    (unsigned long long)((b->cfg.low_ram +
						  b->cfg.high_ram) / MiB));
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

int boot_add_file(struct boot *b, const char *what, gpa_t at, uint64_t len,
		  int fd, uint64_t offset, uint64_t file_len, struct err *e)
{
	struct chunk k = { .at = at, .len = len, .file_len = file_len,
			   .fd = fd, .offset = offset, .zero_rest = true };

	return add_chunk(b, what, &k, e);
}

int boot_add_bytes(struct boot *b, const char *what, gpa_t at, uint8_t *bytes,
		   uint64_t len, struct err *e)
{
	struct chunk k = { .at = at, .len = len, .file_len = len, .fd = -1,
			   .bytes = bytes };
	int rc = add_chunk(b, what, &k, e);

	if (rc)
		free(bytes);
	return rc;
}

gpa_t boot_end_of_chunks(const struct boot *b, gpa_t from, gpa_t to)
{
	gpa_t end = from;

	for (unsigned i = 0; i < b->chunks; i++) {
		gpa_t k = b->chunk[i].at + b->chunk[i].len;

		if (b->chunk[i].at >= from && b->chunk[i].at < to && k > end)
			end = k;
	}
	return end;
}

static int load_chunk(const struct chunk *k, struct bus *bus, const char *path,
		      uint8_t *buf, struct err *e)
{
	uint64_t len = k->zero_rest ? k->len : k->file_len;

	for (uint64_t done = 0; done < len;) {
		uint64_t n = len - done, from_file = 0;
		const uint8_t *src = buf;
		int rc;

		if (n > COPY_BYTES)
			n = COPY_BYTES;
		if (done < k->file_len)
			from_file = k->file_len - done < n ? k->file_len - done
							   : n;
		if (k->bytes) {
			src = k->bytes + done;
		} else {
			rc = boot_pread(k->fd, k->offset + done, buf,
					from_file, path, e);
			if (rc)
				return rc;
			memset(buf + from_file, 0, n - from_file);
		}
		if (bus_write(bus, k->at + done, src, n))
			return fail(e, EFAULT, "%s: no RAM at 0x%llx", path,
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
		rc = load_chunk(&b->chunk[i], bus, b->cfg.kernel, buf, e);
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
	uint8_t head[KERNEL_HEAD];
	uint64_t n = b->kernel_size < sizeof(head) ? b->kernel_size
						   : sizeof(head);
	int rc = boot_pread(b->kernel_fd, 0, head, n, b->cfg.kernel, e);

	if (rc)
		return rc;
	for (unsigned i = 0; i < ARRAY_LEN(protocols); i++) {
		rc = protocols[i](b, head, n, e);
		if (rc != 1)
			return rc;
	}
	return fail(e, ENOEXEC, "-kernel %s: not a Linux bzImage, a multiboot "
		    "image or an ELF file with a PVH entry", b->cfg.kernel);
}

struct boot *boot_open(const struct boot_config *cfg, struct err *e)
{
	struct boot *b = xcalloc(1, sizeof(*b));

	b->cfg = *cfg;
	if (boot_open_file(b, "-kernel", cfg->kernel, &b->kernel_fd,
			   &b->kernel_size, e) ||
	    detect(b, e) || add_gdt(b, e) ||
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
	for (unsigned i = 0; i < b->fd_count; i++)
		close(b->fds[i]);
	free(b);
}
