/* base/trace_test.c
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/test.h"
#include "base/trace.h"

static void patterns_switch_events_on_and_off(void **state)
{
	struct err e;

	log_mask = 0;
	assert_int_equal(trace_enable("bus_*", &e), 0);
	assert_true(log_on(LOG_TRACE));
	assert_int_equal(trace_enable("-bus_*", &e), 0);
	assert_false(log_on(LOG_TRACE));
	assert_int_equal(trace_enable("bogus", &e), -EINVAL);
	assert_non_null(strstr(e.text, "'bogus'"));
	assert_int_equal(log_set_categories("int,trace:port80*", &e), 0);
	assert_true(log_on(LOG_TRACE));
	assert_int_equal(log_set_categories("trace:bogus", &e), -EINVAL);
}

static void an_event_is_one_line_when_on(void **state)
{
	char path[] = "/tmp/husk-trace-XXXXXX", text[64] = { 0 };
	FILE *f;

	close(mkstemp(path));
	assert_int_equal(log_set_file(path, NULL), 0);
	assert_int_equal(trace_enable("port80_write", NULL), 0);
	trace_port80_write(0x5a);
	trace_bus_port_read(0x71, 1, 0);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
	fclose(f);
	unlink(path);
	assert_string_equal(text, "port80_write code 0x5a\n");
}

TEST_MAIN("trace", TEST(patterns_switch_events_on_and_off),
	  TEST(an_event_is_one_line_when_on))
