/* SPDX-License-Identifier: Apache-2.0 */
/* Packets, options, macros and header fields, as tables. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "milter/header_field.h"
#include "milter/macros.h"
#include "milter/milter_stream.h"
#include "milter/options.h"
#include "milter/packet.h"
#include "milter/protocol.h"

#define ASSERT_SLICE(found, wanted)                                            \
	do {                                                                   \
		struct slice f = (found), w = (wanted);                        \
                                                                               \
		assert_int_equal(f.len, w.len);                                \
		if (w.len)                                                     \
			assert_memory_equal(f.ptr, w.ptr, w.len);              \
	} while (0)

static const struct {
	struct slice input;
	enum packet_status status;
	size_t size;
	char command;
	struct slice data;
} packet_cases[] = {
    {SLICE_INIT(""), PACKET_PART, 4, 0, {NULL, 0}},
    {SLICE_INIT("\0\0\0"), PACKET_PART, 4, 0, {NULL, 0}},
    {SLICE_INIT("\0\0\0\1"), PACKET_PART, 5, 0, {NULL, 0}},
    {SLICE_INIT("\0\0\0\1Q"), PACKET_WHOLE, 5, 'Q', SLICE_INIT("")},
    {SLICE_INIT("\0\0\0\3Bab\0\0"), PACKET_WHOLE, 7, 'B', SLICE_INIT("ab")},
    {SLICE_INIT("\0\0\0\3Ba"), PACKET_PART, 7, 0, {NULL, 0}},
    {SLICE_INIT("\0\0\0\0"), PACKET_BAD, 4, 0, {NULL, 0}},
    {SLICE_INIT("\0\x10\0\0"), PACKET_PART, 0x100004, 0, {NULL, 0}},
    {SLICE_INIT("\0\x10\0\1"), PACKET_BAD, 4, 0, {NULL, 0}},
    {SLICE_INIT("\xff\xff\xff\xffQ"), PACKET_BAD, 4, 0, {NULL, 0}},
    {SLICE_INIT("EHLO mail.example\r\n"), PACKET_BAD, 4, 0, {NULL, 0}},
};

static void test_packets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(packet_cases) / sizeof(*packet_cases);
	     i++) {
		struct packet packet = {0};
		struct err err = {0};

		print_message("packet %zu\n", i);
		assert_int_equal(
		    packet_read(packet_cases[i].input, &packet, &err),
		    packet_cases[i].status);
		assert_int_equal(packet.size, packet_cases[i].size);
		if (packet_cases[i].status == PACKET_BAD)
			assert_int_equal(err.kind,
			    slice_eq(packet_cases[i].input, SLICE("\0\0\0\0"))
				? E_SYNTAX
				: E_LIMIT);
		if (packet_cases[i].status != PACKET_WHOLE)
			continue;
		assert_int_equal(packet.command, packet_cases[i].command);
		ASSERT_SLICE(packet.data, packet_cases[i].data);
	}
}

static const struct {
	struct slice data;
	bool ok;
	struct slice name, address;
	char family;
	uint16_t port;
} connect_cases[] = {
    {SLICE_INIT("mail.example\0004\0\031192.0.2.1\0"), true,
	SLICE_INIT("mail.example"), SLICE_INIT("192.0.2.1"), '4', 25},
    {SLICE_INIT("[2001:db8::1]\0006\xff\xffIPv6:2001:db8::1\0"), true,
	SLICE_INIT("[2001:db8::1]"), SLICE_INIT("2001:db8::1"), '6', 65535},
    {SLICE_INIT("localhost\0L\0\0/run/x\0"), true, SLICE_INIT("localhost"),
	SLICE_INIT("/run/x"), 'L', 0},
    {SLICE_INIT("localhost\0U"), true, SLICE_INIT("localhost"), SLICE_INIT(""),
	'U', 0},
    {SLICE_INIT(""), false, {NULL, 0}, {NULL, 0}, 0, 0},
    {SLICE_INIT("a\0"), false, {NULL, 0}, {NULL, 0}, 0, 0},
    {SLICE_INIT("a4\0\x19"), false, {NULL, 0}, {NULL, 0}, 0, 0},
    {SLICE_INIT("a\0004\0"), false, {NULL, 0}, {NULL, 0}, 0, 0},
    {SLICE_INIT("a\0004\0\x19"), false, {NULL, 0}, {NULL, 0}, 0, 0},
    {SLICE_INIT("a\0004\0\x19x"), false, {NULL, 0}, {NULL, 0}, 0, 0},
    {SLICE_INIT("a\0004\0\x19x\0y"), false, {NULL, 0}, {NULL, 0}, 0, 0},
};

static void test_connect(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(connect_cases) / sizeof(*connect_cases);
	     i++) {
		struct packet_connect connect = {0};
		struct err err = {0};

		print_message("connect %zu\n", i);
		assert_int_equal(
		    packet_parse_connect(connect_cases[i].data, &connect, &err),
		    connect_cases[i].ok);
		if (!connect_cases[i].ok) {
			assert_int_equal(err.kind, E_SYNTAX);
			continue;
		}
		ASSERT_SLICE(connect.name, connect_cases[i].name);
		ASSERT_SLICE(connect.address, connect_cases[i].address);
		assert_int_equal(connect.family, connect_cases[i].family);
		assert_int_equal(connect.port, connect_cases[i].port);
	}
}

static void test_writing(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 64);
	assert_true(packet_write(&out, 'c', SLICE("")));
	assert_true(packet_write_text(&out, 'y', SLICE("550 x")));
	assert_true(packet_write_header(&out, 'm', 258, SLICE("A"), SLICE("")));
	ASSERT_SLICE(buf_slice(&out),
	    SLICE("\0\0\0\1c\0\0\0\7y550 x\0\0\0\0\x8m\0\0\1\2A\0\0"));
	assert_false(packet_write_text(&out, 'y', SLICE("5\0005")));
	assert_false(
	    packet_write_header(&out, 'm', 1, SLICE("A"), SLICE("a\0b")));
	assert_false(buf_overflowed(&out));
	assert_false(packet_write(&out, 'b',
	    SLICE("0123456789012345678901234567890123456789012345678901234")));
	assert_true(buf_overflowed(&out));
	buf_release(&out);
}

/* What no reader takes is not written. */
static void test_largest(void **state)
{
	char *data = calloc(1, PACKET_MAX);
	struct packet packet;
	struct buf out;

	(void)state;
	assert_non_null(data);
	buf_init(&out, 2 * PACKET_MAX);
	assert_true(packet_write(&out, 'b', slice_of(data, PACKET_MAX - 1)));
	assert_int_equal(
	    packet_read(buf_slice(&out), &packet, NULL), PACKET_WHOLE);
	assert_int_equal(packet.data.len, PACKET_MAX - 1);
	buf_clear(&out);
	assert_false(packet_write(&out, 'b', slice_of(data, PACKET_MAX)));
	assert_int_equal(out.len, 0);
	assert_true(buf_overflowed(&out));
	buf_release(&out);
	free(data);
}

/* Network order. */
static void test_numbers(void **state)
{
	unsigned char memory[4];
	struct slice data = slice_of((const char *)memory, sizeof(memory));
	uint32_t number = 0;

	(void)state;
	packet_put_u32(memory, 0xfedcba98);
	ASSERT_SLICE(data, SLICE("\xfe\xdc\xba\x98"));
	assert_true(packet_take_u32(&data, &number));
	assert_int_equal(number, 0xfedcba98);
	assert_int_equal(data.len, 0);
	data.len = 3;
	assert_false(packet_take_u32(&data, &number));
}

enum {
	STEPS_V6 = 0x1fffff,
	STEPS_WANTED = 0x1ff780, /* NR_*, NOUNKNOWN, NODATA, SKIP, LEADSPC */
};

static const struct {
	struct milter_options offered;
	bool ok;
	struct milter_options chosen;
} option_cases[] = {
    /* Postfix 3.7; Sendmail 8.17, with its bits for sizes of body pieces. */
    {{6, 0x1ff, STEPS_V6}, true, {6, 0x1bf, STEPS_WANTED}},
    {{6, 0x1ff, 0x301fffff}, true, {6, 0x1bf, STEPS_WANTED}},
    /* Without SETSYMLIST, without quarantine, of older versions. */
    {{6, 0x3f, STEPS_V6}, true, {6, 0x3f, STEPS_WANTED}},
    {{2, 0x1f, 0x7f}, true, {2, 0x1f, 0}},
    {{4, 0x3f, 0x37f}, true, {4, 0x3f, 0x300}},
    {{9, 0xffffffff, 0xffffffff}, true, {6, 0x1bf, STEPS_WANTED}},
    {{1, 0x1ff, 0x7f}, false, {0, 0, 0}},
    {{0, 0, 0}, false, {0, 0, 0}},
    {{6, 0x1fe, STEPS_V6}, false, {0, 0, 0}},
    {{6, 0x1ef, STEPS_V6}, false, {0, 0, 0}},
};

static void test_options(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(option_cases) / sizeof(*option_cases);
	     i++) {
		struct milter_options chosen = {0};
		struct err err = {0};

		print_message("options %zu\n", i);
		assert_int_equal(
		    options_choose(&option_cases[i].offered, &chosen, &err),
		    option_cases[i].ok);
		if (!option_cases[i].ok)
			assert_int_equal(err.kind, E_CONFIG);
		assert_int_equal(
		    chosen.version, option_cases[i].chosen.version);
		assert_int_equal(
		    chosen.actions, option_cases[i].chosen.actions);
		assert_int_equal(chosen.steps, option_cases[i].chosen.steps);
	}
}

/* Steps that may not be asked for would leave something out. */
static void test_wanted_steps(void **state)
{
	struct milter_options all = {6, 0x1ff, 0xffffffff}, chosen;
	struct err err;

	(void)state;
	assert_true(options_choose(&all, &chosen, &err));
	/* NOCONNECT to NOEOH, and RCPT_REJ. */
	assert_int_equal(chosen.steps & 0x87f, 0);
}

static void test_options_text(void **state)
{
	struct milter_options options;
	struct err err = {0};
	struct buf out;

	(void)state;
	assert_false(options_parse(
	    SLICE("\0\0\0\6\0\0\1\xff\0\x1f\xff"), &options, &err));
	assert_int_equal(err.kind, E_SYNTAX);
	assert_true(options_parse(
	    SLICE("\0\0\0\6\0\0\1\xff\0\x1f\xff\xff..."), &options, &err));
	assert_int_equal(options.version, 6);
	assert_int_equal(options.actions, 0x1ff);
	assert_int_equal(options.steps, 0x1fffff);
	buf_init(&out, 1024);
	options = (struct milter_options){2, 0x11, 0};
	assert_true(options_write(&out, &options));
	ASSERT_SLICE(
	    buf_slice(&out), SLICE("\0\0\0\xdO\0\0\0\2\0\0\0\x11\0\0\0\0"));
	buf_clear(&out);
	options.actions |= SMFIF_SETSYMLIST;
	assert_true(options_write(&out, &options));
	ASSERT_SLICE(slice_from_pos(buf_slice(&out), 17),
	    SLICE(
		"\0\0\0\0{client_resolve}\0"
		"\0\0\0\1{tls_version} {cipher} {verify} {cert_subject} "
		"{cn_subject}\0"
		"\0\0\0\2i {mail_addr} {auth_authen} {auth_type} "
		"{tls_version} {cipher} {verify} {cert_subject} {cn_subject}\0"
		"\0\0\0\3{rcpt_addr}\0"
		"\0\0\0\5i\0"));
	buf_release(&out);
}

static void take(struct macros *macros, struct slice data)
{
	struct err err;

	assert_true(macros_take(macros, data, &err));
}

static void test_macros(void **state)
{
	static const struct slice broken[] = {SLICE_INIT(""), SLICE_INIT("Mi"),
	    SLICE_INIT("Mi\0"), SLICE_INIT("Mi\0x"),
	    SLICE_INIT("Mi\0x\0{a}\0")};
	char big[2048] = "M{auth_authen}";
	struct macros macros;
	struct err err;

	(void)state;
	macros_init(&macros);
	take(&macros, SLICE("C{client_resolve}\0OK\0j\0mx.example\0"));
	take(&macros, SLICE("H{tls_version}\0TLSv1.3\0"));
	take(&macros, SLICE("M{i}\0Q1\0{auth_authen}\0anna\0"));
	ASSERT_SLICE(macros_get(&macros, MACRO_QUEUE_ID), SLICE("Q1"));
	ASSERT_SLICE(macros_get(&macros, MACRO_AUTH_AUTHEN), SLICE("anna"));
	take(&macros, SLICE("Ri\0Q2\0{rcpt_addr}\0a@b.example\0"));
	ASSERT_SLICE(macros_get(&macros, MACRO_QUEUE_ID), SLICE("Q2"));
	ASSERT_SLICE(macros_get(&macros, MACRO_AUTH_AUTHEN), SLICE("anna"));
	ASSERT_SLICE(
	    macros_get(&macros, MACRO_RCPT_ADDR), SLICE("a@b.example"));
	take(&macros, SLICE("R{x}\0y\0"));
	ASSERT_SLICE(macros_get(&macros, MACRO_RCPT_ADDR), SLICE(""));
	ASSERT_SLICE(macros_get(&macros, MACRO_AUTH_AUTHEN), SLICE("anna"));
	take(&macros, SLICE("R{rcpt_addr}\0a@b.example\0"));
	/* The next message of somebody who has not logged in. */
	take(&macros, SLICE("M"));
	ASSERT_SLICE(macros_get(&macros, MACRO_AUTH_AUTHEN), SLICE(""));
	ASSERT_SLICE(macros_get(&macros, MACRO_QUEUE_ID), SLICE(""));
	ASSERT_SLICE(macros_get(&macros, MACRO_RCPT_ADDR), SLICE(""));
	ASSERT_SLICE(macros_get(&macros, MACRO_TLS_VERSION), SLICE("TLSv1.3"));
	take(&macros, SLICE("H"));
	ASSERT_SLICE(macros_get(&macros, MACRO_TLS_VERSION), SLICE(""));
	ASSERT_SLICE(macros_get(&macros, MACRO_CLIENT_RESOLVE), SLICE("OK"));
	macros_forget(&macros, SMFIC_CONNECT);
	ASSERT_SLICE(macros_get(&macros, MACRO_CLIENT_RESOLVE), SLICE(""));
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
		assert_false(macros_take(&macros, broken[i], &err));
	for (size_t i = 15; i < sizeof(big) - 1; i++)
		big[i] = 'a';
	take(&macros, slice_of(big, sizeof(big)));
	ASSERT_SLICE(macros_get(&macros, MACRO_AUTH_AUTHEN), SLICE(""));
	macros_release(&macros);
}

static const struct {
	const char *name, *value;
	const char *with, *without; /* SMFIP_HDR_LEADSPC */
} field_cases[] = {
    {"From", " a@b.example", "From: a@b.example\r\n", "From:  a@b.example\r\n"},
    {"Subject", "no", "Subject:no\r\n", "Subject: no\r\n"},
    {"Subject", "", "Subject:\r\n", "Subject:\r\n"},
    {"To", "\tx", "To:\tx\r\n", "To:\tx\r\n"},
    {"A", " 1;\n\t2;\n  3", "A: 1;\r\n\t2;\r\n  3\r\n",
	"A:  1;\r\n\t2;\r\n  3\r\n"},
    {"A", "\n 1", "A:\r\n 1\r\n", "A:\r\n 1\r\n"},
    {"A", " 1\r\n 2", "A: 1\r\n 2\r\n", "A:  1\r\n 2\r\n"},
    {"A", " a\rb", "A: a\rb\r\n", "A:  a\rb\r\n"},
};

static void test_rebuilding(void **state)
{
	struct buf header;

	(void)state;
	buf_init(&header, 64);
	for (size_t i = 0; i < sizeof(field_cases) / sizeof(*field_cases);
	     i++) {
		struct slice name = slice_from(field_cases[i].name);
		struct slice value = slice_from(field_cases[i].value);

		buf_clear(&header);
		assert_true(header_field_rebuild(&header, name, value, true));
		assert_string_equal(header.ptr, field_cases[i].with);
		buf_clear(&header);
		assert_true(header_field_rebuild(&header, name, value, false));
		assert_string_equal(header.ptr, field_cases[i].without);
		assert_true(header_field_is_sound(name, value));
	}
	buf_release(&header);
	buf_init(&header, 6);
	assert_false(
	    header_field_rebuild(&header, SLICE("A"), SLICE(" 12"), true));
	buf_release(&header);
}

static const struct {
	struct slice name, value;
} unsound[] = {
    {SLICE_INIT(""), SLICE_INIT(" a")},
    {SLICE_INIT("A B"), SLICE_INIT(" a")},
    {SLICE_INIT("A:B"), SLICE_INIT(" a")},
    {SLICE_INIT("A\nB"), SLICE_INIT(" a")},
    {SLICE_INIT("A\r"), SLICE_INIT(" a")},
    {SLICE_INIT("A"), SLICE_INIT(" a\nB: c")},
    {SLICE_INIT("A"), SLICE_INIT(" a\n")},
    {SLICE_INIT("A"), SLICE_INIT(" a\n\nbody")},
    {SLICE_INIT("A"), SLICE_INIT(" a\r\n\r\nbody")},
};

static void test_unsound(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(unsound) / sizeof(*unsound); i++)
		assert_false(
		    header_field_is_sound(unsound[i].name, unsound[i].value));
}

static void test_header_packets(void **state)
{
	static const struct slice broken[] = {SLICE_INIT(""), SLICE_INIT("A"),
	    SLICE_INIT("A\0"), SLICE_INIT("A\0b"), SLICE_INIT("A\0b\0c")};
	struct slice name, value;
	struct err err;

	(void)state;
	assert_true(
	    header_field_parse(SLICE("A\0 b\n c\0"), &name, &value, &err));
	ASSERT_SLICE(name, SLICE("A"));
	ASSERT_SLICE(value, SLICE(" b\n c"));
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
		assert_false(
		    header_field_parse(broken[i], &name, &value, &err));
}

static void test_taking_apart(void **state)
{
	struct arena *arena = arena_new(0);
	struct slice name, value;

	(void)state;
	header_field_take_apart(
	    arena, SLICE("A: b;\r\n\tc: d\r\n"), true, &name, &value);
	ASSERT_SLICE(name, SLICE("A"));
	ASSERT_SLICE(value, SLICE(" b;\n\tc: d"));
	header_field_take_apart(
	    arena, SLICE("A: b;\r\n\tc: d\r\n"), false, &name, &value);
	ASSERT_SLICE(value, SLICE("b;\n\tc: d"));
	/* Of one that came without a space nothing is eaten. */
	header_field_take_apart(arena, SLICE("A:b\r\n"), false, &name, &value);
	ASSERT_SLICE(value, SLICE("b"));
	/* A CR that is no line's end is content. */
	header_field_take_apart(
	    arena, SLICE("A: b\rc\r"), false, &name, &value);
	ASSERT_SLICE(value, SLICE("b\rc\r"));
	header_field_take_apart(arena, SLICE("A:\r\n"), false, &name, &value);
	ASSERT_SLICE(value, SLICE(""));
	header_field_take_apart(arena, SLICE("A:"), false, &name, &value);
	ASSERT_SLICE(value, SLICE(""));
	arena_free(arena);
}

/* A lost connection is one failure, of the connection. */
static void test_lost_stream(void **state)
{
	bool (*const flushes[])(struct milter_stream *, struct err *) = {
	    milter_stream_flush, milter_stream_flush_some};

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < 2; i++) {
		struct milter_stream stream;
		struct err err = {0};
		int pair[2];

		assert_int_equal(
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair),
		    0);
		milter_stream_init(&stream, pair[0]);
		close(pair[1]);
		buf_add_text(&stream.output, "x");
		assert_false(flushes[i](&stream, &err));
		assert_int_equal(err.kind, E_IO);
		assert_true(err.text[0]);
		assert_int_equal(stream.output.len, 0);
		assert_true(flushes[i](&stream, &err));
		milter_stream_release(&stream);
	}
}

static void open_stream(struct milter_stream *stream, int *ret_peer)
{
	int pair[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	milter_stream_init(stream, pair[0]);
	*ret_peer = pair[1];
}

/* Nothing is there, something is, the end; and a connection that is reset. */
static void test_reading(void **state)
{
	struct milter_stream stream;
	struct err err = {0};
	int peer;

	(void)state;
	open_stream(&stream, &peer);
	assert_false(milter_stream_read(&stream, &err));
	assert_int_equal(err.kind, E_TIMEOUT);
	assert_int_equal(write(peer, "ab", 2), 2);
	assert_true(milter_stream_read(&stream, &err));
	ASSERT_SLICE(buf_slice(&stream.input), SLICE("ab"));
	close(peer);
	assert_false(milter_stream_read(&stream, &err));
	assert_int_equal(err.kind, E_CLOSED);
	milter_stream_release(&stream);

	open_stream(&stream, &peer);
	assert_int_equal(write(stream.fd, "unread", 6), 6);
	close(peer);
	assert_false(milter_stream_read(&stream, &err));
	assert_int_equal(err.kind, E_IO);
	milter_stream_release(&stream);
}

/* One that waits keeps what has come, but no large empty buffer. */
static void test_shrinking(void **state)
{
	static const char large[10000] = "ab";
	struct milter_stream stream;
	struct err err;
	int peer;

	(void)state;
	open_stream(&stream, &peer);
	assert_int_equal(write(peer, "ab", 2), 2);
	assert_true(milter_stream_read(&stream, &err));
	ASSERT_SLICE(buf_slice(&stream.input), SLICE("ab"));
	assert_in_range(stream.input.size, 2, 1024);
	buf_clear(&stream.input);
	assert_int_equal(write(peer, large, sizeof(large)), sizeof(large));
	assert_true(milter_stream_read(&stream, &err));
	milter_stream_shrink(&stream);
	ASSERT_SLICE(buf_slice(&stream.input), slice_of(large, sizeof(large)));
	buf_consume(&stream.input, sizeof(large));
	milter_stream_shrink(&stream);
	assert_int_equal(stream.input.size, 0);
	close(peer);
	milter_stream_release(&stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_packets),
	    cmocka_unit_test(test_connect),
	    cmocka_unit_test(test_writing),
	    cmocka_unit_test(test_largest),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_options),
	    cmocka_unit_test(test_wanted_steps),
	    cmocka_unit_test(test_options_text),
	    cmocka_unit_test(test_macros),
	    cmocka_unit_test(test_rebuilding),
	    cmocka_unit_test(test_unsound),
	    cmocka_unit_test(test_header_packets),
	    cmocka_unit_test(test_taking_apart),
	    cmocka_unit_test(test_lost_stream),
	    cmocka_unit_test(test_reading),
	    cmocka_unit_test(test_shrinking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
