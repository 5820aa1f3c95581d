/* block/format/vpc.h - what the two files of the VHD format share.
 * SPDX-License-Identifier: MIT
 */
#ifndef BLOCK_FORMAT_VPC_H
#define BLOCK_FORMAT_VPC_H
#include "block/core/format.h"

#define VPC_FOOTER_BYTES	512u
#define VPC_HEADER_BYTES	1024u

enum { VPC_FIXED = 2, VPC_DYNAMIC = 3, VPC_DIFFERENCING = 4 };
enum {				/* places in the footer */
	F_COOKIE = 0, F_FEATURES = 8, F_VERSION = 12, F_DATA_OFFSET = 16,
	F_TIME = 24, F_CREATOR = 28, F_CREATOR_VERSION = 32,
	F_CREATOR_OS = 36, F_ORIGINAL_SIZE = 40, F_SIZE = 48,
	F_CYLINDERS = 56, F_HEADS = 58, F_SECTORS = 59, F_TYPE = 60,
	F_CHECKSUM = 64, F_UUID = 68,
};
enum {				/* places in the dynamic disk header */
	D_COOKIE = 0, D_DATA_OFFSET = 8, D_TABLE_OFFSET = 16,
	D_VERSION = 24, D_ENTRIES = 28, D_BLOCK_SIZE = 32, D_CHECKSUM = 36,
};
#define VPC_COOKIE		"conectix"
#define VPC_DYNAMIC_COOKIE	"cxsparse"

/* 65535 cylinders, 16 heads, 255 sectors: where the size does not follow from
 * the geometry. */
#define VPC_GEOMETRY_MAX	(65535ull * 16 * 255)
#define VPC_SECTORS_MAX		0xff000000ull	/* 2040 GiB */
#define VPC_NO_BLOCK		0xffffffffu

/* The one's complement of the sum of all bytes but the checksum's own. */
uint32_t vpc_checksum(const uint8_t *buf, size_t len, size_t at);

extern const struct image_option vpc_options[];
int vpc_create(struct image_file *f, struct optstr *opts, struct err *e);
#endif
