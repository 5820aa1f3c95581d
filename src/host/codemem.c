/* host/codemem.c - memory for machine code made at run time.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/codemem.h"

int codemem_map(struct codemem *m, size_t size, struct err *e)
{
	int fd = memfd_create("husk-code", MFD_CLOEXEC);
	void *w = MAP_FAILED, *x = MAP_FAILED;

	if (fd >= 0 && !ftruncate(fd, (off_t)size)) {
		w = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		x = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	}
	if (w == MAP_FAILED || x == MAP_FAILED) {
		int error = errno;

		if (w != MAP_FAILED)
			(void)munmap(w, size);
		if (fd >= 0)
			(void)close(fd);
		return fail(e, error, "%zu bytes for machine code: %s", size,
			    strerror(error));
	}
	(void)close(fd);
	m->write = w;
	m->run = x;
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
