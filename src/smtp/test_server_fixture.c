/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/test_server_fixture.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/test_listen.h"

struct config *make_config(struct fixture *fixture, const char *name)
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

void set_up(struct fixture *fixture)
{
	fixture->listener.name = SLICE("mx");
	fixture->star = SLICE("*");
	fixture->route.text = SLICE("smtp:[127.0.0.1]:25");
	fixture->route.domains = (struct conf_text_list){1, &fixture->star};
	fixture->config = make_config(fixture, "mx.example");
	fixture->listening = test_listen(0, &fixture->address);
}

void start(struct fixture *fixture)
{
	struct listener listener = {fixture->listening, SLICE("mx")};
	struct smtp_server_settings settings = {
	    .gate.config = fixture->config,
	    .listener_count = 1,
	    .listeners = &listener,
	};
	struct err err = {0};

	if (!smtp_server_start(&settings, &fixture->server, &err))
		fail_msg("%s", err.text);
}

void tear_down(struct fixture *fixture)
{
	smtp_server_drain(fixture->server);
	smtp_server_wait(fixture->server);
	config_release(fixture->config);
	close(fixture->listening);
}

struct stream *dial_from(const struct fixture *fixture, const char *source)
{
	struct sockaddr_in from = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	inet_pton(AF_INET, source, &from.sin_addr);
	assert_int_equal(
	    bind(fd, (const struct sockaddr *)&from, sizeof(from)), 0);
	if (fixture->receive_buffer)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &fixture->receive_buffer,
		    sizeof(fixture->receive_buffer));
	if (connect(fd, (const struct sockaddr *)&fixture->address,
		sizeof(fixture->address)) < 0)
		fail_msg("connect");
	assert_true(io_set_nonblocking(fd, NULL));
	return stream_new(fd);
}

struct stream *dial(const struct fixture *fixture)
{
	return dial_from(fixture, "127.0.0.1");
}

void say(struct stream *stream, const char *text)
{
	struct err err = {0};

	if (!stream_write(stream, slice_from(text), deadline_in(5000), &err) ||
	    !stream_flush(stream, deadline_in(5000), &err))
		fail_msg("%s", err.text);
}

void hear(struct stream *stream, const char *expected)
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

void hear_end(struct stream *stream)
{
	struct slice line;
	struct err err = {0};

	assert_false(
	    stream_read_line(stream, 2000, deadline_in(5000), &line, &err));
	assert_int_equal(err.kind, E_CLOSED);
	stream_free(stream);
}

void send_message(struct stream *stream)
{
	say(stream, "MAIL FROM:<a@b.example>\r\n");
	hear(stream, "250 2.1.0");
	say(stream, "RCPT TO:<c@agency.example>\r\nDATA\r\n");
	hear(stream, "250 2.1.5");
	hear(stream, "354");
	say(stream, "Subject: x\r\n\r\ntext\r\n.\r\n");
	hear(stream, "250 2.0.0");
}
void await_none(const struct fixture *fixture, int64_t ms)
{
	struct deadline until = deadline_in(ms);

	while (smtp_server_statistics(fixture->server).connections) {
		assert_false(deadline_passed(until));
		usleep(5000);
	}
}

void await_parked(const struct fixture *fixture, unsigned int count)
{
	for (int i = 0; i < 500; i++) {
		if (smtp_server_statistics(fixture->server).parked == count)
			return;
		usleep(10000);
	}
	fail_msg("%u sessions are not parked", count);
}
void say_envelope(struct stream *stream, const char *recipient)
{
	say(stream, "HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<");
	say(stream, recipient);
	say(stream, "@agency.example>\r\nDATA\r\n");
}

void hear_content_begun(struct stream *stream)
{
	hear(stream, "220 ");
	hear(stream, "250 ");
	hear(stream, "250 2.1.0");
	hear(stream, "250 2.1.5");
	hear(stream, "354 ");
}
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

void remove_pem(struct fixture *fixture)
{
	unlink(fixture->certificate);
	unlink(fixture->key);
	rmdir(fixture->folder);
}

void set_up_tls(struct fixture *fixture)
{
	set_up(fixture);
	write_pem(fixture);
	fixture->listener.tls.certificate = slice_from(fixture->certificate);
	fixture->listener.tls.key = slice_from(fixture->key);
}

void secure(
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
