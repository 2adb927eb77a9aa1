/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/partly_taken.h - who has a message already that its client sends again.
 *
 * An LMTP server has a reply for each recipient behind the final dot (RFC 2033,
 * section 4.2), SMTP has one for all.  If a mailbox is full for now the client
 * hears 4xx, and sends again, for days, to those too who have the message.
 * This remembers them, so that the next try leaves them out: in memory, the
 * last PARTLY_TAKEN_MAX of them, for as long as senders try (RFC 5321,
 * 4.5.4.1).  What is forgotten, by a restart too, costs a duplicate.
 *
 * Any thread; one lock, held shortly.
 */
#ifndef SMTP_PARTLY_TAKEN_H
#define SMTP_PARTLY_TAKEN_H

#include "auth/crypto.h"
#include "base/arena.h"
#include "base/ip.h"
#include "base/slice.h"

enum { PARTLY_TAKEN_MAX = 20000 };

struct partly_taken;

struct partly_taken *partly_taken_new(void);
void partly_taken_free(struct partly_taken *table);

/* One recipient's copy of one message, sent by the same network or user: what
 * a stranger has sent before stands in nobody's way. */
struct taken_copy {
	struct ip client;	      /* its /24 or /64 counts */
	struct slice user;	      /* of AUTH, or empty */
	struct crypto_digest content; /* as the client sent it */
	struct slice next_hop;	      /* of the configuration: its text */
	struct slice sender, recipient;
};

/* Nobody is remembered: digests are not worth computing. */
bool partly_taken_empty(struct partly_taken *table);

void partly_taken_add(
    struct partly_taken *table, struct arena *arena, const struct taken_copy *);
bool partly_taken_has(
    struct partly_taken *table, struct arena *arena, const struct taken_copy *);
/* Harmless if it is not there. */
void partly_taken_forget(
    struct partly_taken *table, struct arena *arena, const struct taken_copy *);

#endif
