/* dev/core/device_test.c - devices from classes, and the text of -device help.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>

#include "base/test.h"
#include "char/stream.h"
#include "dev/core/device.h"

struct toy {
	struct device dev;
	bool on;
	uint8_t level;
	uint16_t port;
	uint32_t index;
	uint64_t room;
	int32_t addr;
	char *label;
	struct stream *stream;
	unsigned resets, detaches;
};

static unsigned *detach_count;

static int toy_attach(struct device *d, struct err *e)
{
	struct toy *t = container_of(d, struct toy, dev);

	if (t->port == 0)
		return fail(e, EINVAL, "port 0 is taken");
	return 0;
}

static void toy_reset(struct device *d)
{
	container_of(d, struct toy, dev)->resets++;
}

static void toy_detach(struct device *d)
{
	++*detach_count;
}

static const struct prop toy_props[] = {
	PROP(struct toy, stream, "chardev", PROP_STREAM, 0, "where it goes"),
	PROP(struct toy, on, "armed", PROP_BOOL, 1, NULL),
	PROP(struct toy, level, "level", PROP_U8, 3, NULL),
	PROP(struct toy, port, "port", PROP_U16, 0x505, "first port"),
	PROP(struct toy, index, "index", PROP_U32, UINT32_MAX, NULL),
	PROP(struct toy, room, "room", PROP_SIZE, 0, NULL),
	PROP(struct toy, label, "label", PROP_STR, 0, NULL),
	{ .name = NULL },
};

static const struct prop toy_bus_props[] = {
	PROP(struct toy, addr, "addr", PROP_PCI_ADDR, (uint64_t)-1, "slot"),
	{ .name = NULL },
};

static const struct device_class toy_class = {
	.name = "toy", .bus = BUS_ISA, .size = sizeof(struct toy),
	.props = toy_props, .bus_props = toy_bus_props,
	.attach = toy_attach, .reset = toy_reset, .detach = toy_detach,
};

static const struct device_class plain_class = {
	.name = "plain", .size = sizeof(struct device),
};

static struct toy *toy_new(void)
{
	return (struct toy *)device_new(&toy_class, NULL);
}

static void a_new_device_has_its_presets(void **state)
{
	struct toy *t = toy_new();

	assert_true(t->on);
	assert_int_equal(t->level, 3);
	assert_int_equal(t->port, 0x505);
	assert_int_equal(t->index, UINT32_MAX);
	assert_int_equal(t->addr, -1);
	assert_null(t->label);
	device_free(&t->dev);
}

static void properties_are_parsed_by_their_kind(void **state)
{
	struct toy *t = toy_new();
	struct device *d = &t->dev;

	assert_int_equal(device_set_prop(d, "armed", "off", NULL), 0);
	assert_int_equal(device_set_prop(d, "level", "255", NULL), 0);
	assert_int_equal(device_set_prop(d, "port", "0x3F8", NULL), 0);
	assert_int_equal(device_set_prop(d, "room", "3M", NULL), 0);
	assert_int_equal(device_set_prop(d, "label", "a", NULL), 0);
	assert_int_equal(device_set_prop(d, "label", "b", NULL), 0);
	assert_int_equal(device_set_prop(d, "addr", "1f.7", NULL), 0);
	assert_false(t->on);
	assert_int_equal(t->level, 255);
	assert_int_equal(t->port, 0x3f8);
	assert_int_equal(t->room, 3 << 20);
	assert_string_equal(t->label, "b");
	assert_int_equal(t->addr, 0xff);
	device_free(d);
}

static void a_bad_value_is_refused_by_name_value_and_limit(void **state)
{
	static const char *const bad[][2] = {
		{ "armed", "maybe" }, { "level", "256" }, { "level", "-1" },
		{ "level", "" }, { "level", "1x" }, { "port", "65536" },
		{ "index", "4294967296" }, { "room", "18000000000G" },
		{ "room", "1Q" }, { "addr", "20" }, { "addr", "1.8" },
		{ "addr", "x" }, { "chardev", "c0" },
	};
	struct toy *t = toy_new();
	struct err e;

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		assert_true(device_set_prop(&t->dev, bad[i][0], bad[i][1],
					    &e) < 0);
		assert_non_null(strstr(e.text, bad[i][0]));
		assert_non_null(strstr(e.text, bad[i][1]));
	}
	assert_int_equal(device_set_prop(&t->dev, "level", "256", &e), -ERANGE);
	assert_string_equal(e.text, "toy.level: 256 is over 255");
	assert_int_equal(device_set_prop(&t->dev, "bogus", "1", &e), -ENOENT);
	assert_string_equal(e.text, "toy has no property 'bogus'");
	device_free(&t->dev);
}

static void a_stream_is_set_by_pointer(void **state)
{
	struct toy *t = toy_new();
	struct stream s = { .id = "c0" };

	assert_int_equal(device_set_stream(&t->dev, "chardev", &s, NULL), 0);
	assert_ptr_equal(t->stream, &s);
	assert_int_equal(device_set_stream(&t->dev, "port", &s, NULL),
			 -ENOENT);
	device_free(&t->dev);
}

static void attach_resets_and_free_detaches_only_what_was_attached(void **state)
{
	struct toy *t = toy_new(), *u = toy_new();
	unsigned detaches = 0;

	detach_count = &detaches;
	assert_int_equal(device_attach(&t->dev, NULL), 0);
	assert_int_equal(t->resets, 1);
	u->port = 0;
	assert_int_equal(device_attach(&u->dev, NULL), -EINVAL);
	device_free(&u->dev);
	assert_int_equal(detaches, 0);
	device_free(&t->dev);
	assert_int_equal(detaches, 1);
}

static char *printed_props(const struct device_class *c)
{
	size_t len;
	char *text = NULL;
	FILE *f = open_memstream(&text, &len);

	device_print_props(c, f);
	fclose(f);
	return text;
}

static void options_are_printed_in_qemu_form(void **state)
{
	char *text = printed_props(&toy_class);

	assert_string_equal(text,
		"toy options:\n"
		"  addr=<int32>           - slot (default: -1)\n"
		"  armed=<bool>           -  (default: true)\n"
		"  chardev=<str>          - where it goes\n"
		"  index=<uint32>         -  (default: 4294967295)\n"
		"  label=<str>\n"
		"  level=<uint8>          -  (default: 3)\n"
		"  port=<uint16>          - first port (default: 1285)\n"
		"  room=<size>            -  (default: 0)\n");
	free(text);
	text = printed_props(&plain_class);
	assert_string_equal(text, "There are no options for plain.\n");
	free(text);
}

static void every_class_has_a_name_and_is_found_by_it(void **state)
{
	for (const struct device_class *const *c = device_classes; *c; c++) {
		assert_non_null((*c)->name);
		assert_ptr_equal(device_class_find((*c)->name), *c);
		assert_true((*c)->size >= sizeof(struct device));
	}
	assert_null(device_class_find("no-such-device"));
}

TEST_MAIN("device",
	TEST(a_new_device_has_its_presets),
	TEST(properties_are_parsed_by_their_kind),
	TEST(a_bad_value_is_refused_by_name_value_and_limit),
	TEST(a_stream_is_set_by_pointer),
	TEST(attach_resets_and_free_detaches_only_what_was_attached),
	TEST(options_are_printed_in_qemu_form),
	TEST(every_class_has_a_name_and_is_found_by_it))
