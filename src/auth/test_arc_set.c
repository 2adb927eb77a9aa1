/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/arc_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"

#define RESULTS(i)                                                             \
	"ARC-Authentication-Results: i=" i "; a.example; spf=none\r\n"
#define MORE(i)                                                                \
	"a=rsa-sha256; d=s" i ".example; s=sel; h=From; b=AAAA; "              \
	"bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY="
#define MESSAGE(i) "ARC-Message-Signature: i=" i "; " MORE(i) "\r\n"
#define SEAL(i, cv)                                                            \
	"ARC-Seal: i=" i "; a=rsa-sha256; d=s" i                               \
	".example; s=sel; b=AAAA; cv=" cv "\r\n"
#define FIRST SEAL("1", "none") MESSAGE("1") RESULTS("1")
#define SECOND SEAL("2", "pass") MESSAGE("2") RESULTS("2")

static const struct {
	const char *header;
	size_t count;
	enum err_kind kind; /* E_NONE: good */
	const char *problem;
} cases[] = {
    {"From: joe@example.com\r\n", 0, E_NONE, ""},
    {FIRST, 1, E_NONE, ""},
    {SECOND FIRST, 2, E_NONE, ""},
    /* in any order */
    {FIRST SECOND, 2, E_NONE, ""},
    {RESULTS("1") SEAL("1", "none") MESSAGE("1"), 1, E_NONE, ""},
    {"arc-SEAL:i=1;a=rsa-sha256;d=a.example;s=s;b=AAAA;cv=none\r\n" MESSAGE("1")
	    RESULTS("1"),
	1, E_NONE, ""},
    /* a field too few, a field too many */
    {RESULTS("1"), 1, E_SYNTAX, "instance 1 is incomplete"},
    {MESSAGE("1"), 1, E_SYNTAX, "instance 1 is incomplete"},
    {SEAL("1", "none"), 1, E_SYNTAX, "instance 1 is incomplete"},
    {MESSAGE("1") RESULTS("1"), 1, E_SYNTAX, "instance 1 is incomplete"},
    {SEAL("1", "none") RESULTS("1"), 1, E_SYNTAX, "instance 1 is incomplete"},
    {SEAL("1", "none") MESSAGE("1"), 1, E_SYNTAX, "instance 1 is incomplete"},
    {SEAL("2", "pass") MESSAGE("2") FIRST, 2, E_SYNTAX,
	"instance 2 is incomplete"},
    {RESULTS("1") FIRST, 1, E_SYNTAX,
	"ARC-Authentication-Results: instance 1 occurs twice"},
    {MESSAGE("1") FIRST, 1, E_SYNTAX,
	"ARC-Message-Signature: instance 1 occurs twice"},
    {SEAL("1", "none") FIRST, 1, E_SYNTAX, "ARC-Seal: instance 1 occurs twice"},
    /* a gap */
    {SECOND, 0, E_SYNTAX,
	"ARC-Authentication-Results: instance 2 leaves a gap"},
    {RESULTS("1") MESSAGE("2") SEAL("2", "pass"), 0, E_SYNTAX,
	"ARC-Seal: instance 2 leaves a gap"},
    {RESULTS("1") SEAL("1", "pass") MESSAGE("2"), 0, E_SYNTAX,
	"ARC-Message-Signature: instance 2 leaves a gap"},
    /* instances of the results */
    {RESULTS("0"), 0, E_SYNTAX, "ARC-Authentication-Results: no instance"},
    {RESULTS("001"), 0, E_SYNTAX, "ARC-Authentication-Results: no instance"},
    {RESULTS("one"), 0, E_SYNTAX, "ARC-Authentication-Results: no instance"},
    {RESULTS(" 1\t"), 1, E_SYNTAX, "instance 1 is incomplete"},
    {RESULTS("1 (by a.example)"), 1, E_SYNTAX, "instance 1 is incomplete"},
    {RESULTS("(a) 1 (b; (c))\r\n "), 1, E_SYNTAX, "instance 1 is incomplete"},
    {"ARC-Authentication-Results: (a) i (b) = (c) 1 (d); a.example\r\n", 1,
	E_SYNTAX, "instance 1 is incomplete"},
    {RESULTS("1 (a"), 0, E_SYNTAX, "ARC-Authentication-Results: no instance"},
    {RESULTS("1 a"), 0, E_SYNTAX, "ARC-Authentication-Results: no instance"},
    {RESULTS("1(a)2"), 0, E_SYNTAX, "ARC-Authentication-Results: no instance"},
    {RESULTS("(1)"), 0, E_SYNTAX, "ARC-Authentication-Results: no instance"},
    {"ARC-Authentication-Results: i=1\r\n", 0, E_SYNTAX,
	"ARC-Authentication-Results: no instance"},
    {"ARC-Authentication-Results: j=1; a.example\r\n", 0, E_SYNTAX,
	"ARC-Authentication-Results: no instance"},
    {"ARC-Authentication-Results: i; a.example; spf=1\r\n", 0, E_SYNTAX,
	"ARC-Authentication-Results: no instance"},
    {"ARC-Authentication-Results: i 1; a.example; spf=none\r\n", 0, E_SYNTAX,
	"ARC-Authentication-Results: no instance"},
    /* instances and syntax of the others */
    {"ARC-Message-Signature: " MORE("1") "\r\n", 0, E_SYNTAX,
	"ARC-Message-Signature: i= is missing"},
    {"ARC-Message-Signature: i=0; " MORE("1") "\r\n", 0, E_SYNTAX,
	"ARC-Message-Signature: i= is not"},
    {"ARC-Seal: cv=none\r\n", 0, E_SYNTAX, "ARC-Seal: i= is missing"},
    {"ARC-Seal: i=1; cv=none\r\n", 0, E_SYNTAX, "ARC-Seal: d= is missing"},
    /* cv= */
    {SEAL("1", "pass") MESSAGE("1") RESULTS("1"), 1, E_SYNTAX,
	"the seal of instance 1 has the wrong cv="},
    {SEAL("2", "none") MESSAGE("2") RESULTS("2") FIRST, 2, E_SYNTAX,
	"the seal of instance 2 has the wrong cv="},
    {SEAL("2", "fail") MESSAGE("2") RESULTS("2") FIRST, 2, E_SYNTAX,
	"the seal of instance 2 says cv=fail"},
    /* more than two sets: see below */
    {SEAL("3", "pass") MESSAGE("3") RESULTS("3") SECOND FIRST, 0, E_LIMIT,
	"more than 2 ARC sets"},
};

static void test_table(void **state)
{
	struct arena *arena = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct header_list headers;
		struct arc_sets sets;
		struct err err = {0};
		bool good;

		assert_true(headers_parse(arena, slice_from(cases[i].header),
		    &limits_default, &headers, &err));
		good = arc_sets_collect(arena, &headers, 2, &sets, &err);
		if (good != (cases[i].kind == E_NONE) ||
		    err.kind != cases[i].kind || sets.count != cases[i].count ||
		    !slice_starts(
			slice_from(err.text), slice_from(cases[i].problem)))
			fail_msg("%s: %zu sets, %s (%s)", cases[i].header,
			    sets.count, err_kind_name(err.kind), err.text);
	}
	arena_free(arena);
}

/* Each set holds its own three fields. */
static void test_sets(void **state)
{
	struct arena *arena = arena_new(0);
	struct header_list headers;
	struct arc_sets sets;
	struct err err;

	(void)state;
	assert_true(headers_parse(
	    arena, SLICE(SECOND FIRST), &limits_default, &headers, &err));
	assert_true(arc_sets_collect(arena, &headers, 2, &sets, &err));
	for (size_t i = 0; i < 2; i++) {
		const struct arc_set *set = &sets.sets[i];
		struct slice domain = i ? SLICE("s2.example")
					: SLICE("s1.example");

		assert_ptr_equal(set->seal_field, &headers.fields[3 - 3 * i]);
		assert_ptr_equal(
		    set->message_field, &headers.fields[4 - 3 * i]);
		assert_ptr_equal(set->results, &headers.fields[5 - 3 * i]);
		assert_true(
		    slice_eq(set->results_value, SLICE("a.example; spf=none")));
		assert_true(slice_eq(set->seal.domain, domain));
		assert_true(slice_eq(set->message.domain, domain));
		assert_true(slice_empty(set->message_problem));
	}
	arena_free(arena);
}

/* A message signature that cannot be judged is no fault of the structure: it
 * may be an older one. */
static void test_message_problem(void **state)
{
	struct arena *arena = arena_new(0);
	struct header_list headers;
	struct arc_sets sets;
	struct err err;

	(void)state;
	assert_true(headers_parse(arena,
	    SLICE(SEAL("1", "none") "ARC-Message-Signature: i=1; q=dns; " MORE(
		"1") "\r\n" RESULTS("1")),
	    &limits_default, &headers, &err));
	assert_true(arc_sets_collect(arena, &headers, 2, &sets, &err));
	assert_true(slice_starts(sets.sets[0].message_problem, SLICE("q=")));
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_sets),
	    cmocka_unit_test(test_message_problem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
