/* block/proto/protos.c - the table of protocols.  The first is what a name
 * without a known prefix means.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>

#include "block/proto/protos.h"

const struct image_proto *const image_protos[] = {
	&file_proto,
	&host_device_proto,
	&host_cdrom_proto,
	&null_proto,
	&null_aio_proto,
	NULL,
};
