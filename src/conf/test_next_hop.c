/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/next_hop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Targets as "HOST PORT mx|-", separated by "; ". */
static const struct {
	const char *text;
	enum conf_next_hop_kind kind;
	const char *want; /* NULL: refused */
} cases[] = {
    {"mx", NEXT_HOP_MX, ""},
    {"MX", NEXT_HOP_MX, NULL},
    {"smtp:mail.example", NEXT_HOP_SMTP, "mail.example 25 mx"},
    {"smtp:Mail.Example:2525", NEXT_HOP_SMTP, "mail.example 2525 -"},
    {"smtp:[mail.example]", NEXT_HOP_SMTP, "mail.example 25 -"},
    {"smtp:[mail.example]:26", NEXT_HOP_SMTP, "mail.example 26 -"},
    {"smtp:192.0.2.1", NEXT_HOP_SMTP, "192.0.2.1 25 -"},
    {"smtp:[2001:db8::1]:25", NEXT_HOP_SMTP, "2001:db8::1 25 -"},
    {"smtp:2001:db8::1", NEXT_HOP_SMTP, NULL},
    {"smtp:a.example, b.example:26", NEXT_HOP_SMTP,
	"a.example 25 mx; b.example 26 -"},
    {"smtp:[a.example]:25 smtp:[b.example]:25", NEXT_HOP_SMTP,
	"a.example 25 -; b.example 25 -"},
    {"smtp:a.example,lmtp:b.example:24", NEXT_HOP_SMTP, NULL},
    {"smtp:", NEXT_HOP_SMTP, NULL},
    {"smtp: ,", NEXT_HOP_SMTP, NULL},
    {"smtp:[a.example", NEXT_HOP_SMTP, NULL},
    {"smtp:[a.example]25", NEXT_HOP_SMTP, NULL},
    {"smtp:[a.example]:", NEXT_HOP_SMTP, NULL},
    {"smtp:a.example:", NEXT_HOP_SMTP, NULL},
    {"smtp:a.example:0", NEXT_HOP_SMTP, NULL},
    {"smtp:a.example:65536", NEXT_HOP_SMTP, NULL},
    {"smtp:[]:25", NEXT_HOP_SMTP, NULL},
    {"smtp:unix:/x", NEXT_HOP_SMTP, NULL},
    {"smtp://a.example", NEXT_HOP_SMTP, NULL},
    {"lmtp:mail_store:24", NEXT_HOP_LMTP, "mail_store 24 -"},
    {"lmtp:unix:/run/lmtp", NEXT_HOP_LMTP, "unix:/run/lmtp 0 -"},
    {"lmtp:unix:run/lmtp", NEXT_HOP_LMTP, NULL},
    {"lmtp:unix:", NEXT_HOP_LMTP, NULL},
    {"lmtp:a.example", NEXT_HOP_LMTP, NULL},
    {"lmtp:a.example:25", NEXT_HOP_LMTP, NULL},
    {"a.example", NEXT_HOP_SMTP, NULL},
    {"", NEXT_HOP_SMTP, NULL},
};

static const char *describe(struct arena *arena, const struct conf_route *route)
{
	const char *text = "";

	for (size_t i = 0; i < route->target_count; i++) {
		const struct conf_target *target = &route->targets[i];

		text = arena_format(arena, "%s%s%.*s %u %s", text,
		    i ? "; " : "", SLICE_ARGS(target->host), target->port,
		    target->lookup_mx ? "mx" : "-");
	}
	return text;
}

static void test_cases(void **state)
{
	struct arena *arena = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf_route route = {.kind = NEXT_HOP_MAILDIR};
		struct err err = {0};
		bool ok = next_hop_parse(arena, SLICE("/f"),
		    slice_from(cases[i].text), &route, &err);

		if (ok != (cases[i].want != NULL))
			fail_msg("\"%s\": %d %s", cases[i].text, ok, err.text);
		if (!ok) {
			assert_int_equal(route.kind, NEXT_HOP_MAILDIR);
			assert_true(err.kind == E_SYNTAX);
			continue;
		}
		assert_int_equal(route.kind, cases[i].kind);
		assert_string_equal(describe(arena, &route), cases[i].want);
		assert_string_equal(route.text.ptr, cases[i].text);
	}
	arena_free(arena);
}

static const struct {
	const char *text, *path; /* NULL: refused */
} maildirs[] = {
    {"maildir:/var/mail/%d/%l", "/var/mail/%d/%l"},
    {"maildir:mail/%l", "/f/mail/%l"},
    {"maildir:", NULL},
    {"maildir:/a/%u", NULL},
    {"maildir:/a/%", NULL},
    {"maildir:/a/\n", NULL},
};

static void test_maildir(void **state)
{
	struct arena *arena = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(maildirs) / sizeof(maildirs[0]); i++) {
		struct conf_route route = {0};
		bool ok = next_hop_parse(arena, SLICE("/f"),
		    slice_from(maildirs[i].text), &route, NULL);

		assert_int_equal(ok, maildirs[i].path != NULL);
		if (ok)
			assert_string_equal(
			    route.maildir.ptr, maildirs[i].path);
	}
	arena_free(arena);
}

static void test_too_many(void **state)
{
	struct arena *arena = arena_new(0);
	struct conf_route route = {0};
	const char *text = "smtp:";
	struct err err;

	(void)state;
	for (int i = 0; i < NEXT_HOP_TARGETS_MAX; i++)
		text = arena_format(arena, "%sh%d.example,", text, i);
	assert_true(
	    next_hop_parse(arena, SLICE("/"), slice_from(text), &route, &err));
	assert_int_equal(route.target_count, NEXT_HOP_TARGETS_MAX);
	text = arena_format(arena, "%sone.more.example", text);
	assert_false(
	    next_hop_parse(arena, SLICE("/"), slice_from(text), &route, &err));
	assert_int_equal(err.kind, E_LIMIT);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_maildir),
	    cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
