/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that come again, with a next hop that follows a script. */
#include "smtp/repeat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/test_delivery_fixture.h"

enum { TRIES_MAX = 3, RECIPIENTS_MAX = 3 };

#undef RCPT
#define LHELLO "S:220 hop.example", "C:LHLO gate.example", "S:250 hop.example"
#define RCPT(name) "C:RCPT TO:<" name "@b.example>", "S:250 2.1.5 ok"
#define BOTH MAIL, RCPT("one"), RCPT("two")
#define RSET "C:RSET", "S:250 2.0.0 ok"
#define KEPT "S:250 2.0.0 kept"
#define FULL "S:452 4.2.2 full"
#define FIRST LHELLO, BOTH, DATA, KEPT, FULL
#define HAD "250 2.0.0 this recipient has the message already"

struct attempt {
	const char *recipients, *content;
	const char *replies[RECIPIENTS_MAX], *all;
	bool prdr;
};

#define A_ID "MESSAGE-ID: <a@a.example>"

#define FIRST_TRY                                                              \
	{                                                                      \
		"one two", A_ID, {"250 2.0.0 kept", "452 4.2.2"}, "452", false \
	}

static const struct {
	const char *name;
	const char *const *script;
	bool smtp;
	/* Of the tries after the first; or NULL. */
	const char *other_sender, *other_ip, *other_user;
	struct attempt tries[TRIES_MAX];
} cases[] = {
    {"left out until all have it",
	SCRIPT(FIRST, BOTH, RSET, MAIL, RCPT("two"), DATA, FULL, BOTH, RSET,
	    MAIL, RCPT("two"), DATA, KEPT, "H"),
	false, NULL, NULL, NULL,
	{FIRST_TRY, {"one two", A_ID, {HAD, "452 4.2.2"}, "452", false},
	    {"one two", A_ID, {HAD, "250 2.0.0 kept"}, "250", false}}},
    {"then forgotten",
	SCRIPT(FIRST, BOTH, RSET, MAIL, RCPT("two"), DATA, KEPT, BOTH, DATA,
	    KEPT, KEPT, "H"),
	false, NULL, NULL, NULL,
	{FIRST_TRY, {"one two", A_ID, {HAD, "250 2.0.0 kept"}, "250", false},
	    {"one two", A_ID, {"250 2.0.0 kept", "250 2.0.0 kept"}, "250",
		false}}},
    {"in another order, and one more",
	SCRIPT(FIRST, MAIL, RCPT("new"), RCPT("two"), RCPT("one"), RSET, MAIL,
	    RCPT("new"), RCPT("two"), DATA, KEPT, FULL, "H"),
	false, NULL, NULL, NULL,
	{FIRST_TRY, {"new two one", A_ID, {"250 2.0.0 kept", "452 4.2.2", HAD},
			"452", false}}},
    {"nobody is left", SCRIPT(FIRST, MAIL, RCPT("one"), RSET, "H"), false, NULL,
	NULL, NULL, {FIRST_TRY, {"one", A_ID, {HAD}, "250", false}}},
    {"who is left is refused now",
	SCRIPT(FIRST, BOTH, RSET, MAIL, "C:RCPT TO:<two@b.example>",
	    "S:550 5.1.1 gone", RSET, "H"),
	false, NULL, NULL, NULL,
	{FIRST_TRY, {"one two", A_ID, {HAD, "550 5.1.1 gone"}, "550", false}}},
    {"lost behind the first reply", SCRIPT(LHELLO, BOTH, DATA, KEPT, "X"),
	false, NULL, NULL, NULL,
	{{"one two", A_ID, {"250 2.0.0 kept", "451 4.4.2"}, "451", false}}},
    {"other content", SCRIPT(FIRST, BOTH, DATA, FULL, KEPT, "H"), false, NULL,
	NULL, NULL,
	{FIRST_TRY, {"one two", "Message-ID: <b@a.example>",
			{"452 4.2.2", "250 2.0.0 kept"}, "452", false}}},
    {"another sender",
	SCRIPT(FIRST, "C:MAIL FROM:<t@a.example>", "S:250 ok", RCPT("one"),
	    RCPT("two"), DATA, KEPT, KEPT, "H"),
	false, "t@a.example", NULL, NULL,
	{FIRST_TRY, {"one two", A_ID, {"250 2.0.0 kept", "250 2.0.0 kept"},
			"250", false}}},
    {"another network: it may be anybody",
	SCRIPT(FIRST, BOTH, DATA, KEPT, KEPT, "H"), false, NULL, "192.0.3.9",
	NULL,
	{FIRST_TRY, {"one two", A_ID, {"250 2.0.0 kept", "250 2.0.0 kept"},
			"250", false}}},
    {"a neighbour in the same network",
	SCRIPT(FIRST, BOTH, RSET, MAIL, RCPT("two"), DATA, KEPT, "H"), false,
	NULL, "192.0.2.250", NULL,
	{FIRST_TRY, {"one two", A_ID, {HAD, "250 2.0.0 kept"}, "250", false}}},
    {"another user", SCRIPT(FIRST, BOTH, DATA, KEPT, KEPT, "H"), false, NULL,
	NULL, "bob",
	{FIRST_TRY, {"one two", A_ID, {"250 2.0.0 kept", "250 2.0.0 kept"},
			"250", false}}},
    {"no Message-ID: meant to come twice",
	SCRIPT(FIRST, BOTH, DATA, KEPT, KEPT, "H"), false, NULL, NULL, NULL,
	{{"one two", "Subject: Message-ID:", {"250 2.0.0 kept", "452 4.2.2"},
	     "452", false},
	    {"one two", "Subject: Message-ID:",
		{"250 2.0.0 kept", "250 2.0.0 kept"}, "250", false}}},
    {"another one without Message-ID",
	SCRIPT(FIRST, BOTH, DATA, KEPT, KEPT, "H"), false, NULL, NULL, NULL,
	{FIRST_TRY, {"one two", "Subject: x",
			{"250 2.0.0 kept", "250 2.0.0 kept"}, "250", false}}},
    {"one has it, one is refused for now, one takes it",
	SCRIPT(FIRST, BOTH, RCPT("new"), RSET, MAIL,
	    "C:RCPT TO:<two@b.example>", "S:450 4.2.1 later", RCPT("new"), DATA,
	    KEPT, "H"),
	false, NULL, NULL, NULL,
	{FIRST_TRY,
	    {"one two new", A_ID, {HAD, "450 4.2.1 later", "250 2.0.0 kept"},
		"450", false}}},
    {"refused for good: it does not come again",
	SCRIPT(LHELLO, BOTH, DATA, KEPT, "S:552 5.2.2 full", BOTH, DATA, KEPT,
	    KEPT, "H"),
	false, NULL, NULL, NULL,
	{{"one two", A_ID, {"250 2.0.0 kept", "552 5.2.2"}, "552", false},
	    {"one two", A_ID, {"250 2.0.0 kept", "250 2.0.0 kept"}, "250",
		false}}},
    {"PRDR: the client knows", SCRIPT(FIRST, BOTH, DATA, KEPT, KEPT, "H"),
	false, NULL, NULL, NULL,
	{{"one two", A_ID, {"250 2.0.0 kept", "452 4.2.2"}, "452", true},
	    {"one two", A_ID, {"250 2.0.0 kept", "250 2.0.0 kept"}, "250",
		true}}},
    {"SMTP has one reply for all",
	SCRIPT(HELLO, BOTH, DATA, FULL, BOTH, DATA, KEPT, "H"), true, NULL,
	NULL, NULL,
	{{"one two", A_ID, {"452 4.2.2", "452 4.2.2"}, "452", false},
	    {"one two", A_ID, {"250 2.0.0 kept", "250 2.0.0 kept"}, "250",
		false}}},
};

static void ask_all(struct world *world, struct arena *arena,
    struct envelope *envelope, struct delivery *delivery, const char *names)
{
	struct slice rest = slice_from(names), name;

	while (rest.len) {
		struct envelope_recipient one = {0};

		slice_split(rest, ' ', &name, &rest);
		one.address = arena_format_slice(
		    arena, "%.*s@b.example", SLICE_ARGS(name));
		assert_int_equal(
		    delivery_recipient(delivery, &world->route, &one).code,
		    250);
		envelope_add_recipient(arena, envelope, &one);
	}
}

static struct delivery_result deliver(
    struct repeat *repeat, struct delivery **delivery)
{
	struct slice piece = repeat->content;
	const struct message_pieces pieces = {1, &piece, piece.len};
	struct delivery_result result = {0};

	if (repeat_leave_out(repeat, delivery))
		result = delivery_data(*delivery, &pieces);
	return repeat_map(repeat, &result);
}

static void play_try(struct world *world, struct partly_taken *table,
    const struct attempt *attempt, const char *sender)
{
	struct arena *arena = arena_new(0);
	struct gate_context context = {.config = world->config};
	struct envelope envelope = {
	    .id = SLICE("ID1"),
	    .received_at = 1800000000,
	    .client = &world->client,
	    .mail_from = slice_from(sender),
	    .prdr = attempt->prdr,
	};
	struct repeat repeat = {
	    .arena = arena,
	    .gate = gate_begin(arena, &context, &envelope),
	    .envelope = &envelope,
	    .session = world->session,
	    .table = table,
	    .content = arena_format_slice(arena,
		"From: x\r\n%s\r\n\r\nMessage-ID: none\r\n", attempt->content),
	};
	struct delivery *delivery = delivery_new(
	    arena, repeat.session, &envelope);
	struct delivery_result result;

	ask_all(world, arena, &envelope, delivery, attempt->recipients);
	result = deliver(&repeat, &delivery);
	assert_int_equal(result.count, envelope.recipient_count);
	for (size_t i = 0; i < result.count; i++) {
		expect_reply(
		    world, result.recipient_replies[i], attempt->replies[i]);
		assert_int_equal(repeat_had(&repeat, i),
		    strcmp(attempt->replies[i], HAD) == 0);
	}
	expect_reply(world, result.reply, attempt->all);
	delivery_abort(delivery);
	arena_free(arena);
}

static void play(size_t i)
{
	struct partly_taken *table = partly_taken_new();
	struct world world;

	print_message("%s\n", cases[i].name);
	open_world(&world);
	world.route.kind = cases[i].smtp ? NEXT_HOP_SMTP : NEXT_HOP_LMTP;
	world.config->route_count = 1;
	world.config->routes = &world.route;
	add_server(&world, &cases[i].script, 1);
	play_try(&world, table, &cases[i].tries[0], "s@a.example");
	if (cases[i].other_ip)
		assert_true(
		    ip_parse(slice_from(cases[i].other_ip), &world.client.ip));
	if (cases[i].other_user)
		world.client.authenticated_as = slice_from(cases[i].other_user);
	for (size_t t = 1; t < TRIES_MAX && cases[i].tries[t].recipients; t++)
		play_try(&world, table, &cases[i].tries[t],
		    cases[i].other_sender ? cases[i].other_sender
					  : "s@a.example");
	/* It stands in this struct. */
	world.config->route_count = 0;
	close_world(&world);
	partly_taken_free(table);
}

static void test_tries(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		play(i);
}

/* The oldest make room. */
static void test_bounded(void **state)
{
	struct arena *arena = arena_new(0);
	struct partly_taken *table = partly_taken_new();
	struct taken_copy copy = {.next_hop = SLICE("lmtp:test")};

	(void)state;
	assert_true(partly_taken_empty(table));
	for (int i = 0; i <= PARTLY_TAKEN_MAX; i++) {
		copy.recipient = arena_format_slice(arena, "%d", i);
		partly_taken_add(table, arena, &copy);
	}
	assert_true(partly_taken_has(table, arena, &copy));
	copy.recipient = SLICE("0");
	assert_false(partly_taken_has(table, arena, &copy));
	copy.recipient = SLICE("1");
	assert_true(partly_taken_has(table, arena, &copy));
	partly_taken_forget(table, arena, &copy);
	assert_false(partly_taken_has(table, arena, &copy));
	copy.next_hop = SLICE("lmtp:other");
	copy.recipient = SLICE("2");
	assert_false(partly_taken_has(table, arena, &copy));
	partly_taken_free(table);
	arena_free(arena);
}

/* A /24 or a /64 is one client. */
static void test_networks(void **state)
{
	static const struct {
		const char *first, *other;
		bool same;
	} rows[] = {
	    {"192.0.2.0", "192.0.2.255", true},
	    {"192.0.2.0", "192.0.3.0", false},
	    {"2001:db8::1", "2001:db8::8000:0:0:1", true},
	    {"2001:db8::1", "2001:db8:0:1::1", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new(0);
		struct partly_taken *table = partly_taken_new();
		struct taken_copy copy = {.next_hop = SLICE("lmtp:test")};

		assert_true(ip_parse(slice_from(rows[i].first), &copy.client));
		partly_taken_add(table, arena, &copy);
		assert_true(ip_parse(slice_from(rows[i].other), &copy.client));
		if (partly_taken_has(table, arena, &copy) != rows[i].same)
			fail_msg("%s and %s", rows[i].first, rows[i].other);
		partly_taken_free(table);
		arena_free(arena);
	}
}

/* What came twice is forgotten at once. */
static void test_added_twice(void **state)
{
	struct arena *arena = arena_new(0);
	struct partly_taken *table = partly_taken_new();
	struct taken_copy copy = {.next_hop = SLICE("lmtp:test")};

	(void)state;
	partly_taken_add(table, arena, &copy);
	partly_taken_add(table, arena, &copy);
	partly_taken_forget(table, arena, &copy);
	assert_false(partly_taken_has(table, arena, &copy));
	assert_true(partly_taken_empty(table));
	partly_taken_free(table);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_tries),
	    cmocka_unit_test(test_bounded),
	    cmocka_unit_test(test_networks),
	    cmocka_unit_test(test_added_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
