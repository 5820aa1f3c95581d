/* dev/core/devices.c - the table of device models: one row each.
 *
 * A new model is found by -device, -device help and the boards as soon as it
 * has its row here.  Classes are declared by their own headers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "dev/core/device.h"

const struct device_class *const device_classes[] = {
	NULL,
};
