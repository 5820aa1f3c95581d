/* dev/core/device.h - what every device model tells the rest of the program.
 *
 * One const struct device_class per model, one row in dev/core/devices.c.  The
 * core allocates `size` zeroed bytes, fills `props` from the presets and then
 * from the command line, calls `attach`, then `reset`.  `state` lists what a
 * snapshot keeps; a field that is neither a prop nor in `state` must be
 * derivable, and says so where it is declared.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DEV_CORE_DEVICE_H
#define DEV_CORE_DEVICE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/err.h"
#include "bus/bus.h"

struct stream;

/* How a property is written on the command line and stored in the struct. */
enum prop_kind {
	PROP_BOOL,	/* bool: on/off/yes/no/true/false */
	PROP_U8, PROP_U16, PROP_U32, PROP_U64,	/* decimal or 0x */
	PROP_SIZE,	/* uint64_t with K, M, G suffixes */
	PROP_STR,	/* char *, owned by the device */
	PROP_STREAM,	/* struct stream *, borrowed: -device X,chardev=ID */
	PROP_PCI_ADDR,	/* int32_t: SLOT or SLOT.FN in hex, -1 for any */
};

struct prop {
	const char *name;	/* QEMU's name for it */
	enum prop_kind kind;
	size_t offset;
	uint64_t preset;
	const char *help;	/* NULL where QEMU says nothing either */
};

struct field {
	const char *name;
	size_t offset, size;
};

struct device {
	const struct device_class *class;
	char *id;		/* owned; NULL without id= */
	struct bus *bus;	/* borrowed; set before attach */
	bool attached;
};

enum device_bus { BUS_NONE, BUS_ISA, BUS_PCI };

/* The headings of -device help, in QEMU's order. */
enum device_category { DEVICE_BRIDGE, DEVICE_INPUT, DEVICE_MISC };

struct device_class {
	const char *name;	/* QEMU's name: "isa-serial" */
	const char *summary;	/* QEMU's "desc", NULL where it has none */
	enum device_category category;
	enum device_bus bus;	/* printed by -device help */
	bool user_creatable;	/* may follow -device */
	size_t size;
	const struct prop *props;	/* ends with .name = NULL; may be NULL */
	const struct prop *bus_props;	/* likewise: pci_props, or NULL */
	const struct field *state;	/* likewise */
	int (*attach)(struct device *d, struct err *e);
	void (*reset)(struct device *d);
	void (*detach)(struct device *d); /* NULL: nothing to give back */
};

#define PROP(type, member, name_, kind_, preset_, help_)                      \
	{ .name = (name_), .kind = (kind_), .offset = offsetof(type, member), \
	  .preset = (preset_), .help = (help_) }
#define FIELD(type, member)                                                   \
	{ .name = #member, .offset = offsetof(type, member),                  \
	  .size = sizeof(((type *)0)->member) }

/* Every model, in devices.c; ends with NULL. */
extern const struct device_class *const device_classes[];
const struct device_class *device_class_find(const char *name);

/* Allocates with the presets filled in, not yet attached. */
struct device *device_new(const struct device_class *c, struct bus *b);
/* One "name=value" from the command line.  PROP_STREAM goes by
 * device_set_stream.  The error names the property and what it takes. */
int device_set_prop(struct device *d, const char *name, const char *value,
		    struct err *e);
int device_set_stream(struct device *d, const char *name, struct stream *s,
		      struct err *e);
const struct prop *device_prop_find(const struct device_class *c,
				    const char *name);
int device_attach(struct device *d, struct err *e);
void device_free(struct device *d);	/* detaches first if attached */

/* `-device help` and `-device X,help`, in QEMU's form. */
void device_print_classes(FILE *to);
void device_print_props(const struct device_class *c, FILE *to);
#endif
