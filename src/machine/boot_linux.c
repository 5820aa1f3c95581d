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
	uint64_t setup_bytes;
	uint64_t load_at, init_size;
	bool entry64;
};

static int parse_header(struct boot *b, const uint8_t *head, struct setup *s,
			struct err *e)
{
	const char *path = b->cfg.kernel;
	unsigned sects = head[HDR_SETUP_SECTS];

	s->hdr = head;
	s->version = load_le16(head + HDR_VERSION);
	if (s->version < 0x206 || !(head[HDR_LOADFLAGS] & LOADED_HIGH))
		return fail(e, ENOEXEC, "-kernel %s: boot protocol %u.%02u, "
			    "and 2.06 with a high-loaded kernel is the oldest "
			    "supported", path, s->version >> 8,
			    s->version & 0xff);
	s->setup_bytes = ((sects ? sects : 4) + 1) * 512ull;
	if (s->setup_bytes >= b->kernel_size)
		return fail(e, ENOEXEC, "-kernel %s: %llu bytes, and its setup "
			    "part alone is %llu", path,
			    (unsigned long long)b->kernel_size,
			    (unsigned long long)s->setup_bytes);
	s->load_at = HIGH_LOAD;
	s->init_size = b->kernel_size - s->setup_bytes;
	if (s->version >= 0x20a) {
		uint64_t pref = load_le64(head + HDR_PREF_ADDRESS);
		uint32_t init = load_le32(head + HDR_INIT_SIZE);

		if (head[HDR_RELOCATABLE] && pref >= HIGH_LOAD &&
		    pref < b->cfg.low_ram)
			s->load_at = pref;
		if (init > s->init_size)
			s->init_size = init;
	}
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
	return boot_add_bytes(b, "-append", BOOT_CMDLINE,
			      (uint8_t *)xstrdup(text), len + 1, e);
}

static int add_initrd(struct boot *b, const struct setup *s, uint8_t *bp,
		      struct err *e)
{
	uint64_t top = (uint64_t)load_le32(s->hdr + HDR_INITRD_ADDR_MAX) + 1;
	uint64_t size, at, floor = s->load_at + s->init_size;
	int fd, rc;

	rc = boot_open_file(b, "-initrd", b->cfg.initrd, &fd, &size, e);
	if (rc)
		return rc;
	if (top > b->cfg.low_ram)
		top = b->cfg.low_ram;
	if (floor > top || size > top - floor)
		return fail(e, ENOSPC, "-initrd %s: %llu bytes do not fit "
			    "between the kernel's end at 0x%llx and 0x%llx",
			    b->cfg.initrd, (unsigned long long)size,
			    (unsigned long long)floor, (unsigned long long)top);
	at = (top - size) & ~4095ull;
	if (at < floor)
		return fail(e, ENOSPC, "-initrd %s: no page-aligned place for "
			    "%llu bytes below 0x%llx", b->cfg.initrd,
			    (unsigned long long)size, (unsigned long long)top);
	store_le32(bp + HDR_RAMDISK_IMAGE, (uint32_t)at);
	store_le32(bp + HDR_RAMDISK_SIZE, (uint32_t)size);
	return size ? boot_add_file(b, "-initrd", at, size, fd, 0, size, e) : 0;
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
	uint64_t kernel_bytes;
	struct setup s = { 0 };
	uint8_t *bp;
	int rc;

	if (head_len < HDR_END || memcmp(head + HDR_MAGIC, "HdrS", 4))
		return 1;
	rc = parse_header(b, head, &s, e);
	if (rc)
		return rc;
	kernel_bytes = b->kernel_size - s.setup_bytes;
	rc = boot_add_file(b, "-kernel", s.load_at,
			   s.init_size > kernel_bytes ? s.init_size
						      : kernel_bytes,
			   b->kernel_fd, s.setup_bytes, kernel_bytes, e);
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
