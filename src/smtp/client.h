/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/client.h - one connection to one next hop, as SMTP or LMTP client.
 *
 * RFC 5321, RFC 2033 (LMTP), RFC 3207 (STARTTLS).  Opening includes the
 * greeting, EHLO or LHLO and, as the policy says, TLS.  Every exchange is
 * bounded by limits->next_hop_timeout, and by an end that all of them have
 * (smtp_client_set_end).  After a function returned false the connection is of
 * no more use: drop it.  One thread at a time.
 *
 * Replies live until the next command on the same connection.
 */
#ifndef SMTP_CLIENT_H
#define SMTP_CLIENT_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/limits.h"
#include "base/slice.h"
#include "conf/config.h"
#include "message/envelope.h"
#include "smtp/capabilities.h"
#include "smtp/reply.h"

struct client_tls;

/* One address to connect to, and how. */
struct smtp_endpoint {
	struct slice host; /* name whose certificate is expected */
	struct ip ip;
	uint16_t port;
	struct slice path; /* of a Unix socket: no TLS; then no ip */
	bool lmtp;
	bool xforward;
	enum conf_next_hop_tls tls;
	struct slice tls_ca;
	uint64_t proxy_protocol; /* 0: none */
	struct slice key;	 /* the same for the same endpoint */
};

struct smtp_client_settings {
	struct slice hostname; /* for EHLO */
	const struct limits *limits;
	struct client_tls *tls;
};

struct smtp_client;

/* Where opening failed. */
enum smtp_client_stage { STAGE_CONNECT, STAGE_GREETING, STAGE_TLS };

/* client (or NULL) is told in the PROXY header.  With tls "may", a handshake
 * that fails is followed by one more connection without TLS.  After that, and
 * where STARTTLS is offered and refused, the state of *ret has tls_failed, and
 * *err says why.  All of it is over by deadline.  settings must outlive the
 * connection; endpoint is copied.
 * False: *ret_stage says where; the kinds of base/io.h; E_TEMP when the peer's
 * reply or its lack of TLS stands in the way. */
bool smtp_client_open(const struct smtp_client_settings *settings,
    const struct smtp_endpoint *endpoint, const struct envelope_client *client,
    struct deadline deadline, struct smtp_client **ret,
    enum smtp_client_stage *ret_stage, struct err *err);

/* No exchange goes on after that.  Without it: none of its own. */
void smtp_client_set_end(struct smtp_client *client, struct deadline end);

/* Without a word; NULL is nothing. */
void smtp_client_drop(struct smtp_client *client);

/* Says QUIT without waiting for the answer. */
void smtp_client_quit(struct smtp_client *client);

const struct smtp_endpoint *smtp_client_endpoint(
    const struct smtp_client *client);
const struct smtp_capabilities *smtp_client_capabilities(
    const struct smtp_client *client);
const struct limits *smtp_client_limits(const struct smtp_client *client);
bool smtp_client_is_tls(const struct smtp_client *client);

/* Nobody can listen in: verified TLS, loopback or a Unix socket. */
bool smtp_client_is_private(const struct smtp_client *client);

/* The peer is still there and says nothing unasked. */
bool smtp_client_is_idle(const struct smtp_client *client);

/* An exchange failed: nothing can be sent any more. */
bool smtp_client_is_broken(const struct smtp_client *client);

/* Facts of its history, for those who keep connections. */
struct smtp_client_state {
	bool reused;	 /* served a transaction before */
	bool proxied;	 /* carries one client's identity */
	bool tls_failed; /* offered; so it is in plain text */
	bool authenticated;
	bool in_transaction;	  /* MAIL was accepted */
	unsigned int refusals;	  /* since a message was taken */
	int64_t idle_since_ms;	  /* monotonic */
	struct smtp_client *next; /* of its keeper's list */
};
struct smtp_client_state *smtp_client_state(struct smtp_client *client);

/* Buffers a command with its CR LF.  False: E_SYNTAX for any other control
 * byte in it (nothing is sent), or the connection failed.  secret: not to be
 * traced. */
bool smtp_client_send(struct smtp_client *client, struct slice command,
    bool secret, struct err *err);

/* Sends what is buffered as far as that can be done at once. */
void smtp_client_flush(struct smtp_client *client);

/* Flushes, and reads the reply to the oldest command without one. */
bool smtp_client_receive(struct smtp_client *client, struct deadline deadline,
    struct smtp_reply *ret, struct err *err);

/* Once sending failed: what the peer said unasked, perhaps, before it went.
 * The connection stays broken. */
bool smtp_client_last_words(struct smtp_client *client, struct smtp_reply *ret);

/* Both, within the time for one command; earlier replies end. */
bool smtp_client_command(struct smtp_client *client, struct slice command,
    struct smtp_reply *ret, struct err *err);

/* Ends the lives of earlier replies; before a group of commands. */
void smtp_client_forget(struct smtp_client *client);

/* The same, and gives buffers back: before it is kept idle. */
void smtp_client_shrink(struct smtp_client *client);

/* The time for one command from now. */
struct deadline smtp_client_deadline(const struct smtp_client *client);

/* Raw bytes of a message, after DATA was answered with 354. */
bool smtp_client_write(struct smtp_client *client, struct slice bytes,
    struct deadline deadline, struct err *err);

/* RSET: the connection is as after EHLO. */
bool smtp_client_reset(struct smtp_client *client, struct err *err);

#endif
