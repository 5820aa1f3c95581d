/* base/json_inside.h - how a JSON value is kept; for json*.c only.
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_JSON_INSIDE_H
#define BASE_JSON_INSIDE_H
#include "base/json.h"

struct json {
	enum json_kind kind;
	char *key;			/* owned; NULL outside of objects */
	union {
		bool boolean;
		int64_t i;
		uint64_t u;
		double d;
		char *text;		/* owned */
		struct {
			struct json **items;	/* owned */
			size_t count, room;
		} list;			/* of arrays and objects */
	};
};

#endif
