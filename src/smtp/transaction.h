/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/transaction.h - one message from MAIL to its final reply.
 *
 * Collects the content (spool, header block), feeds the gate while it arrives,
 * and carries the verdict out: refuse, hand to the next hop, or keep.  250 is
 * said only after the next hop, or the store, has the message.
 */
#ifndef SMTP_TRANSACTION_H
#define SMTP_TRANSACTION_H

#include "base/buf.h"
#include "gate/gate.h"
#include "message/envelope.h"
#include "message/spool.h"
#include "smtp/data.h"
#include "smtp/repeat.h"
#include "smtp/session_private.h"

struct transaction {
	struct arena *arena;
	struct envelope envelope;
	struct gate_message *gate;
	struct delivery *delivery;
	struct spool *spool; /* from the first content on */
	struct buf header;   /* stays in place for the gate */
	bool header_complete;
	bool chunks; /* BDAT has begun */
	struct data_reader reader;
	struct slice content;	      /* complete, as the client sent it */
	struct message_pieces pieces; /* as it is handed on */
	struct repeat repeat;
	bool nobody_left; /* all recipients have it from an earlier try */
	uint64_t excess_recipients;	/* refused: limits.recipients */
	uint64_t received;		/* content bytes, dropped ones too */
	uint64_t memory;		/* see content_memory.h */
	struct smtp_reply_text failure; /* code 0: none so far */
	int64_t started_us;
};

/* With an empty envelope but for client, id and time. */
struct transaction *transaction_new(struct session *session);

/* The envelope is complete but for recipients: gate and delivery begin, and it
 * becomes the session's. */
void transaction_begin(
    struct session *session, struct transaction *transaction);

/* Before the first content. */
void transaction_open_content(struct session *session);

/* A failure is remembered; what follows is dropped. */
void transaction_add(struct session *session, struct slice piece);

/* The content is complete: verdict, delivery, reply.  Ends the transaction. */
void transaction_finish(struct session *session);

/* The content is not complete, and refused all the same: trace, reply.  Ends
 * the transaction. */
void transaction_refuse(
    struct session *session, const struct smtp_reply_text *reply);

/* Around the time in which the session waits for its client; harmless without
 * one. */
void transaction_pause(struct session *session);
void transaction_resume(struct session *session);

/* Ends it without a word; harmless without one. */
void transaction_drop(struct session *session);
void transaction_free(struct transaction *transaction);

#endif
