/* host/perfmap.c - see perfmap.h
 *
 * perf believes a file only if it belongs to whoever was recorded; a link that
 * somebody else has put in its place is not followed.  Each line is written
 * when it is made, as perf may read the file while we run.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/perfmap.h"

static FILE *map;

int perfmap_open(struct err *e)
{
	char path[32];
	int fd;

	(void)snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		  0600);
	if (fd < 0)
		return fail(e, errno, "'%s': %s", path, strerror(errno));
	map = fdopen(fd, "w");
	if (!map) {
		int r = fail(e, errno, "'%s': %s", path, strerror(errno));

		close(fd);
		return r;
	}
	setvbuf(map, NULL, _IOLBF, 0);
	return 0;
}

void perfmap_close(void)
{
	if (map)
		fclose(map);
	map = NULL;
}

bool perfmap_is_open(void)
{
	return map;
}

void perfmap_add(const uint8_t *code, size_t bytes, const char *fmt, ...)
{
	va_list ap;

	if (!map || !bytes)
		return;
	va_start(ap, fmt);
	flockfile(map);
	fprintf(map, "%" PRIxPTR " %zx ", (uintptr_t)code, bytes);
	vfprintf(map, fmt, ap);
	putc('\n', map);
	funlockfile(map);
	va_end(ap);
}
