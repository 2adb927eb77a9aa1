/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"

static const char zone_text[] = "; a comment\n"
				"$TTL 1h\n"
				"root-relative IN A 192.0.2.99\n"
				"$ORIGIN agency.example.\n"
				"@ IN SOA ns hostmaster (\n"
				"\t7 ; serial\n"
				"\t1d 2h 4w 300 )\n"
				"  IN NS ns\n"
				"  300 IN MX 10 mx1\n"
				"  IN 600 MX 20 MX2.Agency.Example.\n"
				"  MX 20 mx2\n"
				"  TXT \"v=spf1 \" \"-all\"\n"
				"  TXT unquoted string\n"
				"  TXT \"a;b(c)\\\"d\\\\e\\065\"\n"
				"  SPF \"v=spf1 +all\"\n"
				"  CAA 0 issue \"ca.example\"\n"
				"ns A 192.0.2.1\n"
				"   AAAA 2001:db8::1\n"
				"null MX 0 .\n"
				"a.b.c TXT \"\"\n"
				"alias CNAME mx1\n"
				"mx1 A 192.0.2.25\n"
				"away CNAME nothing.example.\n"
				"loop CNAME pool\n"
				"pool CNAME loop\n"
				"*.wild A 192.0.2.7\n"
				"exists.wild TXT here\n"
				"sub.*.wild TXT below\n"
				"*.ali CNAME alias\n"
				"_25._tcp.mx1 TLSA 3 1 1 (\n"
				"  00112233 44556677 8899aabb ccddeeff\n"
				"  00112233445566778899AABBCCDDEEFF )\n"
				"_sip._udp SRV 1 2 5060 sip\n"
				"generic TYPE65280 \\# 3 010203\n"
				"generic A \\# 4 C0000203\n"
				"ignored RRSIG any thing 3 (here)\n"
				"dot\\.ted A 192.0.2.8\n"
				"oct\\010et A 192.0.2.9\n"
				"mapped AAAA ::ffff:192.0.2.1\n"
				"key DNSKEY 257 3 8 AwEA AQ==\n"
				"$ORIGIN example.\n"
				"other 2 TXT \"another origin\"\n";

struct world {
	struct arena *arena;
	struct zone *zone;
};

static int setup(void **state)
{
	struct arena *arena = arena_new(0);
	struct world *world = ARENA_NEW(arena, struct world);
	struct err err;

	world->arena = arena;
	if (!zone_parse(arena, slice_from(zone_text), "z", &world->zone, &err))
		fail_msg("%s", err.text);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	arena_free(((struct world *)*state)->arena);
	return 0;
}

/* "10 mx1.agency.example|..."; addresses and raw data in hexadecimal. */
static const char *show(
    struct arena *arena, enum dns_type type, const struct zone_answer *answer)
{
	const char *text = "";

	for (size_t i = 0; i < answer->count; i++) {
		const struct dns_record *record = &answer->records[i];
		const char *bar = i ? "|" : "";
		struct slice data = record->data;

		if (type != DNS_TXT && type != DNS_MX && type != DNS_NS &&
		    type != DNS_CNAME)
			data = text_hex(arena, data);
		if (type == DNS_MX)
			text = arena_format(arena, "%s%s%u %.*s", text, bar,
			    record->preference, SLICE_ARGS(data));
		else
			text = arena_format(
			    arena, "%s%s%.*s", text, bar, SLICE_ARGS(data));
	}
	return text;
}

enum { SRV = 33, DNSKEY = 48, SPF = 99, CAA = 257, PRIVATE = 65280 };

static const struct {
	const char *name;
	unsigned int type;
	enum dns_status status;
	const char *want;
	uint32_t ttl; /* 0: do not look */
} find_cases[] = {
    {"root-relative", DNS_A, DNS_FOUND, "c0000263", 3600},
    {"agency.example", DNS_MX, DNS_FOUND,
	"10 mx1.agency.example|20 mx2.agency.example", 300},
    {"agency.example", DNS_TXT, DNS_FOUND,
	"v=spf1 -all|unquotedstring|a;b(c)\"d\\eA", 0},
    {"agency.example", DNS_NS, DNS_FOUND, "ns.agency.example", 3600},
    {"agency.example", DNS_SOA, DNS_FOUND,
	"026e73066167656e6379076578616d706c6500"
	"0a686f73746d6173746572066167656e6379076578616d706c6500"
	"000000070001518000001c200024ea000000012c",
	0},
    {"agency.example", DNS_A, DNS_NODATA, "", 0},
    {"agency.example", SPF, DNS_FOUND, "0b763d73706631202b616c6c", 0},
    {"agency.example", CAA, DNS_FOUND, "0005697373756563612e6578616d706c65", 0},
    {"ns.agency.example", DNS_AAAA, DNS_FOUND,
	"20010db8000000000000000000000001", 0},
    {"null.agency.example", DNS_MX, DNS_FOUND, "0 ", 0},
    {"a.b.c.agency.example", DNS_TXT, DNS_FOUND, "", 0},
    /* names with something below them exist (RFC 8020) */
    {"b.c.agency.example", DNS_TXT, DNS_NODATA, "", 0},
    {"c.agency.example", DNS_TXT, DNS_NODATA, "", 0},
    {"example", DNS_TXT, DNS_NODATA, "", 0},
    {"", DNS_TXT, DNS_NODATA, "", 0},
    {"x.b.c.agency.example", DNS_TXT, DNS_NXDOMAIN, "", 0},
    {"nothing.example", DNS_A, DNS_NXDOMAIN, "", 0},
    {"com", DNS_A, DNS_NXDOMAIN, "", 0},
    {"alias.agency.example", DNS_A, DNS_FOUND, "c0000219", 0},
    {"alias.agency.example", DNS_CNAME, DNS_FOUND, "mx1.agency.example", 0},
    {"alias.agency.example", DNS_TXT, DNS_NODATA, "", 0},
    {"away.agency.example", DNS_A, DNS_NXDOMAIN, "", 0},
    {"loop.agency.example", DNS_A, DNS_TEMPORARY_FAILURE, "", 0},
    {"loop.agency.example", DNS_CNAME, DNS_FOUND, "pool.agency.example", 0},
    /* RFC 4592, section 2.2.1 */
    {"x.wild.agency.example", DNS_A, DNS_FOUND, "c0000207", 0},
    {"x.y.wild.agency.example", DNS_A, DNS_FOUND, "c0000207", 0},
    {"x.wild.agency.example", DNS_TXT, DNS_NODATA, "", 0},
    {"wild.agency.example", DNS_A, DNS_NODATA, "", 0},
    {"exists.wild.agency.example", DNS_A, DNS_NODATA, "", 0},
    {"x.exists.wild.agency.example", DNS_A, DNS_NXDOMAIN, "", 0},
    {"*.wild.agency.example", DNS_A, DNS_FOUND, "c0000207", 0},
    {"y.*.wild.agency.example", DNS_A, DNS_NXDOMAIN, "", 0},
    {"x.ali.agency.example", DNS_A, DNS_FOUND, "c0000219", 0},
    {"_25._tcp.mx1.agency.example", DNS_TLSA, DNS_FOUND,
	"03010100112233445566778899aabbccddeeff"
	"00112233445566778899aabbccddeeff",
	0},
    {"_sip._udp.agency.example", SRV, DNS_FOUND,
	"0001000213c403736970066167656e6379076578616d706c6500", 0},
    {"generic.agency.example", PRIVATE, DNS_FOUND, "010203", 0},
    {"generic.agency.example", DNS_A, DNS_FOUND, "c0000203", 0},
    {"ignored.agency.example", DNS_A, DNS_NODATA, "", 0},
    {"dot\\046ted.agency.example", DNS_A, DNS_FOUND, "c0000208", 0},
    {"ted.agency.example", DNS_A, DNS_NXDOMAIN, "", 0},
    {"oct\\010et.agency.example", DNS_A, DNS_FOUND, "c0000209", 0},
    {"mapped.agency.example", DNS_AAAA, DNS_FOUND,
	"00000000000000000000ffffc0000201", 0},
    {"key.agency.example", DNSKEY, DNS_FOUND, "0101030803010001", 0},
    {"other.example", DNS_TXT, DNS_FOUND, "another origin", 2},
};

static void test_find(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(find_cases) / sizeof(find_cases[0]);
	     i++) {
		enum dns_type type = (enum dns_type)find_cases[i].type;
		struct zone_answer answer = zone_find(
		    world->zone, slice_from(find_cases[i].name), type);

		if (answer.status != find_cases[i].status)
			fail_msg("%s: status %d", find_cases[i].name,
			    (int)answer.status);
		assert_string_equal(
		    show(world->arena, type, &answer), find_cases[i].want);
		if (find_cases[i].ttl)
			assert_int_equal(answer.ttl, find_cases[i].ttl);
	}
}

#define B16 "0123456789abcdef"
#define B256 B16 B16 B16 B16 B16 B16 B16 B16 B16 B16 B16 B16 B16 B16 B16 B16

static void test_errors(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
	    {"a A 192.0.2.1\nb A 192.0.2\n", "z:2: A: bad address"},
	    {"a AAAA 192.0.2.1\n", "z:1: AAAA: address of the wrong family"},
	    {"a A 192.0.2.1 5\n", "z:1: A: more fields than A has"},
	    {"a MX 10\n", "z:1: MX: a field is missing"},
	    {"a MX 65536 b\n", "z:1: MX: bad number"},
	    {"a MX 10 b..c\n", "z:1: MX: bad domain name"},
	    {"a TXT\n", "z:1: TXT: a field is missing"},
	    {"a TXT \"" B256 "\"\n",
		"z:1: TXT: character-string of 256 octets, the most is 255"},
	    {"a TXT \"b\n\"\n", "z:1: unfinished quoted string"},
	    {"a TXT \"b", "z:1: unfinished quoted string"},
	    {"a TXT b\\\n", "z:1: backslash at the end of a line"},
	    {"a TXT b\\25x\n", "z:1: TXT: bad escape"},
	    {"a TXT b\\256\n", "z:1: TXT: bad escape"},
	    {"a TXT ( b\n", "z:2: '(' without a ')' behind it"},
	    {"a TXT ) b\n", "z:1: ')' without a '(' before it"},
	    {"a TXT ( ( b ) )\n", "z:1: parentheses do not nest"},
	    {"\n\n  A 192.0.2.1\n", "z:3: blank owner in the first record"},
	    {"a\n", "z:1: no record type"},
	    {"a IN\n", "z:1: no record type"},
	    {"a CH A 192.0.2.1\n",
		"z:1: 'CH' is no record type, class or TTL that is served"},
	    {"a DNAME b\n",
		"z:1: 'DNAME' is no record type, class or TTL that is served"},
	    {"a TYPE0 \\# 0\n",
		"z:1: 'TYPE0' is no record type, class or TTL that is served"},
	    {"a TYPE65280 1\n",
		"z:1: TYPE65280: rdata of an unknown type starts with \\#"},
	    {"a TYPE65280 \\# 2 01\n",
		"z:1: TYPE65280: length and octets differ"},
	    {"a TYPE65280 \\# 1 012\n",
		"z:1: TYPE65280: odd number of hexadecimal digits"},
	    {"a A \\# 3 010203\n", "z:1: malformed A record"},
	    {"a TXT \\# 2 0501\n", "z:1: malformed TXT record"},
	    {"a MX \\# 4 0001C000\n", "z:1: malformed MX record"},
	    {"a TLSA 3 1 1 0g\n", "z:1: TLSA: bad hexadecimal digit"},
	    {"a DNSKEY 257 3 8 !\n", "z:1: DNSKEY: bad base64"},
	    {"a CNAME b\na A 192.0.2.1\n",
		"z:2: a CNAME and other data for one name"},
	    {"a CNAME b\na CNAME c\n", "z:2: a second CNAME of one name"},
	    {"$INCLUDE other\n", "z:1: $INCLUDE is not supported"},
	    {"$TTL\n", "z:1: a directive has one value"},
	    {"$TTL 1y\n", "z:1: bad time in $TTL"},
	    {"$TTL 2147483648\n", "z:1: bad time in $TTL"},
	    {"$ORIGIN a..b.\n", "z:1: bad domain name in $ORIGIN"},
	    {"$GENERATE 1-2 a A 192.0.2.$\n", "z:1: a directive has one value"},
	    {"$WHAT ever\n", "z:1: unknown directive"},
	    {"\"a\" A 192.0.2.1\n", "z:1: bad domain name 'a'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *arena = arena_new(0);
		struct zone *zone = NULL;
		struct err err = {.kind = E_NONE};

		if (zone_parse(
			arena, slice_from(cases[i].text), "z", &zone, &err))
			fail_msg("accepted: %s", cases[i].text);
		assert_int_equal(err.kind, E_CONFIG);
		assert_string_equal(err.text, cases[i].want);
		assert_null(zone);
		arena_free(arena);
	}
}

/* Line ends of other systems, no final line end, nothing at all. */
static void test_forms(void **state)
{
	static const struct {
		const char *text;
		enum dns_status want;
	} cases[] = {
	    {"a A 192.0.2.1\r\n", DNS_FOUND},
	    {"a A 192.0.2.1", DNS_FOUND},
	    {"a in 5 a 192.0.2.1", DNS_FOUND},
	    {"a CLASS1 1w2d A 192.0.2.1", DNS_FOUND},
	    {"( a\nA 192.0.2.1 )", DNS_FOUND},
	    {"b.a A 192.0.2.1", DNS_NODATA},
	    {"", DNS_NXDOMAIN},
	    {"\n; only a comment", DNS_NXDOMAIN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *arena = arena_new(0);
		struct zone *zone = NULL;
		struct err err;

		if (!zone_parse(
			arena, slice_from(cases[i].text), "z", &zone, &err))
			fail_msg("%s", err.text);
		assert_int_equal(
		    zone_find(zone, SLICE("a"), DNS_A).status, cases[i].want);
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_find, setup, teardown),
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
