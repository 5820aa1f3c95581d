/* app/img/snapshot_list.h - the table of an image's snapshots.
 * SPDX-License-Identifier: MIT
 */
#ifndef APP_IMG_SNAPSHOT_LIST_H
#define APP_IMG_SNAPSHOT_LIST_H
#include "block/core/block.h"

void snapshot_list_print(const struct image_info *info);

#endif
