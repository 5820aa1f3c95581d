/* host/codemem.c - memory for machine code made at run time.
 *
 * perf looks for names of code (perfmap.h) only where memory seems anonymous to
 * it: not in a memfd, but in a shared mapping of nothing, which mremap() of no
 * bytes maps once more.  That is for when names are written; where policies
 * keep anonymous memory from being executed, a memfd may still be.
 *
 * Source: memfd_create(2), mremap(2).
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/codemem.h"
#include "host/perfmap.h"

/* The two mappings, either of which may have failed. */
struct maps {
	void *w, *x;
};

static struct maps map_memfd(size_t size)
{
	struct maps m = { MAP_FAILED, MAP_FAILED };
	int fd = memfd_create("husk-code", MFD_CLOEXEC), error;

	if (fd < 0)
		return m;
	if (!ftruncate(fd, (off_t)size)) {
		m.w = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			   0);
		m.x = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd,
			   0);
	}
	error = errno;
	(void)close(fd);
	errno = error;
	return m;
}

static struct maps map_anonymous(size_t size)
{
	struct maps m = { MAP_FAILED, MAP_FAILED };

	m.w = mmap(NULL, size, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (m.w == MAP_FAILED)
		return m;
	m.x = mremap(m.w, 0, size, MREMAP_MAYMOVE);
	if (m.x != MAP_FAILED && mprotect(m.x, size, PROT_READ | PROT_EXEC)) {
		int error = errno;

		(void)munmap(m.x, size);
		m.x = MAP_FAILED;
		errno = error;
	}
	return m;
}

int codemem_map(struct codemem *m, size_t size, struct err *e)
{
	struct maps maps = perfmap_is_open() ? map_anonymous(size)
					     : map_memfd(size);

	if (maps.w == MAP_FAILED || maps.x == MAP_FAILED) {
		int error = errno;

		if (maps.w != MAP_FAILED)
			(void)munmap(maps.w, size);
		if (maps.x != MAP_FAILED)
			(void)munmap(maps.x, size);
		return fail(e, error, "%zu bytes for machine code: %s", size,
			    strerror(error));
	}
	m->write = maps.w;
	m->run = maps.x;
	m->size = size;
	return 0;
}

void codemem_unmap(struct codemem *m)
{
	if (!m->size)
		return;
	(void)munmap(m->write, m->size);
	(void)munmap((void *)(uintptr_t)m->run, m->size);
	m->size = 0;
}
