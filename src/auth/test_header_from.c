/* SPDX-License-Identifier: Apache-2.0 */
/* From: as it is written, and what is wrong with it. */
#include "auth/header_from.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

/* clang-format off */
#define BIT(fault) (UINT64_C(1) << (fault))

static const struct from_case {
	const char *header;
	const char *domains;	/* separated by commas */
	bool complete;
	uint64_t faults;
} cases[] = {
    {"From: a@b.example\r\n", "b.example", true, 0},
    {"FROM : \"A, B\" <a@B.Example>\r\n", "b.example", true, 0},
    {"From: A\r\n <a@b\r\n .example>\r\n", "b.example", true, 0},
    {"From: (c) a (d) @ b.example (e)\r\n", "b.example", true, 0},
    {"From: \"victim@c.example\" <a@b.example>\r\n", "b.example", true, 0},
    {"From: =?utf-8?q?a=40c.example?= <a@b.example>\r\n", "b.example", true, 0},
    {"From: <@c.example:a@b.example>\r\n", "b.example", false, BIT(FAULT_FROM_UNPARSEABLE)},
    {"From: \"a@c.example\"@b.example\r\n", "b.example", false, BIT(FAULT_FROM_UNPARSEABLE)},
    {"From: info@b.example <info@b.example>\r\n", "b.example", true, 0},
    {"From: =?utf-8?q?info@b.example,_B?= <info@b.example>\r\n", "b.example", true, 0},
    {"From: a..b.@b.example\r\n", "b.example", true, 0},
    {"From: a@b.example\r\nFrom\x01: a@c.example\r\n", "b.example", false, BIT(FAULT_FROM_UNPARSEABLE)},
    {"From: a@b.example\r\nFrom\r\n : a@c.example\r\n", "b.example,c.example", true, BIT(FAULT_FROM_REPEATED)},
    {"From: a@b\xc3\xbc" "cher.example\r\n", "xn--bcher-kva.example", true, 0},
    {"From: friends:a@b.example;\r\n", "b.example", true, 0},
    {"From:\tA\r\n\t<a@b.example>\r\n", "b.example", true, 0},
    {"From: a=?=b@b.example\r\n", "b.example", true, 0},
    {"From: a=?" "?=b@b.example\r\n", "b.example", false, BIT(FAULT_FROM_UNPARSEABLE)},
    {"From\x01: a@c.example\r\nFrom: a@b.example\r\n", "b.example", false, BIT(FAULT_FROM_UNPARSEABLE)},
    /* none, several fields, several addresses */
    {"To: a@b.example\r\n", "", false, BIT(FAULT_FROM_MISSING)},
    {"From: a@b.example\r\nfrom: a@c.example\r\n", "b.example,c.example", true, BIT(FAULT_FROM_REPEATED)},
    {"From: a@b.example\r\nFrom: a@c.example\r\nFrom: a@d.example\r\n", "b.example,c.example,d.example", true, BIT(FAULT_FROM_REPEATED)},
    {"From: a@b.example\r\nFrom: a@b.example\r\nFrom: a@b.example\r\nFrom: a@e.example\r\n", "b.example", false, BIT(FAULT_FROM_REPEATED)},
    {"From: a@b.example, c@D.example\r\n", "b.example,d.example", true, BIT(FAULT_FROM_SEVERAL_ADDRESSES)},
    {"From: a@b.example, c@b.example\r\n", "b.example", true, BIT(FAULT_FROM_SEVERAL_ADDRESSES)},
    {"From: a@1.example,a@2.example,a@3.example,a@4.example\r\n", "1.example,2.example,3.example", false,
	BIT(FAULT_FROM_SEVERAL_ADDRESSES) | BIT(FAULT_FROM_UNPARSEABLE)},
    /* no address, or one whose domain is none */
    {"From:\r\n", "", false, BIT(FAULT_FROM_UNPARSEABLE)},
    {"From: undisclosed:;\r\n", "", false, BIT(FAULT_FROM_UNPARSEABLE)},
    {"From: somebody\r\n", "", false, BIT(FAULT_FROM_UNPARSEABLE)},
    {"From: a@\r\n", "", false, BIT(FAULT_FROM_UNPARSEABLE)},
    {"From: <>\r\n", "", false, BIT(FAULT_FROM_UNPARSEABLE)},
    {"From: a@[192.0.2.1]\r\n", "", false, BIT(FAULT_FROM_UNPARSEABLE)},
    {"From: a@b@c.example\r\n", "", false, BIT(FAULT_FROM_UNPARSEABLE)},
    {"From: a@b.example c@d.example\r\n", "", false, BIT(FAULT_FROM_UNPARSEABLE)},
    {"From: a@b.example <c@d.example>\r\n", "", false, BIT(FAULT_FROM_UNPARSEABLE)},
    {"From: a@b.example <a@d.example>\r\n", "", false, BIT(FAULT_FROM_UNPARSEABLE)},
    {"From: a@b.example <a@B.example>\r\n", "b.example", true, 0},
    {"From: a@b.example <@c.example:a@b.example>\r\n", "b.example", false, BIT(FAULT_FROM_UNPARSEABLE)},
    {"From: <a@b.example> <c@d.example>\r\n", "", false, BIT(FAULT_FROM_UNPARSEABLE)},
    {"From: a@b.example, c@[192.0.2.1]\r\n", "b.example", false,
	BIT(FAULT_FROM_SEVERAL_ADDRESSES) | BIT(FAULT_FROM_UNPARSEABLE)},
    /* encoded words where none may be */
    {"From: =?utf-8?q?=3Ca=40b.example=3E?=\r\n", "", false, BIT(FAULT_FROM_UNPARSEABLE)},
    {"From: a@=?utf-8?q?b.example?=\r\n", "", false, BIT(FAULT_FROM_UNPARSEABLE)},
    {"From: =?utf-8?q?a=40c.example?=@b.example\r\n", "b.example", false, BIT(FAULT_FROM_UNPARSEABLE)},
    /* octets */
    {"From:\x01" "a@b.example\r\n", "", false, BIT(FAULT_HEADER_CONTROL_BYTES)},
    {"From: \x01" "a@b.example\r\n", "", false, BIT(FAULT_HEADER_CONTROL_BYTES)},
    {"From: a@b.example\x01\r\n", "", false, BIT(FAULT_HEADER_CONTROL_BYTES)},
    {"From: a\x7f@b.example\r\n", "", false, BIT(FAULT_HEADER_CONTROL_BYTES)},
    {"From: x\ry <a@b.example>\r\n", "", false, BIT(FAULT_HEADER_CONTROL_BYTES)},
    {"From: M\xfcller <a@b.example>\r\n", "b.example", true, BIT(FAULT_HEADER_8BIT)},
    {"From: a@b\xfc.example\r\n", "", false, BIT(FAULT_HEADER_8BIT) | BIT(FAULT_FROM_UNPARSEABLE)},
};
/* clang-format on */

static struct header_from read_from(struct arena *arena, struct slice header)
{
	struct limits limits = limits_default;
	struct header_list list;

	limits.from_addresses = 3;
	assert_true(headers_parse(arena, header, &limits, &list, NULL));
	return header_from_read(arena, &list, &limits);
}

static struct slice joined(struct arena *arena, const struct header_from *from)
{
	struct buf *text = buf_in_arena(arena, 1000);

	for (size_t i = 0; i < from->domain_count; i++) {
		if (i)
			buf_add_byte(text, ',');
		buf_add(text, from->domains[i]);
	}
	return buf_slice(text);
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct from_case *test = &cases[i];
		struct arena *arena = arena_new(0);
		struct header_from from = read_from(
		    arena, slice_from(test->header));
		struct slice domains = joined(arena, &from);

		if (!slice_eq(domains, slice_from(test->domains)) ||
		    from.complete != test->complete ||
		    from.faults.bits != test->faults)
			fail_msg("%s: %.*s complete=%d faults=%llx %.*s",
			    test->header, SLICE_ARGS(domains), from.complete,
			    (unsigned long long)from.faults.bits,
			    SLICE_ARGS(from.problem));
		assert_int_equal(from.problem.len > 0, test->faults != 0);
		arena_free(arena);
	}
}

static void test_nul(void **state)
{
	struct arena *arena = arena_new(0);
	struct header_from from = read_from(
	    arena, SLICE("From: a@b.example\0.c.example\r\n\r\n"));

	(void)state;
	assert_int_equal(from.domain_count, 0);
	assert_false(from.complete);
	assert_true(faults_has(from.faults, FAULT_NUL_IN_HEADER));
	arena_free(arena);
}

/* In words, each fault once. */
static void test_problems(void **state)
{
	static const struct {
		const char *header, *problem;
	} problems[] = {
	    {"From: a@b.example\r\n", ""},
	    {"From: somebody\r\nFrom: a@b.example\r\n",
		"there is more than one From:; "
		"From: an address has no domain"},
	    {"From: a@1.example,a@2.example,a@3.example,a@4.example,"
	     "a@5.example\r\n",
		"From: has too many addresses (limits.from_addresses); "
		"From: has more than one address"},
	};
	struct arena *arena = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(problems) / sizeof(*problems); i++)
		assert_string_equal(
		    arena_text(
			arena, read_from(arena, slice_from(problems[i].header))
				   .problem),
		    problems[i].problem);
	arena_free(arena);
}

static void test_addresses(void **state)
{
	struct arena *arena = arena_new(0);
	struct header_from from = read_from(
	    arena, SLICE("From: A <\"a b\"@B.example>, c@d.example\r\n"));

	(void)state;
	assert_int_equal(from.address_count, 2);
	assert_true(slice_eq(from.addresses[0], SLICE("\"a b\"@B.example")));
	assert_true(slice_eq(from.addresses[1], SLICE("c@d.example")));
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_nul),
	    cmocka_unit_test(test_problems),
	    cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
