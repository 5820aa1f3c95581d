/* accel.h - the engine that a test program is asked for.
 * SPDX-License-Identifier: MIT
 */
#ifndef ACCEL_H
#define ACCEL_H
#include <stdio.h>

#include "app/options.h"

/* text is the argument of husk's -accel; false: it is refused there. */
static inline bool accel_parse(const char *text, struct accel_options *out)
{
	struct options o;
	struct err e;
	bool good;

	options_init(&o, stdout);
	good = !set_accel(&o, text, &e) && !settle_accel(&o, &e) && !o.done;
	if (good)
		*out = o.machine.accel;
	options_free(&o);
	return good;
}

#endif
