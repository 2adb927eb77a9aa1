/* SPDX-License-Identifier: Apache-2.0 */
/* The whole server on loopback: workers, TLS, limits, drain. */
#include "smtp/server.h"

#include <netinet/tcp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/log.h"
#include "base/metrics.h"
#include "smtp/fake_delivery.h"
#include "smtp/lingering.h"
#include "smtp/test_server_fixture.h"

enum { CLIENTS = 50, MESSAGES = 3 };

static void *run_client(void *argument)
{
	struct stream *stream = dial(argument);

	hear(stream, "220 ");
	say(stream, "EHLO client.example\r\n");
	hear(stream, "250 ");
	for (int i = 0; i < MESSAGES; i++) {
		/* Longer than the server lingers: it parks. */
		usleep(20000);
		send_message(stream);
	}
	say(stream, "QUIT\r\n");
	hear(stream, "221 ");
	hear_end(stream);
	return NULL;
}

static void test_many(void **state)
{
	struct fixture fixture = {0};
	struct smtp_server_statistics statistics;
	unsigned int before = fake_delivery_count();
	pthread_t threads[CLIENTS];

	(void)state;
	set_up(&fixture);
	fixture.config->limits.threads = 8;
	start(&fixture);
	for (int i = 0; i < CLIENTS; i++)
		pthread_create(&threads[i], NULL, run_client, &fixture);
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(threads[i], NULL);
	statistics = smtp_server_statistics(fixture.server);
	assert_int_equal(statistics.accepted, CLIENTS);
	assert_int_equal(statistics.messages, CLIENTS * MESSAGES);
	assert_in_range(statistics.threads, 1, 8);
	assert_int_equal(fake_delivery_count() - before, CLIENTS * MESSAGES);
	tear_down(&fixture);
}

static void test_limits(void **state)
{
	struct fixture fixture = {0};
	struct stream *one, *two;

	(void)state;
	set_up(&fixture);
	fixture.config->limits.connections_per_network = 1;
	fixture.config->limits.command_timeout = 300;
	start(&fixture);
	one = dial(&fixture);
	hear(one, "220 ");
	two = dial(&fixture);
	hear(two, "421 4.7.0 too many connections from your network "
		  "(limits.connections_per_network)");
	hear_end(two);
	hear(one, "421 4.4.2 mx.example timed out (limits.command_timeout)");
	hear_end(one);
	usleep(20000);
	one = dial(&fixture);
	hear(one, "220 ");
	stream_free(one);
	tear_down(&fixture);
}

/* One network keeps half of the threads busy, and no more. */
static void test_threads_of_a_network(void **state)
{
	enum { HELD = 6 };
	struct fixture fixture = {0};
	struct stream *held[HELD], *other;

	(void)state;
	fake_delivery_hold();
	set_up(&fixture);
	fixture.config->limits.threads = 4;
	start(&fixture);
	for (int i = 0; i < HELD; i++) {
		held[i] = dial(&fixture);
		say_envelope(held[i], "held");
		say(held[i], "Subject: x\r\n\r\n.\r\n");
	}
	usleep(300000);
	other = dial_from(&fixture, "127.0.1.1");
	hear(other, "220 ");
	say(other, "HELO x\r\n");
	hear(other, "250 ");
	send_message(other);
	fake_delivery_let_go();
	for (int i = 0; i < HELD; i++) {
		hear_content_begun(held[i]);
		hear(held[i], "250 2.0.0");
		stream_free(held[i]);
	}
	stream_free(other);
	tear_down(&fixture);
}

static void await_line(const struct fixture *fixture, unsigned int count)
{
	for (int i = 0; i < 5000; i++) {
		if (smtp_server_statistics(fixture->server).in_line == count)
			return;
		usleep(1000);
	}
	fail_msg("%u sessions are not in line", count);
}

static void await_held(void)
{
	for (int i = 0; i < 5000 && !fake_delivery_is_held(); i++)
		usleep(1000);
	assert_true(fake_delivery_is_held());
}

/* The reply to a message does not wait for what was sent behind it: until the
 * client has it, it would send the message again. */
static void test_reply_before_next(void **state)
{
	static const struct {
		const char *recipients, *replies[3];
	} cases[] = {
	    {"RCPT TO:<c@agency.example>\r\n", {"250 2.0.0"}},
	    {"RCPT TO:<c@agency.example>\r\nRCPT TO:<full@agency.example>\r\n",
		{"250 2.0.0", "452 4.2.2", "250 2.0.0"}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct fixture fixture = {0};
		struct stream *stream;
		int64_t started;

		fake_delivery_hold();
		set_up(&fixture);
		fixture.config->limits.tarpit_delay = 2000;
		start(&fixture);
		stream = dial(&fixture);
		say(stream, "EHLO x\r\nMAIL FROM:<> PRDR\r\n");
		say(stream, cases[i].recipients);
		say(stream, "BDAT 2 LAST\r\n\r\n"
			    "MAIL FROM:<>\r\nRCPT TO:<held@agency.example>\r\n"
			    "BDAT 2 LAST\r\n\r\n");
		hear(stream, "220 ");
		hear(stream, "250 ");
		hear(stream, "250 2.1.0");
		hear(stream, "250 2.1.5");
		if (cases[i].replies[1]) {
			hear(stream, "250 2.1.5");
			hear(stream, "353 ");
		}
		started = clock_monotonic_ms();
		for (size_t j = 0; j < 3 && cases[i].replies[j]; j++)
			hear(stream, cases[i].replies[j]);
		assert_in_range(clock_monotonic_ms() - started, 0, 1000);
		await_held();
		fake_delivery_let_go();
		hear(stream, "250 2.1.0");
		hear(stream, "250 2.1.5");
		hear(stream, "250 2.0.0");
		stream_free(stream);
		tear_down(&fixture);
	}
}

/* The first of them is held, and has the threads of its network. */
static void form_line(
    const struct fixture *fixture, struct stream **streams, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		char name[16] = "held";

		if (i)
			snprintf(name, sizeof(name), "n%u", i);
		streams[i] = dial(fixture);
		say_envelope(streams[i], name);
		say(streams[i], "Subject: x\r\n\r\n.\r\n");
		await_held();
		await_line(fixture, i);
	}
}

/* Who waits for a thread of its network gets it in turn. */
static void test_line(void **state)
{
	enum { CLIENTS_IN_LINE = 20 };
	struct fixture fixture = {0};
	struct stream *streams[CLIENTS_IN_LINE];
	struct arena *arena = arena_new(0);
	struct slice got, line;

	(void)state;
	fake_delivery_hold();
	set_up(&fixture);
	fixture.config->limits.threads = 2;
	start(&fixture);
	form_line(&fixture, streams, CLIENTS_IN_LINE);
	fake_delivery_let_go();
	for (int i = 0; i < CLIENTS_IN_LINE; i++) {
		hear_content_begun(streams[i]);
		hear(streams[i], "250 2.0.0");
		stream_free(streams[i]);
	}
	got = fake_all_recipients(arena);
	for (int i = 0; i < CLIENTS_IN_LINE; i++) {
		char name[32] = "held@agency.example";

		if (i)
			snprintf(name, sizeof(name), "n%d@agency.example", i);
		slice_split(got, '\n', &line, &got);
		if (!slice_eq(line, slice_from(name)))
			fail_msg("%s comes after %.*s", name, SLICE_ARGS(line));
	}
	tear_down(&fixture);
	arena_free(arena);
}

/* Nobody stands in line when the server drains. */
static void test_drain_of_line(void **state)
{
	enum { IN_LINE = 5 };
	struct fixture fixture = {0};
	struct stream *streams[IN_LINE];

	(void)state;
	fake_delivery_hold();
	set_up(&fixture);
	fixture.config->limits.threads = 2;
	start(&fixture);
	form_line(&fixture, streams, IN_LINE);
	smtp_server_drain(fixture.server);
	for (int i = 1; i < IN_LINE; i++) {
		hear_content_begun(streams[i]);
		hear(streams[i], "250 2.0.0");
		hear(streams[i], "421 4.3.2 shutting down");
		hear_end(streams[i]);
	}
	fake_delivery_let_go();
	hear_content_begun(streams[0]);
	hear(streams[0], "250 2.0.0");
	stream_free(streams[0]);
	tear_down(&fixture);
}

/* Connections leave descriptors for next hops and files. */
static void test_descriptors(void **state)
{
	struct rlimit before, few = {64 + LINGERING_MAX + 2 * 2, 0};
	struct fixture fixture = {0};
	struct stream *one, *two, *three;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &before);
	few.rlim_max = before.rlim_max;
	set_up(&fixture);
	setrlimit(RLIMIT_NOFILE, &few);
	start(&fixture);
	setrlimit(RLIMIT_NOFILE, &before);
	one = dial(&fixture);
	hear(one, "220 ");
	two = dial(&fixture);
	hear(two, "220 ");
	three = dial(&fixture);
	hear(three, "421 4.3.2 too many connections "
		    "(limits.connections)");
	hear_end(three);
	stream_free(one);
	stream_free(two);
	tear_down(&fixture);
}

/* A client that no descriptor is left for does not wait. */
static void test_turned_away(void **state)
{
	enum { DESCRIPTORS = 5 };
	struct rlimit before, none;
	struct fixture fixture = {0};
	struct metrics *metrics;
	struct stream *stream;
	int fd, next, block;

	(void)state;
	assert_true(metrics_create(&metrics, &block, NULL));
	metrics_use(metrics);
	set_up(&fixture);
	start(&fixture);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	next = dup(fd);
	close(next);
	getrlimit(RLIMIT_NOFILE, &before);
	none = (struct rlimit){(rlim_t)next, before.rlim_max};
	setrlimit(RLIMIT_NOFILE, &none);
	assert_int_equal(connect(fd, (const struct sockaddr *)&fixture.address,
			     sizeof(fixture.address)),
	    0);
	assert_true(io_set_nonblocking(fd, NULL));
	stream = stream_new(fd);
	hear_end(stream);
	assert_int_equal(smtp_server_statistics(fixture.server).accepted, 0);
	setrlimit(RLIMIT_NOFILE, &before);
	stream = dial(&fixture);
	hear(stream, "220 ");
	stream_free(stream);
	tear_down(&fixture);
	assert_int_equal(
	    metrics_read(metrics, METRIC_CONNECTIONS_REFUSED, DESCRIPTORS), 1);
	metrics_use(NULL);
	metrics_close(metrics);
	close(block);
}

static void test_drain(void **state)
{
	struct fixture fixture = {0};
	struct stream *parked, *busy;

	(void)state;
	set_up(&fixture);
	start(&fixture);
	parked = dial(&fixture);
	hear(parked, "220 ");
	busy = dial(&fixture);
	hear(busy, "220 ");
	say_envelope(busy, "c");
	hear(busy, "250 ");
	hear(busy, "250 2.1.0");
	hear(busy, "250 2.1.5");
	hear(busy, "354 ");
	await_parked(&fixture, 2);
	smtp_server_drain(fixture.server);
	hear(parked, "421 4.3.2 shutting down");
	hear_end(parked);
	say(busy, "Subject: x\r\n\r\n.\r\n");
	hear(busy, "250 2.0.0");
	hear(busy, "421 4.3.2 shutting down");
	hear_end(busy);
	smtp_server_wait(fixture.server);
	config_release(fixture.config);
	close(fixture.listening);
}

/* A transaction that does not finish is cut off. */
static void test_drain_timeout(void **state)
{
	struct fixture fixture = {0};
	struct stream *busy;

	(void)state;
	set_up(&fixture);
	fixture.config->limits.drain_timeout = 200;
	start(&fixture);
	busy = dial(&fixture);
	say_envelope(busy, "c");
	hear_content_begun(busy);
	await_parked(&fixture, 1);
	tear_down(&fixture);
	hear_end(busy);
}

static void test_reload(void **state)
{
	struct fixture fixture = {0};
	struct config *second;
	struct gate_context gate = {0};
	struct stream *old, *new;
	struct err err = {0};

	(void)state;
	set_up(&fixture);
	start(&fixture);
	old = dial(&fixture);
	hear(old, "220 mx.example ");
	second = make_config(&fixture, "mx2.example");
	gate.config = second;
	assert_true(smtp_server_reload(fixture.server, &gate, &err));
	new = dial(&fixture);
	hear(new, "220 mx2.example ");
	say(old, "QUIT\r\n");
	hear(old, "221 2.0.0 mx.example ");
	second->listener_count = 0;
	assert_false(smtp_server_reload(fixture.server, &gate, &err));
	assert_int_equal(err.kind, E_CONFIG);
	second->listener_count = 1;
	stream_free(old);
	stream_free(new);
	tear_down(&fixture);
	config_release(second);
}

/* The last user of an old snapshot frees it, and nobody waits for that. */
static void test_end_of_snapshot(void **state)
{
	enum { END_MS = 1500 };
	static const char *const last_words[] = {"", "QUIT\r\n", "RSET\r\n"};
	struct gate_context gate = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(last_words) / sizeof(*last_words); i++) {
		struct fixture fixture = {0};
		struct stream *old, *new;
		int64_t started;

		set_up(&fixture);
		start(&fixture);
		old = dial(&fixture);
		hear(old, "220 ");
		gate.config = make_config(&fixture, "mx2.example");
		assert_true(smtp_server_reload(fixture.server, &gate, NULL));
		fake_pool_takes(END_MS);
		say(old, last_words[i]);
		stream_free(old);
		usleep(20000);
		started = clock_monotonic_ms();
		new = dial(&fixture);
		hear(new, "220 mx2.example ");
		assert_in_range(clock_monotonic_ms() - started, 0, END_MS / 2);
		stream_free(new);
		fake_pool_takes(0);
		tear_down(&fixture);
		config_release(gate.config);
	}
}

/* TLS */

/* A balancer's header and the client's first record in one segment. */
static void test_proxy_before_tls(void **state)
{
	const struct slice header = SLICE_INIT(
	    "PROXY TCP4 192.0.2.7 198.51.100.1 4000 465\r\n");
	struct fixture fixture = {0};
	struct ip_network loopback;
	struct stream *stream;
	int on = 1;

	(void)state;
	set_up_tls(&fixture);
	assert_true(ip_network_parse(SLICE("127.0.0.0/8"), &loopback, NULL));
	fixture.listener.implicit_tls = true;
	fixture.listener.proxy_protocol = (struct conf_network_list){
	    1, &loopback};
	start(&fixture);
	stream = dial(&fixture);
	setsockopt(stream_fd(stream), IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
	stream_write(stream, header, deadline_in(5000), NULL);
	secure(&fixture, stream, false);
	hear(stream, "220 ");
	stream_free(stream);
	tear_down(&fixture);
	remove_pem(&fixture);
}

/* What follows STARTTLS in the clear is nobody's command. */
static void test_starttls(void **state)
{
	struct fixture fixture = {0};
	struct arena *arena = arena_new(0);
	struct slice delivered;
	struct stream *stream;

	(void)state;
	set_up_tls(&fixture);
	fixture.listener.tls.required = true;
	start(&fixture);
	stream = dial(&fixture);
	say(stream, "EHLO client.example\r\n");
	hear(stream, "220 ");
	hear(stream, "250 ");
	say(stream, "MAIL FROM:<>\r\n");
	hear(stream, "530 5.7.0");
	say(stream, "STARTTLS\r\nHELO injected.example\r\nNOOP\r\n");
	hear(stream, "220 ");
	secure(&fixture, stream, false);
	say(stream, "MAIL FROM:<>\r\n");
	hear(stream, "503 5.5.1 EHLO or HELO comes first");
	say(stream, "EHLO client.example\r\n");
	hear(stream, "250 ");
	say(stream, "STARTTLS\r\n");
	hear(stream, "500 5.5.1");
	usleep(20000);
	send_message(stream);
	delivered = fake_delivered(arena);
	assert_true(slice_find_slice(delivered, SLICE("with ESMTPS id")) <
		    delivered.len);
	assert_true(slice_find_slice(delivered, SLICE("(using TLSv1.3 with")) <
		    delivered.len);
	stream_free(stream);
	tear_down(&fixture);
	remove_pem(&fixture);
	arena_free(arena);
}

/* On a listener of implicit TLS; behind its greeting. */
static struct stream *start_submission(struct fixture *fixture)
{
	struct stream *stream;

	fixture->listener.role = ROLE_SUBMISSION;
	fixture->listener.implicit_tls = true;
	start(fixture);
	stream = dial(fixture);
	secure(fixture, stream, false);
	hear(stream, "220 ");
	return stream;
}

/* Logins that were not checked are not failed ones, but end, too. */
static void test_unchecked_logins(void **state)
{
	static const struct {
		const char *login, *reply, *end;
		int count;
	} cases[] = {
	    {"AUTH PLAIN AGFubgB3cm9uZw==\r\n", "535 5.7.8",
		"421 4.7.0 too many failed logins", 3},
	    {"AUTH PLAIN AG5vYm9keQB3cm9uZw==\r\n", "454 4.7.0",
		"421 4.7.0 too many refused commands", 5},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct fixture fixture = {0};
		struct stream *stream;

		set_up_tls(&fixture);
		fixture.config->limits.bad_commands = 5;
		stream = start_submission(&fixture);
		say(stream, "EHLO client.example\r\n");
		hear(stream, "250 ");
		for (int j = 0; j < cases[i].count; j++) {
			say(stream, cases[i].login);
			hear(stream, cases[i].reply);
		}
		hear(stream, cases[i].end);
		hear_end(stream);
		tear_down(&fixture);
		remove_pem(&fixture);
	}
}

/* What is no line does not go on with a login: what follows is a command. */
static void test_login_cut_off(void **state)
{
	struct fixture fixture = {0};
	struct stream *stream;

	(void)state;
	set_up_tls(&fixture);
	stream = start_submission(&fixture);
	say(stream, "EHLO client.example\r\nAUTH LOGIN\r\n");
	hear(stream, "250 ");
	hear(stream, "334 ");
	stream_write(stream, slice_of("a\0b\r\n", 5), deadline_in(5000), NULL);
	say(stream, "NOOP\r\n");
	hear(stream, "501 5.5.2 NUL");
	hear(stream, "250 2.0.0 ok");
	stream_free(stream);
	tear_down(&fixture);
	remove_pem(&fixture);
}

static void test_login(void **state)
{
	struct fixture fixture = {0};
	struct stream *stream;

	(void)state;
	set_up_tls(&fixture);
	stream = start_submission(&fixture);
	say(stream, "EHLO client.example\r\nMAIL FROM:<>\r\n");
	hear(stream, "250 ");
	hear(stream, "530 5.7.0 log in first");
	say(stream, "AUTH CRAM-MD5\r\n");
	hear(stream, "504 5.5.4");
	say(stream, "AUTH PLAIN AGFubgB3cm9uZw==\r\n");
	hear(stream, "535 5.7.8");
	say(stream, "AUTH LOGIN\r\n");
	hear(stream, "334 VXNlcm5hbWU6");
	say(stream, "*\r\n");
	hear(stream, "501 5.7.0");
	say(stream, "AUTH LOGIN\r\nYW5u\r\nc2VjcmV0\r\n");
	hear(stream, "334 VXNlcm5hbWU6");
	hear(stream, "334 UGFzc3dvcmQ6");
	hear(stream, "235 2.7.0");
	say(stream, "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n");
	hear(stream, "503 5.5.1");
	send_message(stream);
	stream_free(stream);
	tear_down(&fixture);
	remove_pem(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_threads_of_a_network),
	    cmocka_unit_test(test_reply_before_next),
	    cmocka_unit_test(test_line),
	    cmocka_unit_test(test_drain_of_line),
	    cmocka_unit_test(test_descriptors),
	    cmocka_unit_test(test_turned_away),
	    cmocka_unit_test(test_drain),
	    cmocka_unit_test(test_drain_timeout),
	    cmocka_unit_test(test_reload),
	    cmocka_unit_test(test_end_of_snapshot),
	    cmocka_unit_test(test_proxy_before_tls),
	    cmocka_unit_test(test_starttls),
	    cmocka_unit_test(test_unchecked_logins),
	    cmocka_unit_test(test_login_cut_off),
	    cmocka_unit_test(test_login),
	};

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
