/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define S(text) SLICE_INIT(text)
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* NULL: not an address. */
static const struct {
	struct slice text;
	const char *canonical;
} addresses[] = {
    {S("192.0.2.1"), "192.0.2.1"},
    {S("0.0.0.0"), "0.0.0.0"},
    {S("2001:DB8:0:0:0:0:0:1"), "2001:db8::1"},
    {S("::"), "::"},
    {S("::1"), "::1"},
    {S("::ffff:192.0.2.1"), "192.0.2.1"},
    {S("::FFFF:c000:201"), "192.0.2.1"},
    {S("::192.0.2.1"), "::192.0.2.1"},
    {S("64:ff9b::192.0.2.1"), "64:ff9b::c000:201"},
    {S(""), NULL},
    {S("192.0.2"), NULL},
    {S("192.0.2.256"), NULL},
    {S("192.0.2.1.1"), NULL},
    {S("0300.0.2.1"), NULL},
    {S("0xc0.0.2.1"), NULL},
    {S(" 192.0.2.1"), NULL},
    {S("192.0.2.1 "), NULL},
    {S("192.0.2.1\0"), NULL},
    {S("3221225985"), NULL},
    {S("2001:db8"), NULL},
    {S("2001:db8::1::2"), NULL},
    {S("fe80::1%eth0"), NULL},
    {S("[::1]"), NULL},
    {S("1111:2222:3333:4444:5555:6666:7777:8888:9999"), NULL},
};

static void test_addresses(void **state)
{
	char text[IP_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		struct ip ip = {.family = IP_NONE};
		bool ok = ip_parse(addresses[i].text, &ip);

		assert_int_equal(ok, addresses[i].canonical != NULL);
		assert_string_equal(ip_format(&ip, text),
		    ok ? addresses[i].canonical : "unknown");
	}
}

static struct ip ip_of(const char *text)
{
	struct ip ip = {.family = IP_NONE};

	/* "" stays no address. */
	if (text && text[0])
		assert_true(ip_parse(slice_from(text), &ip));
	return ip;
}

static const struct {
	const char *network, *ip;
	bool contains;
} contained[] = {
    {"192.0.2.0/24", "192.0.2.255", true},
    {"192.0.2.0/24", "192.0.3.0", false},
    {"192.0.2.77/24", "192.0.2.1", true}, /* host bits do not count */
    {"192.0.2.128/25", "192.0.2.127", false},
    {"192.0.2.128/25", "192.0.2.128", true},
    {"192.0.2.1", "192.0.2.1", true},
    {"192.0.2.1", "192.0.2.2", false},
    {"0.0.0.0/0", "203.0.113.9", true},
    {"0.0.0.0/0", "2001:db8::1", false},
    {"::/0", "203.0.113.9", false},
    {"192.0.2.0/24", "::ffff:192.0.2.9", true},
    {"2001:db8::/32", "2001:db8:ffff::1", true},
    {"2001:db8::/32", "2001:db9::", false},
    {"2001:db8::/127", "2001:db8::1", true},
    {"2001:db8::/127", "2001:db8::2", false},
    {"2001:db8::1/128", "2001:db8::1", true},
    {"0.0.0.0/0", "", false},
};

static void test_networks(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(contained); i++) {
		struct ip ip = ip_of(contained[i].ip);
		struct ip_network network;

		assert_true(ip_network_parse(
		    slice_from(contained[i].network), &network, NULL));
		assert_int_equal(
		    ip_network_contains(&network, &ip), contained[i].contains);
	}
}

static void test_bad_networks(void **state)
{
	static const struct slice bad[] = {
	    S(""),
	    S("/"),
	    S("/24"),
	    S("192.0.2.0/"),
	    S("192.0.2.0/33"),
	    S("192.0.2.0/-1"),
	    S("192.0.2.0/24/24"),
	    S("192.0.2/24"),
	    S("2001:db8::/129"),
	    S("192.0.2.0/255.255.255.0"),
	    /* It is an IPv4 network: its prefix has at most 32 bits. */
	    S("::ffff:192.0.2.0/120"),
	};
	struct ip_network network = {.prefix = 77};
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_false(ip_network_parse(bad[i], &network, &err));
		assert_int_equal(err.kind, E_SYNTAX);
		assert_int_equal(network.prefix, 77);
	}
}

/* NULL: refused. */
static const struct {
	struct slice text;
	const char *ip;
	uint16_t port;
} ports[] = {
    {S("192.0.2.1"), "192.0.2.1", 53},
    {S("192.0.2.1:25"), "192.0.2.1", 25},
    {S("192.0.2.1@5353"), "192.0.2.1", 5353},
    {S("2001:db8::1"), "2001:db8::1", 53},
    {S("2001:db8::1@25"), "2001:db8::1", 25},
    {S("[2001:db8::1]"), "2001:db8::1", 53},
    {S("[2001:db8::1]:65535"), "2001:db8::1", 65535},
    {S("[2001:db8::1]25"), NULL, 0},
    {S("[2001:db8::1]:"), NULL, 0},
    {S("[2001:db8::1"), NULL, 0},
    {S("192.0.2.1:"), NULL, 0},
    {S("192.0.2.1:65536"), NULL, 0},
    {S("192.0.2.1:25x"), NULL, 0},
    {S("192.0.2.1@"), NULL, 0},
    {S("192.0.2.1@25@25"), NULL, 0},
    {S(":25"), NULL, 0},
    {S(""), NULL, 0},
    {S("host.example:25"), NULL, 0},
};

static void test_ports(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(ports); i++) {
		struct ip ip, expected;
		uint16_t port = 0;
		bool ok = ip_parse_with_port(
		    ports[i].text, 53, &ip, &port, NULL);

		if (ok != (ports[i].ip != NULL))
			fail_msg("%.*s", SLICE_ARGS(ports[i].text));
		assert_int_equal(port, ports[i].port);
		if (!ok)
			continue;
		expected = ip_of(ports[i].ip);
		assert_true(ip_equal(&ip, &expected));
	}
}

static void test_sockaddr(void **state)
{
	static const char *const texts[] = {"192.0.2.1", "2001:db8::1"};
	struct sockaddr_storage address;
	struct ip ip, back;
	uint16_t port;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		ip = ip_of(texts[i]);
		assert_int_equal(ip_to_sockaddr(&ip, 2525, &address),
		    i ? sizeof(struct sockaddr_in6)
		      : sizeof(struct sockaddr_in));
		assert_true(ip_from_sockaddr(
		    (const struct sockaddr *)&address, &back, &port));
		assert_true(ip_equal(&ip, &back));
		assert_int_equal(port, 2525);
	}
	memset(&address, 0, sizeof(address));
	address.ss_family = AF_UNIX;
	assert_false(
	    ip_from_sockaddr((const struct sockaddr *)&address, &back, NULL));
	assert_int_equal(back.family, IP_NONE);
}

/* What accept(2) gives on a socket for both families. */
static void test_mapped_sockaddr(void **state)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	static const unsigned char mapped[16] = {
	    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
	struct ip ip, expected = ip_of("192.0.2.1");

	(void)state;
	memcpy(&v6.sin6_addr, mapped, sizeof(mapped));
	assert_true(ip_from_sockaddr((const void *)&v6, &ip, NULL));
	assert_true(ip_equal(&ip, &expected));
}

static void test_loopback_and_mask(void **state)
{
	char text[IP_TEXT_MAX];
	struct ip ip = ip_of("127.9.9.9");

	(void)state;
	assert_true(ip_is_loopback(&ip));
	ip = ip_of("::1");
	assert_true(ip_is_loopback(&ip));
	ip = ip_of("192.0.2.127");
	assert_false(ip_is_loopback(&ip));
	ip = ip_mask(&ip, 25);
	assert_string_equal(ip_format(&ip, text), "192.0.2.0");
	ip = ip_of("2001:db8:1:2:3::4");
	ip = ip_mask(&ip, 64);
	assert_string_equal(ip_format(&ip, text), "2001:db8:1:2::");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_networks),
	    cmocka_unit_test(test_bad_networks),
	    cmocka_unit_test(test_ports),
	    cmocka_unit_test(test_sockaddr),
	    cmocka_unit_test(test_mapped_sockaddr),
	    cmocka_unit_test(test_loopback_and_mask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
