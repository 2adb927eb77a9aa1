/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/test_server_fixture.h - for tests: the whole server on loopback, with a
 * next hop of its own (smtp/fake_delivery.h), and clients.  What does not
 * happen within seconds fails the test.
 */
#ifndef SMTP_TEST_SERVER_FIXTURE_H
#define SMTP_TEST_SERVER_FIXTURE_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/server.h"
#include "smtp/stream.h"

struct fixture {
	struct config *config;
	struct conf_listener listener;
	struct conf_route route;
	struct slice star;
	struct smtp_server *server;
	int listening;
	struct sockaddr_in address;
	int receive_buffer; /* of clients; 0: as usual */
	char folder[64], certificate[96], key[96];
};

struct config *make_config(struct fixture *fixture, const char *name);

/* set_up, changes of fixture->config and ->listener, start; tear_down waits
 * until all sessions have ended. */
void set_up(struct fixture *fixture);
void start(struct fixture *fixture);
void tear_down(struct fixture *fixture);

/* The same with a certificate, which remove_pem removes. */
void set_up_tls(struct fixture *fixture);
void remove_pem(struct fixture *fixture);

/* A client; end with hear_end or stream_free. */
struct stream *dial_from(const struct fixture *fixture, const char *source);
struct stream *dial(const struct fixture *fixture);

void say(struct stream *stream, const char *text);

/* HELO to DATA in one go, for one recipient in our domain; and its replies. */
void say_envelope(struct stream *stream, const char *recipient);
void hear_content_begun(struct stream *stream);

/* The last line of a reply must start so. */
void hear(struct stream *stream, const char *expected);
void hear_end(struct stream *stream);

/* MAIL to the reply to the final dot. */
void send_message(struct stream *stream);

/* with_certificate: the client shows the same one as its own. */
void secure(const struct fixture *fixture, struct stream *stream,
    bool with_certificate);

/* So many sessions wait for their clients. */
void await_parked(const struct fixture *fixture, unsigned int count);

/* All connections have ended within ms. */
void await_none(const struct fixture *fixture, int64_t ms);

#endif
