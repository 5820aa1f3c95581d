/* block/format/formats.h - every format there is, one line each.
 * SPDX-License-Identifier: MIT
 */
#ifndef BLOCK_FORMAT_FORMATS_H
#define BLOCK_FORMAT_FORMATS_H
#include "block/core/format.h"

extern const struct image_format raw_format, qcow2_format;
extern const struct image_format vdi_format, vpc_format, qed_format;
extern const struct image_format parallels_format, vmdk_format;
extern const struct image_format bochs_format, cloop_format;
#endif
