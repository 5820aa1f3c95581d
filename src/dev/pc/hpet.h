/* dev/pc/hpet.h - the high precision event timer.
 *
 * It stands between the old timers and their interrupt lines, because its
 * legacy replacement mode takes their place:
 *   i8254_connect(pit, hpet_i8254_input(hpet))
 *   mc146818_connect(rtc, hpet_rtc_input(hpet))
 * Its own outputs go to ISA lines 0 and 8 and the GSIs of the bus.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DEV_PC_HPET_H
#define DEV_PC_HPET_H
#include "dev/core/device.h"

extern const struct device_class hpet_class;

struct irq_sink hpet_i8254_input(struct device *hpet);
struct irq_sink hpet_rtc_input(struct device *hpet);
#endif
