/* dev/pci/i440fx.h - the 82441FX host bridge, as the board sees it.
 * SPDX-License-Identifier: MIT
 */
#ifndef DEV_PCI_I440FX_H
#define DEV_PCI_I440FX_H
#include "dev/core/device.h"

#define SHADOW_BASE	0xc0000u
#define SHADOW_LEN	0x40000u	/* C0000h-FFFFFh */

/* Between device_new() and device_attach(), if there is a ROM image: the RAM
 * and the ROM of C0000h-FFFFFh, page-aligned, SHADOW_LEN bytes each, borrowed.
 * Without it C0000h-FFFFFh stays as the board mapped it. */
void i440fx_set_shadow(struct device *d, uint8_t *ram, uint8_t *rom);
#endif
