/* app/io/io.h - the image exerciser: single requests, by hand or by scripts.
 *
 * What becomes of a request goes to stdout, as with qemu-io, whose users
 * compare that; what keeps a command from running goes to stderr.  A command
 * returns 0, or -1 after it has said why; the program's status is 1 if one did.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef APP_IO_IO_H
#define APP_IO_IO_H
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "block/core/block.h"

/* argv[0] is the program. */
int io_main(int argc, char *argv[]);

struct io {
	struct image *im;	/* owned; NULL: none is open */
	char *name, *format;	/* owned: how to open it again; may be NULL */
	bool is_opts;		/* name is driver=... */
	unsigned flags;		/* enum image_flags, likewise */
	bool quit;
	pthread_mutex_t lock;
	pthread_cond_t idle;	/* `pending` has become 0 */
	unsigned pending;	/* guarded by lock: aio requests in flight */
};

struct io_command {
	const char *name, *alias;	/* alias NULL: none */
	int min, max;			/* arguments; max -1: any number */
	const char *args, *summary;	/* args NULL: none */
	bool needs_image;
	int (*run)(struct io *io, int argc, char *argv[]);
};

/* Each list ends with a row without a name. */
extern const struct io_command io_request_commands[];
extern const struct io_command io_file_commands[];
extern const struct io_command io_program_commands[];

/* One line of words; an empty one is fine. */
int io_execute(struct io *io, const char *line);

/* ---- command.c: for the commands ---- */

/* "wrong option" of getopt(), and how the command goes.  Returns -1. */
int io_wrong_option(const char *command, int option);
/* "64k" etc; -1 and said if it is no number. */
int io_number(const char *text, uint64_t *out);
/* "64 KiB", "13.484 MiB", "3 bytes" */
#define IO_AMOUNT	32
const char *io_amount(double bytes, char text[IO_AMOUNT]);

/* ---- file.c ---- */

/* Opens what io->name etc. say. */
int io_open(struct io *io);
int io_close(struct io *io);

/* ---- request.c ---- */

void io_wait(struct io *io);	/* for all aio requests */

#endif
