/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/domain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LABEL63                                                                \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *text;
	unsigned int forms;
	const char *want; /* NULL: refused */
} cases[] = {
    {"agency.example", 0, "agency.example"},
    {"Agency.EXAMPLE.", 0, "agency.example"},
    {"localhost", 0, "localhost"},
    {"localhost", DOMAIN_QUALIFIED, NULL},
    {"a-b.example", 0, "a-b.example"},
    {"-a.example", 0, NULL},
    {"a-.example", 0, NULL},
    {"a..example", 0, NULL},
    {".example", 0, NULL},
    {"a.example..", 0, NULL},
    {".", 0, NULL},
    {"", 0, NULL},
    {"a b.example", 0, NULL},
    {"a/b.example", 0, NULL},
    {"192.0.2.1", 0, NULL},
    {"2001:db8::1", 0, NULL},
    {"_dmarc.example", 0, NULL},
    {"_dmarc.example", DOMAIN_UNDERSCORE, "_dmarc.example"},
    {"B\xc3\xbc"
     "cher.example",
	0, "xn--bcher-kva.example"},
    {"stra\xc3\x9f"
     "e.example",
	0, "xn--strae-oqa.example"},
    {"_b\xc3\xbc"
     "cher.example",
	0, NULL},
    {"\xff.example", 0, NULL},
    {"xn--bcher-kva.example", 0, "xn--bcher-kva.example"},
    {"xn--\x7f.example", 0, NULL},
    {"xn--a.example", 0, NULL},
    {"xn--agency-.example", 0, NULL},
    {"xn--agency-eja.example", 0, NULL},
    {LABEL63 ".example", 0, LABEL63 ".example"},
    {LABEL63 "a.example", 0, NULL},
    {LABEL63 "." LABEL63 "." LABEL63 "." LABEL63, 0, NULL},
    {"*", 0, NULL},
    {"*", DOMAIN_ANY, "*"},
    {"*.x.example", 0, NULL},
    {"*.X.example", DOMAIN_WILDCARD, "*.x.example"},
    {"*.*.example", DOMAIN_WILDCARD, NULL},
    {"*.", DOMAIN_WILDCARD, NULL},
    {".x.example", DOMAIN_BELOW, ".x.example"},
    {"..x.example", DOMAIN_BELOW, NULL},
    {"*.x.example", DOMAIN_BELOW | DOMAIN_ANY, NULL},
};

static void test_cases(void **state)
{
	struct arena *arena = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice name = SLICE("untouched");
		struct err err = {0};
		bool ok = domain_normalize(arena, slice_from(cases[i].text),
		    cases[i].forms, &name, &err);

		if (ok != (cases[i].want != NULL))
			fail_msg("\"%s\": %.*s %s", cases[i].text,
			    SLICE_ARGS(name), err.text);
		if (ok)
			assert_string_equal(name.ptr, cases[i].want);
		else
			assert_string_equal(name.ptr, "untouched");
	}
	assert_false(domain_normalize(
	    arena, SLICE("a\0.example"), 0, &(struct slice){NULL, 0}, NULL));
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
