/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that come in one piece, while the next hop takes its time for each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "smtp/fake_delivery.h"
#include "smtp/test_server_fixture.h"

#define SLOW "RCPT TO:<slow@agency.example>\r\n"
#define SLOW_3 SLOW SLOW SLOW
#define SLOW_4 SLOW_3 SLOW

/* After set_up: starts the server, and says EHLO to it. */
static struct stream *start_and_greet(struct fixture *fixture)
{
	struct stream *stream;

	start(fixture);
	stream = dial(fixture);
	hear(stream, "220 ");
	say(stream, "EHLO client.example\r\n");
	hear(stream, "250 ");
	return stream;
}

/* RFC 2920, 3.2, and RFC 5321, 4.5.3.2: a client waits for the reply to each,
 * not to all. */
static void test_replies_do_not_wait_for_others(void **state)
{
	struct fixture fixture = {0};
	struct stream *stream;
	int64_t started;

	(void)state;
	set_up(&fixture);
	stream = start_and_greet(&fixture);
	started = clock_monotonic_ms();
	say(stream, "NOOP\r\nMAIL FROM:<>\r\n" SLOW_4 "QUIT\r\n");
	hear(stream, "250 2.0.0");
	hear(stream, "250 2.1.0");
	assert_in_range(clock_monotonic_ms() - started, 0, 3500);
	for (int i = 0; i < 4; i++)
		hear(stream, "250 2.1.5");
	hear(stream, "221 ");
	hear_end(stream);
	tear_down(&fixture);
}

/* A client whose time for MAIL is over sends the message again. */
static void test_replies_do_not_wait_for_the_message(void **state)
{
	struct fixture fixture = {0};
	struct stream *stream;

	(void)state;
	fake_delivery_hold();
	set_up(&fixture);
	stream = start_and_greet(&fixture);
	say(stream, "MAIL FROM:<>\r\nRCPT TO:<held@agency.example>\r\n"
		    "BDAT 14 LAST\r\nSubject: x\r\n\r\n");
	hear(stream, "250 2.1.0");
	hear(stream, "250 2.1.5");
	fake_delivery_let_go();
	hear(stream, "250 2.0.0 delivered");
	stream_free(stream);
	tear_down(&fixture);
}

/* Nobody is asked on behalf of a client that went away. */
static void test_client_is_gone(void **state)
{
	unsigned int before = fake_asked_count();
	struct fixture fixture = {0};
	struct stream *stream;

	(void)state;
	set_up(&fixture);
	stream = start_and_greet(&fixture);
	say(stream, "MAIL FROM:<>\r\n" SLOW_4 SLOW_4 "DATA\r\n");
	stream_free(stream);
	await_none(&fixture, 5000);
	assert_in_range(fake_asked_count() - before, 0, 4);
	tear_down(&fixture);
}

/* Who only sends no more reads all the same. */
static void test_client_has_said_everything(void **state)
{
	struct fixture fixture = {0};
	struct stream *stream;

	(void)state;
	set_up(&fixture);
	stream = start_and_greet(&fixture);
	say(stream, "MAIL FROM:<>\r\n" SLOW_3 "QUIT\r\n");
	shutdown(stream_fd(stream), SHUT_WR);
	hear(stream, "250 2.1.0");
	for (int i = 0; i < 3; i++)
		hear(stream, "250 2.1.5");
	hear(stream, "221 ");
	hear_end(stream);
	tear_down(&fixture);
}

/* However much has come, a session ends in time; and what nobody will read does
 * not reset the connection, which could take the reason with it. */
static void test_session_timeout(void **state)
{
	enum { MORE_THAN_THE_KERNELS_KEEP = 4 << 20 };
	unsigned int before = fake_asked_count();
	struct fixture fixture = {0};
	struct stream *stream;

	(void)state;
	set_up(&fixture);
	fixture.config->limits.session_timeout = 1500;
	stream = start_and_greet(&fixture);
	say(stream, "MAIL FROM:<>\r\n" SLOW_4);
	for (size_t i = 0; i < MORE_THAN_THE_KERNELS_KEEP; i += sizeof(SLOW_4))
		say(stream, SLOW_4);
	hear(stream, "250 2.1.0");
	hear(stream, "250 2.1.5");
	hear(stream, "250 2.1.5");
	hear(stream, "421 4.4.2 mx.example timed out (limits.session_timeout)");
	hear_end(stream);
	assert_int_equal(fake_asked_count() - before, 2);
	tear_down(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_replies_do_not_wait_for_others),
	    cmocka_unit_test(test_replies_do_not_wait_for_the_message),
	    cmocka_unit_test(test_client_is_gone),
	    cmocka_unit_test(test_client_has_said_everything),
	    cmocka_unit_test(test_session_timeout),
	};

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
