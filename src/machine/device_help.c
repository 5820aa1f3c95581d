/* machine/device_help.c - see machine.h
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>

#include "dev/core/device.h"
#include "machine/machine.h"

int machine_device_help(const char *driver, FILE *to, struct err *e)
{
	const struct device_class *c;

	if (!strcmp(driver, "help") || !strcmp(driver, "?")) {
		device_print_classes(to);
		return 0;
	}
	c = device_class_find(driver);
	if (!c || !c->user_creatable)
		return fail(e, ENODEV, "device '%s' is unknown, '-device help' "
			    "lists them", driver);
	device_print_props(c, to);
	return 0;
}
