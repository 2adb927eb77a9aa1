/* SPDX-License-Identifier: Apache-2.0 */
/* A next hop that goes away before it was sent any content: the transaction is
 * begun again on another connection, all of it or nothing.  And a client that
 * goes away before its next hop has the message. */
#include "smtp/test_delivery_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define TWO MAIL, RCPT, "C:RCPT TO:<c@b.example>", "S:250 2.1.5 ok"
#define KEPT DATA, "S:250 2.0.0 kept", "H"
#define TIRED "S:421 4.4.2 timeout", "X"

/* Two recipients (the second one's reply: second), then the end of data. */
static const struct {
	const char *name;
	const char *const *scripts[3];
	const char *second, *data;
} cases[] = {
    {"tires of a slow client",
	{SCRIPT(HELLO, TWO, TIRED), SCRIPT(HELLO, TWO, KEPT)}, "250",
	"250 2.0.0 kept"},
    {"closes without a word",
	{SCRIPT(HELLO, TWO, "X"), SCRIPT(HELLO, TWO, KEPT)}, "250",
	"250 2.0.0 kept"},
    {"closes at DATA",
	{SCRIPT(HELLO, TWO, "C:DATA", "X"), SCRIPT(HELLO, TWO, KEPT)}, "250",
	"250 2.0.0 kept"},
    {"421 to DATA",
	{SCRIPT(HELLO, TWO, "C:DATA", TIRED), SCRIPT(HELLO, TWO, KEPT)}, "250",
	"250 2.0.0 kept"},
    {"hangs at DATA",
	{SCRIPT(HELLO, TWO, "C:DATA", "H"), SCRIPT(HELLO, TWO, KEPT)}, "250",
	"250 2.0.0 kept"},
    {"421 to DATA, and nothing else is there",
	{SCRIPT(HELLO, TWO, "C:DATA", TIRED)}, "250", "451 4.4.2 timeout"},
    {"closes at DATA, again",
	{SCRIPT(HELLO, TWO, "C:DATA", "X"), SCRIPT(HELLO, TWO, "C:DATA", "X"),
	    SCRIPT(HELLO, "H")},
	"250", "451 4.4.2"},
    {"closes at the second recipient",
	{SCRIPT(HELLO, MAIL, RCPT, "C:RCPT", "X"), SCRIPT(HELLO, TWO, KEPT)},
	"250", "250 2.0.0 kept"},
    {"421 to the second recipient, and at DATA",
	{SCRIPT(HELLO, MAIL, RCPT, "C:RCPT", TIRED),
	    SCRIPT(HELLO, TWO, "C:DATA", TIRED), SCRIPT(HELLO, TWO, KEPT)},
	"250", "250 2.0.0 kept"},
    {"the first one is refused now",
	{SCRIPT(HELLO, MAIL, RCPT, "C:RCPT", "X"),
	    SCRIPT(
		HELLO, MAIL, "C:RCPT", "S:550 5.1.1 no", "C:RSET", "S:250 ok")},
	"451 4.4.2", "451 4.4.2"},
    {"the second one is refused now",
	{SCRIPT(HELLO, TWO, "X"),
	    SCRIPT(HELLO, MAIL, RCPT, "C:RCPT", "S:450 4.2.1 later", "C:RSET",
		"S:250 ok")},
	"250", "451 4.4.2"},
    {"the sender is refused now",
	{SCRIPT(HELLO, TWO, "X"), SCRIPT(HELLO, "C:MAIL", "S:550 5.7.1 no")},
	"250", "451 4.4.2"},
    {"closes again at the second one",
	{SCRIPT(HELLO, TWO, "X"), SCRIPT(HELLO, MAIL, RCPT, "C:RCPT", "X"),
	    SCRIPT(HELLO, "H")},
	"250", "451 4.4.2"},
    {"the other one takes less",
	{SCRIPT(HELLO, TWO, "X"), SCRIPT(GREETING, "S:250-hop\r\n250 SIZE 5",
				      TWO, "C:RSET", "S:250 ok")},
	"250", "552 5.3.4"},
    {"closes amid the content",
	{SCRIPT(HELLO, TWO, "C:DATA", "S:354 go", "X"), SCRIPT("H")}, "250",
	"451 4.4.2"},
    {"closes after the final dot", {SCRIPT(HELLO, TWO, DATA, "X"), SCRIPT("H")},
	"250", "451 4.4.2"},
};

static size_t count_scripts(size_t i)
{
	size_t count = 0;

	while (count < 3 && cases[i].scripts[count])
		count++;
	return count;
}

static void play_case(size_t i, bool announces)
{
	struct world world;

	if (getenv("VERBOSE"))
		print_message("%s\n", cases[i].name);
	open_world(&world);
	add_server(&world, cases[i].scripts, count_scripts(i));
	expect_reply(&world, ask(&world, "r@b.example"), "250 2.1.5");
	expect_reply(&world, ask(&world, "c@b.example"), cases[i].second);
	if (announces)
		announce(&world);
	expect_reply(&world, send_text(&world, message).reply, cases[i].data);
	if (cases[i].data[0] == '2')
		assert_true(slice_eq(fake_server_data(world.servers[0]),
		    slice_from(message_sent)));
	close_world(&world);
}

static void test_renewal(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		play_case(i, false);
		play_case(i, true);
	}
}

/* Another target will do, and takes over what one that hangs had begun. */
static void test_another_target(void **state)
{
	struct world world;

	(void)state;
	open_world(&world);
	add_server(
	    &world, SCRIPTS(SCRIPT(HELLO, TWO, "C:DATA", "H"), SCRIPT("H")), 2);
	add_server(&world, SCRIPTS(SCRIPT(HELLO, TWO, KEPT)), 1);
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(&world, ask(&world, "c@b.example"), "250");
	expect_reply(&world, send_text(&world, message).reply, "250 2.0.0");
	close_world(&world);
}

/* With LMTP all of them are asked as well. */
static void test_lmtp(void **state)
{
	struct delivery_result result;
	struct world world;

	(void)state;
	open_world(&world);
	world.route.kind = NEXT_HOP_LMTP;
	add_server(&world,
	    SCRIPTS(SCRIPT("S:220 hop", "C:LHLO", "S:250 hop", TWO, TIRED),
		SCRIPT("S:220 hop", "C:LHLO", "S:250 hop", TWO, DATA,
		    "S:250 2.0.0 one\r\n452 4.2.2 full", "H")),
	    2);
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(&world, ask(&world, "c@b.example"), "250");
	result = send_text(&world, message);
	assert_int_equal(result.count, 2);
	expect_reply(&world, result.recipient_replies[0], "250 2.0.0 one");
	expect_reply(&world, result.recipient_replies[1], "452 4.2.2 full");
	close_world(&world);
}

/* Only the client can log in again. */
static void test_login(void **state)
{
	struct world world;

	(void)state;
	open_world(&world);
	add_server(&world,
	    SCRIPTS(SCRIPT(GREETING, "S:250-hop\r\n250 AUTH PLAIN",
			"C:AUTH PLAIN", "S:235 2.7.0 ok", TWO, TIRED),
		SCRIPT("H")),
	    2);
	expect_reply(&world, log_in(&world), "235 2.7.0");
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(&world, ask(&world, "c@b.example"), "250");
	expect_reply(&world, send_text(&world, message).reply, "421 4.4.2");
	close_world(&world);
}

/* --- A next hop that counts errors ------------------------------------- */

#define NO "C:RCPT TO:<no@b.example>", "S:550 5.1.1 no"
#define NO_5 NO, NO, NO, NO, NO
#define NO_20 NO_5, NO_5, NO_5, NO_5
#define TOO_MANY "C:RCPT", "S:421 4.7.0 too many errors", "X"

static void ask_refused(struct world *world, int count)
{
	for (int i = 0; i < count; i++)
		expect_reply(world, ask(world, "no@b.example"), "550 5.1.1");
}

/* Postfix: after twenty (smtpd_hard_error_limit); however many more there are.
 */
static void test_many_refusals(void **state)
{
	struct world world;

	(void)state;
	open_world(&world);
	add_server(&world,
	    SCRIPTS(SCRIPT(HELLO, MAIL, RCPT, NO_20, TOO_MANY),
		SCRIPT(HELLO, MAIL, RCPT, NO_20, TOO_MANY),
		SCRIPT(HELLO, MAIL, RCPT, NO_5, "C:RCPT TO:<c@b.example>",
		    "S:250 2.1.5 ok", NO, KEPT)),
	    3);
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	ask_refused(&world, 45);
	expect_reply(&world, ask(&world, "c@b.example"), "250");
	ask_refused(&world, 1);
	expect_reply(&world, send_text(&world, message).reply, "250 2.0.0");
	close_world(&world);
}

enum { ROUNDS_MAX = 10 };

/* But not for ever: the others come in another message, and those that were
 * taken have theirs. */
static void test_too_many_refusals(void **state)
{
	const char *const *const again = SCRIPT(
	    HELLO, MAIL, RCPT, NO_5, NO_5, TOO_MANY);
	const char *const *scripts[ROUNDS_MAX + 2];
	struct world world;

	(void)state;
	open_world(&world);
	for (int i = 0; i <= ROUNDS_MAX; i++)
		scripts[i] = again;
	scripts[ROUNDS_MAX + 1] = SCRIPT(HELLO, MAIL, RCPT, KEPT);
	add_server(&world, scripts, ROUNDS_MAX + 2);
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	ask_refused(&world, 10 * (ROUNDS_MAX + 1));
	expect_reply(&world, ask(&world, "c@b.example"), "452 4.5.3 too many");
	expect_reply(&world, send_text(&world, message).reply, "250 2.0.0");
	close_world(&world);
}

/* --- A client that does not wait for ever ------------------------------ */

static bool is_gone(void *context)
{
	int *asked = context;

	return --*asked < 0;
}

static const struct {
	const char *const *script;
	const char *reply;
	int patience;
} gone[] = {
    {SCRIPT(HELLO, TWO, "C:RSET", "S:250 ok", "H"), "451 4.4.2 it took", 0},
    {SCRIPT(HELLO, TWO, "C:DATA", "S:354 go", "H"), "451 4.4.2 it took", 1},
    {SCRIPT(HELLO, TWO, KEPT), "250 2.0.0 kept", 2},
};

/* Gone at the end of data; before the final dot; not at all. */
static void test_client_is_gone(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
		int patience = gone[i].patience;
		const struct delivery_waiter waiter = {.dot_by = DEADLINE_NEVER,
		    .until = DEADLINE_NEVER,
		    .is_gone = is_gone,
		    .context = &patience};
		struct world world;

		open_world(&world);
		add_server(&world, &gone[i].script, 1);
		expect_reply(&world, ask(&world, "r@b.example"), "250");
		expect_reply(&world, ask(&world, "c@b.example"), "250");
		delivery_session_wait(world.session, &waiter);
		expect_reply(
		    &world, send_text(&world, message).reply, gone[i].reply);
		close_world(&world);
	}
}

static const struct {
	const char *const *script;
	const char *reply;
	int dot_ms, ms;
} late[] = {
    {SCRIPT(HELLO, TWO, "C:RSET", "S:250 ok", "H"), "451 4.4.2 it took", 0,
	3000},
    {SCRIPT(HELLO, TWO, "C:DATA", "H"), "451 4.4.2", 200, 300},
    {SCRIPT(HELLO, TWO, DATA, "H"), "451 4.4.2", 3000, 300},
};

/* All of it together is over in time, however long one reply may take. */
static void test_deadlines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(late) / sizeof(late[0]); i++) {
		int64_t started = clock_monotonic_ms();
		struct delivery_waiter waiter = {0};
		struct world world;

		open_world(&world);
		world.config->limits.next_hop_timeout = 4000;
		world.config->limits.next_hop_data_timeout = 4000;
		add_server(&world, &late[i].script, 1);
		expect_reply(&world, ask(&world, "r@b.example"), "250");
		expect_reply(&world, ask(&world, "c@b.example"), "250");
		waiter.dot_by = deadline_in(late[i].dot_ms);
		waiter.until = deadline_in(late[i].ms);
		delivery_session_wait(world.session, &waiter);
		expect_reply(
		    &world, send_text(&world, message).reply, late[i].reply);
		assert_in_range(clock_monotonic_ms() - started, 0, 3000);
		close_world(&world);
	}
}

/* --- A client that is slow --------------------------------------------- */

#define RSET "C:RSET", "S:250 2.0.0 ok"
#define SAID_NO "C:RCPT TO:<no@b.example>", "S:550 5.1.1 no"

#define AGAIN RSET, MAIL, RCPT, SAID_NO
#define NOBODY RSET, MAIL, SAID_NO

/* r, c, n: a recipient (x, X, C: one that is refused); p: a pause; d: the end
 * of data.  Then what is heard of the last step; each before it is to be 250,
 * but n. */
static const struct {
	const char *name;
	const char *const *scripts[2];
	const char *steps, *last;
	uint64_t may_wait;
} slow[] = {
    {"it may wait", {SCRIPT(HELLO, TWO, KEPT)}, "rpcpd", "250 2.0.0 kept", 1},
    {"given back amid the content", {SCRIPT(HELLO, TWO, RSET, TWO, KEPT)},
	"rcpd", "250 2.0.0 kept", 0},
    {"and before the second recipient",
	{SCRIPT(HELLO, MAIL, RCPT, RSET, TWO, RSET, TWO, KEPT)}, "rpcpd",
	"250 2.0.0 kept", 0},
    {"several pauses, given back once", {SCRIPT(HELLO, TWO, RSET, TWO, KEPT)},
	"rcpppd", "250 2.0.0 kept", 0},
    {"nobody was accepted yet",
	{SCRIPT(HELLO, MAIL, SAID_NO, RSET, MAIL, RCPT, KEPT)}, "nprd",
	"250 2.0.0 kept", 0},
    {"nobody was accepted, however slow",
	{SCRIPT(HELLO, MAIL, SAID_NO, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY,
	    RSET, MAIL, RCPT, KEPT)},
	"npnpnpnpnpnprd", "250 2.0.0 kept", 0},
    {"one is refused now",
	{SCRIPT(HELLO, TWO, RSET, MAIL, RCPT, "C:RCPT", "S:450 4.2.1 later",
	    RSET, "H")},
	"rcpd", "450 4.2.1 later", 0},
    {"and for good",
	{SCRIPT(HELLO, TWO, RSET, MAIL, RCPT, "C:RCPT", "S:550 5.1.1 no", RSET,
	    "H")},
	"rcpd", "451 4.4.2 the next hop had taken it", 0},
    {"then taken again",
	{SCRIPT(HELLO, MAIL, RCPT, RSET, MAIL, "C:RCPT", "S:450 4.2.1 later",
	    RSET, MAIL, RCPT, KEPT)},
	"rpxd", "250 2.0.0 kept", 0},
    {"the sender is refused for a while",
	{SCRIPT(HELLO, MAIL, RCPT, RSET, "C:MAIL", "S:550 5.7.1 no", TWO, RSET,
	    TWO, KEPT)},
	"rpXcpd", "250 2.0.0 kept", 0},
    {"too often",
	{SCRIPT(HELLO, MAIL, RCPT, AGAIN, AGAIN, AGAIN, AGAIN, RSET, "H")},
	"rpnpnpnpnpC", "452 4.5.3 too slow", 0},
    {"too often: the message still goes",
	{SCRIPT(HELLO, MAIL, RCPT, AGAIN, AGAIN, AGAIN, AGAIN, RSET, MAIL, RCPT,
	    KEPT)},
	"rpnpnpnpnpCd", "250 2.0.0 kept", 0},
    {"and the next recipient hears of it",
	{SCRIPT(HELLO, MAIL, RCPT, RSET, MAIL, "C:RCPT", "S:450 4.2.1 later",
	    RSET, "H")},
	"rpc", "450 4.2.1 later", 0},
    {"the idle one has been closed meanwhile",
	{SCRIPT(HELLO, TWO, RSET, "X"), SCRIPT(HELLO, TWO, KEPT)}, "rcpd",
	"250 2.0.0 kept", 0},
    {"and the other one tires as well",
	{SCRIPT(HELLO, TWO, RSET, TWO, TIRED), SCRIPT(HELLO, TWO, KEPT)},
	"rcpd", "250 2.0.0 kept", 0},
    {"which tired before",
	{SCRIPT(HELLO, MAIL, RCPT, "C:RCPT", "X"),
	    SCRIPT(HELLO, TWO, RSET, TWO, "C:RCPT TO:<c@b.example>",
		"S:250 2.1.5 ok", KEPT)},
	"rcpcd", "250 2.0.0 kept", 0},
    {"it comes to nothing", {SCRIPT(HELLO, TWO, RSET, "H")}, "rcp", "250", 0},
};

static struct smtp_reply_text take_step(struct world *world, char step)
{
	switch (step) {
	case 'r': return ask(world, "r@b.example");
	case 'c':
	case 'x':
	case 'X':
	case 'C': return ask(world, "c@b.example");
	case 'n': return ask(world, "no@b.example");
	case 'd': return send_text(world, message).reply;
	default:
		delivery_pause(world->delivery);
		delivery_resume(world->delivery);
		return (struct smtp_reply_text){
		    250, SLICE("2.0.0"), SLICE("paused")};
	}
}

static const char *reply_amid(char step)
{
	switch (step) {
	case 'n': return "550 5.1.1";
	case 'x': return "450 4.2.1";
	case 'X': return "451 4.4.2";
	case 'C': return "452 4.5.3";
	default: return "250";
	}
}

static void test_slow_client(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
		size_t count = slow[i].scripts[1] ? 2 : 1;
		struct world world;

		print_message("%s\n", slow[i].name);
		open_world(&world);
		world.config->limits.next_hop_waiting = slow[i].may_wait;
		add_server(&world, slow[i].scripts, count);
		for (const char *step = slow[i].steps; *step; step++)
			expect_reply(&world, take_step(&world, *step),
			    step[1] ? reply_amid(*step) : slow[i].last);
		close_world(&world);
	}
}

/* A login is its client's own: nobody else gets the connection. */
static void test_slow_login(void **state)
{
	struct world world;

	(void)state;
	open_world(&world);
	world.config->limits.next_hop_waiting = 0;
	add_server(&world,
	    SCRIPTS(SCRIPT(GREETING, "S:250-hop\r\n250 AUTH PLAIN",
			"C:AUTH PLAIN", "S:235 2.7.0 ok", TWO, KEPT),
		SCRIPT("H")),
	    2);
	expect_reply(&world, log_in(&world), "235 2.7.0");
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	take_step(&world, 'p');
	expect_reply(&world, ask(&world, "c@b.example"), "250");
	take_step(&world, 'p');
	expect_reply(&world, send_text(&world, message).reply, "250 2.0.0");
	close_world(&world);
}

/* Who has waited longest makes room: another, or at last this one. */
static void test_too_many_wait(void **state)
{
	struct next_hop_waiter waiter = {0};
	/* Only taken and returned. */
	struct smtp_client *other = (struct smtp_client *)&waiter;
	struct world world;

	(void)state;
	open_world(&world);
	world.config->limits.next_hop_waiting = 1;
	add_server(
	    &world, SCRIPTS(SCRIPT(HELLO, MAIL, RCPT, RSET, TWO, KEPT)), 1);
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	delivery_pause(world.delivery);
	delivery_resume(world.delivery);
	/* Nobody came: it still has it. */
	delivery_pause(world.delivery);
	next_hop_pool_wait(world.pool, &waiter, other);
	delivery_resume(world.delivery);
	assert_ptr_equal(next_hop_pool_wait_over(world.pool, &waiter), other);
	expect_reply(&world, ask(&world, "c@b.example"), "250");
	expect_reply(&world, send_text(&world, message).reply, "250 2.0.0");
	close_world(&world);
}

#define C_1 "C:RCPT TO:<c@b.example>", "S:250 2.1.5 ok"
#define C_3 C_1, C_1, C_1
#define QUIT "C:QUIT", "S:221 bye"

/* What waits at a reload is given back: once.  The session goes on as before,
 * however many recipients are to come, and leaves no connection behind. */
static void test_reload(void **state)
{
	struct world world;

	(void)state;
	open_world(&world);
	add_server(&world,
	    SCRIPTS(SCRIPT(HELLO, MAIL, RCPT, QUIT),
		SCRIPT(HELLO, MAIL, RCPT, C_3, C_3, C_1, DATA,
		    "S:250 2.0.0 kept", QUIT)),
	    2);
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	delivery_pause(world.delivery);
	next_hop_pool_retire(world.pool);
	delivery_resume(world.delivery);
	for (int i = 0; i < 7; i++) {
		expect_reply(&world, ask(&world, "c@b.example"), "250");
		take_step(&world, 'p');
	}
	expect_reply(&world, send_text(&world, message).reply, "250 2.0.0");
	close_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_renewal),
	    cmocka_unit_test(test_another_target),
	    cmocka_unit_test(test_lmtp),
	    cmocka_unit_test(test_login),
	    cmocka_unit_test(test_many_refusals),
	    cmocka_unit_test(test_too_many_refusals),
	    cmocka_unit_test(test_client_is_gone),
	    cmocka_unit_test(test_deadlines),
	    cmocka_unit_test(test_slow_client),
	    cmocka_unit_test(test_slow_login),
	    cmocka_unit_test(test_too_many_wait),
	    cmocka_unit_test(test_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
