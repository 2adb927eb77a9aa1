/* SPDX-License-Identifier: Apache-2.0 */
/* message/envelope.h - who hands over a message, from whom and to whom.
 *
 * What SMTP (or the milter, or the command line) knows before the first byte
 * of content.  Filled by the session, read by gate.  All text lives in the
 * transaction's arena (or the connection's, which outlives it).
 */
#ifndef MESSAGE_ENVELOPE_H
#define MESSAGE_ENVELOPE_H

#include "base/arena.h"
#include "base/ip.h"
#include "base/role.h"
#include "base/slice.h"

enum envelope_body { BODY_7BIT, BODY_8BITMIME };

struct envelope_client {
	struct ip ip;
	uint16_t port;
	struct slice name;     /* verified host name, or empty */
	bool name_unknown;     /* empty, because DNS failed for now */
	struct slice helo;     /* as given; empty if none yet */
	bool esmtp;	       /* EHLO, not HELO */
	struct slice listener; /* its name in the configuration */
	enum listener_role role;
	bool tls;
	struct slice tls_version; /* "TLSv1.3" */
	struct slice tls_cipher;
	size_t tls_name_count; /* names of a verified client certificate */
	const struct slice *tls_names;
	struct slice authenticated_as; /* SASL user, or empty */
	struct slice auth_mechanism;
};

struct envelope_recipient {
	struct slice address;	 /* as given, without angle brackets */
	struct slice dsn_notify; /* NOTIFY= of RFC 3461, or empty; of a
				  * stranger NEVER or FAILURE alone */
	struct slice dsn_orcpt;	 /* ORCPT=, or empty */
};

struct envelope {
	struct slice id;       /* of the transaction: unique for ever */
	struct slice queue_id; /* the name that the MTA gave it, or empty */
	int64_t received_at;   /* seconds since 1970 UTC */
	const struct envelope_client *client;
	struct slice mail_from; /* without angle brackets; empty: null sender */
	bool smtputf8;
	bool prdr; /* RFC draft-hall-prdr: one reply a recipient */
	enum envelope_body body;
	uint64_t declared_size;	     /* SIZE=, or 0 */
	struct slice dsn_ret;	     /* RET=, or empty */
	struct slice dsn_envid;	     /* ENVID=, or empty */
	struct slice auth_parameter; /* AUTH= of RFC 4954: "<>" from whoever
				      * is not trusted with it; or empty */
	size_t recipient_count, recipient_room;
	struct envelope_recipient *recipients;
};

/* Appends; grows in the arena. */
void envelope_add_recipient(struct arena *arena, struct envelope *envelope,
    const struct envelope_recipient *recipient);

/* A new transaction id: 16 characters of [0-9A-Za-z], sortable by time. */
struct slice envelope_new_id(struct arena *arena);

#endif
