/* dev/core/device.c - making a device from its class: presets, properties,
 * attachment, and what `-device help` prints.
 *
 * A device is one zeroed allocation whose first member is struct device.  The
 * property tables say where in it each option of the command line is stored.
 * Strings are copied and owned by the device; streams are borrowed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/num.h"
#include "dev/core/device.h"

static const struct prop *table_find(const struct prop *table, const char *name)
{
	for (const struct prop *p = table; p && p->name; p++)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

const struct prop *device_prop_find(const struct device_class *c,
				    const char *name)
{
	const struct prop *p = table_find(c->props, name);

	return p ? p : table_find(c->bus_props, name);
}

const struct device_class *device_class_find(const char *name)
{
	for (const struct device_class *const *c = device_classes; *c; c++)
		if (!strcmp((*c)->name, name))
			return *c;
	return NULL;
}

/* ---- values ---- */

static void *prop_at(struct device *d, const struct prop *p)
{
	return (char *)d + p->offset;
}

static void store_number(struct device *d, const struct prop *p, uint64_t v)
{
	void *at = prop_at(d, p);

	switch (p->kind) {
	case PROP_BOOL:		*(bool *)at = v != 0; break;
	case PROP_U8:		*(uint8_t *)at = (uint8_t)v; break;
	case PROP_U16:		*(uint16_t *)at = (uint16_t)v; break;
	case PROP_U32:		*(uint32_t *)at = (uint32_t)v; break;
	case PROP_PCI_ADDR:	*(int32_t *)at = (int32_t)v; break;
	case PROP_U64:
	case PROP_SIZE:		*(uint64_t *)at = v; break;
	case PROP_STR:
	case PROP_STREAM:	break;	/* zeroed by the allocation */
	}
}

/* "6", "06.0", "1f.7": slot and function in hex, kept as slot << 3 | fn. */
static bool parse_pci_addr(const char *s, uint64_t *out)
{
	unsigned slot, fn = 0;
	int used = 0;

	if (sscanf(s, "%x.%x%n", &slot, &fn, &used) != 2 || s[used]) {
		fn = 0;
		if (sscanf(s, "%x%n", &slot, &used) != 1 || s[used])
			return false;
	}
	*out = slot << 3 | fn;
	return slot < 32 && fn < 8;
}

static const struct {
	const char *type;
	uint64_t max;		/* of the number kinds */
} kinds[] = {
	[PROP_BOOL] = { "bool", 0 },
	[PROP_U8] = { "uint8", UINT8_MAX },
	[PROP_U16] = { "uint16", UINT16_MAX },
	[PROP_U32] = { "uint32", UINT32_MAX },
	[PROP_U64] = { "uint64", UINT64_MAX },
	[PROP_SIZE] = { "size", 0 },
	[PROP_STR] = { "str", 0 },
	[PROP_STREAM] = { "str", 0 },
	[PROP_PCI_ADDR] = { "int32", 0 },
};

static int parse_value(const struct prop *p, const char *what, const char *s,
		       uint64_t *v, struct err *e)
{
	bool on = false;
	int r;

	switch (p->kind) {
	case PROP_BOOL:
		r = parse_bool(what, s, &on, e);
		*v = on;
		return r;
	case PROP_U8:
	case PROP_U16:
	case PROP_U32:
	case PROP_U64:
		return parse_u64(what, s, 0, kinds[p->kind].max, v, e);
	case PROP_SIZE:
		return parse_size(what, s, 1, v, e);
	case PROP_PCI_ADDR:
		if (parse_pci_addr(s, v))
			return 0;
		return fail(e, EINVAL, "%s: '%s' is not SLOT or SLOT.FUNCTION"
			    " up to 1f.7", what, s);
	case PROP_STR:
	case PROP_STREAM:
		break;
	}
	return fail(e, EINVAL, "%s: '%s' is the id of a chardev", what, s);
}

int device_set_prop(struct device *d, const char *name, const char *value,
		    struct err *e)
{
	const struct prop *p = device_prop_find(d->class, name);
	char what[64];
	uint64_t v;
	int r;

	if (!p)
		return fail(e, ENOENT, "%s has no property '%s'",
			    d->class->name, name);
	if (p->kind == PROP_STR) {
		char **at = prop_at(d, p);

		free(*at);
		*at = xstrdup(value);
		return 0;
	}
	snprintf(what, sizeof(what), "%s.%s", d->class->name, name);
	r = parse_value(p, what, value, &v, e);
	if (r == 0)
		store_number(d, p, v);
	return r;
}

int device_set_stream(struct device *d, const char *name, struct stream *s,
		      struct err *e)
{
	const struct prop *p = device_prop_find(d->class, name);

	if (!p || p->kind != PROP_STREAM)
		return fail(e, ENOENT, "%s has no chardev property '%s'",
			    d->class->name, name);
	*(struct stream **)prop_at(d, p) = s;
	return 0;
}

/* ---- life ---- */

static void store_presets(struct device *d, const struct prop *table)
{
	for (const struct prop *p = table; p && p->name; p++)
		store_number(d, p, p->preset);
}

struct device *device_new(const struct device_class *c, struct bus *b)
{
	struct device *d = xcalloc(1, c->size);

	d->class = c;
	d->bus = b;
	store_presets(d, c->props);
	store_presets(d, c->bus_props);
	return d;
}

int device_attach(struct device *d, struct err *e)
{
	int r = d->class->attach ? d->class->attach(d, e) : 0;

	if (r < 0)
		return r;
	d->attached = true;
	if (d->class->reset)
		d->class->reset(d);
	return 0;
}

static void free_strings(struct device *d, const struct prop *table)
{
	for (const struct prop *p = table; p && p->name; p++)
		if (p->kind == PROP_STR)
			free(*(char **)prop_at(d, p));
}

void device_free(struct device *d)
{
	if (!d)
		return;
	if (d->attached && d->class->detach)
		d->class->detach(d);
	free_strings(d, d->class->props);
	free_strings(d, d->class->bus_props);
	free(d->id);
	free(d);
}

/* ---- -device help ---- */

static int class_cmp(const void *a, const void *b)
{
	const struct device_class *const *x = a, *const *y = b;

	if ((*x)->category != (*y)->category)
		return (*x)->category < (*y)->category ? -1 : 1;
	return strcasecmp((*x)->name, (*y)->name);
}

static void print_class(const struct device_class *c, FILE *to)
{
	static const char *const buses[] = {
		[BUS_ISA] = "ISA", [BUS_PCI] = "PCI",
	};

	fprintf(to, "name \"%s\"", c->name);
	if (c->bus != BUS_NONE)
		fprintf(to, ", bus %s", buses[c->bus]);
	if (c->summary)
		fprintf(to, ", desc \"%s\"", c->summary);
	fputc('\n', to);
}

void device_print_classes(FILE *to)
{
	static const char *const headings[] = {
		[DEVICE_BRIDGE] = "Controller/Bridge/Hub",
		[DEVICE_INPUT] = "Input",
		[DEVICE_MISC] = "Misc",
	};
	const struct device_class **sorted;
	size_t n = 0;

	while (device_classes[n])
		n++;
	sorted = xcalloc(n + 1, sizeof(*sorted));
	n = 0;
	for (const struct device_class *const *c = device_classes; *c; c++)
		if ((*c)->user_creatable)
			sorted[n++] = *c;
	qsort(sorted, n, sizeof(*sorted), class_cmp);
	for (size_t i = 0; i < n; i++) {
		if (!i || sorted[i]->category != sorted[i - 1]->category)
			fprintf(to, "%s%s devices:\n", i ? "\n" : "",
				headings[sorted[i]->category]);
		print_class(sorted[i], to);
	}
	free(sorted);
}

static int prop_cmp(const void *a, const void *b)
{
	const struct prop *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static size_t collect_props(const struct prop **out, const struct prop *table)
{
	size_t n = 0;

	for (const struct prop *p = table; p && p->name; p++) {
		if (out)
			out[n] = p;
		n++;
	}
	return n;
}

static void print_preset(const struct prop *p, FILE *to)
{
	switch (p->kind) {
	case PROP_STR:
	case PROP_STREAM:
		break;
	case PROP_BOOL:
		fprintf(to, " (default: %s)", p->preset ? "true" : "false");
		break;
	case PROP_PCI_ADDR:
		fprintf(to, " (default: %d)", (int)p->preset);
		break;
	default:
		fprintf(to, " (default: %llu)", (unsigned long long)p->preset);
	}
}

static void print_prop(const struct prop *p, FILE *to)
{
	bool has_preset = p->kind != PROP_STR && p->kind != PROP_STREAM;
	char left[64];

	snprintf(left, sizeof(left), "%s=<%s>", p->name, kinds[p->kind].type);
	if (!p->help && !has_preset) {
		fprintf(to, "  %s\n", left);
		return;
	}
	fprintf(to, "  %-22s - %s", left, p->help ? p->help : "");
	print_preset(p, to);
	fputc('\n', to);
}

void device_print_props(const struct device_class *c, FILE *to)
{
	size_t own = collect_props(NULL, c->props);
	size_t n = own + collect_props(NULL, c->bus_props);
	const struct prop **all;

	if (!n) {
		fprintf(to, "There are no options for %s.\n", c->name);
		return;
	}
	all = xcalloc(n, sizeof(struct prop *));
	collect_props(all, c->props);
	collect_props(all + own, c->bus_props);
	qsort(all, n, sizeof(struct prop *), prop_cmp);
	fprintf(to, "%s options:\n", c->name);
	for (size_t i = 0; i < n; i++)
		print_prop(all[i], to);
	free(all);
}
