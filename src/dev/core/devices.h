/* dev/core/devices.h - the classes that devices.c lists, and where each is.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DEV_CORE_DEVICES_H
#define DEV_CORE_DEVICES_H
#include "dev/core/device.h"

extern const struct device_class apic_class;		/* pc/apic.c */
extern const struct device_class hpet_class;		/* pc/hpet.c */
extern const struct device_class i440fx_class;		/* pci/i440fx.c */
extern const struct device_class i8042_class;		/* pc/i8042.c */
extern const struct device_class i8254_class;		/* pc/i8254.c */
extern const struct device_class i8259_class;		/* pc/i8259.c */
extern const struct device_class ioapic_class;		/* pc/ioapic.c */
extern const struct device_class isa_debug_exit_class;	/* pc/debugexit.c */
extern const struct device_class isa_debugcon_class;	/* pc/debugcon.c */
extern const struct device_class isa_serial_class;	/* pc/uart16550.c */
extern const struct device_class mc146818_class;	/* pc/mc146818.c */
extern const struct device_class pc_testdev_class;	/* pc/pctestdev.c */
extern const struct device_class pci_testdev_class;	/* pci/testdev.c */
extern const struct device_class piix3_class;		/* pci/piix3.c */
extern const struct device_class piix4_pm_class;	/* pci/piix4_pm.c */
extern const struct device_class port80_class;		/* pc/port80.c */
extern const struct device_class port92_class;		/* pc/port92.c */
extern const struct device_class pvpanic_class;		/* pc/pvpanic.c */
#endif
