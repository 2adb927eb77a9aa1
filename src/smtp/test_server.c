/* SPDX-License-Identifier: Apache-2.0 */
/* The whole server on loopback: workers, parking, TLS, limits, drain. */
#include "smtp/server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/log.h"
#include "smtp/fake_delivery.h"
#include "smtp/stream.h"

struct fixture {
	struct config *config;
	struct conf_listener listener;
	struct conf_route route;
	struct slice star;
	struct smtp_server *server;
	int listening;
	struct sockaddr_in address;
	char folder[64], certificate[96], key[96];
};

static struct config *make_config(struct fixture *fixture, const char *name)
{
	struct config *config = config_default();

	config->hostname = slice_from(name);
	config->limits = limits_default;
	config->limits.tarpit_delay = 0;
	config->limits.drain_timeout = 2000;
	config->spool_directory = SLICE("/tmp");
	config->listener_count = 1;
	config->listeners = &fixture->listener;
	config->route_count = 1;
	config->routes = &fixture->route;
	return config;
}

static void set_up(struct fixture *fixture)
{
	socklen_t size = sizeof(fixture->address);

	fixture->listener.name = SLICE("mx");
	fixture->star = SLICE("*");
	fixture->route.text = SLICE("smtp:[127.0.0.1]:25");
	fixture->route.domains = (struct conf_text_list){1, &fixture->star};
	fixture->config = make_config(fixture, "mx.example");
	fixture->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fixture->address.sin_family = AF_INET;
	fixture->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fixture->listening,
			     (struct sockaddr *)&fixture->address, size),
	    0);
	assert_int_equal(listen(fixture->listening, 1000), 0);
	getsockname(
	    fixture->listening, (struct sockaddr *)&fixture->address, &size);
}

static void start(struct fixture *fixture)
{
	struct smtp_server_socket socket = {fixture->listening, SLICE("mx")};
	struct smtp_server_settings settings = {
	    .gate.config = fixture->config,
	    .socket_count = 1,
	    .sockets = &socket,
	};
	struct err err = {0};

	if (!smtp_server_start(&settings, &fixture->server, &err))
		fail_msg("%s", err.text);
}

static void tear_down(struct fixture *fixture)
{
	smtp_server_drain(fixture->server);
	smtp_server_wait(fixture->server);
	config_release(fixture->config);
	close(fixture->listening);
}

static struct stream *dial_from(
    const struct fixture *fixture, const char *source)
{
	struct sockaddr_in from = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	inet_pton(AF_INET, source, &from.sin_addr);
	assert_int_equal(
	    bind(fd, (const struct sockaddr *)&from, sizeof(from)), 0);
	if (connect(fd, (const struct sockaddr *)&fixture->address,
		sizeof(fixture->address)) < 0)
		fail_msg("connect");
	return stream_new(fd);
}

static struct stream *dial(const struct fixture *fixture)
{
	return dial_from(fixture, "127.0.0.1");
}

static void say(struct stream *stream, const char *text)
{
	struct err err = {0};

	if (!stream_write(stream, slice_from(text), deadline_in(5000), &err) ||
	    !stream_flush(stream, deadline_in(5000), &err))
		fail_msg("%s", err.text);
}

/* The last line of a reply must start so. */
static void hear(struct stream *stream, const char *expected)
{
	struct slice line;
	struct err err = {0};

	do {
		if (!stream_read_line(
			stream, 2000, deadline_in(20000), &line, &err))
			fail_msg("waiting for \"%s\": %s", expected, err.text);
	} while (line.len > 3 && line.ptr[3] == '-');
	if (!slice_starts(line, slice_from(expected)))
		fail_msg("expected \"%s\", got \"%.*s\"", expected,
		    SLICE_ARGS(line));
}

static void hear_end(struct stream *stream)
{
	struct slice line;
	struct err err = {0};

	assert_false(
	    stream_read_line(stream, 2000, deadline_in(5000), &line, &err));
	assert_int_equal(err.kind, E_CLOSED);
	stream_free(stream);
}

static void send_message(struct stream *stream)
{
	say(stream, "MAIL FROM:<a@b.example>\r\n");
	hear(stream, "250 2.1.0");
	say(stream, "RCPT TO:<c@agency.example>\r\nDATA\r\n");
	hear(stream, "250 2.1.5");
	hear(stream, "354");
	say(stream, "Subject: x\r\n\r\ntext\r\n.\r\n");
	hear(stream, "250 2.0.0");
}

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

static bool is_parked(const struct fixture *fixture)
{
	return smtp_server_statistics(fixture->server).parked == 1;
}

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
	for (int i = 0; !is_parked(&fixture) && i < 500; i++)
		usleep(10000);
	assert_true(is_parked(&fixture));
	say(stream, "OP\r");
	usleep(50000);
	say(stream, "\nEHLO client.example\r\n");
	hear(stream, "250 2.0.0 ok");
	hear(stream, "250 ");
	stream_free(stream);
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
	hear(two, "421 4.3.2 mx.example: too many connections "
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

static struct stream *begin_content(const struct fixture *fixture)
{
	struct stream *stream = dial(fixture);

	say(stream,
	    "HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<c@agency.example>\r\nDATA\r\n");
	return stream;
}

static void hear_content_begun(struct stream *stream)
{
	hear(stream, "220 ");
	hear(stream, "250 ");
	hear(stream, "250 2.1.0");
	hear(stream, "250 2.1.5");
	hear(stream, "354 ");
}

/* One network keeps half of the threads busy, and no more. */
static void test_threads_of_a_network(void **state)
{
	enum { SLOW = 6 };
	struct fixture fixture = {0};
	struct stream *slow[SLOW], *other;

	(void)state;
	set_up(&fixture);
	fixture.config->limits.threads = 4;
	start(&fixture);
	for (int i = 0; i < SLOW; i++)
		slow[i] = begin_content(&fixture);
	usleep(300000);
	other = dial_from(&fixture, "127.0.1.1");
	hear(other, "220 ");
	say(other, "HELO x\r\n");
	hear(other, "250 ");
	send_message(other);
	for (int i = 0; i < SLOW; i++)
		say(slow[i], "Subject: x\r\n\r\n.\r\n");
	for (int i = 0; i < SLOW; i++) {
		hear_content_begun(slow[i]);
		hear(slow[i], "250 2.0.0");
		stream_free(slow[i]);
	}
	stream_free(other);
	tear_down(&fixture);
}

/* Connections leave descriptors for next hops and files. */
static void test_descriptors(void **state)
{
	struct rlimit before, few = {64 + 2 * 2, 0};
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
	hear(three, "421 4.3.2 mx.example: too many connections "
		    "(limits.connections)");
	hear_end(three);
	stream_free(one);
	stream_free(two);
	tear_down(&fixture);
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
	say(busy,
	    "HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<c@agency.example>\r\nDATA\r\n");
	hear(busy, "250 ");
	hear(busy, "250 2.1.0");
	hear(busy, "250 2.1.5");
	hear(busy, "354 ");
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
	busy = begin_content(&fixture);
	hear_content_begun(busy);
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

/* TLS */

static void write_pem(struct fixture *fixture)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	X509_NAME *name;
	FILE *file;

	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	name = X509_get_subject_name(certificate);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)"Mail.Sender.example", -1, -1, 0);
	X509_set_issuer_name(certificate, name);
	assert_true(X509_sign(certificate, key, EVP_sha256()));
	snprintf(
	    fixture->folder, sizeof(fixture->folder), "/tmp/smtpd-test-XXXXXX");
	assert_non_null(mkdtemp(fixture->folder));
	snprintf(fixture->certificate, sizeof(fixture->certificate), "%s/c.pem",
	    fixture->folder);
	snprintf(
	    fixture->key, sizeof(fixture->key), "%s/k.pem", fixture->folder);
	file = fopen(fixture->certificate, "w");
	PEM_write_X509(file, certificate);
	fclose(file);
	file = fopen(fixture->key, "w");
	PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	fclose(file);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static void remove_pem(struct fixture *fixture)
{
	unlink(fixture->certificate);
	unlink(fixture->key);
	rmdir(fixture->folder);
}

static void set_up_tls(struct fixture *fixture)
{
	set_up(fixture);
	write_pem(fixture);
	fixture->listener.tls.certificate = slice_from(fixture->certificate);
	fixture->listener.tls.key = slice_from(fixture->key);
}

/* with_certificate: the client shows the same one as its own. */
static void secure(
    const struct fixture *fixture, struct stream *stream, bool with_certificate)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	struct err err = {0};
	SSL *ssl;

	if (with_certificate) {
		SSL_CTX_use_certificate_file(
		    context, fixture->certificate, SSL_FILETYPE_PEM);
		SSL_CTX_use_PrivateKey_file(
		    context, fixture->key, SSL_FILETYPE_PEM);
	}
	ssl = SSL_new(context);
	SSL_set_connect_state(ssl);
	if (!stream_start_tls(stream, ssl, deadline_in(5000), &err))
		fail_msg("%s", err.text);
	SSL_CTX_free(context);
}

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

static void test_login(void **state)
{
	struct fixture fixture = {0};
	struct stream *stream;

	(void)state;
	set_up_tls(&fixture);
	fixture.listener.role = ROLE_SUBMISSION;
	fixture.listener.implicit_tls = true;
	start(&fixture);
	stream = dial(&fixture);
	secure(&fixture, stream, false);
	hear(stream, "220 ");
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
	    cmocka_unit_test(test_parked_with_half_a_line),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_threads_of_a_network),
	    cmocka_unit_test(test_descriptors),
	    cmocka_unit_test(test_drain),
	    cmocka_unit_test(test_drain_timeout),
	    cmocka_unit_test(test_reload),
	    cmocka_unit_test(test_proxy_before_tls),
	    cmocka_unit_test(test_starttls),
	    cmocka_unit_test(test_login),
	};

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
