/* SPDX-License-Identifier: Apache-2.0 */
/* The milter protocol, version 6, as an MTA speaks it that offers to wait for
 * nothing but the end of a message.
 *
 * One connection of the MTA's client is one connection here; the filter's
 * options are the only thing that is waited for before the message is sent.
 */
#include <string.h>

#include "load.h"

enum {
	VERSION = 6,
	ACTIONS = 0x1ff,
	STEPS = 0x1fffff,
	/* No reply to anything but the end, no DATA, leading spaces kept. */
	STEPS_NEEDED = 0x1df280,
	BODY_MAX = 65535,
	PACKET_MIN = 5,
	PORT = 40000,
};

enum step { STEP_OPTIONS, STEP_RESULT };

static void put_u32(char *to, size_t number)
{
	for (size_t i = 0; i < 4; i++)
		to[i] = (char)(unsigned char)(number >> (24 - 8 * i));
}

static size_t get_u32(const char *from)
{
	size_t number = 0;

	for (size_t i = 0; i < 4; i++)
		number = number << 8 | (unsigned char)from[i];
	return number;
}

static void say_head(
    struct load_connection *connection, char command, size_t len)
{
	char head[PACKET_MIN];

	put_u32(head, len + 1);
	head[4] = command;
	load_copy(connection, slice_of(head, sizeof(head)));
}

/* A packet of one text with its end, in brackets perhaps. */
static void say_text(struct load_connection *connection, char command,
    const char *before, struct slice text, const char *after)
{
	say_head(
	    connection, command, strlen(before) + text.len + strlen(after) + 1);
	load_copy(connection, slice_from(before));
	load_copy(connection, text);
	load_copy(connection, slice_of(after, strlen(after) + 1));
}

static void say_connect(struct load_connection *connection)
{
	const struct corpus_message *message = connection->message;
	static const char family[] = {'4', (char)(PORT >> 8), PORT & 0xff};

	say_head(connection, 'C',
	    message->helo.len + 1 + sizeof(family) + message->client_ip.len +
		1);
	load_copy(connection, message->helo);
	load_copy(connection, slice_of("", 1));
	load_copy(connection, slice_of(family, sizeof(family)));
	load_copy(connection, message->client_ip);
	load_copy(connection, slice_of("", 1));
}

/* A field with its folding as LF alone, as MTAs send it. */
static void say_field(struct load_connection *connection, struct slice field)
{
	char value[LOAD_LINE_MAX / 4];
	struct slice name, rest;
	size_t len = 0;

	slice_split(field, ':', &name, &rest);
	for (size_t i = 0; i < rest.len && len < sizeof(value); i++)
		if (rest.ptr[i] != '\r')
			value[len++] = rest.ptr[i];
	say_head(connection, 'L', name.len + 1 + len + 1);
	load_copy(connection, name);
	load_copy(connection, slice_of("", 1));
	load_copy(connection, slice_of(value, len));
	load_copy(connection, slice_of("", 1));
}

/* The length of the first field without its last CR LF. */
static size_t field_length(struct slice header)
{
	size_t at = 0;

	for (;;) {
		at += slice_find_slice(
		    slice_from_pos(header, at), SLICE("\r\n"));
		if (at + 2 >= header.len ||
		    (header.ptr[at + 2] != ' ' && header.ptr[at + 2] != '\t'))
			return at;
		at += 2;
	}
}

static void say_header(struct load_connection *connection, struct slice header)
{
	while (header.len) {
		size_t len = field_length(header);

		say_field(connection, slice_sub(header, 0, len));
		header = slice_from_pos(header, len + 2);
	}
	say_head(connection, 'N', 0);
}

static void say_body(struct load_connection *connection, struct slice body)
{
	while (body.len) {
		struct slice part = slice_sub(body, 0, BODY_MAX);

		say_head(connection, 'B', part.len);
		load_send(connection, part);
		body = slice_from_pos(body, part.len);
	}
	say_head(connection, 'E', 0);
}

static void say_message(struct load_connection *connection)
{
	const struct corpus_message *message = connection->message;
	struct slice body = corpus_body(message->octets);

	connection->step = STEP_RESULT;
	say_connect(connection);
	say_text(connection, 'H', "", message->helo, "");
	say_text(connection, 'M', "<", message->sender, ">");
	say_text(connection, 'R', "<", message->recipient, ">");
	say_header(connection,
	    slice_sub(message->octets, 0, message->octets.len - body.len - 2));
	say_body(connection, body);
}

static void begin(struct load_connection *connection)
{
	char options[12];

	if (!load_next(connection)) {
		load_close(connection);
		return;
	}
	connection->step = STEP_OPTIONS;
	put_u32(options, VERSION);
	put_u32(options + 4, ACTIONS);
	put_u32(options + 8, STEPS);
	say_head(connection, 'O', sizeof(options));
	load_copy(connection, slice_of(options, sizeof(options)));
}

static void finish(
    struct load_connection *connection, enum bench_verdict verdict)
{
	load_done(connection, verdict);
	connection->sent++;
	if (connection->sent < connection->settings->per_connection &&
	    load_next(connection)) {
		say_head(connection, 'K', 0);
		say_message(connection);
		return;
	}
	say_head(connection, 'Q', 0);
	load_close(connection);
}

static void take_options(
    struct load_connection *connection, struct slice options)
{
	if (options.len < 12 ||
	    (get_u32(options.ptr + 8) & STEPS_NEEDED) != STEPS_NEEDED)
		finish(connection, BENCH_FAILED);
	else
		say_message(connection);
}

/* Changes of the header come before the verdict. */
static void take_result(
    struct load_connection *connection, char command, struct slice data)
{
	switch (command) {
	case 'a':
	case 'c': finish(connection, BENCH_ACCEPT); break;
	case 'r': finish(connection, BENCH_REJECT); break;
	case 't': finish(connection, BENCH_DEFER); break;
	case 'y':
		finish(connection, slice_starts(data, SLICE("4"))
				       ? BENCH_DEFER
				       : BENCH_REJECT);
		break;
	default: break;
	}
}

static size_t input(struct load_connection *connection, struct slice in)
{
	size_t taken = 0;

	while (!connection->closing && in.len - taken >= PACKET_MIN) {
		const char *packet = in.ptr + taken;
		size_t len = get_u32(packet);
		struct slice data;

		if (len == 0 || len > in.len - taken - 4)
			break;
		data = slice_of(packet + PACKET_MIN, len - 1);
		taken += len + 4;
		if (connection->step == STEP_OPTIONS)
			take_options(connection, data);
		else
			take_result(connection, packet[4], data);
	}
	return taken;
}

const struct load_protocol load_milter = {
    .name = "milter", .begin = begin, .input = input};
