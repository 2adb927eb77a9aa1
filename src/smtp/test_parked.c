/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that stop in the middle of something: their sessions are parked, go
 * on where they were, and have the deadlines they had.
 */
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/log.h"
#include "base/metrics.h"
#include "smtp/fake_delivery.h"
#include "smtp/test_server_fixture.h"

/* A command that comes in bits does not hold a worker, and is one command. */
static void test_parked_with_half_a_line(void **state)
{
	struct fixture fixture = {0};
	struct stream *stream;

	(void)state;
	set_up(&fixture);
	start(&fixture);
	stream = dial(&fixture);
	hear(stream, "220 ");
	say(stream, "NO");
	await_parked(&fixture, 1);
	say(stream, "OP\r");
	usleep(50000);
	say(stream, "\nEHLO client.example\r\n");
	hear(stream, "250 2.0.0 ok");
	hear(stream, "250 ");
	stream_free(stream);
	tear_down(&fixture);
}

/* However many wait amid content, they take no thread, and come to their end
 * when it comes. */
static void test_parked_in_content(void **state)
{
	enum { SLOW = 20 };
	struct fixture fixture = {0};
	struct stream *slow[SLOW], *other;

	(void)state;
	set_up(&fixture);
	fixture.config->limits.threads = 1;
	start(&fixture);
	for (int i = 0; i < SLOW; i++) {
		slow[i] = dial(&fixture);
		say_envelope(slow[i], "c");
		hear_content_begun(slow[i]);
		say(slow[i], "Subject: x\r\n\r\nhalf a");
	}
	await_parked(&fixture, SLOW);
	other = dial(&fixture);
	hear(other, "220 ");
	say(other, "HELO x\r\n");
	hear(other, "250 ");
	send_message(other);
	stream_free(other);
	for (int i = 0; i < SLOW; i++) {
		say(slow[i], " line\r\n.\r");
		say(slow[i], "\nNOOP\r\n");
		hear(slow[i], "250 2.0.0 delivered");
		hear(slow[i], "250 2.0.0 ok");
		stream_free(slow[i]);
	}
	tear_down(&fixture);
}

static void test_content_timeout(void **state)
{
	struct fixture fixture = {0};
	struct stream *stream;
	int64_t started;

	(void)state;
	set_up(&fixture);
	fixture.config->limits.data_timeout = 400;
	start(&fixture);
	stream = dial(&fixture);
	say_envelope(stream, "c");
	hear_content_begun(stream);
	for (int i = 0; i < 4; i++) {
		usleep(200000);
		say(stream, "x"); /* each byte gives it more time */
	}
	started = clock_monotonic_ms();
	hear(stream, "421 4.4.2 content comes too slowly "
		     "(limits.data_timeout)");
	assert_in_range(clock_monotonic_ms() - started, 300, 2000);
	hear_end(stream);
	tear_down(&fixture);
}

/* Octet by octet, it is the same handshake. */
static void test_parked_in_handshake(void **state)
{
	struct fixture fixture = {0};
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(context);
	BIO *hello = BIO_new(BIO_s_mem());
	struct stream *stream;
	char byte;

	(void)state;
	set_up_tls(&fixture);
	fixture.config->limits.threads = 1;
	start(&fixture);
	stream = dial(&fixture);
	say(stream, "EHLO client.example\r\nSTARTTLS\r\n");
	hear(stream, "220 ");
	hear(stream, "250 ");
	hear(stream, "220 ");
	await_parked(&fixture, 1);
	SSL_set_bio(ssl, BIO_new_fd(stream_fd(stream), BIO_NOCLOSE), hello);
	SSL_set_connect_state(ssl);
	assert_int_equal(SSL_do_handshake(ssl), -1);
	while (BIO_read(hello, &byte, 1) == 1) {
		assert_int_equal(send(stream_fd(stream), &byte, 1, 0), 1);
		usleep(500);
	}
	SSL_set0_wbio(ssl, BIO_new_fd(stream_fd(stream), BIO_NOCLOSE));
	while (SSL_do_handshake(ssl) != 1)
		io_wait(stream_fd(stream), POLLIN, deadline_in(5000), NULL);
	assert_int_equal(SSL_write(ssl, "EHLO x\r\n", 8), 8);
	while (SSL_read(ssl, &byte, 1) != 1)
		io_wait(stream_fd(stream), POLLIN, deadline_in(5000), NULL);
	assert_int_equal(byte, '2');
	SSL_free(ssl);
	SSL_CTX_free(context);
	stream_free(stream);
	tear_down(&fixture);
	remove_pem(&fixture);
}

static void test_handshake_timeout(void **state)
{
	struct fixture fixture = {0};
	struct stream *stream;

	(void)state;
	set_up_tls(&fixture);
	fixture.listener.implicit_tls = true;
	fixture.config->limits.tls_timeout = 300;
	start(&fixture);
	stream = dial(&fixture);
	say(stream, "\x16\x03\x01");
	hear_end(stream);
	tear_down(&fixture);
	remove_pem(&fixture);
}

enum { TLS_MS = 1000 };

static void *let_go_late(void *argument)
{
	usleep(3 * TLS_MS / 2 * 1000);
	fake_delivery_let_go();
	return argument;
}

/* The only thread is taken for longer than a handshake may last. */
static void test_handshake_without_thread(void **state)
{
	struct fixture fixture = {0};
	struct stream *held, *stream;
	pthread_t thread;

	(void)state;
	fake_delivery_hold();
	set_up_tls(&fixture);
	fixture.config->limits.threads = 1;
	fixture.config->limits.tls_timeout = TLS_MS;
	start(&fixture);
	stream = dial(&fixture);
	held = dial(&fixture);
	hear(stream, "220 ");
	say(stream, "EHLO client.example\r\nSTARTTLS\r\n");
	hear(stream, "250 ");
	hear(stream, "220 ");
	await_parked(&fixture, 2);
	say_envelope(held, "held");
	say(held, "Subject: x\r\n\r\n.\r\n");
	await_parked(&fixture, 1);
	pthread_create(&thread, NULL, let_go_late, NULL);
	secure(&fixture, stream, false);
	say(stream, "EHLO client.example\r\n");
	hear(stream, "250 ");
	pthread_join(thread, NULL);
	hear_content_begun(held);
	hear(held, "250 2.0.0");
	stream_free(held);
	stream_free(stream);
	tear_down(&fixture);
	remove_pem(&fixture);
}

/* A client that sends commands and reads nothing: the kernels keep a few KB of
 * the replies. */
static struct stream *flood(struct fixture *fixture, int commands)
{
	int small = 2048;
	struct stream *stream;

	fixture->receive_buffer = small;
	/* Accepted sockets inherit it. */
	setsockopt(
	    fixture->listening, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	start(fixture);
	stream = dial(fixture);
	say(stream, "HELO x\r\nMAIL FROM:<>\r\n");
	for (int i = 0; i < commands; i++)
		assert_true(stream_write(stream,
		    SLICE("RCPT TO:<unknown@agency.example>\r\n"),
		    deadline_in(5000), NULL));
	say(stream, "QUIT\r\n");
	await_parked(fixture, 1);
	return stream;
}

/* Replies that are not read wait, and with them what would add to them; later
 * all of them come. */
static void test_unread_replies(void **state)
{
	/* Replies that wait alone; and with commands behind them. */
	static const int counts[] = {400, 5000};

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		struct fixture fixture = {0};
		struct stream *stream;

		set_up(&fixture);
		fixture.config->limits.threads = 1;
		fixture.config->limits.refused_recipients = 100000;
		stream = flood(&fixture, counts[i]);
		hear(stream, "220 ");
		hear(stream, "250 ");
		hear(stream, "250 ");
		for (int j = 0; j < counts[i]; j++)
			hear(stream, "550 5.1.1");
		hear(stream, "221 ");
		hear_end(stream);
		tear_down(&fixture);
	}
}

static void test_unread_timeout(void **state)
{
	struct fixture fixture = {0};
	struct slice line;
	struct stream *stream;
	int64_t started;

	(void)state;
	set_up(&fixture);
	fixture.config->limits.refused_recipients = 100000;
	fixture.config->limits.command_timeout = 400;
	started = clock_monotonic_ms();
	stream = flood(&fixture, 400);
	while (smtp_server_statistics(fixture.server).connections)
		usleep(10000);
	assert_in_range(clock_monotonic_ms() - started, 400, 2500);
	while (stream_read_line(stream, 2000, deadline_in(5000), &line, NULL))
		assert_false(slice_starts(line, SLICE("221")));
	stream_free(stream);
	tear_down(&fixture);
}

/* Last words. */

enum { REST = 4 << 20 }; /* more than the kernels keep */

/* What a client is amid; the words it must hear though it reads only when it
 * has sent everything. */
static const struct {
	const char *sent;
	const char *words;
	uint64_t message_size; /* 0: half of the rest */
} last_words[] = {
    {"DATA\r\nSubject: x\n", "550 5.5.2 bare LF in the message"},
    {"DATA\r\n", "552 5.3.4 message far too large", REST / 4 + 65536},
    {"BDAT 2 LAST\r\nx\r", "550 5.5.2 bare CR in the message"},
    {"BDAT 9000000\r\n", "552 5.3.4 chunk too large"},
    {"BDAT x\r\n", "501 5.5.4 syntax: BDAT size"},
    {"RSET\r\nXCLIENT X=Y\r\n", "501 5.5.4 wrong attribute"},
    {"NOOP\n", "550 5.5.2 bare LF in a command"},
    {"PROXY TCP4\r\n", "550 5.7.1 the PROXY protocol"},
    {"RCPT TO:<unknown@agency.example>\r\n", "421 4.7.0 too many refused"},
};

static void await_last_words(struct stream *stream, const char *words)
{
	struct slice line;
	struct err err = {0};

	do {
		if (!stream_read_line(
			stream, 2000, deadline_in(5000), &line, &err))
			fail_msg("waiting for \"%s\": %s", words, err.text);
	} while (!slice_starts(line, slice_from(words)));
}

static void send_rest(struct stream *stream, size_t size)
{
	static const char piece[65536];
	struct err err = {0};

	for (size_t i = 0; i < size; i += sizeof(piece))
		if (!stream_write(stream, slice_of(piece, sizeof(piece)),
			deadline_in(5000), &err))
			fail_msg("%s", err.text);
	if (!stream_flush(stream, deadline_in(5000), &err))
		fail_msg("%s", err.text);
}

static void play_last_words(size_t i, bool tls)
{
	struct fixture fixture = {0};
	struct ip_network loopback;
	struct stream *stream;

	print_message("%s\n", last_words[i].words);
	set_up_tls(&fixture);
	assert_true(ip_network_parse(SLICE("127.0.0.0/8"), &loopback, NULL));
	fixture.listener.xclient = (struct conf_network_list){1, &loopback};
	fixture.listener.implicit_tls = tls;
	fixture.config->limits.message_size = last_words[i].message_size
						  ? last_words[i].message_size
						  : REST / 2 + 65536;
	fixture.config->limits.refused_recipients = 1;
	fixture.config->limits.threads = 1;
	start(&fixture);
	stream = dial(&fixture);
	if (tls)
		secure(&fixture, stream, false);
	hear(stream, "220 ");
	say(stream, "EHLO x\r\nMAIL FROM:<>\r\n"
		    "RCPT TO:<c@agency.example>\r\n");
	say(stream, last_words[i].sent);
	send_rest(stream, REST);
	await_last_words(stream, last_words[i].words);
	hear_end(stream);
	tear_down(&fixture);
	remove_pem(&fixture);
}

/* A connection that is closed with unread input is reset, and the client's
 * system throws away what it has not read yet. */
static void test_last_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(last_words) / sizeof(*last_words); i++)
		play_last_words(i, i % 2);
}

static struct stream *smuggle(struct fixture *fixture)
{
	struct stream *stream;

	set_up(fixture);
	fixture->config->limits.threads = 1;
	fixture->config->limits.message_size = 1000;
	start(fixture);
	stream = dial(fixture);
	hear(stream, "220 ");
	say(stream, "HELO x\nNOOP\r\n");
	hear(stream, "550 5.5.2");
	await_parked(fixture, 1);
	return stream;
}

/* Who never stops sending is cut off. */
static void test_endless_rest(void **state)
{
	static const char piece[65536];
	struct fixture fixture = {0};
	struct stream *stream = smuggle(&fixture);

	(void)state;
	while (stream_write(
	    stream, slice_of(piece, sizeof(piece)), deadline_in(5000), NULL))
		;
	await_none(&fixture, 1000);
	stream_free(stream);
	tear_down(&fixture);
}

/* A drain does not wait for those that were told. */
static void test_drain_of_rest(void **state)
{
	struct fixture fixture = {0};
	struct stream *stream = smuggle(&fixture);

	(void)state;
	smtp_server_drain(fixture.server);
	await_none(&fixture, 1000);
	hear_end(stream);
	tear_down(&fixture);
}

/* However many cannot come to their end, the accepting thread stays alive while
 * the server drains, and cuts them off in time. */
static void test_drain_of_many(void **state)
{
	enum { STALLED = 1000, DRAIN_MS = 600, MORE_MS = 4500 };
	static struct stream *stalled[STALLED];
	struct fixture fixture = {0};
	struct metrics *metrics;
	int64_t started, oldest = 0;
	int fd;

	(void)state;
	assert_true(metrics_create(&metrics, &fd, NULL));
	metrics_use(metrics);
	set_up_tls(&fixture);
	fixture.config->limits.threads = STALLED;
	fixture.config->limits.connections_per_network = STALLED;
	fixture.config->limits.connection_rate = STALLED;
	fixture.config->limits.drain_timeout = DRAIN_MS;
	start(&fixture);
	for (int i = 0; i < STALLED; i++) {
		stalled[i] = dial(&fixture);
		if (i % 2)
			say(stalled[i], "EHLO x\r\nSTARTTLS\r\n");
		else
			say_envelope(stalled[i], "c");
	}
	await_parked(&fixture, STALLED);
	smtp_server_drain(fixture.server);
	started = clock_monotonic_ms();
	while (smtp_server_statistics(fixture.server).connections) {
		int64_t age = metrics_heartbeat_age_ms(PROCESS_SMTP);

		oldest = age > oldest ? age : oldest;
		assert_in_range(
		    clock_monotonic_ms() - started, 0, DRAIN_MS + MORE_MS);
		usleep(5000);
	}
	assert_in_range(clock_monotonic_ms() - started, DRAIN_MS, INT64_MAX);
	assert_in_range(oldest, 0, MORE_MS);
	tear_down(&fixture);
	for (int i = 0; i < STALLED; i++)
		stream_free(stalled[i]);
	remove_pem(&fixture);
	metrics_use(NULL);
	metrics_close(metrics);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parked_with_half_a_line),
	    cmocka_unit_test(test_parked_in_content),
	    cmocka_unit_test(test_content_timeout),
	    cmocka_unit_test(test_parked_in_handshake),
	    cmocka_unit_test(test_handshake_timeout),
	    cmocka_unit_test(test_handshake_without_thread),
	    cmocka_unit_test(test_unread_replies),
	    cmocka_unit_test(test_unread_timeout),
	    cmocka_unit_test(test_last_words),
	    cmocka_unit_test(test_endless_rest),
	    cmocka_unit_test(test_drain_of_rest),
	    cmocka_unit_test(test_drain_of_many),
	};

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
