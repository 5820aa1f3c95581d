/* dev/pc/i8254.h - the 8254 interval timer and port 61h.
 *
 * OUT 0 goes to ISA interrupt 0 of the bus unless the board connects it to
 * something else (the HPET's i8254 input).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DEV_PC_I8254_H
#define DEV_PC_I8254_H
#include "dev/core/device.h"

extern const struct device_class i8254_class;

/* Where OUT 0 goes; before or after device_attach(). */
void i8254_connect(struct device *pit, struct irq_sink out0);
#endif
