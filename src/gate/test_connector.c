/* SPDX-License-Identifier: Apache-2.0 */
/* Which connector a client comes by, and which will soon be none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "gate/gate_private.h"
#include "gate/test_stage.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* clang-format off */
static const char connectors[] =
    "connectors:\n"
    "  - {name: Nobody, listeners: [mx, relay], treat_as: external}\n"
    "  - {name: Old, networks: [192.0.2.0/28], owner: o, reason: r,\n"
    "     may_send_as: [agency.example], expires: 2027-01-31}\n"
    "  - {name: Older, networks: [192.0.2.0/28], owner: o, reason: r,\n"
    "     may_send_as: [agency.example], expires: 2027-01-10}\n"
    "  - {name: Both, networks: [192.0.2.16/28, 192.0.2.64/28],\n"
    "     tls_names: [a.example, '*.b.example'], listeners: [mx],\n"
    "     treat_as: internal}\n"
    "  - {name: Name, tls_names: [A.example], listeners: [relay, mx],\n"
    "     may_send_as: [agency.example, b.example], owner: o, reason: r,\n"
    "     expires: 2027-03-01}\n"
    "  - {name: Wide, networks: [192.0.2.0/24], treat_as: internal,\n"
    "     require_tls: true}\n"
    "  - {name: Last, networks: [192.0.2.16/28], treat_as: external}\n";
/* clang-format on */

static const struct {
	struct stage_input input;
	const char *connector, *expired;
	bool internal;
} cases[] = {
    {{.ip = "198.51.100.1"}, "", "", false},
    {{.ip = "198.51.100.1", .user = "ceo"}, "", "", true},
    {{.ip = "192.0.2.1"}, "Old", "", false},
    {{.ip = "192.0.2.1", .now = "2027-02-01T00:00:00Z"}, "", "Old", false},
    {{.ip = "192.0.2.1", .now = "2027-01-05T00:00:00Z"}, "Old", "", false},
    {{.ip = "192.0.2.1",
	 .now = "2027-02-01T00:00:00Z",
	 .tls_name = "z.example"},
	"Wide", "Old", true},
    {{.ip = "192.0.2.17", .tls_name = "a.example"}, "Both", "", true},
    {{.ip = "192.0.2.65", .tls_name = "x.B.example"}, "Both", "", true},
    {{.ip = "192.0.2.17", .tls_name = "b.example"}, "Wide", "", true},
    {{.ip = "192.0.2.17", .tls_name = "x.y.b.example"}, "Wide", "", true},
    {{.ip = "192.0.2.17", .tls_name = ".b.example"}, "Wide", "", true},
    {{.ip = "192.0.2.17", .tls_name = "a.example", .listener = "relay"}, "Name",
	"", false},
    {{.ip = "192.0.2.17"}, "Last", "", false},
    {{.ip = "198.51.100.1", .tls_name = "a.example"}, "Name", "", false},
    {{.ip = "198.51.100.1",
	 .tls_name = "a.example",
	 .now = "2027-03-02T00:00:00Z"},
	"", "Name", false},
};

static void test_attribution(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct stage_input input = cases[i].input;
		const struct smtp_reply_text refusal = {
		    552, SLICE("5.3.4"), SLICE("too big")};
		const struct conf_connector *found, *expired;
		struct slice line;
		struct gate_message *message;
		struct stage stage;

		input.config = connectors;
		input.mail_from = BOUNCE;
		stage_set(&stage, &input);
		message = gate_begin(
		    stage.arena, &stage.context, &stage.envelope);
		found = message->connector;
		expired = message->expired;
		if (!slice_eq(found ? found->name : SLICE(""),
			slice_from(cases[i].connector)) ||
		    !slice_eq(expired ? expired->name : SLICE(""),
			slice_from(cases[i].expired)) ||
		    message->internal != cases[i].internal ||
		    gate_client_is_internal(&stage.context, &stage.client) !=
			cases[i].internal)
			fail_msg("case %zu: %.*s", i,
			    SLICE_ARGS(found ? found->name : SLICE("none")));
		gate_refuse(message, SLICE("limits"), &refusal);
		gate_decide(message, SLICE(""));
		line = arena_format_slice(stage.arena,
		    "\"connector\":\"%s\",\"expired_connector\":\"%s\"",
		    cases[i].connector, cases[i].expired);
		assert_true(slice_find_slice(gate_json(message), line) <
			    gate_json(message).len);
		stage_clear(&stage);
	}
}

static void test_may_send_as(void **state)
{
	static const struct {
		const char *ip, *tls_name, *domain;
		bool may;
	} rows[] = {
	    {"192.0.2.1", NULL, "agency.example", true},
	    {"192.0.2.1", NULL, "x.agency.example", true},
	    {"192.0.2.1", NULL, "b.example", false},
	    {"198.51.100.1", "a.example", "b.example", true},
	    {"198.51.100.1", "a.example", "c.example", false},
	    {"198.51.100.1", NULL, "agency.example", false},
	    {"192.0.2.17", NULL, "agency.example", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stage_input input = {.config = connectors,
		    .mail_from = BOUNCE,
		    .ip = rows[i].ip,
		    .tls_name = rows[i].tls_name};
		struct stage stage;

		stage_set(&stage, &input);
		if (connector_may_send_as(gate_begin(stage.arena,
					      &stage.context, &stage.envelope),
			slice_from(rows[i].domain)) != rows[i].may)
			fail_msg("row %zu", i);
		stage_clear(&stage);
	}
}

/* What is logged of connectors that end. */
static struct slice warnings(struct stage *stage)
{
	int file = memfd_create("stderr", MFD_CLOEXEC);
	int saved = dup(STDERR_FILENO);
	char *text = arena_alloc(stage->arena, 65536);
	ssize_t len;

	fflush(stderr);
	dup2(file, STDERR_FILENO);
	log_setup(LOG_WARNING, LOG_FORMAT_TEXT);
	gate_warn_of_expiry(&stage->context);
	dup2(saved, STDERR_FILENO);
	log_setup(LOG_WARNING, LOG_FORMAT_TEXT);
	len = pread(file, text, 65536, 0);
	close(file);
	close(saved);
	assert_true(len >= 0);
	return slice_of(text, (size_t)len);
}

static void test_expiry(void **state)
{
	/* Fourteen days before, to the second. */
	static const struct {
		const char *now;
		const char *old, *older, *name; /* "": not named */
	} rows[] = {
	    {"2026-12-01T00:00:00Z", "", "", ""},
	    {"2027-01-05T00:00:00Z", "", "expires", ""},
	    {"2027-01-10T23:59:59Z", "", "expires", ""},
	    {"2027-01-11T00:00:00Z", "", "expired", ""},
	    {"2027-01-17T23:59:58Z", "", "expired", ""},
	    {"2027-01-17T23:59:59Z", "expires", "expired", ""},
	    {"2027-01-20T00:00:00Z", "expires", "expired", ""},
	    {"2027-02-01T00:00:00Z", "expired", "expired", ""},
	    {"2027-02-25T00:00:00Z", "expired", "expired", "expires"},
	};
	static const char *const names[] = {"Old", "Older", "Name"};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *const wanted[] = {
		    rows[i].old, rows[i].older, rows[i].name};
		struct stage_input input = {.config = connectors,
		    .mail_from = BOUNCE,
		    .ip = STRANGER,
		    .now = rows[i].now};
		struct stage stage;
		struct slice text;

		stage_set(&stage, &input);
		text = warnings(&stage);
		for (size_t j = 0; j < COUNT(names); j++) {
			struct slice line = arena_format_slice(stage.arena,
			    "connector=%s state=%s", names[j], wanted[j]);
			struct slice any = arena_format_slice(
			    stage.arena, "connector=%s ", names[j]);
			bool there = slice_find_slice(text, line) < text.len;

			if (!wanted[j][0])
				there = slice_find_slice(text, any) == text.len;
			if (!there)
				fail_msg("%s, %s: %.*s", rows[i].now, names[j],
				    SLICE_ARGS(text));
		}
		assert_int_equal(
		    slice_find_slice(text, SLICE("connector=Wide")), text.len);
		stage_clear(&stage);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_attribution),
	    cmocka_unit_test(test_may_send_as),
	    cmocka_unit_test(test_expiry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
