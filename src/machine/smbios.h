/* machine/smbios.h - what the machine says it is: SMBIOS 2.8 tables.
 * SPDX-License-Identifier: MIT
 */
#ifndef MACHINE_SMBIOS_H
#define MACHINE_SMBIOS_H
#include "machine/memmap.h"
#include "machine/tables.h"

#define SMBIOS_OPTIONS_MAX 16

struct optstr;

struct smbios_config {
	bool has_uuid;
	uint8_t uuid[16];		/* in the order it is written */
	unsigned sockets, cores, threads;	/* cores and threads per socket
						 * and core */
	struct memmap map;
	/* -smbios, one each; owned, freed by smbios_free(). */
	struct optstr *options[SMBIOS_OPTIONS_MAX];
	unsigned option_count;
};

/* One -smbios "type=1,manufacturer=x,...".  A later one of the same type
 * overrides field by field; a uuid= overrides -uuid. */
int smbios_option(struct smbios_config *c, const char *text, struct err *e);
void smbios_free(struct smbios_config *c);

/* Appends the structures and the entry point, which must come to lie from
 * F0000h up; returns its address, 0 when they do not fit. */
gpa_t smbios_build(const struct smbios_config *c, struct tables *t,
		   struct err *e);
#endif
