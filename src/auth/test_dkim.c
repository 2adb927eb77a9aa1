/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dkim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/dkim_key.h"
#include "auth/test_signer.h"

static const int64_t now = 1700000000;

#define HEADER                                                                 \
	"Received: from a.example by b.example\r\n"                            \
	"From: Joe <joe@example.com>\r\n"                                      \
	"To: anna@agency.example\r\n"                                          \
	"Subject: one\r\n"                                                     \
	" two\r\n"
#define BODY "Hello,\r\n\r\n two  words \r\n.\r\n\r\n\r\n"

static const char plain[] = HEADER "\r\n" BODY;

enum key { RSA, ED, WEAK };

struct world {
	struct arena *arena;
	const struct test_key *keys[3];
	struct slice zone;
};

static void add_key(struct world *world, struct buf *zone, const char *selector,
    const char *tags, enum key key)
{
	struct slice name = arena_format_slice(
	    world->arena, "%s._domainkey.example.com", selector);
	struct slice record = arena_format_slice(world->arena, "%s p=%.*s",
	    tags, SLICE_ARGS(test_key_public(world->arena, world->keys[key])));

	test_zone_add(zone, name, record);
}

static void add_text(struct buf *zone, const char *name, const char *record)
{
	test_zone_add(zone, slice_from(name), slice_from(record));
}

static struct slice make_zone(struct world *world)
{
	struct buf *zone = buf_in_arena(world->arena, 1 << 20);

	buf_add_text(
	    zone, ". 300 IN SOA ns.invalid. h.invalid. 1 3600 600 86400 60\n");
	add_key(world, zone, "rsa", "v=DKIM1; k=rsa;", RSA);
	add_key(world, zone, "ed", "v=DKIM1; k=ed25519;", ED);
	add_key(world, zone, "weak", "k=rsa;", WEAK);
	add_key(world, zone, "testing", "t=y;", RSA);
	add_key(world, zone, "strict", "t=s;", RSA);
	add_key(world, zone, "old", "h=sha1;", RSA);
	add_key(world, zone, "reports", "s=tlsrpt;", RSA);
	add_key(world, zone, "dsa", "k=dsa;", RSA);
	add_key(world, zone, "two", "v=DKIM1;", RSA);
	add_key(world, zone, "two", "v=DKIM1; k=ed25519;", ED);
	add_key(world, zone, "mixed", "v=DKIM1;", RSA);
	add_text(zone, "mixed._domainkey.example.com", "v=spf1 -all");
	add_text(zone, "mixed._domainkey.example.com", "verification=abc");
	add_text(zone, "spf._domainkey.example.com", "v=spf1 -all");
	add_text(zone, "revoked._domainkey.example.com", "v=DKIM1; p=");
	add_text(zone, "broken._domainkey.example.com", "v=DKIM1; p=AAAA");
	test_zone_add(zone, SLICE("bare._domainkey.example.com"),
	    arena_format_slice(world->arena, "p=%.*s",
		SLICE_ARGS(
		    test_key_public_pkcs1(world->arena, world->keys[RSA]))));
	test_zone_add(zone,
	    SLICE("xn--schn-7qa._domainkey.xn--bcher-kva.example"),
	    arena_format_slice(world->arena, "p=%.*s",
		SLICE_ARGS(test_key_public(world->arena, world->keys[RSA]))));
	return buf_slice(zone);
}

static int setup(void **state)
{
	struct arena *arena = arena_new(0);
	struct world *world = ARENA_NEW(arena, struct world);

	world->arena = arena;
	world->keys[RSA] = test_key_new(arena, CRYPTO_RSA, 1024);
	world->keys[ED] = test_key_new(arena, CRYPTO_ED25519, 0);
	world->keys[WEAK] = test_key_new(arena, CRYPTO_RSA, 768);
	world->zone = make_zone(world);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	arena_free(world->arena);
	return 0;
}

static const struct dns_failure failures[] = {
    {.name = SLICE_INIT("down._domainkey.example.com"), .any_type = true},
};

static void verify(struct world *world, struct test_run *run)
{
	run->zone = world->zone;
	run->now = now;
	run->failures = failures;
	run->failure_count = 1;
	test_verify(world->arena, run);
}

#define DOMAIN "d=example.com; "
#define REST "v=1; a=rsa-sha256; c=relaxed/relaxed; h=From:To; " DOMAIN
#define FROM_TO "From:To"

static const struct {
	enum key key;
	const char *tags, *names;
	enum dkim_result result;
	const char *reason; /* how it starts */
} rules[] = {
    {RSA, REST "s=rsa;", FROM_TO, DKIM_PASS, ""},
    {RSA, REST "s=bare;", FROM_TO, DKIM_PASS, ""},
    {RSA, REST "s=mixed;", FROM_TO, DKIM_PASS, ""},
    {RSA, REST "s=testing;", FROM_TO, DKIM_PASS, ""},
    {ED, "v=1; a=ed25519-sha256; c=relaxed/relaxed; h=From; s=ed;" DOMAIN,
	"From", DKIM_PASS, ""},
    /* RFC 8301 */
    {RSA, "v=1; a=rsa-sha1; c=relaxed/relaxed; h=From; s=rsa;" DOMAIN, "From",
	DKIM_PERMERROR, "rsa-sha1"},
    {WEAK, REST "s=weak;", FROM_TO, DKIM_POLICY, "key is too short"},
    {RSA, REST "s=weak;", FROM_TO, DKIM_FAIL, "signature did not"},
    /* keys */
    {RSA, REST "s=nokey;", FROM_TO, DKIM_PERMERROR, "no key"},
    {RSA, REST "s=spf;", FROM_TO, DKIM_PERMERROR, "no key"},
    {RSA, REST "s=two;", FROM_TO, DKIM_PERMERROR, "several keys"},
    {RSA, REST "s=revoked;", FROM_TO, DKIM_PERMERROR, "key revoked"},
    {RSA, REST "s=broken;", FROM_TO, DKIM_PERMERROR, "key unusable"},
    {RSA, REST "s=dsa;", FROM_TO, DKIM_PERMERROR, "key unusable: k="},
    {RSA, REST "s=old;", FROM_TO, DKIM_PERMERROR, "key does not allow sha"},
    {RSA, REST "s=reports;", FROM_TO, DKIM_PERMERROR, "key is not for email"},
    {RSA, REST "s=ed;", FROM_TO, DKIM_PERMERROR, "key is for another"},
    {RSA, REST "s=down;", FROM_TO, DKIM_TEMPERROR, "key unavailable"},
    {ED, REST "s=rsa;", FROM_TO, DKIM_FAIL, "signature did not"},
    /* i= */
    {RSA, REST "s=rsa; i=joe@example.com;", FROM_TO, DKIM_PASS, ""},
    {RSA, REST "s=rsa; i=joe@sub.Example.com;", FROM_TO, DKIM_PASS, ""},
    {RSA, REST "s=rsa; i=joe@notexample.com;", FROM_TO, DKIM_PERMERROR, "i="},
    {RSA, REST "s=rsa; i=joe@com;", FROM_TO, DKIM_PERMERROR, "i="},
    {RSA, REST "s=strict; i=joe@EXAMPLE.com;", FROM_TO, DKIM_PASS, ""},
    {RSA, REST "s=strict; i=joe@sub.example.com;", FROM_TO, DKIM_PERMERROR,
	"key does not allow sub"},
    /* h= */
    {RSA, "v=1; a=rsa-sha256; c=relaxed/relaxed; h=To; s=rsa;" DOMAIN, "To",
	DKIM_PERMERROR, "signature does not cover From"},
    {RSA, "v=1; a=rsa-sha256; c=relaxed/relaxed; h=; s=rsa;" DOMAIN, "",
	DKIM_PERMERROR, "signature does not cover From"},
    {RSA,
	"v=1; a=rsa-sha256; c=relaxed/relaxed; h=x-none:FROM:cc:cc;"
	"s=rsa;" DOMAIN,
	"x-none:FROM:cc:cc", DKIM_PASS, ""},
    {RSA,
	"v=1; a=rsa-sha256; c=relaxed/relaxed; h=From:DKIM-Signature;"
	"s=rsa;" DOMAIN,
	"From:DKIM-Signature", DKIM_PASS, ""},
    /* Forbidden to ARC's message signatures only. */
    {RSA,
	"v=1; a=rsa-sha256; c=relaxed/relaxed; h=From:ARC-Seal; s=rsa;" DOMAIN,
	"From:ARC-Seal", DKIM_PASS, ""},
    /* times */
    {RSA, REST "s=rsa; t=1700000000; x=1700000000;", FROM_TO, DKIM_PERMERROR,
	"signature expires before"},
    {RSA, REST "s=rsa; t=1699999999; x=1700000000;", FROM_TO, DKIM_PASS, ""},
    {RSA, REST "s=rsa; x=1699999999;", FROM_TO, DKIM_PERMERROR,
	"signature expired"},
    {RSA, REST "s=rsa; x=0;", FROM_TO, DKIM_PERMERROR, "signature expired"},
    /* RFC 6376 section 3.5: over 12 digits is without end. */
    {RSA, REST "s=rsa; x=1700000000001;", FROM_TO, DKIM_PASS, ""},
    {RSA, REST "s=rsa; x=99999999999999999999;", FROM_TO, DKIM_PASS, ""},
    {RSA, REST "s=rsa; x=0001699999999;", FROM_TO, DKIM_PERMERROR,
	"signature expired"},
    {RSA, REST "s=rsa; t=1700000300;", FROM_TO, DKIM_PASS, ""},
    /* The sender tries again, and by then it may be that time here, too. */
    {RSA, REST "s=rsa; t=1700000301;", FROM_TO, DKIM_TEMPERROR,
	"signature is from the future"},
    {WEAK, REST "s=rsa; t=1700000301;", FROM_TO, DKIM_FAIL,
	"signature did not"},
    {RSA, REST "s=revoked; t=1700000301;", FROM_TO, DKIM_PERMERROR,
	"key revoked"},
    /* syntax */
    {RSA, REST "s=rsa; s=rsa;", FROM_TO, DKIM_NEUTRAL, "s= occurs twice"},
    {RSA, REST, FROM_TO, DKIM_NEUTRAL, "s= is missing"},
    {RSA, "a=rsa-sha256; c=relaxed/relaxed; h=From; s=rsa;" DOMAIN, "From",
	DKIM_NEUTRAL, "v= is missing"},
    {RSA, REST "s=rsa; q=dns;", FROM_TO, DKIM_NEUTRAL, "q="},
    {RSA, REST "s=rsa; q=dns/txt;", FROM_TO, DKIM_PASS, ""},
};

static void test_rules(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct test_signature signature = {
		    .key = world->keys[rules[i].key],
		    .tags = rules[i].tags,
		    .header_canon = CANON_RELAXED,
		    .body_canon = CANON_RELAXED,
		    .names = rules[i].names,
		};
		struct test_run run = {
		    .message = test_sign(
			world->arena, &signature, slice_from(plain)),
		};

		verify(world, &run);
		assert_int_equal(run.count, 1);
		if (run.dkim->result != rules[i].result ||
		    !slice_starts(
			run.dkim->reason, slice_from(rules[i].reason)))
			fail_msg("%s: %s (%.*s)", rules[i].tags,
			    dkim_result_name(run.dkim->result),
			    SLICE_ARGS(run.dkim->reason));
		assert_int_equal(run.dkim->result == DKIM_PASS,
		    slice_empty(run.dkim->reason));
	}
}

/* Reports name the signer even of what cannot be read; and the key is asked
 * for before the body comes, unless it is not needed. */
static void test_described(void **state)
{
	static const struct {
		const char *tags;
		enum dkim_result result;
		size_t asked_early;
	} described[] = {
	    {REST "s=rsa;", DKIM_PASS, 1},
	    {REST "s=rsa; q=dns;", DKIM_NEUTRAL, 0},
	    {REST "s=rsa; x=1;", DKIM_PERMERROR, 0},
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(described) / sizeof(described[0]); i++) {
		struct test_signature signature = {
		    .key = world->keys[RSA],
		    .tags = described[i].tags,
		    .header_canon = CANON_RELAXED,
		    .body_canon = CANON_RELAXED,
		    .names = FROM_TO,
		};
		struct test_run run = {
		    .message = test_sign(
			world->arena, &signature, slice_from(plain)),
		};

		verify(world, &run);
		assert_int_equal(run.dkim->result, described[i].result);
		assert_true(slice_eq(run.dkim->domain, SLICE("example.com")));
		assert_true(slice_eq(run.dkim->selector, SLICE("rsa")));
		assert_int_equal(run.asked_early, described[i].asked_early);
		assert_int_equal(run.asked, described[i].asked_early);
	}
}

/* Signatures among other fields, each in its place. */
static void test_positions(void **state)
{
	struct world *world = *state;
	struct test_signature signature = {
	    .key = world->keys[RSA],
	    .field = "dkim-signature",
	    .tags = REST "s=rsa;",
	    .header_canon = CANON_RELAXED,
	    .body_canon = CANON_RELAXED,
	    .names = FROM_TO,
	};
	struct slice message = test_sign(
	    world->arena, &signature, slice_from(plain));
	struct test_run run = {0};

	message = ARENA_JOIN(world->arena,
	    SLICE("Received: by c.example\r\nDKIM-Signature: v=1\r\n"
		  "Received: by d.example\r\n"),
	    message);
	run.message = message;
	verify(world, &run);
	assert_int_equal(run.count, 2);
	assert_int_equal(run.dkim[0].result, DKIM_NEUTRAL);
	assert_int_equal(run.dkim[1].result, DKIM_PASS);
}

/* What the configuration asks of keys, above what RFC 8301 does. */
static void test_minimum_bits(void **state)
{
	static const struct {
		enum key key;
		const char *tags;
		unsigned int minimum;
		enum dkim_result result;
	} bits[] = {
	    {RSA, REST "s=rsa;", 1024, DKIM_PASS},
	    {RSA, REST "s=rsa;", 1025, DKIM_POLICY},
	    {WEAK, REST "s=weak;", 512, DKIM_POLICY},
	    {ED,
		"v=1; a=ed25519-sha256; c=relaxed/relaxed; h=From:To; "
		"s=ed;" DOMAIN,
		2048, DKIM_PASS},
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		struct test_signature signature = {
		    .key = world->keys[bits[i].key],
		    .tags = bits[i].tags,
		    .header_canon = CANON_RELAXED,
		    .body_canon = CANON_RELAXED,
		    .names = FROM_TO,
		};
		struct test_run run = {
		    .message = test_sign(
			world->arena, &signature, slice_from(plain)),
		    .minimum_rsa_bits = bits[i].minimum,
		};

		verify(world, &run);
		if (run.dkim->result != bits[i].result)
			fail_msg("row %zu: %s", i,
			    dkim_result_name(run.dkim->result));
	}
}

/* A field may stand there twice if both are signed. */
static void test_both_signed(void **state)
{
	struct world *world = *state;
	struct test_signature signature = {
	    .key = world->keys[RSA],
	    .tags = "v=1; a=rsa-sha256; c=relaxed/relaxed; s=rsa; "
		    "h=From:To:To;" DOMAIN,
	    .header_canon = CANON_RELAXED,
	    .body_canon = CANON_RELAXED,
	    .names = "From:To:To",
	};
	struct test_run run = {
	    .message = test_sign(world->arena, &signature,
		SLICE("To: otto@agency.example\r\n" HEADER "\r\n" BODY)),
	};

	verify(world, &run);
	assert_int_equal(run.dkim->result, DKIM_PASS);
}

/* All canonicalizations; c= with and without its parts. */
static void test_canonicalizations(void **state)
{
	static const struct {
		const char *tag;
		enum dkim_canonicalization header, body;
	} all[] = {
	    {"", CANON_SIMPLE, CANON_SIMPLE},
	    {"c=simple;", CANON_SIMPLE, CANON_SIMPLE},
	    {"c=relaxed;", CANON_RELAXED, CANON_SIMPLE},
	    {"c=simple/simple;", CANON_SIMPLE, CANON_SIMPLE},
	    {"c=simple/relaxed;", CANON_SIMPLE, CANON_RELAXED},
	    {"c=relaxed/simple;", CANON_RELAXED, CANON_SIMPLE},
	    {"c=relaxed/relaxed;", CANON_RELAXED, CANON_RELAXED},
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct test_signature signature = {
		    .key = world->keys[RSA],
		    .tags = arena_format(world->arena,
			"v=1; a=rsa-sha256; d=example.com; s=rsa;"
			"h=From:Subject:Subject; %s",
			all[i].tag),
		    .header_canon = all[i].header,
		    .body_canon = all[i].body,
		    .names = "From:Subject:Subject",
		};
		struct slice message = test_sign(
		    world->arena, &signature, slice_from(plain));

		for (size_t piece = 0; piece < 40; piece++) {
			struct test_run run = {
			    .message = message, .piece = piece};

			verify(world, &run);
			if (run.dkim->result != DKIM_PASS)
				fail_msg("%s piece %zu: %.*s", all[i].tag,
				    piece, SLICE_ARGS(run.dkim->reason));
		}
	}
}

/* RFC 6376 section 3.7: the value of b= is left out "including all surrounding
 * whitespace", also where it ends the field. */
static void test_space_after_signature(void **state)
{
	static const struct {
		const char *tail;
		enum dkim_result result;
	} tails[] = {
	    {"", DKIM_PASS},
	    {" ", DKIM_PASS},
	    {"\r\n\t", DKIM_PASS},
	    {" \r\n\t ", DKIM_PASS},
	    {";", DKIM_FAIL},
	    {" ;", DKIM_FAIL},
	    {"\r\n\t;", DKIM_FAIL},
	};
	struct world *world = *state;
	struct test_signature signature = {
	    .key = world->keys[RSA],
	    .tags = "v=1; a=rsa-sha256; d=example.com; s=rsa; h=From;",
	    .names = "From",
	};
	struct slice message = test_sign(
	    world->arena, &signature, slice_from(plain));
	size_t end = slice_find_slice(message, SLICE("\r\nReceived:"));

	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		struct test_run run = {
		    .message = ARENA_JOIN(world->arena,
			slice_sub(message, 0, end), slice_from(tails[i].tail),
			slice_from_pos(message, end)),
		};

		verify(world, &run);
		if (run.dkim->result != tails[i].result)
			fail_msg("%zu: %.*s", i, SLICE_ARGS(run.dkim->reason));
	}
}

static struct slice sign_plain(struct world *world, const char *names)
{
	struct test_signature signature = {
	    .key = world->keys[RSA],
	    .tags = arena_format(world->arena,
		"v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=rsa; "
		"h=%s;",
		names),
	    .header_canon = CANON_RELAXED,
	    .body_canon = CANON_RELAXED,
	    .names = names,
	};

	return test_sign(world->arena, &signature, slice_from(plain));
}

/* What is signed cannot change; what is oversigned cannot be added. */
static void test_changes(void **state)
{
	static const struct {
		const char *names, *from, *to;
		enum dkim_result result;
	} changes[] = {
	    {"From:Subject", "Hello", "HELLO", DKIM_FAIL},
	    {"From:Subject", "Subject: one", "Subject: One", DKIM_FAIL},
	    {"From:Subject", "Subject: one\r\n two", "SUBJECT:  one two ",
		DKIM_PASS},
	    {"From:Subject", "To: anna", "To: otto", DKIM_PASS},
	    {"From:To", "To: anna", "To: otto", DKIM_FAIL},
	    {"From:To", "To: anna@agency.example\r\n", "", DKIM_FAIL},
	    {"From:To",
		"Received:", "From: eve@example.net\r\nReceived:", DKIM_POLICY},
	    {"From:To",
		"Received:", "to : eve@example.net\r\nReceived:", DKIM_POLICY},
	    {"From:To", "Received:", "Subject: three\r\nReceived:", DKIM_PASS},
	    {"From:From:To",
		"Received:", "From: eve@example.net\r\nReceived:", DKIM_FAIL},
	    {"From:To", "To:", "From: eve@example.net\r\nTo:", DKIM_FAIL},
	    {"From:Cc",
		"Received:", "Cc: eve@example.net\r\nReceived:", DKIM_FAIL},
	    {"From:To", "words", "word s", DKIM_FAIL},
	    {"From:To", "two  words \r\n", "two \t words\r\n", DKIM_PASS},
	    {"From:To", ".\r\n\r\n\r\n", ".", DKIM_PASS},
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct slice message = sign_plain(world, changes[i].names);
		struct slice from = slice_from(changes[i].from);
		/* Not in the signature's own field. */
		size_t start = message.len - (sizeof(plain) - 1);
		size_t at = start + slice_find_slice(
					slice_from_pos(message, start), from);
		struct test_run run = {
		    .message = arena_format_slice(world->arena, "%.*s%s%.*s",
			(int)at, message.ptr, changes[i].to,
			SLICE_ARGS(slice_from_pos(message, at + from.len))),
		};

		assert_true(at < message.len);
		verify(world, &run);
		assert_int_equal(run.dkim->result == DKIM_PASS,
		    slice_empty(run.dkim->reason));
		if (run.dkim->result != changes[i].result)
			fail_msg("change %zu: %s (%.*s)", i,
			    dkim_result_name(run.dkim->result),
			    SLICE_ARGS(run.dkim->reason));
	}
}

/* l=: the relaxed body has 25 octets. */
static void test_body_length(void **state)
{
	static const struct {
		size_t length;
		const char *added;
		bool accept;
		enum dkim_result result;
		bool limited;
	} limits[] = {
	    {25, "", false, DKIM_PASS, false},
	    {25, "more\r\n", false, DKIM_POLICY, true},
	    {25, "more\r\n", true, DKIM_PASS, true},
	    {25, "\r\n \r\n", false, DKIM_PASS, false},
	    {10, "", false, DKIM_POLICY, true},
	    {10, "", true, DKIM_PASS, true},
	    {0, "", false, DKIM_POLICY, true},
	    {0, "", true, DKIM_PASS, true},
	    {26, "", true, DKIM_PERMERROR, false},
	    {26, "more\r\n", true, DKIM_FAIL, true},
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct test_signature signature = {
		    .key = world->keys[RSA],
		    .tags = arena_format(
			world->arena, REST "s=rsa; l=%zu;", limits[i].length),
		    .header_canon = CANON_RELAXED,
		    .body_canon = CANON_RELAXED,
		    .names = FROM_TO,
		    .limited = true,
		    .body_length = limits[i].length,
		};
		struct slice message = test_sign(
		    world->arena, &signature, slice_from(plain));
		struct test_run run = {
		    .message = arena_format_slice(world->arena, "%.*s%s",
			(int)message.len - (*limits[i].added ? 4 : 0),
			message.ptr, limits[i].added),
		    .accept_body_length = limits[i].accept,
		};

		verify(world, &run);
		assert_int_equal(run.dkim->result == DKIM_PASS,
		    slice_empty(run.dkim->reason));
		if (run.dkim->result != limits[i].result ||
		    run.dkim->body_length_limited != limits[i].limited)
			fail_msg("limit %zu: %s (%.*s)", i,
			    dkim_result_name(run.dkim->result),
			    SLICE_ARGS(run.dkim->reason));
	}
}

static void test_outcome(void **state)
{
	struct world *world = *state;
	struct test_signature signature = {
	    .key = world->keys[RSA],
	    .tags = REST "s=testing; i=joe@sub.example.com;",
	    .header_canon = CANON_RELAXED,
	    .body_canon = CANON_RELAXED,
	    .names = FROM_TO,
	};
	struct test_run run = {
	    .message = test_sign(world->arena, &signature, slice_from(plain)),
	};

	verify(world, &run);
	assert_int_equal(run.dkim->result, DKIM_PASS);
	assert_true(slice_eq(run.dkim->domain, SLICE("example.com")));
	assert_true(slice_eq(run.dkim->selector, SLICE("testing")));
	assert_true(slice_eq(run.dkim->algorithm, SLICE("rsa-sha256")));
	assert_true(slice_eq(run.dkim->identity, SLICE("joe@sub.example.com")));
	assert_int_equal(run.dkim->signature_start.len, 8);
	assert_int_equal(run.dkim->key_bits, 1024);
	assert_true(run.dkim->testing);
}

/* RFC 8616: the signature has U-labels, DNS has A-labels. */
static void test_international(void **state)
{
	struct world *world = *state;
	struct test_signature signature = {
	    .key = world->keys[RSA],
	    .tags = "v=1; a=rsa-sha256; c=relaxed/relaxed; h=From:To;"
		    "d=b\xc3\xbc"
		    "cher.example; s=sch\xc3\xb6n;"
		    "i=j\xc3\xb6rg@post.b\xc3\xbc"
		    "cher.example;",
	    .header_canon = CANON_RELAXED,
	    .body_canon = CANON_RELAXED,
	    .names = FROM_TO,
	};
	struct test_run run = {
	    .message = test_sign(world->arena, &signature, slice_from(plain)),
	};

	verify(world, &run);
	assert_int_equal(run.dkim->result, DKIM_PASS);
	assert_true(slice_eq(run.dkim->domain, SLICE("xn--bcher-kva.example")));
}

/* Signatures over the limit are one outcome more. */
static void test_many(void **state)
{
	struct world *world = *state;
	struct dkim_key_cache *cache = dkim_key_cache_new(10);
	struct test_signature signature = {
	    .key = world->keys[RSA],
	    .tags = REST "s=rsa;",
	    .header_canon = CANON_RELAXED,
	    .body_canon = CANON_RELAXED,
	    .names = FROM_TO,
	};
	struct slice message = slice_from(plain);

	for (size_t count = 1; count <= 13; count++) {
		struct test_run run = {.cache = cache};

		message = test_sign(world->arena, &signature, message);
		run.message = message;
		verify(world, &run);
		assert_int_equal(run.count, count < 11 ? count : 11);
		for (size_t i = 0; i < run.count; i++)
			assert_int_equal(run.dkim[i].result,
			    i < 10 ? DKIM_PASS : DKIM_POLICY);
		if (count > 10)
			assert_true(slice_starts(run.dkim[10].reason,
			    arena_format_slice(world->arena,
				"%zu more signatures, over limits.dkim_",
				count - 10)));
	}
	dkim_key_cache_free(cache);
}

/* The author's signature is the lowest of many, and is verified. */
static void test_choice(void **state)
{
	struct world *world = *state;
	struct slice message = sign_plain(world, FROM_TO);
	struct test_run run = {0};

	for (int i = 0; i < 29; i++)
		message = arena_format_slice(world->arena,
		    "DKIM-Signature: v=1; a=rsa-sha256; d=list%d.example; "
		    "s=rsa; h=From; bh=%s; b=AAAA\r\n%.*s",
		    i, "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=",
		    SLICE_ARGS(message));
	run.message = message;
	verify(world, &run);
	assert_int_equal(run.count, 11);
	assert_true(slice_eq(run.dkim[0].domain, SLICE("list28.example")));
	assert_true(slice_eq(run.dkim[8].domain, SLICE("list20.example")));
	assert_true(slice_eq(run.dkim[9].domain, SLICE("example.com")));
	assert_int_equal(run.dkim[9].result, DKIM_PASS);
	assert_true(slice_starts(run.dkim[10].reason, SLICE("20 more")));
}

static void test_none(void **state)
{
	struct world *world = *state;
	struct test_run run = {.message = slice_from(plain)};

	verify(world, &run);
	assert_int_equal(run.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rules),
	    cmocka_unit_test(test_described),
	    cmocka_unit_test(test_positions),
	    cmocka_unit_test(test_minimum_bits),
	    cmocka_unit_test(test_both_signed),
	    cmocka_unit_test(test_canonicalizations),
	    cmocka_unit_test(test_space_after_signature),
	    cmocka_unit_test(test_changes),
	    cmocka_unit_test(test_body_length),
	    cmocka_unit_test(test_outcome),
	    cmocka_unit_test(test_international),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_choice),
	    cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
