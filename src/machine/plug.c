/* machine/plug.c - making devices from what the command line says.
 *
 * "isa-debug-exit,id=x,iobase=0xf4": the model, then its properties.  Order of
 * precedence: the model's preset, -global, -device.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/optstr.h"
#include "char/chardev.h"
#include "char/stream.h"
#include "dev/core/devices.h"
#include "machine/inside.h"

/* ---- one device ---- */

static int set_prop(struct machine *m, struct device *d, const char *name,
		    const char *value, struct err *e)
{
	const struct prop *p = device_prop_find(d->class, name);
	struct stream *s;
	int r;

	if (!p || p->kind != PROP_STREAM)
		return device_set_prop(d, name, value, e);
	r = chardev_take(m->chardevs, value, &s, e);
	return r < 0 ? r : device_set_stream(d, name, s, e);
}

/* "driver.property=value" */
static int apply_global(struct machine *m, struct device *d, const char *text,
			struct err *e)
{
	size_t len = strlen(d->class->name);
	const char *eq = strchr(text, '=');
	char *name;
	int r;

	if (strncmp(text, d->class->name, len) || text[len] != '.' || !eq)
		return 0;
	name = xstrndup(text + len + 1, (size_t)(eq - text) - len - 1);
	r = set_prop(m, d, name, eq + 1, e);
	if (r < 0)
		err_prefix(e, "-global %s", text);
	free(name);
	return r;
}

struct device *plug_new(struct machine *m, const struct device_class *c,
			struct err *e)
{
	struct device *d = device_new(c, m->bus);

	if (c->bus == BUS_PCI)
		pci_join(d, m->pci);
	for (size_t i = 0; i < m->cfg->globals.count; i++)
		if (apply_global(m, d, m->cfg->globals.at[i], e) < 0) {
			device_free(d);
			return NULL;
		}
	return d;
}

int plug_attach(struct machine *m, struct device *d, struct err *e)
{
	int r;

	if (m->device_count == MACHINE_DEVICES_MAX)
		r = fail(e, ENOSPC, "more than %d devices",
			 MACHINE_DEVICES_MAX);
	else
		r = device_attach(d, e);
	if (r < 0) {
		device_free(d);
		return r;
	}
	m->devices[m->device_count++] = d;
	return 0;
}

/* ---- serial ports ---- */

static int next_serial(const struct machine *m)
{
	for (int n = 0; n < MACHINE_MAX_SERIALS; n++)
		if (!(m->serials >> n & 1))
			return n;
	return -1;
}

static int plug_serial(struct machine *m, unsigned n, struct stream *s,
		       struct err *e)
{
	struct device *d = plug_new(m, &isa_serial_class, e);
	char index[2] = { (char)('0' + n) };
	int r;

	if (!d)
		return -EINVAL;
	(void)device_set_prop(d, "index", index, NULL);
	(void)device_set_stream(d, "chardev", s, NULL);
	r = plug_attach(m, d, e);
	if (r == 0)
		m->serials |= 1u << n;
	return r;
}

static int plug_serials(struct machine *m, struct err *e)
{
	for (unsigned n = 0; n < m->cfg->serial_count; n++) {
		char id[16] = "serial0";
		struct stream *s = NULL;
		int r;

		id[6] = (char)('0' + n);
		r = chardev_open(m->chardevs, m->cfg->serials[n], id, &s, e);
		if (r == 0 && s)
			r = plug_serial(m, n, s, e);
		if (r < 0) {
			err_prefix(e, "-serial %s", m->cfg->serials[n]);
			return r;
		}
	}
	return 0;
}

static int plug_debugcon(struct machine *m, struct err *e)
{
	struct stream *s = NULL;
	struct device *d;
	int r;

	if (!m->cfg->debugcon)
		return 0;
	r = chardev_open(m->chardevs, m->cfg->debugcon, "debugcon", &s, e);
	if (r == 0 && s) {
		d = plug_new(m, &isa_debugcon_class, e);
		if (!d)
			return -EINVAL;
		(void)device_set_stream(d, "chardev", s, NULL);
		r = plug_attach(m, d, e);
	}
	if (r < 0)
		err_prefix(e, "-debugcon %s", m->cfg->debugcon);
	return r;
}

/* ---- -device ---- */

static int check_bus(const struct device_class *c, const char *name,
		     struct err *e)
{
	const char *have = c->bus == BUS_PCI ? "pci.0" : "isa.0";

	if (!strcmp(name, have))
		return 0;
	return fail(e, ENOENT, "bus '%s' is not there, %s goes on %s", name,
		    c->name, have);
}

static bool id_is_taken(const struct machine *m, const char *id)
{
	for (unsigned i = 0; i < m->device_count; i++)
		if (m->devices[i]->id && !strcmp(m->devices[i]->id, id))
			return true;
	return false;
}

static int set_key(struct machine *m, struct device *d, const char *key,
		   const char *value, struct err *e)
{
	if (!strcmp(key, "driver"))
		return 0;
	if (!strcmp(key, "bus"))
		return check_bus(d->class, value, e);
	if (strcmp(key, "id"))
		return set_prop(m, d, key, value, e);
	if (id_is_taken(m, value))
		return fail(e, EEXIST, "id '%s' is taken", value);
	d->id = xstrdup(value);
	return 0;
}

/* A serial port without index= is the next one; it counts even when iobase=
 * puts it elsewhere. */
static int choose_index(struct machine *m, struct device *d, bool given,
			const char *index, struct err *e)
{
	char digit[2] = "";
	int n = given ? index[0] - '0' : next_serial(m);

	if (d->class != &isa_serial_class)
		return 0;
	if (n < 0 || n >= MACHINE_MAX_SERIALS)
		return given ? 0 : fail(e, ENOSPC, "all %d serial ports are"
					" taken", MACHINE_MAX_SERIALS);
	digit[0] = (char)('0' + n);
	m->serials |= 1u << n;
	return given ? 0 : device_set_prop(d, "index", digit, e);
}

static int plug_parsed(struct machine *m, struct optstr *o, struct err *e)
{
	const char *driver, *key, *value, *index;
	const struct device_class *c;
	struct device *d;
	int r = optstr_need(o, "driver", &driver, e);

	if (r < 0)
		return r;
	c = device_class_find(driver);
	if (!c || !c->user_creatable)
		return fail(e, ENODEV, "device '%s' is unknown, '-device help'"
			    " lists them", driver);
	d = plug_new(m, c, e);
	if (!d)
		return -EINVAL;
	for (size_t i = 0; r >= 0 && optstr_at(o, i, &key, &value); i++)
		r = set_key(m, d, key, value, e);
	index = optstr_get(o, "index");
	if (r >= 0)
		r = choose_index(m, d, index != NULL, index, e);
	if (r < 0) {
		device_free(d);
		return r;
	}
	return plug_attach(m, d, e);
}

static int plug_text(struct machine *m, const char *text, struct err *e)
{
	struct optstr *o;
	int r = optstr_parse(&o, text, "driver", e);

	if (r < 0)
		return r;
	r = plug_parsed(m, o, e);
	optstr_free(o);
	if (r < 0)
		err_prefix(e, "-device %s", text);
	return r;
}

/* For a device that is not there -global does nothing; QEMU warns too. */
static void warn_of_globals(const struct machine_config *cfg)
{
	for (size_t i = 0; i < cfg->globals.count; i++) {
		const char *text = cfg->globals.at[i];
		char *driver = xstrndup(text, strcspn(text, "."));

		if (!device_class_find(driver))
			log_warn("-global %s: device '%s' is unknown", text,
				 driver);
		free(driver);
	}
}

int plug_configured(struct machine *m, struct err *e)
{
	int r = plug_serials(m, e);

	warn_of_globals(m->cfg);
	if (r == 0)
		r = plug_debugcon(m, e);
	for (size_t i = 0; r == 0 && i < m->cfg->devices.count; i++)
		r = plug_text(m, m->cfg->devices.at[i], e);
	return r;
}
