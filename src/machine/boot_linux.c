/* machine/boot_linux.c - the Linux boot protocol, entered past its real-mode
 * part.
 *
 * boot_params (the "zero page") is built here with the kernel's own setup
 * header in it; the protected-mode kernel goes to 1 MiB, or where a
 * relocatable kernel prefers; the initrd as high as the kernel allows.
 *
 * Source: Documentation/arch/x86/boot.rst and zero-page.rst of the Linux
 * kernel, protocol versions 2.06 (command line size) to 2.15.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "machine/boot_inside.h"

/* Offsets in the setup header, the same in the file and in boot_params. */
#define HDR_START		0x1f1
#define HDR_SETUP_SECTS		0x1f1
#define HDR_SYSSIZE		0x1f4	/* in 16 bytes, from protocol 2.04 */
#define HDR_JUMP		0x200	/* its byte 1: length after 202h */
#define HDR_MAGIC		0x202
#define HDR_VERSION		0x206
#define HDR_TYPE_OF_LOADER	0x210
#define HDR_LOADFLAGS		0x211
#define HDR_CODE32_START	0x214
#define HDR_RAMDISK_IMAGE	0x218
#define HDR_RAMDISK_SIZE	0x21c
#define HDR_CMD_LINE_PTR	0x228
#define HDR_INITRD_ADDR_MAX	0x22c
#define HDR_RELOCATABLE		0x234
#define HDR_XLOADFLAGS		0x236
#define HDR_CMDLINE_SIZE	0x238
#define HDR_PREF_ADDRESS	0x258
#define HDR_INIT_SIZE		0x260
#define HDR_END			0x290

/* Offsets in boot_params. */
#define BP_ACPI_RSDP		0x070
#define BP_E820_COUNT		0x1e8
#define BP_E820			0x2d0
#define BP_E820_MAX		128
#define BP_SIZE			4096

#define LOADED_HIGH		0x01
#define XLF_KERNEL_64		0x0001
#define LOADER_UNDEFINED	0xff
#define ENTRY_64_OFFSET		0x200

#define HIGH_LOAD		0x100000u

struct setup {
	const uint8_t *hdr;	/* the file from byte 0 */
	unsigned version;
	uint64_t setup_bytes;	/* the rest of the file goes to load_at */
	uint64_t load_at, end;	/* memory it needs until it reads e820 */
	bool entry64;
};

/* A kernel that cannot be relocated moves itself from 1 MiB to pref. */
static void find_place(const struct boot *b, struct setup *s)
{
	const uint8_t *head = s->hdr;
	uint64_t pref = load_le64(head + HDR_PREF_ADDRESS), runs_at;

	s->load_at = HIGH_LOAD;
	s->end = s->load_at + b->kernel->size - s->setup_bytes;
	if (s->version < 0x20a)
		return;
	if (pref < HIGH_LOAD || pref >= b->cfg.low_ram)
		pref = HIGH_LOAD;
	if (head[HDR_RELOCATABLE]) {
		s->end += pref - s->load_at;
		s->load_at = pref;
	}
	runs_at = pref + load_le32(head + HDR_INIT_SIZE);
	if (runs_at > s->end)
		s->end = runs_at;
}

static int parse_header(struct boot *b, const uint8_t *head, struct setup *s,
			struct err *e)
{
	const struct boot_file *f = b->kernel;
	unsigned sects = head[HDR_SETUP_SECTS];
	uint64_t wanted;

	s->hdr = head;
	s->version = load_le16(head + HDR_VERSION);
	if (s->version < 0x206 || !(head[HDR_LOADFLAGS] & LOADED_HIGH))
		return fail(e, ENOEXEC, "%s: boot protocol %u.%02u, and 2.06 "
			    "with a high-loaded kernel is the oldest "
			    "supported", f->name, s->version >> 8,
			    s->version & 0xff);
	s->setup_bytes = ((sects ? sects : 4) + 1) * 512ull;
	/* The size in the header is rounded up by some. */
	wanted = s->setup_bytes + load_le32(head + HDR_SYSSIZE) * 16ull;
	if (s->setup_bytes >= f->size || wanted > f->size + 15)
		return fail(e, ENOEXEC, "%s: %llu bytes, and its header says "
			    "%llu", f->name, (unsigned long long)f->size,
			    (unsigned long long)wanted);
	find_place(b, s);
	s->entry64 = b->cfg.long_mode && s->version >= 0x20c &&
		     (load_le16(head + HDR_XLOADFLAGS) & XLF_KERNEL_64);
	return 0;
}

static int add_cmdline(struct boot *b, const struct setup *s, struct err *e)
{
	const char *text = b->cfg.append ? b->cfg.append : "";
	uint64_t len = strlen(text), max = load_le32(s->hdr + HDR_CMDLINE_SIZE);

	if (len > max)
		return fail(e, E2BIG, "-append: %llu characters, and the "
			    "kernel takes %llu", (unsigned long long)len,
			    (unsigned long long)max);
	return boot_add_text(b, "-append", BOOT_CMDLINE, text, e);
}

static int add_initrd(struct boot *b, const struct setup *s, uint8_t *bp,
		      struct err *e)
{
	uint64_t top = (uint64_t)load_le32(s->hdr + HDR_INITRD_ADDR_MAX) + 1;
	const struct boot_file *f;
	gpa_t at;
	int rc;

	rc = boot_open_file(b, "-initrd", b->cfg.initrd, &f, e);
	if (rc || !f->size)
		return rc;
	if (top > b->cfg.low_ram)
		top = b->cfg.low_ram;
	at = f->size <= top ? (top - f->size) & ~4095ull : 0;
	if (at < s->end)
		return fail(e, ENOSPC, "%s: %llu bytes do not fit between the "
			    "kernel's end at 0x%llx and 0x%llx", f->name,
			    (unsigned long long)f->size,
			    (unsigned long long)s->end,
			    (unsigned long long)top);
	store_le32(bp + HDR_RAMDISK_IMAGE, (uint32_t)at);
	store_le32(bp + HDR_RAMDISK_SIZE, (uint32_t)f->size);
	return boot_add_file(b, f, 0, f->size, at, f->size, e);
}

static void fill_params(const struct boot *b, const struct setup *s,
			uint8_t *bp)
{
	unsigned end = HDR_MAGIC + s->hdr[HDR_JUMP + 1], n = 0;

	if (end > HDR_END)
		end = HDR_END;
	memcpy(bp + HDR_START, s->hdr + HDR_START, end - HDR_START);
	bp[HDR_TYPE_OF_LOADER] = LOADER_UNDEFINED;
	store_le32(bp + HDR_CODE32_START, (uint32_t)s->load_at);
	store_le32(bp + HDR_CMD_LINE_PTR, BOOT_CMDLINE);
	store_le32(bp + HDR_RAMDISK_IMAGE, 0);
	store_le32(bp + HDR_RAMDISK_SIZE, 0);
	store_le64(bp + BP_ACPI_RSDP, b->cfg.rsdp);
	for (; n < b->cfg.e820_count && n < BP_E820_MAX; n++) {
		uint8_t *p = bp + BP_E820 + n * 20;

		store_le64(p, b->cfg.e820[n].base);
		store_le64(p + 8, b->cfg.e820[n].len);
		store_le32(p + 16, b->cfg.e820[n].type);
	}
	bp[BP_E820_COUNT] = (uint8_t)n;
}

int boot_linux(struct boot *b, const uint8_t *head, uint64_t head_len,
	       struct err *e)
{
	struct setup s = { 0 };
	uint8_t *bp;
	int rc;

	if (head_len < HDR_END || memcmp(head + HDR_MAGIC, "HdrS", 4))
		return 1;
	rc = parse_header(b, head, &s, e);
	if (rc)
		return rc;
	rc = boot_add_file(b, b->kernel, s.setup_bytes,
			   b->kernel->size - s.setup_bytes, s.load_at,
			   s.end - s.load_at, e);
	if (rc)
		return rc;
	b->chunk[b->chunks - 1].zero_rest = false;
	rc = add_cmdline(b, &s, e);
	if (rc)
		return rc;
	bp = xcalloc(1, BP_SIZE);
	fill_params(b, &s, bp);
	if (b->cfg.initrd && (rc = add_initrd(b, &s, bp, e))) {
		free(bp);
		return rc;
	}
	b->how = s.entry64 ? ENTRY_LONG64 : ENTRY_FLAT32;
	b->entry = s.load_at + (s.entry64 ? ENTRY_64_OFFSET : 0);
	b->esi = BOOT_INFO;
	return boot_add_bytes(b, "boot_params", BOOT_INFO, bp, BP_SIZE, e);
}
