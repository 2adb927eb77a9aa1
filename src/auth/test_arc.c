/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/arc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/test_signer.h"

static const char plain[] = "From: Joe <joe@example.com>\r\n"
			    "Subject: list\r\n"
			    "\r\n"
			    "Hello.\r\n";

struct world {
	struct arena *arena;
	const struct test_key *key;
	struct slice zone;
};

static int setup(void **state)
{
	struct arena *arena = arena_new(0);
	struct world *world = ARENA_NEW(arena, struct world);
	struct buf *zone = buf_in_arena(arena, 1 << 16);

	world->arena = arena;
	world->key = test_key_new(arena, CRYPTO_RSA, 1024);
	buf_add_text(
	    zone, ". 300 IN SOA ns.invalid. h.invalid. 1 3600 600 86400 60\n");
	test_zone_add(zone, SLICE("sel._domainkey.lists.example"),
	    arena_format_slice(arena, "v=DKIM1; p=%.*s",
		SLICE_ARGS(test_key_public(arena, world->key))));
	world->zone = buf_slice(zone);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	arena_free(world->arena);
	return 0;
}

struct set {
	unsigned int instance;
	const char *cv;
	const char *message_tags, *seal_tags; /* more of them */
	const char *selector;		      /* default "sel" */
	const char *names;		      /* default "From:Subject" */
	bool limited;			      /* l=0, and the hash for it */
};

static struct slice add_set(
    struct world *world, const struct set *set, struct slice text)
{
	const char *selector = set->selector ? set->selector : "sel";
	const char *names = set->names ? set->names : "From:Subject";
	const char *common = arena_format(world->arena,
	    "i=%u; a=rsa-sha256; d=lists.example; s=%s;", set->instance,
	    selector);
	struct test_signature message = {
	    .key = world->key,
	    .field = "ARC-Message-Signature",
	    .tags = arena_format(world->arena, "%s c=relaxed/relaxed; h=%s; %s",
		common, names, set->message_tags ? set->message_tags : ""),
	    .header_canon = CANON_RELAXED,
	    .body_canon = CANON_RELAXED,
	    .names = names,
	    .limited = set->limited,
	};
	struct test_signature seal = {
	    .key = world->key,
	    .tags = arena_format(world->arena, "%s cv=%s; %s", common, set->cv,
		set->seal_tags ? set->seal_tags : ""),
	};

	return test_seal(world->arena, &message, &seal, set->instance,
	    arena_format(
		world->arena, "i=%u; lists.example; arc=none", set->instance),
	    text);
}

static struct slice add_sets(
    struct world *world, unsigned int count, struct slice text)
{
	for (unsigned int i = 1; i <= count; i++) {
		struct set set = {
		    .instance = i, .cv = i == 1 ? "none" : "pass"};

		text = add_set(world, &set, text);
	}
	return text;
}

static struct arc_outcome verify(struct world *world, struct slice message)
{
	struct test_run run = {
	    .zone = world->zone,
	    .message = message,
	    .now = 1700000000,
	};

	test_verify(world->arena, &run);
	return run.arc;
}

static void test_pass(void **state)
{
	struct world *world = *state;
	struct arc_outcome arc;

	assert_int_equal(verify(world, slice_from(plain)).result, ARC_NONE);
	arc = verify(world, add_sets(world, 3, slice_from(plain)));
	if (arc.result != ARC_PASS)
		fail_msg("%.*s", SLICE_ARGS(arc.reason));
	assert_int_equal(arc.sets, 3);
	assert_int_equal(arc.oldest_pass, 0);
	assert_true(slice_eq(arc.sealer, SLICE("lists.example")));
	assert_int_equal(arc.sealer_count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_true(slice_eq(arc.sealers[i], SLICE("lists.example")));
		assert_true(
		    slice_eq(arc.results[i], SLICE("lists.example; arc=none")));
	}
	assert_true(arc.from_signed);
	assert_false(arc.fields_added);
}

/* 50 sets pass, 51 do not: RFC 8617 section 4.2.1. */
static void test_limit(void **state)
{
	struct world *world = *state;
	struct slice message = add_sets(world, 50, slice_from(plain));
	struct set next = {.instance = 51, .cv = "pass"};
	struct arc_outcome arc = verify(world, message);

	if (arc.result != ARC_PASS)
		fail_msg("%.*s", SLICE_ARGS(arc.reason));
	assert_int_equal(arc.oldest_pass, 0);
	arc = verify(world, add_set(world, &next, message));
	assert_int_equal(arc.result, ARC_FAIL);
}

/* A list that changes the subject breaks the older signature, not the
 * chain. */
static void test_oldest_pass(void **state)
{
	struct world *world = *state;
	struct set next = {.instance = 3, .cv = "pass"};
	struct slice message = add_sets(world, 2, slice_from(plain));
	size_t at = slice_find_slice(message, SLICE("Subject: list"));
	struct arc_outcome arc;

	message = arena_format_slice(world->arena, "%.*sSubject: [a]%.*s",
	    (int)at, message.ptr, SLICE_ARGS(slice_from_pos(message, at + 8)));
	assert_int_equal(verify(world, message).result, ARC_FAIL);
	message = add_set(world, &next, message);
	arc = verify(world, message);
	assert_int_equal(arc.result, ARC_PASS);
	assert_int_equal(arc.oldest_pass, 3);
	next.instance = 4;
	arc = verify(world, add_set(world, &next, message));
	assert_int_equal(arc.result, ARC_PASS);
	assert_int_equal(arc.oldest_pass, 3);
}

/* Only the very first signature is broken. */
static void test_oldest_pass_second(void **state)
{
	struct world *world = *state;
	struct set next = {.instance = 2, .cv = "pass"};
	struct slice message = add_sets(world, 1, slice_from(plain));
	size_t body = message.len - SLICE("Hello.\r\n").len;
	struct arc_outcome arc;

	message = arena_format_slice(
	    world->arena, "%.*sBye.\r\n", (int)body, message.ptr);
	arc = verify(world, add_set(world, &next, message));
	assert_int_equal(arc.result, ARC_PASS);
	assert_int_equal(arc.oldest_pass, 2);
}

static const struct dns_failure down[] = {
    {.name = SLICE_INIT("down._domainkey.lists.example"), .any_type = true},
};

static const struct {
	struct set set; /* on top of one good set, or alone */
	enum arc_result result;
	const char *reason; /* how it starts */
} cases[] = {
    {{2, "pass", NULL, NULL, NULL, NULL}, ARC_PASS, ""},
    {{1, "none", NULL, NULL, NULL, NULL}, ARC_PASS, ""},
    {{2, "none", NULL, NULL, NULL, NULL}, ARC_FAIL, "the seal of instance 2 h"},
    {{1, "pass", NULL, NULL, NULL, NULL}, ARC_FAIL, "the seal of instance 1 h"},
    {{2, "fail", NULL, NULL, NULL, NULL}, ARC_FAIL,
	"the seal of instance 2 says cv=fail"},
    {{1, "fail", NULL, NULL, NULL, NULL}, ARC_FAIL,
	"the seal of instance 1 says cv=fail"},
    {{2, "pass", NULL, "h=From;", NULL, NULL}, ARC_FAIL,
	"ARC-Seal: h= must not"},
    {{2, "pass", NULL, "x=1;", NULL, NULL}, ARC_PASS, ""},
    {{2, "pass", NULL, NULL, "nokey", NULL}, ARC_FAIL,
	"the message signature of instance 2: no key"},
    {{2, "pass", NULL, NULL, "down", NULL}, ARC_TEMPERROR,
	"the seal of instance 2: key unavailable"},
    {{2, "pass", NULL, NULL, NULL, "From:ARC-Seal"}, ARC_FAIL,
	"the message signature of instance 2: message signature covers"},
    {{2, "pass", NULL, NULL, NULL, "Subject"}, ARC_PASS, ""},
    {{2, "pass", "x=1699999999;", NULL, NULL, NULL}, ARC_FAIL,
	"the message signature of instance 2: signature expired"},
    {{2, "pass", "l=0;", NULL, NULL, NULL}, ARC_FAIL,
	"the message signature of instance 2: body hash"},
    {{2, "pass", "l=0;", NULL, NULL, NULL, true}, ARC_FAIL,
	"the message signature of instance 2: l= leaves a part"},
    {{2, "pass", "q=dns;", NULL, NULL, NULL}, ARC_FAIL,
	"the message signature of instance 2: q="},
};

static void test_cases(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice message = add_sets(
		    world, cases[i].set.instance - 1, slice_from(plain));
		struct test_run run = {
		    .zone = world->zone,
		    .message = add_set(world, &cases[i].set, message),
		    .now = 1700000000,
		    .failures = down,
		    .failure_count = 1,
		};

		test_verify(world->arena, &run);
		if (run.arc.result != cases[i].result ||
		    !slice_starts(run.arc.reason, slice_from(cases[i].reason)))
			fail_msg("case %zu: %s (%.*s)", i,
			    arc_result_name(run.arc.result),
			    SLICE_ARGS(run.arc.reason));
		assert_int_equal(run.arc.from_signed,
		    !cases[i].set.names ||
			slice_starts(
			    slice_from(cases[i].set.names), SLICE("From")));
	}
}

/* l= may leave a part unsigned where the administrator accepts it. */
static void test_body_length(void **state)
{
	struct world *world = *state;
	struct set set = {.instance = 1,
	    .cv = "none",
	    .message_tags = "l=0;",
	    .limited = true};
	struct test_run run = {
	    .zone = world->zone,
	    .message = add_set(world, &set, slice_from(plain)),
	    .accept_body_length = true,
	};

	test_verify(world->arena, &run);
	assert_int_equal(run.arc.result, ARC_PASS);
}

/* One seal can never be checked, another perhaps later. */
static void test_good_and_all(void **state)
{
	static const struct {
		const char *first, *second; /* selectors */
		enum arc_result result;
		const char *reason;
	} pairs[] = {
	    {"nokey", "down", ARC_FAIL, "the seal of instance 1: no key"},
	    {"nokey", "sel", ARC_FAIL, "the seal of instance 1: no key"},
	    {"down", "sel", ARC_TEMPERROR, "the seal of instance 1: key un"},
	    {"down", "nokey", ARC_FAIL, "the message signature of instance 2"},
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct set first = {
		    .instance = 1, .cv = "none", .selector = pairs[i].first};
		struct set second = {
		    .instance = 2, .cv = "pass", .selector = pairs[i].second};
		struct test_run run = {
		    .zone = world->zone,
		    .message = add_set(world, &second,
			add_set(world, &first, slice_from(plain))),
		    .failures = down,
		    .failure_count = 1,
		};

		test_verify(world->arena, &run);
		if (run.arc.result != pairs[i].result ||
		    !slice_starts(run.arc.reason, slice_from(pairs[i].reason)))
			fail_msg("pair %zu: %s (%.*s)", i,
			    arc_result_name(run.arc.result),
			    SLICE_ARGS(run.arc.reason));
	}
}

/* While the body is still to come: two names for two signatures and seals. */
static void test_prefetch(void **state)
{
	struct world *world = *state;
	/* Its message signature is of no use: the seal's key is wanted. */
	struct set first = {.instance = 1,
	    .cv = "none",
	    .selector = "one",
	    .message_tags = "q=dns;"};
	struct set second = {.instance = 2, .cv = "pass", .selector = "two"};
	struct test_run run = {
	    .zone = world->zone,
	    .message = add_set(
		world, &second, add_set(world, &first, slice_from(plain))),
	};

	test_verify(world->arena, &run);
	assert_int_equal(run.asked_early, 2);
	assert_int_equal(run.asked, 2);
}

/* From is in h= once: a second one on top is not signed. */
static void test_second_from(void **state)
{
	struct world *world = *state;
	struct slice message = add_sets(world, 1, slice_from(plain));
	struct arc_outcome arc;

	message = arena_format_slice(
	    world->arena, "From: eve@example.net\r\n%.*s", SLICE_ARGS(message));
	arc = verify(world, message);
	assert_int_equal(arc.result, ARC_PASS);
	assert_false(arc.from_signed);
	assert_true(arc.fields_added);
}

/* Any octet of a set that changes breaks the chain; so does a lost field. */
static void test_every_field(void **state)
{
	static const char *const names[] = {
	    "ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results"};
	struct world *world = *state;
	struct slice message = add_sets(world, 2, slice_from(plain));
	struct header_list headers;
	struct err err;

	assert_true(headers_parse(
	    world->arena, message, &limits_default, &headers, &err));
	for (size_t i = 0; i < 6; i++) {
		struct slice raw = headers_find(
		    &headers, slice_from(names[i % 3]), i / 3)
				       ->raw;
		size_t at = (size_t)(raw.ptr - message.ptr);
		char *changed = arena_text(world->arena, message);
		struct arc_outcome arc;

		/* The domain, in all of them. */
		size_t domain = slice_find_slice(raw, SLICE("lists.example"));
		changed[at + domain] = 'k';
		arc = verify(world, slice_of(changed, message.len));
		assert_int_equal(arc.result, ARC_FAIL);
		arc = verify(world,
		    arena_format_slice(world->arena, "%.*s%.*s", (int)at,
			message.ptr,
			SLICE_ARGS(slice_from_pos(message, at + raw.len))));
		assert_int_equal(arc.result, ARC_FAIL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pass),
	    cmocka_unit_test(test_limit),
	    cmocka_unit_test(test_oldest_pass),
	    cmocka_unit_test(test_oldest_pass_second),
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_body_length),
	    cmocka_unit_test(test_good_and_all),
	    cmocka_unit_test(test_prefetch),
	    cmocka_unit_test(test_second_from),
	    cmocka_unit_test(test_every_field),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
