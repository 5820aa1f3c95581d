/* block/format/vmdk/text.c - read what a descriptor says.
 *
 * A descriptor is text of lines KEY=VALUE and one line per extent.  It is a
 * file of its own, or lies in the header of a sparse extent.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "block/format/vmdk/vmdk.h"

int vmdk_read_text(struct image_file *f, char **text, uint64_t *at,
		   struct err *e)
{
	uint8_t h[VMDK_HEADER_BYTES];
	uint64_t len = f->size;
	int rc = sector_read(f, 0, h, sizeof(h), e);

	if (rc)
		return rc;
	*at = 0;
	if (!memcmp(h, "KDMV", 4)) {
		*at = load_le64(h + V_TEXT_AT);
		len = load_le64(h + V_TEXT_LEN);
		if (*at > INT64_MAX / SECTOR || len > VMDK_READ_MAX / SECTOR)
			return fail(e, EINVAL, "vmdk: descriptor of %llu "
				    "sectors at %llu is not in the file",
				    (unsigned long long)len,
				    (unsigned long long)*at);
		*at *= SECTOR;
		len *= SECTOR;
	}
	if (len > VMDK_READ_MAX)
		return fail(e, EFBIG, "vmdk: descriptor of %llu bytes is over "
			    "%u", (unsigned long long)len, VMDK_READ_MAX);
	*text = xcalloc(1, (size_t)len + 1);
	return sector_read(f, *at, *text, (size_t)len, e);
}

/* Where the value of a line "key = value" begins; NULL: no such line. */
static const char *find(const char *text, const char *key)
{
	size_t n = strlen(key);

	while (text && *text) {
		text += strspn(text, " \t\r\n");
		if (!strncasecmp(text, key, n)) {
			const char *v = text + n + strspn(text + n, " \t");

			if (*v == '=')
				return v + 1 + strspn(v + 1, " \t");
		}
		text = strchr(text, '\n');
	}
	return NULL;
}

char *vmdk_text_value(const char *text, const char *key)
{
	const char *v = find(text, key);

	if (!v)
		return NULL;
	if (*v == '"')
		return xstrndup(v + 1, strcspn(v + 1, "\"\r\n"));
	return xstrndup(v, strcspn(v, " \t\r\n"));
}

uint32_t vmdk_text_cid(const char *text, const char *key, uint32_t none)
{
	const char *v = find(text, key);

	return v && isxdigit((unsigned char)*v) ?
		(uint32_t)strtoul(v, NULL, 16) : none;
}
