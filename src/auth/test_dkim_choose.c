/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dkim_choose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"

/* Signatures that are told apart by their selector; two of them are taken. */
#define S(selector, domain) "DKIM-Signature: s=" selector "; d=" domain "\r\n"
#define FROM "From: x@news.bank.example\r\n"

static const struct {
	const char *header, *chosen; /* the values of s= */
	size_t left_out;
} cases[] = {
    {FROM, "", 0},
    {S("1", "bank.example"), "1", 0},
    {S("1", "a.example") S("2", "news.bank.example") FROM, "12", 0},
    /* the same domain before all others, wherever it stands */
    {S("1", "a.example") S("2", "b.example") S("3", "News.Bank.example") FROM,
	"13", 1},
    {FROM S("1", "a.example") S("2", "b.example") S("3", "news.bank.example"),
	"13", 1},
    {S("1", "bank.example") S("2", "a.news.bank.example")
	    S("3", "news.bank.example") S("4", "news.bank.example") FROM,
	"34", 2},
    {S("1", "a.example") S("2", "bank.example") S("3", "b.example")
	    S("4", "news.bank.example") FROM,
	"24", 2},
    /* above, below, beside, elsewhere */
    {S("1", "a.example") S("2", "b.example") S("3", "bank.example") FROM, "13",
	1},
    {S("1", "a.example") S("2", "b.example") S("3", "x.news.bank.example") FROM,
	"13", 1},
    {S("1", "a.example") S("2", "b.example") S("3", "mail.bank.example") FROM,
	"13", 1},
    {S("1", "mail.bank.example") S("2", "bank.example")
	    S("3", "x.news.bank.example") FROM,
	"23", 1},
    {S("1", "a.example") S("2", "b.example") S("3", "notbank.example") FROM,
	"12", 1},
    {S("1", "a.example") S("2", "b.example")
	    S("3", "c.example") "From: x@bank.example\r\n",
	"12", 1},
    /* each of several authors */
    {S("1", "a.example") S("2", "b.example") S("3", "c.example")
	    S("4", "bank.example") "From: x@bank.example, y@c.example\r\n",
	"34", 2},
    /* what cannot be read stands behind */
    {"DKIM-Signature: s=1; nonsense\r\n" S("2", "a..example")
	    S("3", "bank.example") FROM,
	"13", 1},
    {S("1", "a.example") "DKIM-Signature: s=2\r\n" S("3", "bank.example") FROM,
	"13", 1},
    {S("1", "a.example") S("2", "b.example")
	    S("3", "c.example") "From: nobody\r\n",
	"12", 1},
    /* internationalized names, as RFC 8616 has them */
    {S("1", "a.example") S("2", "b.example")
	    S("3", "b\xc3\xbc"
		   "cher.example") "From: x@xn--bcher-kva.example\r\n",
	"13", 1},
};

static void add_selector(struct buf *text, const struct header_field *field)
{
	size_t at = slice_find_slice(field->value, SLICE("s="));

	buf_add(text, slice_sub(field->value, at + 2, 1));
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena *arena = arena_new(0);
		struct buf *chosen = buf_in_arena(arena, 100);
		struct limits limits = limits_default;
		struct header_list headers;
		struct dkim_choice choice;

		limits.dkim_signatures = 2;
		assert_true(headers_parse(arena, slice_from(cases[i].header),
		    &limits, &headers, NULL));
		choice = dkim_choose(arena, &headers, &limits);
		for (size_t k = 0; k < choice.count; k++)
			add_selector(chosen, choice.fields[k]);
		if (!slice_eq(buf_slice(chosen), slice_from(cases[i].chosen)) ||
		    choice.left_out != cases[i].left_out)
			fail_msg("%s%.*s, without %zu", cases[i].header,
			    SLICE_ARGS(buf_slice(chosen)), choice.left_out);
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
