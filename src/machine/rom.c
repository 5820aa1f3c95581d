/* machine/rom.c - the firmware image of -bios.
 *
 * The whole image ends at 4 GiB, where the processor starts.  Its last 128 KiB
 * also show at E0000h; C0000h-DFFFFh shows empty sockets.  PAM switches all of
 * C0000h-FFFFFh between this and RAM (dev/pci/i440fx.c).
 *
 * One allocation holds both: SHADOW_LEN bytes for C0000h-FFFFFh, then the
 * image.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "dev/pci/i440fx.h"
#include "machine/inside.h"

#define ROM_UNIT	(64 * KiB)
#define ROM_MAX		(256 * KiB)
#define ISA_ROM		(128 * KiB)	/* what shows below 1 MiB */

/* As given, then in each directory of -L, then where Debian puts firmware. */
static FILE *find_file(const struct machine_config *cfg)
{
	static const char *const preset[] = {
		"/usr/share/seabios", "/usr/share/qemu",
	};
	const struct text_list *dirs = &cfg->firmware_dirs;
	FILE *f = fopen(cfg->bios, "rbe");

	for (size_t i = 0; !f && !strchr(cfg->bios, '/') &&
			   i < dirs->count + ARRAY_LEN(preset); i++) {
		const char *dir = i < dirs->count ? dirs->at[i] :
						    preset[i - dirs->count];
		char *path = xasprintf("%s/%s", dir, cfg->bios);

		f = fopen(path, "rbe");
		free(path);
	}
	return f;
}

static int read_image(struct machine *m, FILE *f, size_t *size, struct err *e)
{
	uint8_t *image = m->rom + SHADOW_LEN;
	size_t n = fread(image, 1, ROM_MAX, f), isa;

	if (ferror(f))
		return fail(e, EIO, "-bios %s: %s", m->cfg->bios,
			    strerror(errno));
	if (!n || n % ROM_UNIT || fgetc(f) != EOF)
		return fail(e, EINVAL, "-bios %s: %zu bytes%s, not 64, 128, "
			    "192 or 256 KiB", m->cfg->bios, n,
			    n == ROM_MAX ? " and more" : "");
	isa = n < ISA_ROM ? n : ISA_ROM;
	memcpy(m->rom + SHADOW_LEN - isa, image + n - isa, isa);
	*size = n;
	return 0;
}

int rom_load(struct machine *m, struct err *e)
{
	FILE *f = find_file(m->cfg);
	size_t size = 0;
	int r;

	if (!f)
		return fail(e, errno, "-bios %s: %s", m->cfg->bios,
			    strerror(errno));
	m->rom = aligned_alloc(4096, SHADOW_LEN + ROM_MAX);
	if (!m->rom)
		abort();
	memset(m->rom, 0xff, SHADOW_LEN + ROM_MAX);
	r = read_image(m, f, &size, e);
	fclose(f);
	if (r < 0)
		return r;
	return bus_map_ram(m->bus, MEMMAP_HIGH - size, size,
			   m->rom + SHADOW_LEN, true, e);
}
