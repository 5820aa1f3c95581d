/* app/img/size.h - sizes as the image tools read and print them.
 * SPDX-License-Identifier: MIT
 */
#ifndef APP_IMG_SIZE_H
#define APP_IMG_SIZE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SIZE_LIMIT	INT64_MAX	/* the largest offset there is */

/* "64k", "1.5G", "0x200"; bytes without a suffix, and then whole ones. */
int size_parse(const char *what, const char *s, uint64_t min, uint64_t max,
	       uint64_t *out, struct err *e);
/* The same, but what is wrong is said. */
bool size_option(const char *what, const char *s, uint64_t min, uint64_t max,
		 uint64_t *out);

#define SIZE_TEXT	24
/* "1.5 GiB": three digits, in the unit that leaves less than 1000. */
const char *size_human(uint64_t bytes, char text[SIZE_TEXT]);

#endif
