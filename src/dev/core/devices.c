/* dev/core/devices.c - the table of device models: one row each.
 *
 * A new model is found by -device, -device help and the boards as soon as it
 * has its row here and its declaration in devices.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "dev/core/devices.h"

const struct device_class *const device_classes[] = {
	&apic_class,
	&hpet_class,
	&i440fx_class,
	&i8042_class,
	&i8254_class,
	&i8259_class,
	&ioapic_class,
	&isa_debug_exit_class,
	&isa_debugcon_class,
	&isa_serial_class,
	&mc146818_class,
	&pc_testdev_class,
	&pci_testdev_class,
	&piix3_class,
	&piix4_pm_class,
	&port80_class,
	&port92_class,
	&pvpanic_class,
	NULL,
};
