/* dev/pc/mc146818.h - the MC146818 real-time clock and its CMOS RAM.
 *
 * The interrupt goes to ISA line 8 of the bus unless the board connects it to
 * something else (the HPET's RTC input).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DEV_PC_MC146818_H
#define DEV_PC_MC146818_H
#include "dev/core/device.h"

extern const struct device_class mc146818_class;

/* Where IRQ goes; before or after device_attach(). */
void mc146818_connect(struct device *rtc, struct irq_sink irq);

/* What the clock shows at this moment, in ns since 1970 of the calendar that
 * -rtc base= asks for (UTC or local time); it runs on from there on guest
 * time.  Before or after device_attach(). */
void mc146818_set_time(struct device *rtc, int64_t unix_ns);

/* The memory size registers that firmware reads (15h-18h, 30h-31h, 34h-35h,
 * 5Bh-5Dh).  Both sizes in bytes; above_4g is the RAM remapped to 4 GiB. */
void mc146818_set_memory(struct device *rtc, uint64_t below_4g,
			 uint64_t above_4g);

/* One CMOS byte, for the firmware's configuration; index 0Eh-7Fh. */
void mc146818_set_cmos(struct device *rtc, unsigned index, uint8_t v);
uint8_t mc146818_cmos(const struct device *rtc, unsigned index);
#endif
