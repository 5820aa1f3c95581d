/* app/img/open.c - opening and closing images for the commands.
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "app/img/img.h"
#include "base/bytes.h"
#include "base/log.h"

bool img_cache_flags(const char *cache, unsigned *flags)
{
	static const struct {
		const char *name;
		unsigned flags;
	} modes[] = {
		{ "none", IMAGE_DIRECT },
		{ "off", IMAGE_DIRECT },
		{ "writeback", 0 },
		{ "writethrough", IMAGE_WRITETHROUGH },
		{ "directsync", IMAGE_DIRECT | IMAGE_WRITETHROUGH },
		{ "unsafe", IMAGE_UNSAFE },
	};

	if (!cache)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (!strcmp(modes[i].name, cache)) {
			*flags |= modes[i].flags;
			return true;
		}
	}
	log_error("cache mode '%s' is unknown (none, writeback, writethrough, "
		  "directsync, unsafe)", cache);
	return false;
}

/* A raw disk may begin with what a guest wrote there to be taken for another
 * format; who then writes through that format is in its hands. */
static void warn_of_guess(const struct img_source *src, struct image *im,
			  unsigned flags)
{
	if (flags & IMAGE_WRITE && !src->format && !src->is_opts &&
	    !strcmp(image_format_name(im), "raw"))
		log_warn("'%s': nothing says its format and raw was guessed, "
			 "so its first block is protected; -f raw says it",
			 src->name);
}

struct image *img_open(const struct img_source *src, unsigned flags)
{
	struct err e = { "" };
	struct image *im;
	int r;

	if (!img_cache_flags(src->cache, &flags))
		return NULL;
	if (src->share)
		flags |= IMAGE_SHARE;
	if (src->is_opts && src->format) {
		log_error("--image-opts and a format exclude each other");
		return NULL;
	}
	if (src->is_opts)
		r = image_open_opts(&im, src->name, flags, &e);
	else
		r = image_open(&im, src->name, src->format, flags, &e);
	if (r && strstr(e.text, src->name)) {
		log_error("%s", e.text);
		return NULL;
	}
	if (r) {
		(void)img_fail(&e, "Could not open '%s'", src->name);
		return NULL;
	}
	warn_of_guess(src, im, flags);
	return im;
}

int img_close(struct image *im, int status)
{
	int r = image_close(im);

	if (!r || status)
		return status;
	log_error("closing the image: %s", strerror(-r));
	return 1;
}
