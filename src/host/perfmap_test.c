/* host/perfmap_test.c
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/test.h"
#include "host/perfmap.h"

static char path[32], text[256];

static const char *content(void)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static void lines_are_start_size_and_name(void **state)
{
	struct err e;

	assert_false(perfmap_is_open());
	perfmap_add((const uint8_t *)0x1000, 16, "before it is open");
	assert_int_equal(perfmap_open(&e), 0);
	assert_true(perfmap_is_open());
	perfmap_add((const uint8_t *)0x7f0012345000, 0x1f0, "husk:%x", 0xfff0);
	perfmap_add((const uint8_t *)0x7f0012346000, 0, "nothing");
	perfmap_add((const uint8_t *)0x7f0012346000, 5, "two words");
	/* perf may look while we run. */
	assert_string_equal(content(), "7f0012345000 1f0 husk:fff0\n"
				       "7f0012346000 5 two words\n");
	perfmap_close();
	perfmap_close();
	unlink(path);
}

static void a_link_in_its_place_is_refused(void **state)
{
	struct err e;

	assert_int_equal(symlink("/tmp/husk-perfmap-test", path), 0);
	assert_true(perfmap_open(&e) < 0);
	assert_non_null(strstr(e.text, path));
	assert_int_not_equal(access("/tmp/husk-perfmap-test", F_OK), 0);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lines_are_start_size_and_name),
		TEST(a_link_in_its_place_is_refused),
	};

	(void)snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	return cmocka_run_group_tests_name("perfmap", tests, NULL, NULL);
}
