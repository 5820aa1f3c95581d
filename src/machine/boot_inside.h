/* machine/boot_inside.h - what the boot protocols share.
 *
 * A struct boot is a list of chunks to be copied to guest memory and the
 * register state to start with.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MACHINE_BOOT_INSIDE_H
#define MACHINE_BOOT_INSIDE_H
#include "machine/boot.h"

/* Below 1 MiB, clear of the BIOS data area and of what the ACPI tables use. */
#define BOOT_GDT	0x0500u
#define BOOT_INFO	0x10000u	/* boot_params, start_info, mbi */
#define BOOT_PAGES	0x14000u	/* identity map for the 64-bit entry */
#define BOOT_CMDLINE	0x20000u
#define BOOT_LOW_END	0x90000u	/* nothing of ours from here on */

#define KERNEL_HEAD	8192u		/* bytes looked at for a protocol */

enum boot_entry { ENTRY_FLAT32, ENTRY_LONG64 };

struct boot_file {
	char *name;		/* for errors: "-initrd PATH"; owned */
	int fd;
	uint64_t size;		/* when it was opened */
};

struct chunk {
	gpa_t at;
	uint64_t len;		/* bytes in guest memory, kept free of others */
	uint64_t file_len;	/* bytes copied */
	bool zero_rest;		/* clear the rest, or leave it (Linux does) */
	const struct boot_file *file;	/* NULL: bytes */
	uint64_t offset;
	uint8_t *bytes;		/* owned */
};

#define CHUNKS_MAX 80
#define FILES_MAX 40

struct boot {
	struct boot_config cfg;
	const struct boot_file *kernel;
	struct chunk chunk[CHUNKS_MAX];
	unsigned chunks;
	struct boot_file file[FILES_MAX];
	unsigned files;

	enum boot_entry how;
	uint64_t entry;
	uint32_t eax, ebx, esi;
};

/* Open a regular file for reading; kept open until boot_free(). */
int boot_open_file(struct boot *b, const char *option, const char *path,
		   const struct boot_file **out, struct err *e);
/* Read all of len at offset, or -EIO. */
int boot_pread(const struct boot_file *f, uint64_t offset, void *buf,
	       uint64_t len, struct err *e);
/* Add a chunk, refused if it leaves the file or RAM or overlaps another; what
 * lies between file_len and len is cleared. */
int boot_add_file(struct boot *b, const struct boot_file *f, uint64_t offset,
		  uint64_t file_len, gpa_t at, uint64_t len, struct err *e);
/* Takes bytes. */
int boot_add_bytes(struct boot *b, const char *what, gpa_t at, uint8_t *bytes,
		   uint64_t len, struct err *e);
/* Add a string between BOOT_CMDLINE and BOOT_LOW_END. */
int boot_add_text(struct boot *b, const char *what, gpa_t at, const char *text,
		  struct err *e);

/* Each protocol: 1 if the file is not of its kind. */
int boot_multiboot(struct boot *b, const uint8_t *head, uint64_t head_len,
		   struct err *e);
int boot_pvh(struct boot *b, const uint8_t *head, uint64_t head_len,
	     struct err *e);
int boot_linux(struct boot *b, const uint8_t *head, uint64_t head_len,
	       struct err *e);

/* Load the PT_LOAD segments of an ELF file (32 or 64-bit) by physical address;
 * *entry is e_entry, turned from virtual to physical if need be, *end the first
 * byte past the highest segment. */
int boot_load_elf(struct boot *b, const uint8_t *head, uint64_t head_len,
		  uint64_t *entry, uint64_t *end, struct err *e);
/* The file is an ELF file, of whatever class and machine. */
bool boot_is_elf(const uint8_t *head, uint64_t head_len);

#endif
