/* tests/fuzz/boot_fuzz.c - libFuzzer target: any bytes as -kernel, opened,
 * loaded and started.  tests/fuzz/run builds and runs it.
 *
 * The bus is a fake that checks what the loader promises: it writes RAM only.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "cpu/x86/state.h"
#include "machine/boot.h"

#define LOW_RAM (64 * MiB)
#define HIGH_RAM (16 * MiB)
#define HIGH_BASE (4 * GiB)

static const struct e820_entry map[] = {
	{ 0, 0x9fc00, E820_RAM },
	{ 0x9fc00, 0x60400, E820_RESERVED },
	{ MiB, LOW_RAM - MiB, E820_RAM },
	{ HIGH_BASE, HIGH_RAM, E820_RAM },
};

int bus_write(struct bus *b, gpa_t at, const void *buf, uint64_t len)
{
	(void)b;
	(void)buf;
	for (size_t i = 0; i < ARRAY_LEN(map); i++)
		if (map[i].type == E820_RAM && at >= map[i].base &&
		    at - map[i].base < map[i].len &&
		    len <= map[i].len - (at - map[i].base))
			return 0;
	abort();
}

void cpu_derive(struct cpu *c)
{
	(void)c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cpu cpu;
	int fd = memfd_create("kernel", 0);
	struct err e = { "" };
	struct boot_config cfg;
	char path[64];
	struct boot *b;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	cfg = (struct boot_config){
		.kernel = path, .initrd = size & 1 ? path : NULL,
		.append = "a b", .low_ram = LOW_RAM, .high_ram = HIGH_RAM,
		.e820 = map, .e820_count = ARRAY_LEN(map),
		.long_mode = size & 2,
	};
	b = boot_open(&cfg, &e);
	if (b) {
		if (boot_load(b, NULL, &e))
			abort();
		boot_start(b, &cpu);
		boot_free(b);
	} else if (!*e.text || strchr(e.text, '\n')) {
		abort();
	}
	close(fd);
	return 0;
}
