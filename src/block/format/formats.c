/* block/format/formats.c - the table of formats, in the order they are tried.
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>

#include "block/format/formats.h"

const struct image_format *const image_formats[] = {
	&qcow2_format,
	&vdi_format,
	&vpc_format,
	&qed_format,
	&parallels_format,
	&vmdk_format,
	&bochs_format,
	&cloop_format,
	&raw_format,	/* claims anything, with certainty 1 */
	NULL,
};
