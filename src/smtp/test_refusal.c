/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that are refused before their first command: the words, and what
 * is counted, are the same whether a balancer stands between or not.
 */
#include "smtp/refusal.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/metrics.h"
#include "smtp/test_server_fixture.h"

/* Labels of the metric, in their order. */
enum { CONNECTIONS, PER_NETWORK, RATE, PROXY_PROTOCOL, DRAINING };

#define PROXY_LINE "PROXY TCP4 192.0.2.7 198.51.100.1 4000 25\r\n"
#define FROM_NETWORK "421 4.7.0 too many connections from your network "

static const struct {
	const char *says;  /* a second client, first of all */
	const char *hears; /* NULL: nothing, and the end */
	bool tls;
	uint64_t connections, per_network, rate;
	size_t label;
} cases[] = {
    {"", "421 4.3.2 too many connections (limits.connections)\r\n", false, 1, 9,
	9, CONNECTIONS},
    {"", FROM_NETWORK "(limits.connections_per_network)\r\n", false, 9, 1, 9,
	PER_NETWORK},
    {"", FROM_NETWORK "(limits.connection_rate)\r\n", false, 9, 9, 1, RATE},
    {"", NULL, true, 9, 1, 9, PER_NETWORK},
    {PROXY_LINE, FROM_NETWORK "(limits.connections_per_network)\r\n", false, 9,
	1, 9, PER_NETWORK},
    {PROXY_LINE, FROM_NETWORK "(limits.connection_rate)\r\n", false, 9, 9, 1,
	RATE},
    {PROXY_LINE, NULL, true, 9, 1, 9, PER_NETWORK},
    {"EHLO client.example\r\n", NULL, false, 9, 9, 9, PROXY_PROTOCOL},
    {"EHLO client.example\r\n", NULL, true, 9, 9, 9, PROXY_PROTOCOL},
};

static void expect_refusal(struct fixture *fixture, size_t i)
{
	struct stream *first, *second;

	start(fixture);
	first = dial(fixture);
	say(first, cases[i].says);
	await_parked(fixture, cases[i].label == PROXY_PROTOCOL ? 0 : 1);
	second = dial(fixture);
	say(second, cases[i].says);
	if (cases[i].hears)
		hear(second, cases[i].hears);
	hear_end(second);
	stream_free(first);
	tear_down(fixture);
}

static void test_words(void **state)
{
	struct ip_network loopback;
	struct metrics *metrics;
	int fd;

	(void)state;
	assert_true(ip_network_parse(SLICE("127.0.0.0/8"), &loopback, NULL));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct fixture fixture = {0};

		print_message("case %zu\n", i);
		assert_true(metrics_create(&metrics, &fd, NULL));
		metrics_use(metrics);
		set_up_tls(&fixture);
		fixture.listener.implicit_tls = cases[i].tls;
		if (*cases[i].says)
			fixture.listener.proxy_protocol =
			    (struct conf_network_list){1, &loopback};
		fixture.config->limits.connections = cases[i].connections;
		fixture.config->limits.connections_per_network =
		    cases[i].per_network;
		fixture.config->limits.connection_rate = cases[i].rate;
		expect_refusal(&fixture, i);
		assert_int_equal(
		    metrics_read(
			metrics, METRIC_CONNECTIONS_REFUSED, cases[i].label),
		    cases[i].label == PROXY_PROTOCOL ? 2 : 1);
		remove_pem(&fixture);
		metrics_use(NULL);
		metrics_close(metrics);
		close(fd);
	}
}

/* A client may talk first: it pipelines, or a balancer puts a header before it.
 * It hears the reason, and then the end: a connection that is reset may take
 * with it what was said before. */
static void test_words_for_who_talks(void **state)
{
	enum { MANY = 300 };
	static const char words[] = "EHLO client.example\r\n";
	struct fixture fixture = {0};
	struct stream *first, *streams[MANY];

	(void)state;
	set_up(&fixture);
	fixture.config->limits.connections = 1;
	start(&fixture);
	first = dial(&fixture);
	hear(first, "220 ");
	/* Before and behind the refusal, but not read. */
	for (size_t i = 0; i < MANY; i++) {
		streams[i] = dial(&fixture);
		say(streams[i], words);
		if (i % 2) {
			hear(streams[i], "421 4.3.2");
			say(streams[i], words);
			usleep(1000);
			say(streams[i], words);
			hear_end(streams[i]);
		}
	}
	for (size_t i = 0; i < MANY; i += 2) {
		hear(streams[i], "421 4.3.2");
		hear_end(streams[i]);
	}
	stream_free(first);
	tear_down(&fixture);
}

/* Behind a header, too, it is one of the server's refusals. */
static void test_statistics(void **state)
{
	struct fixture fixture = {0};
	struct ip_network loopback;
	struct stream *stream;

	(void)state;
	assert_true(ip_network_parse(SLICE("127.0.0.0/8"), &loopback, NULL));
	set_up(&fixture);
	fixture.listener.proxy_protocol = (struct conf_network_list){
	    1, &loopback};
	fixture.config->limits.connection_rate = 1;
	start(&fixture);
	for (int i = 0; i < 3; i++) {
		stream = dial(&fixture);
		say(stream, PROXY_LINE);
		hear(stream, i ? "421 4.7.0" : "220 ");
		stream_free(stream);
	}
	assert_int_equal(smtp_server_statistics(fixture.server).refused, 2);
	tear_down(&fixture);
}

static void test_draining(void **state)
{
	struct fixture fixture = {0};
	struct stream *busy, *stream;
	struct metrics *metrics;
	int fd;

	(void)state;
	assert_true(metrics_create(&metrics, &fd, NULL));
	metrics_use(metrics);
	set_up(&fixture);
	start(&fixture);
	busy = dial(&fixture);
	say_envelope(busy, "c");
	hear_content_begun(busy);
	smtp_server_drain(fixture.server);
	stream = dial(&fixture);
	hear(stream, "421 4.3.2 shutting down");
	hear_end(stream);
	say(busy, "\r\n.\r\n");
	hear(busy, "250 2.0.0");
	stream_free(busy);
	tear_down(&fixture);
	assert_int_equal(
	    metrics_read(metrics, METRIC_CONNECTIONS_REFUSED, DRAINING), 1);
	metrics_use(NULL);
	metrics_close(metrics);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_words_for_who_talks),
	    cmocka_unit_test(test_statistics),
	    cmocka_unit_test(test_draining),
	};

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
