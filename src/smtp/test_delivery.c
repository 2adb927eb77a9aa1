/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/test_delivery_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One connection, one recipient: what the client is told at RCPT and at the
 * end of data (NULL: does not come to that). */
static const struct {
	const char *name;
	const char *const *script;
	const char *rcpt, *data;
} cases[] = {
    {"all is well", SCRIPT(HELLO, MAIL, RCPT, DATA, "S:250 2.6.0 kept", "H"),
	"250 2.1.5 ok", "250 2.6.0 kept"},
    {"pipelining",
	SCRIPT(GREETING, "S:250-hop.example\r\n250 PIPELINING",
	    "C:MAIL FROM:<s@a.example>", "C:RCPT TO:<r@b.example>",
	    "S:250 2.1.0 ok\r\n250 2.1.5 ok", DATA, "S:250 2.6.0 kept", "H"),
	"250 2.1.5 ok", "250 2.6.0 kept"},
    {"old server",
	SCRIPT("S:220 hop", "C:EHLO", "S:502 what", "C:HELO gate.example",
	    "S:250 hop", MAIL, RCPT, DATA, "S:250 ok", "H"),
	"250 2.1.5 ok", "250 2.0.0 ok"},
    {"reply of many lines",
	SCRIPT(HELLO, MAIL, "C:RCPT", "S:550-5.1.1 no\r\n550 5.1.1 user",
	    "C:RSET", "S:250 ok", "H"),
	"550 5.1.1 no user", NULL},
    {"greeting refuses", SCRIPT("S:554 go away"), "451 4.4.1", NULL},
    {"no greeting", SCRIPT("H"),
	"451 4.4.1 the next hop is not available now: timed out", NULL},
    {"garbage greeting", SCRIPT("S:hello", "H"), "451 4.4.1", NULL},
    {"closes at greeting", SCRIPT("X"), "451 4.4.1", NULL},
    {"closes at EHLO", SCRIPT(GREETING, "X"), "451 4.4.1", NULL},
    {"hangs at EHLO", SCRIPT(GREETING, "H"), "451 4.4.1", NULL},
    {"sender refused", SCRIPT(HELLO, "C:MAIL", "S:550 5.7.1 not you", "H"),
	"550 5.7.1 not you", NULL},
    {"sender refused, pipelined",
	SCRIPT(GREETING, "S:250-hop.example\r\n250 PIPELINING", "C:MAIL",
	    "C:RCPT", "S:450 4.7.1 later\r\n503 5.5.1 MAIL first", "H"),
	"450 4.7.1 later", NULL},
    {"closes at MAIL", SCRIPT(HELLO, "C:MAIL", "X"), "451 4.4.2", NULL},
    {"hangs at MAIL", SCRIPT(HELLO, "C:MAIL", "H"), "451 4.4.2", NULL},
    {"closing at MAIL", SCRIPT(HELLO, "C:MAIL", "S:421 4.3.2 bye", "H"),
	"451 4.3.2 bye", NULL},
    {"closes at RCPT", SCRIPT(HELLO, MAIL, "C:RCPT", "X"), "451 4.4.2", NULL},
    {"hangs at RCPT", SCRIPT(HELLO, MAIL, "C:RCPT", "H"), "451 4.4.2", NULL},
    {"closing at RCPT", SCRIPT(HELLO, MAIL, "C:RCPT", "S:421 bye", "H"),
	"451 4.0.0 bye", NULL},
    {"nonsense at RCPT", SCRIPT(HELLO, MAIL, "C:RCPT", "S:354 what", "H"),
	"451 4.5.0", NULL},
    {"wants a login", SCRIPT(HELLO, "C:MAIL", "S:530 5.7.0 login first", "H"),
	"451 4.3.5", NULL},
    {"DATA refused",
	SCRIPT(HELLO, MAIL, RCPT, "C:DATA", "S:452 4.3.1 full", "C:RSET",
	    "S:250 ok", "H"),
	"250", "452 4.3.1 full"},
    {"DATA answered 250",
	SCRIPT(
	    HELLO, MAIL, RCPT, "C:DATA", "S:250 ok", "C:RSET", "S:250 ok", "H"),
	"250", "451 4.4.2"},
    {"closes at DATA", SCRIPT(HELLO, MAIL, RCPT, "C:DATA", "X"), "250",
	"451 4.4.2"},
    {"hangs at DATA", SCRIPT(HELLO, MAIL, RCPT, "C:DATA", "H"), "250",
	"451 4.4.2"},
    {"message refused",
	SCRIPT(HELLO, MAIL, RCPT, DATA, "S:554 5.7.1 spam", "H"), "250",
	"554 5.7.1 spam"},
    {"closing at the end of data",
	SCRIPT(HELLO, MAIL, RCPT, DATA, "S:421 4.3.2 bye", "X"), "250",
	"451 4.3.2 bye"},
    {"closes after the final dot", SCRIPT(HELLO, MAIL, RCPT, DATA, "X"), "250",
	"451 4.4.2"},
    {"hangs after the final dot", SCRIPT(HELLO, MAIL, RCPT, DATA, "H"), "250",
	"451 4.4.2"},
    {"reply is cut", SCRIPT(HELLO, MAIL, RCPT, DATA, "S:250-ok", "X"), "250",
	"451 4.4.2"},
    {"no 8BITMIME needed for 7 bits",
	SCRIPT(GREETING, "S:250-hop\r\n250 SIZE 100000",
	    "C:MAIL FROM:<s@a.example>", "S:250 ok", RCPT, DATA, "S:250 ok",
	    "H"),
	"250", "250"},
    {"too large for it",
	SCRIPT(GREETING, "S:250-hop\r\n250 SIZE 5", MAIL, RCPT, "C:RSET",
	    "S:250 ok", "H"),
	"250", "552 5.3.4"},
    {"speaks before the end of data",
	SCRIPT(HELLO, MAIL, RCPT, "C:DATA", "S:354 go\r\n250 done", "H"), "250",
	"451 4.4.2"},
};

static void play_case(size_t i, bool announces)
{
	struct world world;

	if (getenv("VERBOSE"))
		print_message("%s\n", cases[i].name);
	open_world(&world);
	add_server(&world, &cases[i].script, 1);
	expect_reply(&world, ask(&world, "r@b.example"), cases[i].rcpt);
	if (!cases[i].data) {
		assert_int_equal(delivery_recipient_count(world.delivery), 0);
		close_world(&world);
		return;
	}
	if (announces)
		announce(&world);
	expect_reply(&world, send_text(&world, message).reply, cases[i].data);
	close_world(&world);
}

static void test_dialogues(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		play_case(i, false);
		play_case(i, true);
	}
}

/* A message that was announced and does not come after all: nothing may end
 * there, and nobody else gets that connection. */
static void test_announced_in_vain(void **state)
{
	struct world world;

	(void)state;
	open_world(&world);
	add_server(&world,
	    (const char *const *const[]){SCRIPT(HELLO, MAIL, RCPT, DATA),
		SCRIPT(HELLO, MAIL, RCPT, DATA, "S:250 2.0.0 kept", "H")},
	    2);
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	announce(&world);
	delivery_abort(world.delivery);
	world.delivery = NULL;
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(&world, send_text(&world, message).reply, "250 2.0.0");
	next_hop_pool_release(world.pool);
	world.pool = next_hop_pool_new(world.config, NULL);
	fake_server_wait(world.servers[0]);
	assert_true(slice_eq(
	    fake_server_data(world.servers[0]), slice_from(message_sent)));
	close_world(&world);
}

/* The peer refuses amid a long message and closes. */
static void test_refused_amid_data(void **state)
{
	static char long_message[4 << 20];
	struct world world;

	(void)state;
	memset(long_message, 'x', sizeof(long_message) - 1);
	for (size_t i = 70; i + 1 < sizeof(long_message); i += 72)
		memcpy(long_message + i, "\r\n", 2);
	open_world(&world);
	add_server(&world,
	    (const char *const *const[]){
		SCRIPT(HELLO, MAIL, RCPT, "C:DATA", "S:354 go", "D:1000", "X")},
	    1);
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(
	    &world, send_text(&world, long_message).reply, "451 4.4.2");
	close_world(&world);
	open_world(&world);
	add_server(&world,
	    (const char *const *const[]){SCRIPT(HELLO, MAIL, RCPT, "C:DATA",
		"S:354 go", "D:1000", "S:552 5.3.4 too much", "D", "H")},
	    1);
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(
	    &world, send_text(&world, long_message).reply, "552 5.3.4");
	close_world(&world);
}

static void test_several_recipients(void **state)
{
	struct delivery_result result;
	struct world world;

	(void)state;
	open_world(&world);
	add_server(&world,
	    (const char *const *const[]){
		SCRIPT(HELLO, MAIL, "C:RCPT TO:<a@b.example>", "S:550 5.1.1 no",
		    "C:RCPT TO:<r@b.example>", "S:250 ok",
		    "C:RCPT TO:<c@b.example>", "S:251 2.1.5 forwarded", DATA,
		    "S:250 2.0.0 kept", "H")},
	    1);
	expect_reply(&world, ask(&world, "a@b.example"), "550 5.1.1 no");
	expect_reply(&world, ask(&world, "r@b.example"), "250 2.0.0 ok");
	expect_reply(&world, ask(&world, "c@b.example"), "251 2.1.5");
	assert_int_equal(delivery_recipient_count(world.delivery), 2);
	result = send_text(&world, message);
	expect_reply(&world, result.reply, "250 2.0.0 kept");
	assert_int_equal(result.count, 2);
	expect_reply(&world, result.recipient_replies[1], "250 2.0.0 kept");
	fake_server_wait(world.servers[0]);
	assert_true(slice_eq(
	    fake_server_data(world.servers[0]), slice_from(message_sent)));
	close_world(&world);
}

/* A connection that is lost between two recipients voids the first one. */
static void test_lost_between_recipients(void **state)
{
	struct world world;

	(void)state;
	open_world(&world);
	add_server(&world,
	    (const char *const *const[]){
		SCRIPT(HELLO, MAIL, RCPT, "C:RCPT", "X")},
	    1);
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(&world, ask(&world, "c@b.example"), "451 4.4.2");
	expect_reply(&world, ask(&world, "d@b.example"), "451 4.4.2");
	expect_reply(&world, send_text(&world, message).reply, "451 4.4.2");
	close_world(&world);
}

static void test_lmtp(void **state)
{
	struct delivery_result result;
	struct world world;

	(void)state;
	open_world(&world);
	world.route.kind = NEXT_HOP_LMTP;
	add_server(&world,
	    (const char *const *const[]){SCRIPT("S:220 hop",
		"C:LHLO gate.example", "S:250 hop", MAIL, RCPT,
		"C:RCPT TO:<no@b.example>", "S:550 5.1.1 no",
		"C:RCPT TO:<c@b.example>", "S:250 ok",
		"C:RCPT TO:<d@b.example>", "S:250 ok", DATA,
		"S:250 2.0.0 one\r\n552 5.2.2 full\r\n452 4.2.2 later", "H")},
	    1);
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(&world, ask(&world, "no@b.example"), "550");
	expect_reply(&world, ask(&world, "c@b.example"), "250");
	expect_reply(&world, ask(&world, "d@b.example"), "250");
	result = send_text(&world, message);
	assert_int_equal(result.count, 3);
	expect_reply(&world, result.recipient_replies[0], "250 2.0.0 one");
	expect_reply(&world, result.recipient_replies[1], "552 5.2.2 full");
	expect_reply(&world, result.recipient_replies[2], "452 4.2.2 later");
	expect_reply(&world, result.reply, "452 4.2.2 later");
	close_world(&world);
}

/* Replies missing at the end are temporary failures for those alone. */
static void test_lmtp_lost(void **state)
{
	struct delivery_result result;
	struct world world;

	(void)state;
	open_world(&world);
	world.route.kind = NEXT_HOP_LMTP;
	add_server(&world,
	    (const char *const *const[]){SCRIPT("S:220 hop", "C:LHLO",
		"S:250 hop", MAIL, RCPT, "C:RCPT", "S:250 ok", "C:RCPT",
		"S:250 ok", DATA, "S:250 2.0.0 one", "X")},
	    1);
	for (size_t i = 0; i < 3; i++)
		expect_reply(&world, ask(&world, "r@b.example"), "250");
	result = send_text(&world, message);
	expect_reply(&world, result.recipient_replies[0], "250 2.0.0 one");
	expect_reply(&world, result.recipient_replies[1], "451 4.4.2");
	expect_reply(&world, result.recipient_replies[2], "451 4.4.2");
	expect_reply(&world, result.reply, "451 4.4.2");
	close_world(&world);
}

static void test_reuse(void **state)
{
	struct world world;

	(void)state;
	open_world(&world);
	add_server(&world,
	    (const char *const *const[]){
		SCRIPT(HELLO, MAIL, RCPT, DATA, "S:250 2.0.0 one", MAIL, RCPT,
		    "C:RSET", "S:250 ok", MAIL, RCPT, DATA, "S:250 2.0.0 two",
		    "C:MAIL", "S:421 4.3.2 enough", "X"),
		SCRIPT(HELLO, MAIL, RCPT, DATA, "S:250 2.0.0 three", "X")},
	    2);
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(&world, send_text(&world, message).reply, "250 2.0.0 one");
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	delivery_abort(world.delivery);
	world.delivery = NULL;
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(&world, send_text(&world, message).reply, "250 2.0.0 two");
	/* 421 on a reused connection: again on a new one. */
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(
	    &world, send_text(&world, message).reply, "250 2.0.0 three");
	assert_int_equal(next_hop_pool_statistics(world.pool).opened, 2);
	assert_int_equal(next_hop_pool_statistics(world.pool).reused, 3);
	close_world(&world);
}

static void test_failover(void **state)
{
	struct world world;

	(void)state;
	open_world(&world);
	add_server(&world, (const char *const *const[]){SCRIPT("S:554 no")}, 1);
	add_server(&world,
	    (const char *const *const[]){SCRIPT(HELLO, "C:MAIL", "X")}, 1);
	add_server(&world,
	    (const char *const *const[]){SCRIPT(HELLO, MAIL, RCPT, DATA,
		"S:250 kept", MAIL, RCPT, DATA, "S:250 again", "H")},
	    1);
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(&world, send_text(&world, message).reply, "250");
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(&world, send_text(&world, message).reply, "250");
	close_world(&world);
}

/* One that greets and then hangs is tried last, as if it did not answer. */
static void test_hangs_at_mail(void **state)
{
	struct world world;

	(void)state;
	open_world(&world);
	add_server(&world, SCRIPTS(SCRIPT(HELLO, "C:MAIL", "H")), 1);
	add_server(&world,
	    SCRIPTS(SCRIPT(HELLO, MAIL, RCPT, DATA, "S:250 kept", MAIL, RCPT,
		DATA, "S:250 again", "H")),
	    1);
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(&world, send_text(&world, message).reply, "250");
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(&world, send_text(&world, message).reply, "250");
	assert_int_equal(next_hop_pool_statistics(world.pool).failed, 1);
	close_world(&world);
}

#define NOBODY "C:RCPT TO:<x@b.example>", "S:550 5.1.1 no"
#define RESET "C:RSET", "S:250 ok"

/* What strangers guess does not pile up on a connection that others get next;
 * a message that is taken makes up for it. */
static void test_refusals_pile_up(void **state)
{
	struct world world;

	(void)state;
	open_world(&world);
	add_server(&world,
	    SCRIPTS(SCRIPT(HELLO, MAIL, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY,
			NOBODY, NOBODY, RCPT, DATA, "S:250 kept", MAIL, NOBODY,
			NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, RESET,
			MAIL, NOBODY, "C:QUIT"),
		SCRIPT(HELLO, MAIL, RCPT, DATA, "S:250 kept", "H")),
	    2);
	for (size_t i = 0; i < 7; i++)
		expect_reply(&world, ask(&world, "x@b.example"), "550");
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(&world, send_text(&world, message).reply, "250");
	for (size_t i = 0; i < 7; i++)
		expect_reply(&world, ask(&world, "x@b.example"), "550");
	delivery_abort(world.delivery);
	world.delivery = NULL;
	expect_reply(&world, ask(&world, "x@b.example"), "550");
	delivery_abort(world.delivery);
	world.delivery = NULL;
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(&world, send_text(&world, message).reply, "250");
	close_world(&world);
}

/* Idle connections end without a next message, too. */
static void test_idle_for_too_long(void **state)
{
	int64_t now = clock_monotonic_ms();
	struct world world;

	(void)state;
	open_world(&world);
	add_server(&world,
	    SCRIPTS(SCRIPT(HELLO, MAIL, RCPT, DATA, "S:250 kept", "C:QUIT")),
	    1);
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(&world, send_text(&world, message).reply, "250");
	next_hop_pool_tidy(world.pool, now + 25 * 1000);
	assert_int_equal(next_hop_pool_statistics(world.pool).idle, 1);
	next_hop_pool_tidy(world.pool, now + 35 * 1000);
	assert_int_equal(next_hop_pool_statistics(world.pool).idle, 0);
	fake_server_wait(world.servers[0]);
	close_world(&world);
}

/* Nothing is kept for a configuration that is not the newest any more. */
static void test_retired(void **state)
{
	struct world world;

	(void)state;
	open_world(&world);
	add_server(&world,
	    SCRIPTS(SCRIPT(HELLO, MAIL, RCPT, DATA, "S:250 kept", "C:QUIT"),
		SCRIPT(HELLO, MAIL, RCPT, DATA, "S:250 kept", "C:QUIT")),
	    2);
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(&world, send_text(&world, message).reply, "250");
	next_hop_pool_retire(world.pool);
	assert_int_equal(next_hop_pool_statistics(world.pool).idle, 0);
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(&world, send_text(&world, message).reply, "250");
	assert_int_equal(next_hop_pool_statistics(world.pool).idle, 0);
	fake_server_wait(world.servers[0]);
	close_world(&world);
}

static void test_another_route(void **state)
{
	struct envelope_recipient recipient = {.address = SLICE("x@c.example")};
	struct conf_route other;
	struct world world;

	(void)state;
	open_world(&world);
	add_server(&world,
	    SCRIPTS(SCRIPT(HELLO, MAIL, RCPT, "C:RCPT TO:<x@c.example>",
		"S:250 ok", "C:RSET", "S:250 ok")),
	    1);
	/* Another row of the configuration, and the same way. */
	other = world.route;
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(&world,
	    delivery_recipient(world.delivery, &other, &recipient), "250");
	/* The same next hop, in another way. */
	other.tls = NEXT_HOP_TLS_MUST;
	expect_reply(&world,
	    delivery_recipient(world.delivery, &other, &recipient),
	    "452 4.5.3");
	close_world(&world);
}

static void test_parameters(void **state)
{
	struct world world;

	(void)state;
	open_world(&world);
	world.route.xforward = true;
	world.envelope.body = BODY_8BITMIME;
	world.envelope.smtputf8 = true;
	world.envelope.declared_size = 20;
	world.envelope.dsn_ret = SLICE("HDRS");
	world.envelope.dsn_envid = SLICE("e1");
	world.envelope.auth_parameter = SLICE("<>");
	add_server(&world,
	    (const char *const *const[]){
		SCRIPT(GREETING,
		    "S:250-hop\r\n250-SIZE\r\n250-8BITMIME\r\n250-DSN\r\n"
		    "250-XFORWARD ADDR SOURCE\r\n250-AUTH PLAIN\r\n"
		    "250 SMTPUTF8",
		    "C:XFORWARD ADDR=192.0.2.9 SOURCE=REMOTE", "S:550 no",
		    "C:MAIL FROM:<s@a.example> SIZE=20 BODY=8BITMIME SMTPUTF8 "
		    "RET=HDRS ENVID=e1 AUTH=<>",
		    "S:250 ok", "C:RCPT TO:<r@b.example> NOTIFY=NEVER",
		    "S:250 ok", DATA, "S:250 ok"),
	    },
	    1);
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(&world,
	    send_text(&world, "A: \xc3\xa9\r\n\r\n\xc3\r\n").reply, "250");
	close_world(&world);
}

static void test_missing_capabilities(void **state)
{
	struct world world;

	(void)state;
	open_world(&world);
	world.envelope.body = BODY_8BITMIME;
	world.envelope.smtputf8 = true;
	add_server(&world,
	    (const char *const *const[]){
		SCRIPT(HELLO, "C:MAIL FROM:<s@a.example>", "S:250 ok", RCPT,
		    "C:RSET", "S:250 ok", MAIL, RCPT, "C:RSET", "S:250 ok")},
	    1);
	expect_reply(&world, ask(&world, "\xc3\xa9@b.example"), "550 5.6.7");
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(&world, send_text(&world, "A: b\r\n\r\n\xc3\r\n").reply,
	    "554 5.6.3");
	world.envelope.body = BODY_7BIT;
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(&world,
	    send_text(&world, "A: \xc3\xa9\r\n\r\nb\r\n").reply, "554 5.6.9");
	close_world(&world);
}

static void test_login(void **state)
{
	struct world world;

	(void)state;
	open_world(&world);
	add_server(&world,
	    (const char *const *const[]){
		SCRIPT(GREETING, "S:250-hop\r\n250 AUTH PLAIN",
		    "C:AUTH PLAIN AHUAcA==", "S:535 5.7.8 no such user", "X"),
		SCRIPT(GREETING, "S:250-hop\r\n250 AUTH PLAIN", "C:AUTH PLAIN",
		    "S:501 5.5.2 cannot decode that", "X"),
		SCRIPT(GREETING, "S:250-hop\r\n250 AUTH PLAIN", "C:AUTH PLAIN",
		    "S:502 5.5.1 not now", "X"),
		SCRIPT(GREETING, "S:250-hop\r\n250 AUTH CRAM-MD5", "X"),
		SCRIPT(GREETING, "S:250-hop\r\n250 AUTH LOGIN", "C:AUTH LOGIN",
		    "S:334 VXNlcm5hbWU6", "C:dQ==", "S:334 UGFzc3dvcmQ6",
		    "C:cA==", "S:235 2.7.0 ok", MAIL, RCPT, DATA, "S:250 kept",
		    "X")},
	    5);
	for (size_t i = 0; i < 2; i++)
		expect_reply(&world, log_in(&world), "535 5.7.8 login refused");
	expect_reply(&world, log_in(&world), "454 4.7.0");
	expect_reply(&world, log_in(&world), "454 4.7.0");
	expect_reply(&world, log_in(&world), "235 2.7.0");
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(&world, send_text(&world, message).reply, "250");
	/* Its connection is gone: the client has to log in again. */
	fake_server_wait(world.servers[0]);
	expect_reply(&world, ask(&world, "r@b.example"), "421 4.4.2");
	close_world(&world);
}

/* Whoever comes after the one who logged in does not use that login. */
static void test_forgotten_login(void **state)
{
	struct world world;

	(void)state;
	open_world(&world);
	add_server(&world,
	    (const char *const *const[]){
		SCRIPT(GREETING, "S:250-hop\r\n250 AUTH PLAIN", "C:AUTH PLAIN",
		    "S:235 2.7.0 ok", "C:QUIT", "S:221 bye", "X"),
		SCRIPT(HELLO, MAIL, RCPT, DATA, "S:250 kept", "H")},
	    2);
	expect_reply(&world, log_in(&world), "235 2.7.0");
	delivery_session_forget_login(world.session);
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	expect_reply(&world, send_text(&world, message).reply, "250");
	close_world(&world);
}

/* Lost amid the replies: the client hears that he has to log in again, for
 * each of the recipients that were not answered. */
static void test_login_lost(void **state)
{
	struct delivery_result result;
	struct world world;

	(void)state;
	open_world(&world);
	world.route.kind = NEXT_HOP_LMTP;
	add_server(&world,
	    (const char *const *const[]){SCRIPT("S:220 hop", "C:LHLO",
		"S:250-hop\r\n250 AUTH PLAIN", "C:AUTH PLAIN", "S:235 2.7.0 ok",
		MAIL, RCPT, "C:RCPT", "S:250 ok", "C:RCPT", "S:250 ok", DATA,
		"S:250 2.0.0 one", "X")},
	    1);
	expect_reply(&world, log_in(&world), "235 2.7.0");
	for (size_t i = 0; i < 3; i++)
		expect_reply(&world, ask(&world, "r@b.example"), "250");
	result = send_text(&world, message);
	expect_reply(&world, result.recipient_replies[0], "250 2.0.0 one");
	expect_reply(&world, result.recipient_replies[1], "421 4.4.2");
	expect_reply(&world, result.recipient_replies[2], "421 4.4.2");
	close_world(&world);
}

/* Nothing is announced on it: it outlives a message that is not sent. */
static void test_login_announced(void **state)
{
	struct world world;

	(void)state;
	open_world(&world);
	add_server(&world,
	    (const char *const *const[]){
		SCRIPT(GREETING, "S:250-hop\r\n250 AUTH PLAIN", "C:AUTH PLAIN",
		    "S:235 2.7.0 ok", MAIL, RCPT, "C:RSET", "S:250 ok", MAIL,
		    RCPT, DATA, "S:250 2.0.0 kept", "H")},
	    1);
	expect_reply(&world, log_in(&world), "235 2.7.0");
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	announce(&world);
	delivery_abort(world.delivery);
	world.delivery = NULL;
	expect_reply(&world, ask(&world, "r@b.example"), "250");
	announce(&world);
	expect_reply(&world, send_text(&world, message).reply, "250 2.0.0");
	close_world(&world);
}

static void test_proxied_is_not_reused(void **state)
{
	struct world world;

	(void)state;
	open_world(&world);
	world.route.proxy_protocol = 1;
	add_server(&world,
	    (const char *const *const[]){
		SCRIPT("C:PROXY TCP4 192.0.2.9 127.0.0.1 999 ", HELLO, MAIL,
		    RCPT, DATA, "S:250 kept", "C:QUIT"),
		SCRIPT("C:PROXY TCP4", HELLO, MAIL, RCPT, DATA, "S:250 kept",
		    "C:QUIT")},
	    2);
	for (int i = 0; i < 2; i++) {
		expect_reply(&world, ask(&world, "r@b.example"), "250");
		expect_reply(&world, send_text(&world, message).reply, "250");
	}
	close_world(&world);
}

static void test_whole_message(void **state)
{
	struct smtp_reply_text text;
	struct world world;

	(void)state;
	open_world(&world);
	add_server(&world,
	    (const char *const *const[]){
		SCRIPT(GREETING, "S:250-hop\r\n250 SIZE",
		    "C:MAIL FROM:<> SIZE=7", "S:250 ok", RCPT, DATA,
		    "S:250 2.0.0 kept"),
	    },
	    1);
	assert_true(delivery_send_message(world.arena, world.pool, &world.route,
	    SLICE(""), SLICE("r@b.example"), SLICE("A: b\r\n\r"), &text));
	expect_reply(&world, text, "250 2.0.0 kept");
	fake_server_wait(world.servers[0]);
	close_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_dialogues),
	    cmocka_unit_test(test_announced_in_vain),
	    cmocka_unit_test(test_forgotten_login),
	    cmocka_unit_test(test_login_announced),
	    cmocka_unit_test(test_refused_amid_data),
	    cmocka_unit_test(test_several_recipients),
	    cmocka_unit_test(test_lost_between_recipients),
	    cmocka_unit_test(test_lmtp),
	    cmocka_unit_test(test_lmtp_lost),
	    cmocka_unit_test(test_reuse),
	    cmocka_unit_test(test_failover),
	    cmocka_unit_test(test_hangs_at_mail),
	    cmocka_unit_test(test_refusals_pile_up),
	    cmocka_unit_test(test_idle_for_too_long),
	    cmocka_unit_test(test_retired),
	    cmocka_unit_test(test_another_route),
	    cmocka_unit_test(test_parameters),
	    cmocka_unit_test(test_missing_capabilities),
	    cmocka_unit_test(test_login),
	    cmocka_unit_test(test_login_lost),
	    cmocka_unit_test(test_proxied_is_not_reused),
	    cmocka_unit_test(test_whole_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
