/* ctl/gdb_packet.c - packets of gdb's remote protocol.
 *
 *   $data#xx	xx: the sum of data's bytes, modulo 256, in hexadecimal
 *   +, -	received well, or to be sent again; gone after QStartNoAckMode
 *   03h	between packets: stop the machine
 *
 * In data, } stands before a byte that is to be taken XOR 20h.
 *
 * Source: Debugging with GDB, appendix E "Remote Protocol".
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl/gdb_inside.h"

#define INTERRUPT	0x03
#define ESCAPE		'}'

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool gdb_unhex(const char *text, uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int high = digit(text[2 * i]);
		int low = high < 0 ? -1 : digit(text[2 * i + 1]);

		if (low < 0)
			return false;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* ---- receiving ---- */

static void forget(struct gdb_link *l, size_t n)
{
	memmove(l->in, l->in + n, l->in_len - n);
	l->in_len -= n;
}

static void put_raw(struct gdb_link *l, const char *bytes, size_t len)
{
	stream_put(l->stream, (const uint8_t *)bytes, len);
}

static size_t unescape(char *to, const char *from, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (from[i] == ESCAPE && i + 1 < len)
			to[n++] = (char)(from[++i] ^ 0x20);
		else
			to[n++] = from[i];
	}
	to[n] = 0;
	return n;
}

static bool sum_is_right(const char *data, size_t len)
{
	uint8_t sum = 0, said;

	for (size_t i = 0; i < len; i++)
		sum += (uint8_t)data[i];
	return gdb_unhex(data + len + 1, &said, 1) && said == sum;
}

/* The packet at the start of the input.  Not whole yet: GDB_NOTHING. */
static enum gdb_input take_packet(struct gdb_link *l, char *buf, size_t *len)
{
	char *hash = memchr(l->in, '#', l->in_len);
	size_t data_len;
	bool right;

	if (!hash || hash + 2 >= l->in + l->in_len) {
		if (l->in_len == sizeof(l->in))
			forget(l, 1);	/* too long to be one of gdb's */
		return GDB_NOTHING;
	}
	data_len = (size_t)(hash - l->in) - 1;
	right = data_len <= GDB_PACKET_MAX && sum_is_right(l->in + 1, data_len);
	if (right)
		*len = unescape(buf, l->in + 1, data_len);
	if (!l->no_ack)
		put_raw(l, right ? "+" : "-", 1);
	forget(l, data_len + 4);
	return right ? GDB_PACKET : GDB_NOTHING;
}

enum gdb_input gdb_link_next(struct gdb_link *l, char *buf, size_t *len)
{
	while (l->in_len) {
		size_t before = l->in_len;
		enum gdb_input got;
		char first = l->in[0];

		if (first == '$') {
			got = take_packet(l, buf, len);
			if (got != GDB_NOTHING || l->in_len == before)
				return got;
			continue;
		}
		forget(l, 1);
		if (first == INTERRUPT)
			return GDB_INTERRUPT;
		if (first == '-' && !l->no_ack)
			put_raw(l, l->out, l->out_len);
	}
	return GDB_NOTHING;
}

/* ---- sending ---- */

void gdb_put(struct gdb_link *l, const char *fmt, ...)
{
	size_t room = sizeof(l->reply) - l->reply_len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->reply + l->reply_len, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->reply_len += (size_t)n < room ? (size_t)n : room - 1;
}

void gdb_put_hex(struct gdb_link *l, const void *bytes, size_t len)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < len; i++)
		gdb_put(l, "%02x", b[i]);
}

void gdb_put_binary(struct gdb_link *l, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = bytes[i];

		if (sizeof(l->reply) - l->reply_len < 3)
			return;
		if (strchr("#$}*", c) && c) {
			l->reply[l->reply_len++] = ESCAPE;
			c ^= 0x20;
		}
		l->reply[l->reply_len++] = c;
	}
}

void gdb_send(struct gdb_link *l)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < l->reply_len; i++)
		sum += (uint8_t)l->reply[i];
	l->out[0] = '$';
	memcpy(l->out + 1, l->reply, l->reply_len);
	(void)snprintf(l->out + 1 + l->reply_len, 4, "#%02x", sum);
	l->out_len = l->reply_len + 4;
	l->reply_len = 0;
	put_raw(l, l->out, l->out_len);
}
