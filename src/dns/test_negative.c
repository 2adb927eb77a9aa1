/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/negative.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* A header with so many answers and records of authority; a question for
 * TXT of "a.b". */
#define MESSAGE(answers, authority)                                            \
	"\0\0\x81\x80\0\1\0" answers "\0" authority "\0\0"                     \
	"\1a\1b\0\0\x10\0\1"
#define POINTER "\xc0\x0e" /* "b" */
#define TTL "\0\0\0\x3c"
#define SOA                                                                    \
	POINTER "\0\6\0\1" TTL "\0\x16\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1"    \
		"\0\0\0\1"
#define NS POINTER "\0\2\0\1" TTL "\0\5\2ns\xc0\x0e"
#define CNAME "\xc0\x0c\0\5\0\1" TTL "\0\4\1c\xc0\x0e"
#define NSEC POINTER "\0\x2f\0\1" TTL "\0\1\0"

static void test_kinds(void **state)
{
	static const struct {
		const char *name;
		struct slice message;
		enum negative want;
	} rows[] = {
	    {"SOA", SLICE_INIT(MESSAGE("\0", "\1") SOA), NEGATIVE_SOA},
	    {"NS, SOA", SLICE_INIT(MESSAGE("\0", "\2") NS SOA), NEGATIVE_SOA},
	    {"SOA, NS", SLICE_INIT(MESSAGE("\0", "\2") SOA NS), NEGATIVE_SOA},
	    {"NSEC, SOA", SLICE_INIT(MESSAGE("\0", "\2") NSEC SOA),
		NEGATIVE_SOA},
	    {"alias, SOA", SLICE_INIT(MESSAGE("\1", "\1") CNAME SOA),
		NEGATIVE_SOA},
	    {"nothing", SLICE_INIT(MESSAGE("\0", "\0")), NEGATIVE_BARE},
	    {"alias", SLICE_INIT(MESSAGE("\1", "\0") CNAME), NEGATIVE_BARE},
	    {"NSEC", SLICE_INIT(MESSAGE("\0", "\1") NSEC), NEGATIVE_BARE},
	    {"SOA as answer", SLICE_INIT(MESSAGE("\1", "\0") SOA),
		NEGATIVE_BARE},
	    {"NS as answer", SLICE_INIT(MESSAGE("\1", "\0") NS), NEGATIVE_BARE},
	    {"NS", SLICE_INIT(MESSAGE("\0", "\1") NS), NEGATIVE_REFERRAL},
	    {"NS, NS", SLICE_INIT(MESSAGE("\0", "\2") NS NS),
		NEGATIVE_REFERRAL},
	    {"NSEC, NS", SLICE_INIT(MESSAGE("\0", "\2") NSEC NS),
		NEGATIVE_REFERRAL},
	    {"alias, NS", SLICE_INIT(MESSAGE("\1", "\1") CNAME NS),
		NEGATIVE_REFERRAL},
	    {"fewer records than it says", SLICE_INIT(MESSAGE("\0", "\2") NS),
		NEGATIVE_BARE},
	    {"empty", SLICE_INIT(""), NEGATIVE_BARE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (negative_read(rows[i].message) != rows[i].want)
			fail_msg("%s", rows[i].name);
}

/* Cut anywhere, in memory of just that size: nothing is read behind it. */
static void test_cut(void **state)
{
	static const char whole[] = MESSAGE("\1", "\2") CNAME NS SOA;

	(void)state;
	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		char *part = test_malloc(len ? len : 1);

		memcpy(part, whole, len);
		assert_int_equal(
		    negative_read(slice_of(part, len)), NEGATIVE_BARE);
		test_free(part);
	}
	assert_int_equal(
	    negative_read(slice_of(whole, sizeof(whole) - 1)), NEGATIVE_SOA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_kinds),
	    cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
