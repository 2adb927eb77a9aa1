/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/proxy_protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define IPV4 "\xc0\x00\x02\x07\xc6\x33\x64\x01\x0f\xa0\x00\x19"
#define IPV6_DB8 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define IPV6_MAPPED "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x07"
#define X13 "xxxxxxxxxxxxx"
#define X91 X13 X13 X13 X13 X13 X13 X13

struct proxy_case {
	struct slice bytes;
	enum proxy_result result;
	const char *source; /* "unknown": none */
	unsigned int port;
	size_t left;
};

#define CASE(bytes, result, source, port, left)                                \
	{                                                                      \
		SLICE_INIT(bytes), result, source, port, left                  \
	}

static const struct proxy_case cases[] = {
    /* clang-format off */
    CASE("PROXY TCP4 192.0.2.7 198.51.100.1 4000 25\r\nEHLO", PROXY_DONE,
	"192.0.2.7", 4000, 4),
    CASE("PROXY TCP6 2001:db8::1 2001:db8::2 4000 25\r\n", PROXY_DONE,
	"2001:db8::1", 4000, 0),
    CASE("PROXY TCP6 ::ffff:192.0.2.7 ::1 4000 25\r\n", PROXY_DONE,
	"192.0.2.7", 4000, 0),
    CASE("PROXY UNKNOWN\r\n", PROXY_DONE, "unknown", 0, 0),
    CASE("PROXY UNKNOWN ffff::1 x y z\r\n", PROXY_DONE, "unknown", 0, 0),
    CASE("PROXY TCP4 192.0.2.7 198.51.100.1 65536 25\r\n", PROXY_BAD, "", 0,
	0),
    CASE("PROXY TCP4 192.0.2.7 198.51.100.1 4000\r\n", PROXY_BAD, "", 0, 0),
    CASE("PROXY TCP4 192.0.2.7 198.51.100.1 4000 25 x\r\n", PROXY_BAD, "", 0,
	0),
    CASE("PROXY TCP4 2001:db8::1 2001:db8::2 4000 25\r\n", PROXY_BAD, "", 0,
	0),
    CASE("PROXY TCP4 192.0.2.7 198.51.100.1 4000 25\n", PROXY_BAD, "", 0, 0),
    CASE("PROXY TCP5 192.0.2.7 198.51.100.1 4000 25\r\n", PROXY_BAD, "", 0,
	0),
    CASE("PROXY\r\n", PROXY_BAD, "", 0, 0),
    CASE("EHLO client.example\r\n", PROXY_BAD, "", 0, 0),
    CASE("PROXY TCP4 ..................................................."
	"...........................................................",
	PROXY_BAD, "", 0, 0),
    CASE(V2 "\x21\x11\x00\x0c" IPV4 "EHLO", PROXY_DONE, "192.0.2.7", 4000,
	4),
    CASE(V2 "\x21\x11\x00\x10" IPV4 "\x04\x00\x01\x00", PROXY_DONE,
	"192.0.2.7", 4000, 0),
    CASE(V2 "\x21\x21\x00\x24" IPV6_DB8 IPV6_DB8 "\x0f\xa0\x00\x19",
	PROXY_DONE, "2001:db8::1", 4000, 0),
    CASE(V2 "\x21\x21\x00\x24" IPV6_MAPPED IPV6_DB8 "\x0f\xa0\x00\x19",
	PROXY_DONE, "192.0.2.7", 4000, 0),
    CASE(V2 "\x20\x00\x00\x00", PROXY_DONE, "unknown", 0, 0),
    CASE(V2 "\x20\x11\x00\x0c" IPV4, PROXY_DONE, "unknown", 0, 0),
    CASE(V2 "\x21\x00\x00\x00", PROXY_DONE, "unknown", 0, 0),
    CASE(V2 "\x11\x11\x00\x0c" IPV4, PROXY_BAD, "", 0, 0),
    CASE(V2 "\x22\x11\x00\x0c" IPV4, PROXY_BAD, "", 0, 0),
    CASE(V2 "\x21\x31\x00\x0c" IPV4, PROXY_BAD, "", 0, 0),
    CASE(V2 "\x21\x11\x00\x0b" IPV4, PROXY_BAD, "", 0, 0),
    CASE(V2 "\x21\x11\xff\xff" IPV4, PROXY_BAD, "", 0, 0),
    CASE(V2 "\x21\x21\x00\x23" IPV6_DB8 IPV6_DB8 "\x0f\xa0\x00",
	PROXY_BAD, "", 0, 0),
    /* 107 octets with their end, and one more */
    CASE("PROXY UNKNOWN " X91 "\r\n", PROXY_DONE, "unknown", 0, 0),
    CASE("PROXY UNKNOWN " X91 "x\r\n", PROXY_BAD, "", 0, 0),
    CASE("PROXY UNKNOWN " X91 "x", PROXY_MORE, "", 0, 0),
    CASE("PROXY UNKNOWN " X91 "xx", PROXY_BAD, "", 0, 0),
    /* clang-format on */
};

static void check_done(const struct proxy_case *c,
    const struct proxy_header *header, size_t length)
{
	struct ip source = {0};

	assert_int_equal(c->bytes.len - length, c->left);
	ip_parse(slice_from(c->source), &source);
	assert_memory_equal(&header->source, &source, sizeof(source));
	assert_int_equal(header->source_port, c->port);
	assert_int_equal(header->has_source, header->source.family != IP_NONE);
}

/* The answer comes with the last byte needed; it is the same when all comes
 * at once. */
static void check(const struct proxy_case *c)
{
	for (size_t have = 0;; have++) {
		struct proxy_header header = {
		    .has_source = true, .source_port = 1};
		size_t length = 0;
		enum proxy_result result = proxy_protocol_parse(
		    slice_sub(c->bytes, 0, have), &header, &length);

		if (result == PROXY_MORE && have < c->bytes.len)
			continue;
		if (result != c->result)
			fail_msg("%.*s: %d after %zu octets",
			    SLICE_ARGS(c->bytes), result, have);
		if (result == PROXY_DONE)
			check_done(c, &header, length);
		if (have == c->bytes.len)
			break;
		have = c->bytes.len - 1;
	}
}

static void test_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		check(&cases[i]);
}

/* Behind the addresses may be more, up to a limit. */
static void test_longest(void **state)
{
	char bytes[PROXY_HEADER_MAX + 1] = V2 "\x20";
	struct proxy_header header;
	size_t length = 0;

	(void)state;
	for (size_t size = PROXY_HEADER_MAX; size <= sizeof(bytes); size++) {
		bytes[14] = (char)((size - 16) >> 8);
		bytes[15] = (char)((size - 16) & 0xff);
		assert_int_equal(proxy_protocol_parse(
				     slice_of(bytes, size), &header, &length),
		    size <= PROXY_HEADER_MAX ? PROXY_DONE : PROXY_BAD);
	}
	assert_int_equal(length, PROXY_HEADER_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_headers),
	    cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
