/* SPDX-License-Identifier: Apache-2.0 */
/* The milter protocol, version 6, as an MTA speaks it that offers to wait for
 * nothing but the end of a message and to leave out what a filter does not want
 * to see.
 *
 * One connection of the MTA's client is one connection here.  A filter that
 * agrees to all of it gets a message in one piece; one that answers each step
 * is waited for at each step.  Everything before the body is made into packets
 * before the clock starts; the body is sent from where it is mapped.
 */
#include <string.h>

#include "base/buf.h"
#include "base/require.h"
#include "load.h"

enum {
	VERSION = 6,
	ACTIONS = 0x1ff,
	STEPS = 0x1fffff,
	LEADING_SPACE = 0x100000,
	BODY_MAX = 65535,
	HEAD = 5,   /* a packet's length and command */
	PIECES = 3, /* of output that a step needs at most */
	PORT = 40000,
};

enum step {
	STEP_OPTIONS,
	STEP_SENDING, /* packets and body may go out */
	STEP_WAITING, /* for the answer to the last packet */
	STEP_RESULT,
};

/* What a filter may decline to see, and what it may decline to answer. */
static const struct {
	char command;
	uint32_t unwanted, no_reply;
} agreements[] = {
    {'C', 0x01, 0x1000},
    {'H', 0x02, 0x2000},
    {'M', 0x04, 0x4000},
    {'R', 0x08, 0x8000},
    {'T', 0x200, 0x10000},
    {'L', 0x20, 0x80},
    {'N', 0x40, 0x40000},
    {'B', 0x10, 0x80000},
};

static bool agreed(
    const struct load_connection *connection, char command, bool to_omit)
{
	size_t i = 0;

	while (agreements[i].command != command)
		i++;
	return connection->granted &
	       (to_omit ? agreements[i].unwanted : agreements[i].no_reply);
}

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

/* Before the clock starts: the packets. */

static void add_head(struct buf *buf, char command, size_t len)
{
	char head[HEAD];

	put_u32(head, len + 1);
	head[4] = command;
	buf_add(buf, slice_of(head, sizeof(head)));
}

/* A text with its end. */
static void add_text(struct buf *buf, struct slice text)
{
	buf_add(buf, text);
	buf_add_byte(buf, '\0');
}

static void add_connect(struct buf *buf, const struct corpus_message *message)
{
	static const char family[] = {'4', (char)(PORT >> 8), PORT & 0xff};

	add_head(buf, 'C',
	    message->helo.len + 1 + sizeof(family) + message->client_ip.len +
		1);
	add_text(buf, message->helo);
	buf_add(buf, slice_of(family, sizeof(family)));
	add_text(buf, message->client_ip);
}

static void add_path(struct buf *buf, char command, struct slice address)
{
	add_head(buf, command, address.len + 3);
	buf_add_byte(buf, '<');
	buf_add(buf, address);
	add_text(buf, SLICE(">"));
}

static size_t count_byte(struct slice s, char byte)
{
	size_t count = 0;

	for (size_t at = slice_find(s, byte); at < s.len;
	     at += 1 + slice_find(slice_from_pos(s, at + 1), byte))
		count++;
	return count;
}

/* A field with its folding as LF alone, as MTAs send it. */
static void add_field(struct buf *buf, struct slice field)
{
	struct slice name, rest, line;

	slice_split(field, ':', &name, &rest);
	add_head(
	    buf, 'L', name.len + 1 + rest.len - count_byte(rest, '\r') + 1);
	add_text(buf, name);
	while (slice_split(rest, '\r', &line, &rest))
		buf_add(buf, line);
	add_text(buf, line);
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

static void add_header(struct buf *buf, struct slice header)
{
	while (header.len) {
		size_t len = field_length(header);

		add_field(buf, slice_sub(header, 0, len));
		header = slice_from_pos(header, len + 2);
	}
	add_head(buf, 'N', 0);
}

static struct slice make_packets(
    struct arena *arena, const struct corpus_message *message)
{
	struct slice recipients = message->recipients, one;
	struct slice body = corpus_body(message->octets);
	size_t header = message->octets.len - body.len - 2;
	struct buf *buf = buf_in_arena(
	    arena, 4096 + 8 * recipients.len + 8 * header);

	add_connect(buf, message);
	add_head(buf, 'H', message->helo.len + 1);
	add_text(buf, message->helo);
	add_path(buf, 'M', message->sender);
	do {
		slice_split(recipients, ',', &one, &recipients);
		add_path(buf, 'R', one);
	} while (!slice_empty(recipients));
	add_head(buf, 'T', 0);
	add_header(buf, slice_sub(message->octets, 0, header));
	require(!buf_overflowed(buf));
	return buf_slice(buf);
}

static void prepare(struct arena *arena, struct corpus *corpus)
{
	for (size_t i = 0; i < corpus->count; i++)
		corpus->messages[i].prepared = make_packets(
		    arena, &corpus->messages[i]);
}

/* Sending. */

static void say_head(
    struct load_connection *connection, char command, size_t len)
{
	char head[HEAD];

	put_u32(head, len + 1);
	head[4] = command;
	load_copy(connection, slice_of(head, sizeof(head)));
}

/* A filter that did not ask for the space behind the colon. */
static void say_bare_field(
    struct load_connection *connection, struct slice packet)
{
	struct slice data = slice_from_pos(packet, HEAD), name, value;

	slice_split(data, '\0', &name, &value);
	if (!slice_starts(value, SLICE(" "))) {
		load_send(connection, packet);
		return;
	}
	say_head(connection, 'L', data.len - 1);
	load_copy(connection, slice_of(name.ptr, name.len + 1));
	load_send(connection, slice_from_pos(value, 1));
}

static char next_command(struct slice packets)
{
	require(packets.ptr && packets.len >= HEAD);
	return packets.ptr[HEAD - 1];
}

/* Fields that an earlier filter added stand in front of the others. */
static struct slice take_packet(struct load_connection *connection)
{
	char next = next_command(connection->packets);
	struct slice *from = connection->extra.len &&
				     (next == 'L' || next == 'N')
				 ? &connection->extra
				 : &connection->packets;
	struct slice packet = slice_sub(
	    *from, 0, get_u32(from->ptr) + HEAD - 1);

	*from = slice_from_pos(*from, packet.len);
	return packet;
}

/* False: it must be waited for. */
static bool say_packet(struct load_connection *connection)
{
	struct slice packet = take_packet(connection);
	char command = next_command(packet);

	if (agreed(connection, command, true))
		return true;
	if (command == 'L' && !(connection->granted & LEADING_SPACE))
		say_bare_field(connection, packet);
	else
		load_send(connection, packet);
	return agreed(connection, command, false);
}

static bool say_body_part(struct load_connection *connection)
{
	struct slice part = slice_sub(connection->body, 0, BODY_MAX);

	say_head(connection, 'B', part.len);
	load_send(connection, part);
	connection->body = slice_from_pos(connection->body, part.len);
	return agreed(connection, 'B', false);
}

/* As far as it goes without an answer, and as much as one call sends. */
static void go_on(struct load_connection *connection)
{
	bool on = true;

	connection->step = STEP_SENDING;
	while (on && connection->packets.len) {
		if (load_room(connection) < PIECES)
			return;
		on = say_packet(connection);
	}
	while (on && connection->body.len) {
		if (load_room(connection) < PIECES)
			return;
		on = say_body_part(connection);
	}
	if (!on) {
		connection->step = STEP_WAITING;
		return;
	}
	say_head(connection, 'E', 0);
	connection->step = STEP_RESULT;
}

static void drained(struct load_connection *connection)
{
	if (connection->step == STEP_SENDING)
		go_on(connection);
}

static void start(struct load_connection *connection)
{
	connection->packets = connection->message->prepared;
	connection->extra = slice_of(connection->added, connection->added_len);
	connection->body = agreed(connection, 'B', true)
			       ? slice_of(NULL, 0)
			       : corpus_body(connection->message->octets);
	go_on(connection);
}

static void begin(struct load_connection *connection)
{
	char options[12];

	if (!connection->message && !load_next(connection)) {
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

/* Answers. */

static void finish(
    struct load_connection *connection, enum bench_verdict verdict)
{
	if (verdict == BENCH_ACCEPT && load_pass_on(connection)) {
		say_head(connection, 'Q', 0);
		return;
	}
	load_done(connection, verdict);
	connection->sent++;
	connection->added_len = 0;
	if (connection->sent < connection->settings->per_connection &&
	    load_next(connection)) {
		say_head(connection, 'K', 0);
		start(connection);
		return;
	}
	say_head(connection, 'Q', 0);
	load_close(connection);
}

static void take_options(
    struct load_connection *connection, struct slice options)
{
	if (options.len < 12) {
		finish(connection, BENCH_FAILED);
		return;
	}
	connection->granted = (uint32_t)get_u32(options.ptr + 8);
	start(connection);
}

/* Name and value, as a field has them too. */
static void keep_added(struct load_connection *connection, struct slice field)
{
	char *to = connection->added + connection->added_len;

	if (field.len + HEAD > LOAD_ADDED_MAX - connection->added_len)
		return;
	put_u32(to, field.len + 1);
	to[HEAD - 1] = 'L';
	memcpy(to + HEAD, field.ptr, field.len);
	connection->added_len += field.len + HEAD;
}

/* Changes of the header come before the verdict. */
static void take_result(
    struct load_connection *connection, char command, struct slice data)
{
	switch (command) {
	case 'h': keep_added(connection, data); break;
	case 'i': keep_added(connection, slice_from_pos(data, 4)); break;
	case 'a': finish(connection, BENCH_ACCEPT); break;
	case 'd':
	case 'r': finish(connection, BENCH_REJECT); break;
	case 't': finish(connection, BENCH_DEFER); break;
	case 'y':
		finish(connection, slice_starts(data, SLICE("4"))
				       ? BENCH_DEFER
				       : BENCH_REJECT);
		break;
	case 's':
		connection->body = slice_of(NULL, 0);
		go_on(connection);
		break;
	case 'c':
		if (connection->step == STEP_WAITING)
			go_on(connection);
		else
			finish(connection, BENCH_ACCEPT);
		break;
	default: break;
	}
}

static size_t input(struct load_connection *connection, struct slice in)
{
	size_t taken = 0;

	while (!connection->closing && in.len - taken >= HEAD) {
		const char *packet = in.ptr + taken;
		size_t len = get_u32(packet);
		struct slice data;

		if (len == 0 || len > in.len - taken - 4)
			break;
		data = slice_of(packet + HEAD, len - 1);
		taken += len + 4;
		if (connection->step == STEP_OPTIONS)
			take_options(connection, data);
		else
			take_result(connection, packet[4], data);
	}
	return taken;
}

const struct load_protocol load_milter = {
    .name = "milter",
    .prepare = prepare,
    .begin = begin,
    .input = input,
    .drained = drained,
};
