/* app/img/map.c - map: where the bytes of an image are kept.
 *
 * For people, only what holds data; as JSON, all of the image.  Parts that are
 * alike and follow each other are one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <string.h>

#include "app/img/img.h"
#include "app/img/size.h"
#include "base/log.h"

struct map {
	struct img_source src;
	const char *output, *start, *length;
};

static const struct arg_row rows[] = {
	ARG_ROW_HELP,
	ARG_ROW_OBJECT,
	{ 'f', "format", ARG_TEXT, offsetof(struct map, src.format) },
	{ 0, "image-opts", ARG_FLAG, offsetof(struct map, src.is_opts) },
	{ 'U', "force-share", ARG_FLAG, offsetof(struct map, src.share) },
	{ 0, "output", ARG_TEXT, offsetof(struct map, output) },
	{ 's', "start-offset", ARG_TEXT, offsetof(struct map, start) },
	{ 'l', "max-length", ARG_TEXT, offsetof(struct map, length) },
	ARG_ROW_END,
};

struct part {
	uint64_t start;
	struct image_status st;
};

static bool joins(const struct part *a, const struct part *b)
{
	return a->st.bits == b->st.bits && a->st.depth == b->st.depth &&
	       a->start + a->st.len == b->start &&
	       (!(a->st.bits & STATUS_AT) ||
		(a->st.at + a->st.len == b->st.at &&
		 !strcmp(a->st.file, b->st.file)));
}

static const char *yes(const struct image_status *st, unsigned bit)
{
	return st->bits & bit ? "true" : "false";
}

static void print_json(const struct part *p, bool first)
{
	printf("%s{ \"start\": %" PRIu64 ", \"length\": %" PRIu64
	       ", \"depth\": %u, \"present\": %s, \"zero\": %s, \"data\": %s",
	       first ? "[" : ",\n", p->start, p->st.len, p->st.depth,
	       yes(&p->st, STATUS_ALLOCATED), yes(&p->st, STATUS_ZERO),
	       yes(&p->st, STATUS_DATA));
	if (p->st.bits & STATUS_AT)
		printf(", \"offset\": %" PRIu64, p->st.at);
	putchar('}');
}

static int print_human(const struct part *p)
{
	if (!(p->st.bits & STATUS_DATA) || p->st.bits & STATUS_ZERO)
		return 0;
	if (!(p->st.bits & STATUS_AT)) {
		log_error("the image holds encrypted or compressed clusters: "
			  "--output=json shows them");
		return 1;
	}
	printf("%#-16" PRIx64 "%#-16" PRIx64 "%#-16" PRIx64 "%s\n", p->start,
	       p->st.len, p->st.at, p->st.file);
	return 0;
}

static int print(const struct part *p, bool json, bool first)
{
	if (!json)
		return print_human(p);
	print_json(p, first);
	return 0;
}

static int next_part(struct image *im, uint64_t at, uint64_t end,
		     struct part *p)
{
	int r = image_map_status(im, NULL, at, end - at, &p->st);

	p->start = at;
	/* Zeroes behind the end of an image below: nobody's, and as deep as
	 * the image that asked there. */
	if (!r && p->st.bits & STATUS_PAST_END && p->st.depth) {
		p->st.bits &= ~(unsigned)(STATUS_ALLOCATED | STATUS_PAST_END);
		p->st.depth--;
	}
	if (r)
		log_error("cannot map offset %" PRIu64 ": %s", at,
			  strerror(-r));
	return r ? 1 : 0;
}

static int map(struct image *im, uint64_t at, uint64_t end, bool json)
{
	struct part p = { 0 }, next;
	bool first = true;
	int status = 0;

	if (!json)
		printf("%-16s%-16s%-16s%s\n", "Offset", "Length", "Mapped to",
		       "File");
	while (at < end && !status) {
		status = next_part(im, at, end, &next);
		if (status)
			break;
		at += next.st.len;
		if (p.st.len && joins(&p, &next)) {
			p.st.len += next.st.len;
			continue;
		}
		if (p.st.len) {
			status = print(&p, json, first);
			first = false;
		}
		p = next;
	}
	if (!status && p.st.len)
		status = print(&p, json, first);
	else if (!status && json)
		putchar('[');
	if (json && !status)
		puts("]");
	return status;
}

static int run(void *args, int n, char *operands[])
{
	struct map *a = args;
	uint64_t start = 0, length = SIZE_LIMIT, end;
	struct image *im;
	bool json;

	if (a->start && !size_option("start offset", a->start, 0, SIZE_LIMIT,
				     &start))
		return 1;
	if (a->length && !size_option("max length", a->length, 0, SIZE_LIMIT,
				      &length))
		return 1;
	if (!img_output_format(a->output, &json))
		return 1;
	if (n != 1)
		return img_usage("Expecting one image file name");
	a->src.name = operands[0];
	im = img_open(&a->src, 0);
	if (!im)
		return 1;
	end = image_size(im);
	if (start < end && length < end - start)
		end = start + length;
	return img_close(im, map(im, start, end, json));
}

const struct img_command img_map = {
	"map", "[-f FMT | --image-opts] [-s OFFSET] [-l LENGTH] "
	"[--output=human|json] [-U] FILE",
	rows, sizeof(struct map), run, false,
};
