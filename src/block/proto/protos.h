/* block/proto/protos.h - every protocol there is, one line each.
 * SPDX-License-Identifier: MIT
 */
#ifndef BLOCK_PROTO_PROTOS_H
#define BLOCK_PROTO_PROTOS_H
#include "block/core/format.h"

extern const struct image_proto file_proto, host_device_proto,
	host_cdrom_proto, null_proto, null_aio_proto;
#endif
