/* machine/aml.h - writing ACPI machine language.
 *
 * A struct aml is a growing byte string.  Terms are appended in the order in
 * which ASL would write them; those that hold others are opened and closed:
 *
 *   size_t dev = aml_device(a, "LNKA");
 *   aml_name(a, "_HID");  aml_eisaid(a, "PNP0C0F");
 *   aml_end(a, dev);
 *
 * Opened terms that are closed in the wrong order are our own mistake.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MACHINE_AML_H
#define MACHINE_AML_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml {
	uint8_t *bytes;		/* owned */
	size_t len, room;
};

void aml_free(struct aml *a);

/* ---- data ---- */
void aml_byte(struct aml *a, uint8_t v);	/* raw, for opcodes */
void aml_path(struct aml *a, const char *path);	/* "\\_SB.PCI0", "_CRS" */
void aml_integer(struct aml *a, uint64_t v);
void aml_string(struct aml *a, const char *s);
void aml_eisaid(struct aml *a, const char id[7]);	/* "PNP0A03" */

/* ---- terms that hold others: returns what aml_end() takes ---- */
size_t aml_scope(struct aml *a, const char *path);
size_t aml_device(struct aml *a, const char *name);
size_t aml_method(struct aml *a, const char *name, unsigned args);
size_t aml_package(struct aml *a, unsigned count);
size_t aml_if(struct aml *a);		/* the condition comes first */
size_t aml_else(struct aml *a);
size_t aml_field(struct aml *a, const char *region);	/* byte access */
void aml_end(struct aml *a, size_t open);

/* ---- declarations ---- */
void aml_name(struct aml *a, const char *name);	/* the value follows */
void aml_region(struct aml *a, const char *name, uint8_t space, uint64_t at,
		uint64_t len);
#define AML_PCI_CONFIG 2
/* In a field list: a name of `bits` bits. */
void aml_field_unit(struct aml *a, const char *name, unsigned bits);
/* CreateDWordField(buffer, at, name); buffer is a name or AML_ARG0. */
void aml_dword_field(struct aml *a, const char *buffer, uint8_t at,
		     const char *name);

/* ---- statements and expressions ---- */
#define AML_ARG0 "\x68"			/* in place of a name */
void aml_return(struct aml *a);		/* the value follows */
/* target = value op value2: operands are names, or NULL for the number. */
void aml_and(struct aml *a, const char *name, uint64_t v, const char *target);
void aml_or(struct aml *a, const char *name, uint64_t v, const char *target);
void aml_store(struct aml *a, const char *name, const char *target);
void aml_set(struct aml *a, const char *target, uint64_t v);

/* ---- resource templates ---- */
size_t aml_resources(struct aml *a);	/* a buffer; close with: */
void aml_resources_end(struct aml *a, size_t open);
void aml_res_io(struct aml *a, uint16_t base, uint8_t len);
void aml_res_irq(struct aml *a, unsigned irq);	/* edge, active high */
/* Level, active high, shared. */
void aml_res_interrupts(struct aml *a, const uint32_t *irqs, uint8_t count);
void aml_res_memory(struct aml *a, bool writable, uint32_t base, uint32_t len);
void aml_res_bus_numbers(struct aml *a, uint16_t first, uint16_t last);
void aml_res_io_window(struct aml *a, uint16_t first, uint16_t last);
void aml_res_memory_window(struct aml *a, uint32_t first, uint32_t last);
void aml_res_memory_window64(struct aml *a, uint64_t first, uint64_t last);
#endif
