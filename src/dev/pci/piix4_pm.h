/* dev/pci/piix4_pm.h - where the PIIX4's ACPI registers are, for the board's
 * tables, and its power button.
 * SPDX-License-Identifier: MIT
 */
#ifndef DEV_PCI_PIIX4_PM_H
#define DEV_PCI_PIIX4_PM_H
#include "dev/core/device.h"

#define PM_IO_BASE	0x600	/* where firmware puts the block */
#define PM1_EVT		0x00	/* offsets in the block */
#define PM1_CNT		0x04
#define PM_TMR		0x08
#define PM_IO_LEN	0x40
#define PM_GPE0_BASE	0xafe0
#define PM_GPE0_LEN	4
#define PM_SMI_CMD	0xb2
#define PM_ACPI_ENABLE	0xf1
#define PM_ACPI_DISABLE	0xf0
#define PM_SCI_IRQ	9
#define PM_S5_TYPE	0	/* SLP_TYP that powers off */

/* Configuration registers firmware sets to make the block decode. */
#define PM_CONFIG_BASE	0x40	/* PMBA: the base, bits 15:6 */
#define PM_CONFIG_MISC	0x80	/* PMREGMISC: bit 0 enables */

/* Somebody pressed it; bus lock held. */
void pm_power_button(struct device *d);
#endif
