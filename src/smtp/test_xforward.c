/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/xforward.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/capabilities.h"
#include "smtp/proxy_header.h"

enum { ALL = 0x7f };

static void test_xtext(void **state)
{
	static const struct {
		struct slice text;
		const char *encoded;
	} cases[] = {
	    {SLICE_INIT(""), ""},
	    {SLICE_INIT("mx.example"), "mx.example"},
	    {SLICE_INIT("a+b=c"), "a+2Bb+3Dc"},
	    {SLICE_INIT("a b\r\nRSET"), "a+20b+0D+0ARSET"},
	    {SLICE_INIT("\0\x7f\xc3\xa9"), "+00+7F+C3+A9"},
	};
	struct arena *arena = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(
		    arena_text(arena, xtext_encode(arena, cases[i].text)),
		    cases[i].encoded);
	arena_free(arena);
}

static struct envelope_client client_at(const char *ip, uint16_t port)
{
	struct envelope_client client = {
	    .port = port, .helo = SLICE("helo.example"), .esmtp = true};

	if (*ip)
		assert_true(ip_parse(slice_from(ip), &client.ip));
	return client;
}

static void expect_commands(const struct envelope_client *client,
    unsigned int offered, size_t count, const char *first)
{
	struct slice commands[XFORWARD_COMMANDS_MAX];
	struct arena *arena = arena_new(0);

	assert_int_equal(
	    xforward_commands(arena, client, SLICE("id1"), offered, commands),
	    count);
	if (count)
		assert_string_equal(arena_text(arena, commands[0]), first);
	for (size_t i = 0; i < count; i++)
		assert_in_range(commands[i].len, 1, 510);
	arena_free(arena);
}

static void test_commands(void **state)
{
	struct envelope_client v4 = client_at("192.0.2.1", 4711);
	struct envelope_client v6 = client_at("2001:db8::1", 0);
	static char name[600];
	char wanted[600];

	(void)state;
	v4.name = SLICE("a.example");
	expect_commands(&v4, 0, 0, NULL);
	expect_commands(&v4, ALL, 1,
	    "XFORWARD NAME=a.example ADDR=192.0.2.1 PORT=4711 PROTO=ESMTP "
	    "HELO=helo.example IDENT=id1 SOURCE=REMOTE");
	expect_commands(&v4, XFORWARD_ADDR | XFORWARD_PROTO, 1,
	    "XFORWARD ADDR=192.0.2.1 PROTO=ESMTP");
	expect_commands(&v6, ALL, 1,
	    "XFORWARD NAME=[UNAVAILABLE] ADDR=IPv6:2001:db8::1 "
	    "PORT=[UNAVAILABLE] PROTO=ESMTP HELO=helo.example IDENT=id1 "
	    "SOURCE=REMOTE");
	expect_commands(NULL, ALL, 1,
	    "XFORWARD NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE] "
	    "PORT=[UNAVAILABLE] PROTO=[UNAVAILABLE] HELO=[UNAVAILABLE] "
	    "IDENT=id1 SOURCE=REMOTE");
	/* Long values: two commands; over 255: left out. */
	memset(name, 'n', sizeof(name));
	v4.name = slice_of(name, 250);
	v4.helo = slice_of(name, 250);
	snprintf(wanted, sizeof(wanted), "XFORWARD NAME=%.250s", name);
	expect_commands(&v4, XFORWARD_NAME | XFORWARD_HELO, 2, wanted);
	v4.helo = slice_of(name, 255);
	snprintf(wanted, sizeof(wanted), "XFORWARD HELO=%.255s", name);
	expect_commands(&v4, XFORWARD_HELO, 1, wanted);
	v4.helo = slice_of(name, 256);
	expect_commands(&v4, XFORWARD_HELO, 1, "XFORWARD HELO=[UNAVAILABLE]");
	/* 510 octets are one command, 511 are two. */
	v4.name = slice_of(name, 245);
	v4.helo = slice_of(name, 245);
	snprintf(wanted, sizeof(wanted), "XFORWARD NAME=%.245s HELO=%.245s",
	    name, name);
	expect_commands(&v4, XFORWARD_NAME | XFORWARD_HELO, 1, wanted);
	v4.helo = slice_of(name, 246);
	snprintf(wanted, sizeof(wanted), "XFORWARD NAME=%.245s", name);
	expect_commands(&v4, XFORWARD_NAME | XFORWARD_HELO, 2, wanted);
}

static void expect_header(uint64_t version, const char *client_ip,
    const char *destination, struct slice wanted)
{
	struct envelope_client client = client_at(client_ip, 0x1234);
	struct arena *arena = arena_new(0);
	struct slice header;
	struct ip ip;

	assert_true(ip_parse(slice_from(destination), &ip));
	header = proxy_header(arena, version, &client, &ip, 25);
	assert_int_equal(header.len, wanted.len);
	assert_memory_equal(header.ptr, wanted.ptr, wanted.len);
	arena_free(arena);
}

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static void test_proxy_header(void **state)
{
	(void)state;
	expect_header(1, "192.0.2.1", "198.51.100.2",
	    SLICE("PROXY TCP4 192.0.2.1 198.51.100.2 4660 25\r\n"));
	expect_header(1, "2001:db8::1", "198.51.100.2",
	    SLICE("PROXY TCP6 2001:db8::1 :: 4660 25\r\n"));
	expect_header(1, "", "198.51.100.2", SLICE("PROXY UNKNOWN\r\n"));
	expect_header(2, "192.0.2.1", "198.51.100.2",
	    SLICE(SIGNATURE "\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02"
			    "\x12\x34\0\x19"));
	expect_header(2, "2001:db8::1", "2001:db8::2",
	    SLICE(SIGNATURE "\x21\x21\0\x24"
			    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
			    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"
			    "\x12\x34\0\x19"));
	expect_header(2, "", "198.51.100.2", SLICE(SIGNATURE "\x20\0\0\0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_xtext),
	    cmocka_unit_test(test_commands),
	    cmocka_unit_test(test_proxy_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
