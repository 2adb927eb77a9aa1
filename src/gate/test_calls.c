/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of the gate around the judgement: recipients, routes, refusals that
 * come before, failures. */
#include "gate/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gate/gate_private.h"
#include "gate/test_stage.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const char route_config[] =
    "routes:\n"
    "  - {domains: ['*'], next_hop: 'smtp:[192.0.2.1]:25'}\n"
    "  - {domains: [.agency.example], next_hop: 'smtp:[192.0.2.2]:25'}\n"
    "  - {domains: [.x.agency.example], next_hop: 'smtp:[192.0.2.3]:25'}\n"
    "  - {domains: [agency.example, y.x.agency.example],\n"
    "     next_hop: 'smtp:[192.0.2.4]:25'}\n";

/* Of two for the same names the first. */
static const char twice_config[] =
    "routes:\n"
    "  - {domains: ['*'], next_hop: 'smtp:[192.0.2.1]:25'}\n"
    "  - {domains: [.agency.example], next_hop: 'smtp:[192.0.2.2]:25'}\n"
    "  - {domains: [.x.agency.example], next_hop: 'smtp:[192.0.2.3]:25'}\n"
    "  - {domains: [agency.example, y.x.agency.example],\n"
    "     next_hop: 'smtp:[192.0.2.4]:25'}\n"
    "  - {domains: ['*', .agency.example, .x.agency.example,\n"
    "     agency.example, y.x.agency.example],\n"
    "     next_hop: 'smtp:[192.0.2.5]:25'}\n";

/* The order is of no importance. */
static const char backwards_config[] =
    "routes:\n"
    "  - {domains: [agency.example, y.x.agency.example],\n"
    "     next_hop: 'smtp:[192.0.2.4]:25'}\n"
    "  - {domains: [.x.agency.example], next_hop: 'smtp:[192.0.2.3]:25'}\n"
    "  - {domains: [.agency.example], next_hop: 'smtp:[192.0.2.2]:25'}\n"
    "  - {domains: ['*'], next_hop: 'smtp:[192.0.2.1]:25'}\n";

/* The last digit of the route's address for a domain. */
static const struct {
	const char *address;
	char route;
} routes[] = {
    {"a@agency.example", '4'},
    {"a@AGENCY.EXAMPLE", '4'},
    {"postmaster", '4'},
    {"a@b.agency.example", '2'},
    {"a@x.agency.example", '2'},
    {"a@z.x.agency.example", '3'},
    {"a@y.x.agency.example", '4'},
    {"a@q.y.x.agency.example", '3'},
    {"a@notagency.example", '1'},
    {"a@elsewhere.example", '1'},
};

static void check_routes(const char *text)
{
	struct arena *arena = arena_new(0);
	struct config *config = stage_config(arena, text);

	for (size_t i = 0; i < COUNT(routes); i++) {
		const struct conf_route *route = gate_find_route(
		    arena, config, slice_from(routes[i].address));

		assert_non_null(route);
		if (route->text.ptr[route->text.len - 5] != routes[i].route)
			fail_msg("%s: %.*s", routes[i].address,
			    SLICE_ARGS(route->text));
	}
	config_release(config);
	arena_free(arena);
}

static void test_routes(void **state)
{
	(void)state;
	check_routes(route_config);
	check_routes(backwards_config);
	check_routes(twice_config);
}

static const struct {
	const char *name;
	struct stage_input input;
	const char *recipient;
	const char *reply; /* NULL: taken */
} recipients[] = {
    {"ours", {.ip = STRANGER}, "user@agency.example", NULL},
    {"postmaster without a domain", {.ip = STRANGER}, "postmaster", NULL},
    {"a name below ours", {.ip = STRANGER}, "user@x.agency.example",
	"550 5.7.1 relaying denied"},
    {"a stranger relays", {.ip = STRANGER}, "user@shop.example",
	"550 5.7.1 relaying denied"},
    {"a stranger relays by percent", {.ip = STRANGER},
	"user%agency.example@shop.example", "550 5.7.1 relaying denied"},
    {"no domain", {.ip = STRANGER}, "user", "550 5.1.2 "},
    {"no domain, of a user", {.ip = STRANGER, .user = "ceo"}, "user",
	"550 5.1.2 "},
    {"an address literal", {.ip = STRANGER}, "user@[192.0.2.1]", "550 5.1.2 "},
    {"an internal connector relays",
	{.ip = "192.0.2.130", .tls_name = "m.protection.example"},
	"user@shop.example", NULL},
    {"an external connector does not", {.ip = "192.0.2.77"},
	"user@shop.example", "550 5.7.1 relaying denied"},
    {"a user relays", {.ip = STRANGER, .user = "ceo"}, "user@shop.example",
	NULL},
    {"a route by percent", {.ip = STRANGER}, "x%shop.example@agency.example",
	"550 5.7.1 relaying denied: "},
    {"a bang path", {.ip = STRANGER}, "shop.example!x@agency.example",
	"550 5.7.1 relaying denied: "},
    {"an address in quotes", {.ip = STRANGER},
	"\"x@shop.example\"@agency.example", "550 5.7.1 relaying denied: "},
    {"a quoted pair", {.ip = STRANGER}, "\"x\\@shop.example\"@agency.example",
	"550 5.7.1 relaying denied: "},
    {"percent in quotes", {.ip = STRANGER}, "\"x%shop.example\"@agency.example",
	"550 5.7.1 relaying denied: "},
    {"a route through an external connector", {.ip = "192.0.2.77"},
	"x%shop.example@agency.example", "550 5.7.1 relaying denied: "},
    {"an internal connector routes",
	{.ip = "192.0.2.130", .tls_name = "m.protection.example"},
	"x%shop.example@agency.example", NULL},
    {"a user routes", {.ip = STRANGER, .user = "ceo"},
	"\"x@shop.example\"@agency.example", NULL},
    {"quotes route nowhere", {.ip = STRANGER}, "\"a b\"@agency.example", NULL},
    {"nor do a tag, a slash or an equals sign", {.ip = STRANGER},
	"srs0=x=shop.example=a/b+c@agency.example", NULL},
};

static void test_recipients(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(recipients); i++) {
		struct smtp_reply_text reply = {0};
		struct gate_message *message;
		struct stage_input input = recipients[i].input;
		struct stage stage;
		bool ok;

		input.mail_from = BOUNCE;
		stage_set(&stage, &input);
		message = gate_begin(
		    stage.arena, &stage.context, &stage.envelope);
		ok = gate_recipient(
		    message, slice_from(recipients[i].recipient), &reply);
		if (ok != (recipients[i].reply == NULL))
			fail_msg("%s: %d", recipients[i].name, ok);
		if (!ok &&
		    !slice_starts(decision_reply_line(stage.arena, &reply),
			slice_from(recipients[i].reply)))
			fail_msg("%s: %.*s", recipients[i].name,
			    SLICE_ARGS(reply.text));
		stage_clear(&stage);
	}
}

/* A gateway without domains of its own has no postmaster either. */
static void test_no_domains(void **state)
{
	struct stage_input input = {.ip = STRANGER, .mail_from = BOUNCE};
	struct smtp_reply_text reply = {0};
	struct gate_message *message;
	struct stage stage;

	(void)state;
	stage_set(&stage, &input);
	stage.context.config->accepted_domains.count = 0;
	message = gate_begin(stage.arena, &stage.context, &stage.envelope);
	assert_false(gate_recipient(message, SLICE("postmaster"), &reply));
	assert_int_equal(reply.code, 550);
	assert_null(gate_route(message, SLICE("postmaster")));
	stage_clear(&stage);
}

static void test_no_route(void **state)
{
	struct stage_input input = {.ip = STRANGER,
	    .mail_from = BOUNCE,
	    .user = "ceo",
	    .config = "routes: [{domains: [agency.example], "
		      "next_hop: 'maildir:/tmp/none'}]\n"};
	struct smtp_reply_text reply = {0};
	struct stage stage;
	struct gate_message *message;

	(void)state;
	stage_set(&stage, &input);
	message = gate_begin(stage.arena, &stage.context, &stage.envelope);
	assert_false(
	    gate_recipient(message, SLICE("user@shop.example"), &reply));
	assert_int_equal(reply.code, 451);
	assert_null(gate_route(message, SLICE("user@shop.example")));
	stage_clear(&stage);
}

/* At RCPT, before there is a From: to look at. */
static void test_own_domain_suspect(void **state)
{
	static const struct {
		struct stage_input input;
		bool suspect;
	} cases[] = {
	    {{.ip = STRANGER, .mail_from = "ceo@agency.example"}, true},
	    {{.ip = "192.0.2.99", .mail_from = "ceo@agency.example"}, false},
	    {{.ip = STRANGER, .mail_from = BOUNCE}, false},
	    {{.ip = STRANGER, .mail_from = ""}, false},
	    {{.ip = "192.0.2.77", .mail_from = "ceo@agency.example"}, false},
	    {{.ip = STRANGER, .mail_from = "ceo@agency.example", .user = "x"},
		false},
	    {{.ip = STRANGER,
		 .mail_from = "ceo@agency.example",
		 .config = AUTHENTICATION("own_domains: report")},
		false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct smtp_reply_text reply = {0};
		struct stage stage;

		stage_set(&stage, &cases[i].input);
		if (gate_own_domain_suspect(
			gate_begin(
			    stage.arena, &stage.context, &stage.envelope),
			&reply) != cases[i].suspect)
			fail_msg("row %zu", i);
		assert_int_equal(reply.code, cases[i].suspect ? 550 : 0);
		stage_clear(&stage);
	}
}

/* Refusals before the content are the decision; nothing is asked of DNS. */
static void test_refused_before(void **state)
{
	struct stage_input input = {.ip = STRANGER, .mail_from = BOUNCE};
	struct smtp_reply_text reply = {552, SLICE("5.3.4"), SLICE("too big")};
	struct gate_message *message;
	const struct decision *decision;
	struct stage stage;

	(void)state;
	stage_set(&stage, &input);
	message = gate_begin(stage.arena, &stage.context, &stage.envelope);
	gate_refuse(message, SLICE("limits"), &reply);
	decision = gate_decide(message, SLICE(""));
	assert_int_equal(decision->verdict, VERDICT_REJECT);
	assert_true(slice_eq(decision->policy, SLICE("limits")));
	stage_clear(&stage);

	stage_set(&stage, &input);
	message = gate_begin(stage.arena, &stage.context, &stage.envelope);
	reply.code = 451;
	gate_refuse_recipient(message, 0, &reply);
	decision = gate_decide(message, SLICE(""));
	assert_int_equal(decision->verdict, VERDICT_DEFER);
	assert_true(slice_eq(decision->policy, SLICE("recipient")));
	stage_clear(&stage);

	/* Of content that came before nothing is left. */
	stage_set(&stage, &input);
	message = gate_begin(stage.arena, &stage.context, &stage.envelope);
	assert_true(gate_header(message, SLICE("X: y\r\n\r\n"), NULL));
	gate_body(message, SLICE("body\r\n"));
	gate_refuse(message, SLICE("limits"), &reply);
	gate_decide(message, (struct slice){NULL, 0});
	assert_int_equal(gate_message_size(message), 0);
	stage_clear(&stage);
}

/* Of two recipients: one who is refused twice is one. */
static void test_refused_recipients(void **state)
{
	static const struct {
		size_t refused[2];
		enum verdict verdict;
	} rows[] = {
	    {{0, 0}, VERDICT_ACCEPT},
	    {{1, 1}, VERDICT_ACCEPT},
	    {{0, 1}, VERDICT_REJECT},
	    {{1, 0}, VERDICT_REJECT},
	};
	static const char content[] =
	    "From: a@plain.example\r\nTo: user@agency.example\r\n\r\n";
	const struct smtp_reply_text reply = {
	    550, SLICE("5.1.1"), SLICE("nobody")};
	struct envelope_recipient other = {
	    .address = SLICE("other@agency.example")};
	struct stage_input input = {.ip = STRANGER, .mail_from = BOUNCE};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gate_message *message;
		struct stage stage;

		stage_set(&stage, &input);
		envelope_add_recipient(stage.arena, &stage.envelope, &other);
		message = gate_begin(
		    stage.arena, &stage.context, &stage.envelope);
		for (size_t j = 0; j < 2; j++)
			gate_refuse_recipient(
			    message, rows[i].refused[j], &reply);
		assert_true(gate_header(message, slice_from(content), NULL));
		assert_int_equal(
		    gate_decide(message, slice_from(content))->verdict,
		    rows[i].verdict);
		stage_clear(&stage);
	}
}

static bool has(struct slice text, const char *wanted)
{
	return slice_find_slice(text, slice_from(wanted)) < text.len;
}

/* No kind of failure says yes; what is the sender's fault is told. */
static void test_failures(void **state)
{
	static const char *const lines[] = {
	    [E_NONE] = "451 4.3.0 internal error",
	    [E_SYNTAX] = "550 5.6.0 malformed message: the words",
	    [E_LIMIT] = "552 5.3.4 over a limit: the words",
	    [E_NOT_FOUND] = "451 4.3.0 internal error",
	    [E_TEMP] = "451 4.3.0 temporary failure, try again later",
	    [E_TIMEOUT] = "451 4.4.2 timed out, try again later",
	    [E_CLOSED] = "451 4.4.2 connection lost, try again later",
	    [E_IO] = "451 4.3.0 temporary failure, try again later",
	    [E_FULL] = "452 4.3.1 insufficient storage, try again later",
	    [E_CONFIG] = "451 4.3.5 configuration error, try again later",
	    [E_USAGE] = "451 4.3.0 internal error",
	};
	struct arena *arena = arena_new(0);
	struct err err = {.text = "the words"};

	(void)state;
	for (size_t kind = 0; kind < COUNT(lines); kind++) {
		struct smtp_reply_text reply;

		err.kind = (enum err_kind)kind;
		reply = gate_reply_for_error(arena, &err);
		assert_in_range(reply.code, 400, 599);
		assert_string_equal(
		    arena_text(arena, decision_reply_line(arena, &reply)),
		    lines[kind]);
	}
	arena_free(arena);
}

static const char original[] =
    "From: a@host.example\r\nTo: user@agency.example\r\nSubject: s\r\n"
    "Date: Fri, 1 Jan 2027 00:00:00 +0000\r\nMessage-ID: <1@host.example>\r\n";

static struct slice joined(
    struct arena *arena, const struct message_pieces *pieces)
{
	struct slice text = {NULL, 0};

	for (size_t i = 0; i < pieces->count; i++)
		text = arena_format_slice(arena, "%.*s%.*s", SLICE_ARGS(text),
		    SLICE_ARGS(pieces->pieces[i]));
	assert_int_equal(text.len, pieces->size);
	return text;
}

/* As a policy would: what is handed on, and what the trace tells. */
static void test_new_body(void **state)
{
	static const struct {
		const char *body, *new_body, *want;
		bool forgets;
	} rows[] = {
	    {"\r\nold\r\n", "new\r\n", "example>\r\n\r\nnew\r\n", false},
	    {"\r\nold\r\n", "", "example>\r\n\r\n", false},
	    {"\r\n", "new\r\n", "example>\r\n\r\nnew\r\n", false},
	    /* No empty line: one is needed now. */
	    {"", "new\r\n", "example>\r\n\r\nnew\r\n", false},
	    {"\r\nold\r\n", "old\r\n", NULL, false},
	    {"\r\n", "", NULL, false},
	    /* Not kept: never the same again, unless there was none. */
	    {"\r\nold\r\n", "new\r\n", "example>\r\n\r\nnew\r\n", true},
	    {"\r\nold\r\n", "", "example>\r\n\r\n", true},
	    {"\r\nold\r\n", "old\r\n", "example>\r\n\r\nold\r\n", true},
	    {"\r\n", "", NULL, true},
	};
	struct stage_input input = {.ip = STRANGER, .mail_from = BOUNCE};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gate_message *message;
		struct message_pieces pieces;
		struct slice content, header, kept, all;
		struct stage stage;

		stage_set(&stage, &input);
		content = arena_format_slice(
		    stage.arena, "%s%s", original, rows[i].body);
		header = slice_sub(content, 0, sizeof(original) + 1);
		kept = rows[i].forgets ? header : content;
		message = gate_begin(
		    stage.arena, &stage.context, &stage.envelope);
		assert_true(gate_header(message, header, NULL));
		gate_body(message, slice_from_pos(content, header.len));
		message->content = kept;
		assert_true(
		    body_replace(message, slice_from(rows[i].new_body), NULL));
		gate_decide(message, kept);
		gate_trace_field(message, SLICE("Received: us\r\n"));
		pieces = gate_pieces(message);
		all = joined(stage.arena, &pieces);
		assert_true(slice_starts(all, SLICE("Received: us\r\n")));
		assert_true(has(all, "Authentication-Results: "));
		if (!rows[i].want)
			assert_true(has(all, arena_text(stage.arena, content)));
		else if (!slice_ends_nocase(all, slice_from(rows[i].want)))
			fail_msg("%zu: %.*s", i, SLICE_ARGS(all));
		assert_int_equal(has(gate_json(message), "\"replaced\""),
		    rows[i].want != NULL);
		stage_clear(&stage);
	}
}

/* Nobody was removed: there is nobody to whom it could go (check without
 * recipients). */
static void test_no_recipients(void **state)
{
	struct stage_input input = {.ip = STRANGER, .mail_from = BOUNCE};
	struct gate_message *message;
	struct message_pieces pieces;
	struct slice content;
	struct stage stage;

	(void)state;
	stage_set(&stage, &input);
	stage.envelope.recipient_count = 0;
	content = arena_format_slice(stage.arena, "%s\r\nbody\r\n", original);
	message = gate_begin(stage.arena, &stage.context, &stage.envelope);
	assert_true(gate_header(message, content, NULL));
	gate_body(message, SLICE("body\r\n"));
	assert_int_equal(
	    gate_decide(message, content)->verdict, VERDICT_ACCEPT);
	/* Without a trace field no piece is empty. */
	pieces = gate_pieces(message);
	for (size_t i = 0; i < pieces.count; i++)
		assert_true(pieces.pieces[i].len > 0);
	stage_clear(&stage);
}

static void test_changed_recipients(void **state)
{
	struct stage_input input = {.ip = STRANGER,
	    .mail_from = BOUNCE,
	    .config = AUTHENTICATION("malformed: off, own_domains: off, "
				     "dmarc: {enforce: false}")};
	const struct envelope_recipient other = {
	    .address = SLICE("audit@agency.example")};

	(void)state;
	for (int adds = 0; adds < 2; adds++) {
		struct gate_message *message;
		const struct decision *decision;
		struct slice content, facts;
		struct stage stage;

		stage_set(&stage, &input);
		content = arena_format_slice(
		    stage.arena, "%s\r\nbody\r\n", original);
		message = gate_begin(
		    stage.arena, &stage.context, &stage.envelope);
		assert_true(gate_header(message,
		    slice_sub(content, 0, sizeof(original) + 1), NULL));
		recipient_edit_remove(stage.arena,
		    &message->decision.recipients, &stage.envelope, 0);
		if (adds)
			assert_true(recipient_edit_add(stage.arena,
			    &message->decision.recipients, &stage.envelope,
			    &other, NULL));
		decision = gate_decide(message, content);
		facts = gate_json(message);
		/* To nobody: that is no delivery. */
		assert_int_equal(
		    decision->verdict, adds ? VERDICT_ACCEPT : VERDICT_DEFER);
		assert_int_equal(decision->reply.code, adds ? 0 : 451);
		assert_true(has(facts, "\"recipient_changes\""));
		assert_int_equal(has(facts, "audit@agency.example"), adds);
		stage_clear(&stage);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_routes),
	    cmocka_unit_test(test_recipients),
	    cmocka_unit_test(test_no_domains),
	    cmocka_unit_test(test_no_route),
	    cmocka_unit_test(test_own_domain_suspect),
	    cmocka_unit_test(test_refused_before),
	    cmocka_unit_test(test_refused_recipients),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_new_body),
	    cmocka_unit_test(test_no_recipients),
	    cmocka_unit_test(test_changed_recipients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
