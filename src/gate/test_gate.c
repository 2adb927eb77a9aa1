/* SPDX-License-Identifier: Apache-2.0 */
/* The whole gate: a configuration, a zone as the only DNS, a message, and what
 * is answered and changed.  No store: nothing is committed. */
#include "gate/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "gate/test_stage.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* Parts of messages. */
#define TO "To: user@agency.example\r\n"
#define REST                                                                   \
	TO "Date: Sun, 31 Jan 2027 10:00:00 +0000\r\n"                         \
	   "Message-ID: <1@x.example>\r\nSubject: x\r\n\r\nhello\r\n"
#define FROM(address) "From: " address "\r\n" REST
#define LOOP "X-Gatehouse-Loop: mx1.agency.example\r\n"
#define RECEIVED "Received: by x.example; Sun, 31 Jan 2027 10:00:00 +0000\r\n"
#define TEN(text) text text text text text text text text text text

struct row {
	const char *name;
	const char *config; /* added to the base; NULL: nothing */
	const char *ip, *mail_from, *message;
	enum verdict verdict;
	const char *policy;  /* whose verdict; "" for accept */
	const char *reply;   /* what it begins with; NULL: none */
	const char *added;   /* within what is added on top; NULL: anything */
	const char *removed; /* all fields taken out, in order; NULL: none */
	const char *step;    /* policy that matched without being enforced */
	const char *now, *helo, *user, *tls_name, *listener;
};

static const struct row rows[] = {
    /* Authenticated, or nobody asks for it. */
    {"SPF passes and aligns", NULL, "192.0.2.10", "news@shop.example",
	FROM("news@shop.example"), VERDICT_ACCEPT, "", NULL, "spf=pass", NULL},
    {"DMARC pass is written down", NULL, "192.0.2.10", "news@shop.example",
	FROM("news@shop.example"), VERDICT_ACCEPT, "", NULL, "dmarc=pass",
	NULL},
    {"the mark against loops", NULL, "192.0.2.10", "news@shop.example",
	FROM("news@shop.example"), VERDICT_ACCEPT, "", NULL, LOOP, NULL},
    {"a relaxed subdomain", NULL, "192.0.2.10", "news@shop.example",
	FROM("x@mail.shop.example"), VERDICT_ACCEPT, "", NULL, "dmarc=pass",
	NULL},
    {"no DMARC record", NULL, STRANGER, BOUNCE, FROM("a@plain.example"),
	VERDICT_ACCEPT, "", NULL, "dmarc=none", NULL},
    {"p=none", NULL, STRANGER, BOUNCE, FROM("a@monitor.example"),
	VERDICT_ACCEPT, "", NULL, "dmarc=fail", NULL},
    {"null sender, HELO passes", NULL, STRANGER, "", FROM("a@plain.example"),
	VERDICT_ACCEPT, "", NULL, "spf=pass", NULL, .helo = "host.example"},

    /* DMARC. */
    {"p=reject", NULL, STRANGER, BOUNCE, FROM("a@bank.example"), VERDICT_REJECT,
	"dmarc", "550 5.7.1 ", "dmarc=fail", NULL},
    {"p=reject of the domain above", NULL, STRANGER, BOUNCE,
	FROM("a@x.y.bank.example"), VERDICT_REJECT, "dmarc", "550 5.7.1 "},
    {"SPF passes for another domain", NULL, "192.0.2.10", "news@shop.example",
	FROM("a@bank.example"), VERDICT_REJECT, "dmarc", "550 5.7.1 "},
    {"enforce: false", AUTHENTICATION("dmarc: {enforce: false}"), STRANGER,
	BOUNCE, FROM("a@bank.example"), VERDICT_ACCEPT, "", NULL, "dmarc=fail",
	NULL, "dmarc"},
    {"p=quarantine", NULL, STRANGER, BOUNCE, FROM("a@quarantine.example"),
	VERDICT_QUARANTINE, "dmarc", NULL, NULL, NULL},
    {"p=quarantine as a header",
	AUTHENTICATION("dmarc: {quarantine_action: junk_header}"), STRANGER,
	BOUNCE, FROM("a@quarantine.example"), VERDICT_ACCEPT, "", NULL,
	"X-Spam-Flag: YES\r\n", NULL},
    {"another header",
	AUTHENTICATION("dmarc: {quarantine_action: junk_header, "
		       "junk_header: 'X-Junk: 1'}"),
	STRANGER, BOUNCE, FROM("a@quarantine.example"), VERDICT_ACCEPT, "",
	NULL, "X-Junk: 1\r\n", NULL},
    {"p=quarantine, not enforced",
	AUTHENTICATION("dmarc: {enforce: false, "
		       "quarantine_action: junk_header}"),
	STRANGER, BOUNCE, FROM("a@quarantine.example"), VERDICT_ACCEPT, "",
	NULL, "!X-Spam-Flag", NULL, "dmarc"},
    {"p=reject; t=y", NULL, STRANGER, BOUNCE, FROM("a@trial.example"),
	VERDICT_QUARANTINE, "dmarc", NULL, NULL, NULL},
    {"p=quarantine; t=y", NULL, STRANGER, BOUNCE, FROM("a@trialq.example"),
	VERDICT_ACCEPT, "", NULL, "dmarc=fail", NULL},
    {"DNS is down", NULL, STRANGER, BOUNCE, FROM("a@down.example"),
	VERDICT_DEFER, "dmarc", "451 4.7.0 ", "dmarc=temperror", NULL},
    {"DNS is down, accepted",
	AUTHENTICATION("dmarc: {on_temporary_error: accept}"), STRANGER, BOUNCE,
	FROM("a@down.example"), VERDICT_ACCEPT, "", NULL, "dmarc=temperror",
	NULL, "dmarc"},
    {"DNS is down for one of two authors", NULL, STRANGER, BOUNCE,
	FROM("a@monitor.example, b@down.example"), VERDICT_DEFER, "dmarc",
	"451 4.7.0 "},

    /* Our own domains. */
    {"own domain in From:", NULL, STRANGER, BOUNCE, FROM("ceo@agency.example"),
	VERDICT_REJECT, "own-domain", "550 5.7.1 "},
    {"own domain in MAIL FROM", NULL, STRANGER, "ceo@agency.example",
	FROM("a@plain.example"), VERDICT_REJECT, "own-domain", "550 5.7.1 "},
    {"own subdomain", NULL, STRANGER, BOUNCE, FROM("ceo@hr.agency.example"),
	VERDICT_REJECT, "own-domain", "550 5.7.1 "},
    {"own subdomain, not covered",
	"organization: {accepted_domains: [agency.example], "
	"accepted_subdomains: false}\n",
	STRANGER, BOUNCE, FROM("ceo@hr.agency.example"), VERDICT_ACCEPT, "",
	NULL, NULL, NULL},
    {"not our domain", NULL, STRANGER, BOUNCE, FROM("a@notagency.example"),
	VERDICT_ACCEPT, "", NULL, NULL, NULL},
    {"own domain in capitals", NULL, STRANGER, BOUNCE,
	FROM("ceo@AGENCY.Example"), VERDICT_REJECT, "own-domain", "550 5.7.1 "},
    {"own domain as one of two authors", NULL, STRANGER, BOUNCE,
	FROM("a@plain.example, ceo@agency.example"), VERDICT_REJECT,
	"own-domain", "550 5.7.1 "},
    {"own domain, SPF passes", NULL, "192.0.2.99", "news@agency.example",
	FROM("news@agency.example"), VERDICT_ACCEPT, "", NULL, NULL, NULL},
    {"own domain, report", AUTHENTICATION("own_domains: report"), STRANGER,
	BOUNCE, FROM("ceo@agency.example"), VERDICT_ACCEPT, "", NULL, NULL,
	NULL, "own-domain"},
    {"own domain, off", AUTHENTICATION("own_domains: off"), STRANGER, BOUNCE,
	FROM("ceo@agency.example"), VERDICT_ACCEPT, "", NULL, NULL, NULL},

    /* Connectors.  The clock stands one second before the expiry. */
    {"connector may send as us", NULL, "192.0.2.77", BOUNCE,
	FROM("scanner@agency.example"), VERDICT_ACCEPT, "", NULL, NULL, NULL},
    {"its exception is one from DMARC too", NULL, "192.0.2.77", BOUNCE,
	FROM("scanner@strict.agency.example"), VERDICT_ACCEPT, "", NULL,
	"dmarc=fail", NULL, "dmarc"},
    {"an intermediary explains a failure",
	AUTHENTICATION("trusted_intermediaries: [{networks: [192.0.2.66], "
		       "reason: the list of the association}]"),
	STRANGER, BOUNCE, FROM("a@bank.example"), VERDICT_ACCEPT, "", NULL,
	"the list of the association", NULL, "dmarc"},
    {"but not mail that claims to be ours",
	AUTHENTICATION("trusted_intermediaries: [{networks: [192.0.2.66], "
		       "reason: x}]"),
	STRANGER, BOUNCE, FROM("ceo@agency.example"), VERDICT_REJECT,
	"own-domain", "550 5.7.1 "},
    {"the same, after it expired", NULL, "192.0.2.77", BOUNCE,
	FROM("scanner@agency.example"), VERDICT_REJECT, "own-domain",
	"550 5.7.1 ", .now = "2027-02-01T00:00:00Z"},
    {"connector may not send as others", NULL, "192.0.2.77", BOUNCE,
	FROM("a@bank.example"), VERDICT_REJECT, "dmarc", "550 5.7.1 "},
    {"internal connector", NULL, "192.0.2.130", BOUNCE,
	FROM("ceo@agency.example"), VERDICT_ACCEPT, "", NULL,
	"!Authentication-Results", NULL, .tls_name = "mail.protection.example"},
    {"its address without its certificate", NULL, "192.0.2.130", BOUNCE,
	FROM("ceo@agency.example"), VERDICT_REJECT, "own-domain", "550 5.7.1 "},
    {"its certificate two labels deeper", NULL, "192.0.2.130", BOUNCE,
	FROM("ceo@agency.example"), VERDICT_REJECT, "own-domain", "550 5.7.1 ",
	.tls_name = "a.b.protection.example"},
    {"its certificate from elsewhere", NULL, STRANGER, BOUNCE,
	FROM("ceo@agency.example"), VERDICT_REJECT, "own-domain", "550 5.7.1 ",
	.tls_name = "mail.protection.example"},
    {"connector of another listener", NULL, "192.0.2.161", BOUNCE,
	FROM("ceo@agency.example"), VERDICT_REJECT, "own-domain", "550 5.7.1 ",
	.tls_name = "x.example"},
    {"connector of this listener", NULL, "192.0.2.161", BOUNCE,
	FROM("ceo@agency.example"), VERDICT_ACCEPT, "", NULL, NULL, NULL,
	.tls_name = "x.example", .listener = "relay"},
    {"connector that wants TLS", NULL, "192.0.2.161", BOUNCE,
	FROM("ceo@agency.example"), VERDICT_REJECT, "own-domain", "550 5.7.1 ",
	.listener = "relay"},
    {"authenticated user", NULL, STRANGER, "ceo@agency.example",
	FROM("ceo@agency.example"), VERDICT_ACCEPT, "", NULL, NULL, NULL,
	.user = "ceo"},

    /* Who wrote it? */
    {"no From:", NULL, STRANGER, BOUNCE, REST, VERDICT_REJECT, "malformed",
	"550 5.7.1 "},
    {"two From: fields", NULL, STRANGER, BOUNCE,
	"From: a@plain.example\r\n" FROM("b@plain.example"), VERDICT_REJECT,
	"malformed", "550 5.7.1 "},
    {"From: without an address", NULL, STRANGER, BOUNCE, FROM("nobody"),
	VERDICT_REJECT, "malformed", "550 5.7.1 "},
    {"NUL in From:", NULL, STRANGER, BOUNCE, FROM("a@plain\1.example"),
	VERDICT_REJECT, "malformed", "550 5.7.1 "},
    {"NUL in another field", NULL, STRANGER, BOUNCE,
	"X: a\1b\r\n" FROM("a@plain.example"), VERDICT_REJECT, "malformed",
	"550 5.7.1 "},
    {"NUL in the body", NULL, STRANGER, BOUNCE,
	FROM("a@plain.example") "a\1b\r\n", VERDICT_ACCEPT, "", NULL, NULL,
	NULL},
    {"control octet in From:", NULL, STRANGER, BOUNCE,
	FROM("a@plain.example\x02"), VERDICT_REJECT, "malformed", "550 5.7.1 "},
    {"control octet in From:, report", AUTHENTICATION("malformed: report"),
	STRANGER, BOUNCE, FROM("a@plain.example\x02"), VERDICT_ACCEPT, "", NULL,
	NULL, NULL, "malformed"},
    {"control octet in From:, of a user", NULL, STRANGER, BOUNCE,
	FROM("a@plain.example\x02"), VERDICT_ACCEPT, "", NULL, NULL, NULL,
	"malformed", .user = "ceo"},
    {"no From:, report", AUTHENTICATION("malformed: report"), STRANGER, BOUNCE,
	REST, VERDICT_ACCEPT, "", NULL, NULL, NULL, "malformed"},
    {"no From:, off", AUTHENTICATION("malformed: off"), STRANGER, BOUNCE, REST,
	VERDICT_ACCEPT, "", NULL, NULL, NULL},
    {"no From:, internal", NULL, STRANGER, BOUNCE, REST, VERDICT_ACCEPT, "",
	NULL, NULL, NULL, "malformed", .user = "ceo"},
    {"several domains, none has a policy", NULL, STRANGER, BOUNCE,
	FROM("a@plain.example, b@monitor.example"), VERDICT_ACCEPT, "", NULL,
	NULL, NULL},
    {"several domains, one has a policy", NULL, "192.0.2.10",
	"news@shop.example", FROM("a@plain.example, b@shop.example"),
	VERDICT_REJECT, "several-authors", "550 5.7.1 "},

    /* Loops and line ends. */
    {"ten Received: fields of ten", "limits: {received_count: 10}\n", STRANGER,
	BOUNCE, TEN(RECEIVED) FROM("a@plain.example"), VERDICT_REJECT, "loop",
	"554 5.4.6 "},
    {"one less", "limits: {received_count: 11}\n", STRANGER, BOUNCE,
	TEN(RECEIVED) FROM("a@plain.example"), VERDICT_ACCEPT, "", NULL, NULL,
	NULL},
    {"five passes", NULL, STRANGER, BOUNCE,
	LOOP LOOP LOOP LOOP LOOP FROM("a@plain.example"), VERDICT_REJECT,
	"loop", "554 5.4.6 "},
    {"five passes, one in another case", NULL, STRANGER, BOUNCE,
	LOOP LOOP LOOP LOOP
	"X-Gatehouse-Loop: MX1.Agency.example\r\n" FROM("a@plain.example"),
	VERDICT_REJECT, "loop", "554 5.4.6 "},
    {"four passes, and one of another", NULL, STRANGER, BOUNCE,
	LOOP LOOP LOOP LOOP
	"X-Gatehouse-Loop: mx2.agency.example\r\n" FROM("a@plain.example"),
	VERDICT_ACCEPT, "", NULL, NULL, NULL},
    {"bare LF in the body", NULL, STRANGER, BOUNCE,
	FROM("a@plain.example") "a\nb\r\n", VERDICT_REJECT, "line-ends",
	"550 5.5.2 "},
    {"bare LF in the header", NULL, STRANGER, BOUNCE,
	"X: y\n" FROM("a@plain.example"), VERDICT_REJECT, "line-ends",
	"550 5.5.2 "},
    {"bare CR, the first octet", NULL, STRANGER, BOUNCE,
	"\rX: y\r\n" FROM("a@plain.example"), VERDICT_REJECT, "line-ends",
	"550 5.5.2 "},
    {"bare CR, the last octet", NULL, STRANGER, BOUNCE,
	FROM("a@plain.example") "a\r", VERDICT_REJECT, "line-ends",
	"550 5.5.2 "},
    {"bare CR, even of a user", NULL, STRANGER, BOUNCE,
	FROM("a@plain.example") "a\rb\r\n", VERDICT_REJECT, "line-ends",
	"550 5.5.2 ", .user = "ceo"},

    /* Fields that claim what only we may say. */
    {"forged results", NULL, STRANGER, BOUNCE,
	"Authentication-Results: mx1.agency.example; dmarc=pass\r\n"
	"Authentication-Results: MX1.Agency.Example 1; dmarc=pass\r\n"
	"Authentication-Results: other.example; dmarc=pass\r\n" FROM(
	    "a@plain.example"),
	VERDICT_ACCEPT, "", NULL, "Authentication-Results: mx1.agency.example",
	"Authentication-Results: mx1.agency.example; dmarc=pass\r\n"
	"Authentication-Results: MX1.Agency.Example 1; dmarc=pass\r\n"},
    {"another authserv-id", "authserv_id: agency.example\n", STRANGER, BOUNCE,
	"Authentication-Results: agency.example; dmarc=pass\r\n" FROM(
	    "a@plain.example"),
	VERDICT_ACCEPT, "", NULL, "Authentication-Results: agency.example",
	"Authentication-Results: agency.example; dmarc=pass\r\n"},
    {"results of a gateway of ours", "authserv_id: results.example\n", STRANGER,
	BOUNCE,
	"Authentication-Results: mx2.agency.example; dmarc=pass\r\n" FROM(
	    "a@plain.example"),
	VERDICT_ACCEPT, "", NULL, "Authentication-Results: results.example",
	"Authentication-Results: mx2.agency.example; dmarc=pass\r\n"},
    {"what our results say of our domain", NULL, STRANGER, BOUNCE,
	FROM("ceo@agency.example"), VERDICT_REJECT, "own-domain", "550 5.7.1 ",
	"x-own-domain=fail", NULL},
    {"fields of Exchange", NULL, STRANGER, BOUNCE,
	"X-MS-Exchange-Organization-SCL: -1\r\n"
	"x-ms-exchange-organization-AuthAs : Internal\r\n"
	"X-MS-Exchange-Orga: kept\r\n" FROM("a@plain.example"),
	VERDICT_ACCEPT, "", NULL, NULL,
	"X-MS-Exchange-Organization-SCL: -1\r\n"
	"x-ms-exchange-organization-AuthAs : Internal\r\n"},
    {"the same from an internal connector", NULL, "192.0.2.130", BOUNCE,
	"X-MS-Exchange-Organization-SCL: -1\r\n" FROM("a@agency.example"),
	VERDICT_ACCEPT, "", NULL, NULL, NULL,
	.tls_name = "mail.protection.example"},
    {"our own marks, but for loops", NULL, STRANGER, BOUNCE,
	LOOP "X-Gatehouse-Verdict: accept\r\n" FROM("a@plain.example"),
	VERDICT_ACCEPT, "", NULL, NULL, "X-Gatehouse-Verdict: accept\r\n"},
    {"results as Exchange writes them",
	AUTHENTICATION("exchange_style_results: true"), "192.0.2.10",
	"news@shop.example", FROM("a@shop.example"), VERDICT_ACCEPT, "", NULL,
	"Authentication-Results: spf=pass (sender IP is 192.0.2.10)", NULL},
    {"no such results without asking", NULL, "192.0.2.10", "news@shop.example",
	FROM("a@shop.example"), VERDICT_ACCEPT, "", NULL,
	"!Authentication-Results: spf=pass", NULL},
    {"Received-SPF", AUTHENTICATION("received_spf: true"), "192.0.2.10",
	"news@shop.example", FROM("a@shop.example"), VERDICT_ACCEPT, "", NULL,
	"Received-SPF: pass", NULL},
};

/* A \1 in a row's text stands for NUL. */
static struct slice content_of(struct arena *arena, const char *text)
{
	char *copy = arena_text(arena, slice_from(text));

	for (size_t i = 0; text[i]; i++)
		if (copy[i] == '\1')
			copy[i] = '\0';
	return slice_of(copy, strlen(text));
}

static bool has(struct slice text, const char *wanted)
{
	return slice_find_slice(text, slice_from(wanted)) < text.len;
}

static void check_reply(
    const struct row *row, struct arena *arena, const struct decision *decision)
{
	struct slice line;

	if (!row->reply) {
		assert_int_equal(decision->reply.code, 0);
		return;
	}
	line = decision_reply_line(arena, &decision->reply);
	if (!slice_starts(line, slice_from(row->reply)))
		fail_msg("%s: reply %.*s", row->name, SLICE_ARGS(line));
	assert_true(
	    has(line, "(id 0000000000000001)") || !strcmp(row->policy, "loop"));
}

static void check_edits(const struct row *row, struct stage *stage,
    const struct decision *decision, struct slice content)
{
	struct buf *added = buf_in_arena(stage->arena, 65536);
	struct buf *removed = buf_in_arena(stage->arena, 65536);
	const struct header_edits *edits = &decision->edits;
	struct header_list headers;
	bool wanted = row->added && row->added[0] != '!';

	for (size_t i = 0; i < edits->added_count; i++)
		buf_add(added, edits->added[i]);
	if (row->added && has(buf_slice(added), row->added + !wanted) != wanted)
		fail_msg(
		    "%s: added %.*s", row->name, SLICE_ARGS(buf_slice(added)));
	assert_true(headers_parse(stage->arena, content,
	    &stage->context.config->limits, &headers, NULL));
	for (size_t i = 0; i < headers.count; i++)
		if (edit_removes(edits, i))
			buf_add(removed, headers.fields[i].raw);
	if (!slice_eq(buf_slice(removed), slice_from(row->removed)))
		fail_msg("%s: removed %.*s", row->name,
		    SLICE_ARGS(buf_slice(removed)));
}

/* The steps that matched and were not enforced: one, or none. */
static void check_steps(const struct row *row, const struct decision *decision)
{
	struct slice reported = {NULL, 0};

	for (size_t i = 0; i < decision->step_count; i++)
		if (decision->steps[i].matched && !decision->steps[i].enforced)
			reported = decision->steps[i].policy;
	if (!slice_eq(reported, slice_from(row->step)))
		fail_msg("%s: reported %.*s", row->name, SLICE_ARGS(reported));
}

static void judge(const struct row *row)
{
	const struct decision *decision;
	struct gate_message *message;
	struct stage stage;
	struct slice content;
	bool keeps, needs;

	struct stage_input input = {
	    .config = row->config,
	    .ip = row->ip,
	    .mail_from = row->mail_from,
	    .now = row->now,
	    .helo = row->helo,
	    .user = row->user,
	    .tls_name = row->tls_name,
	    .listener = row->listener,
	};

	stage_set(&stage, &input);
	content = content_of(stage.arena, row->message);
	message = gate_begin(stage.arena, &stage.context, &stage.envelope);
	assert_true(gate_header(message, content, NULL));
	gate_body(message, slice_from_pos(content, gate_body_offset(message)));
	keeps = gate_keeps_body(message);
	needs = gate_needs_body(message);
	decision = gate_decide(message, content);
	/* What was let go would be missing now. */
	if ((!keeps && decision->verdict == VERDICT_QUARANTINE) ||
	    (!needs && decision->verdict != VERDICT_REJECT))
		fail_msg("%s: its body is needed", row->name);
	if (decision->verdict != row->verdict ||
	    !slice_eq(decision->policy, slice_from(row->policy)))
		fail_msg("%s: %s by %.*s: %.*s", row->name,
		    verdict_name(decision->verdict),
		    SLICE_ARGS(decision->policy), SLICE_ARGS(decision->reason));
	check_reply(row, stage.arena, decision);
	check_edits(row, &stage, decision, content);
	check_steps(row, decision);
	assert_true(has(gate_json(message), verdict_name(row->verdict)));
	stage_clear(&stage);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		judge(&rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
