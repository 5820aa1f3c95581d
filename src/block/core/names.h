/* block/core/names.h - names of images: options out of names, names out of
 * options.
 *
 * Nodes are described by flat options, as --image-opts has them: "driver",
 * "file.driver", "file.filename", "backing.driver", ...  A json: name becomes the
 * same options.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BLOCK_CORE_NAMES_H
#define BLOCK_CORE_NAMES_H
#include <stdbool.h>

#include "base/err.h"
#include "base/optstr.h"

/* "key=value" with the value's commas doubled; the caller's to free. */
char *option_text(const char *key, const char *value);
/* The options that begin with prefix ("file."), without it, marked as used in
 * `from`.  *out is NULL if there are none. */
int options_below(struct optstr **out, struct optstr *from,
		  const char *prefix, struct err *e);
/* The text of "json:{...}" (without json:) as an option string; the caller's
 * to free. */
int options_from_json(char **out, const char *json, struct err *e);
bool image_proto_known(const char *name);
#endif
