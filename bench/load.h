/* SPDX-License-Identifier: Apache-2.0 */
/* bench/load.h - what the driver offers to a protocol, and wants from it.
 *
 * The driver (load.c) has the sockets, the clock and the figures; a protocol
 * (load_smtp.c, load_milter.c) knows what to say and what an answer means.
 * Another protocol is another struct load_protocol and a row in load.c: it gets
 * the connected connection, asks for messages, and tells the verdict of each.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "corpus.h"

enum load_client { CLIENT_NONE, CLIENT_XCLIENT, CLIENT_PROXY };

enum {
	LOAD_INPUT_MAX = 16384,
	LOAD_OUTPUT_MAX = 256,
	LOAD_LINE_MAX = 32768,
	LOAD_ADDED_MAX = 4096,
	LOAD_HOPS_MAX = 4,
};

struct load_settings {
	enum load_client client; /* how the client's address is told */
	uint64_t per_connection; /* messages on one connection */
	size_t hops;		 /* filters that see a message in turn */
};

struct load;

struct load_connection {
	struct load *load;
	const struct load_settings *settings;
	int fd;
	bool closing, passing_on;
	size_t hop;
	int64_t started_us;		      /* of the current message */
	const struct corpus_message *message; /* NULL: none under way */

	/* The protocol's own. */
	int step;
	int refused;	      /* the code of the first refusal */
	size_t awaited;	      /* replies to RCPT */
	uint64_t sent;	      /* messages on this connection */
	bool introduced;      /* the client's address was told */
	uint32_t granted;     /* steps that the filter agreed to */
	struct slice packets; /* of the message, not yet sent */
	struct slice extra;   /* the same of fields in added */
	struct slice body;
	size_t added_len; /* of added */

	/* How much of what follows is in use. */
	size_t in_len, out_count, lines_len;

	/* What has come and is not yet consumed. */
	char in[LOAD_INPUT_MAX];

	/* What is still to be sent; texts made here live in lines. */
	struct slice out[LOAD_OUTPUT_MAX];
	char lines[LOAD_LINE_MAX];

	/* Packets of fields that the filter before this one added. */
	char added[LOAD_ADDED_MAX];
};

struct load_protocol {
	const char *name;
	/* Once, before the clock starts; NULL: nothing is to be prepared. */
	void (*prepare)(struct arena *arena, struct corpus *corpus);
	/* Connecting: may send. */
	void (*begin)(struct load_connection *connection);
	/* More input: takes what is complete, returns how much of it. */
	size_t (*input)(struct load_connection *connection, struct slice in);
	/* All is sent: may send more.  NULL: never has more. */
	void (*drained)(struct load_connection *connection);
};

extern const struct load_protocol load_smtp, load_milter;

/* The next message, its clock started; NULL: none is left. */
const struct corpus_message *load_next(struct load_connection *connection);

/* The current message has this verdict. */
void load_done(struct load_connection *connection, enum bench_verdict verdict);

/* bytes must stay. */
void load_send(struct load_connection *connection, struct slice bytes);

/* Pieces that load_send still takes. */
static inline size_t load_room(const struct load_connection *connection)
{
	return LOAD_OUTPUT_MAX - connection->out_count;
}

/* Copied: at most LOAD_LINE_MAX until all is sent. */
void load_copy(struct load_connection *connection, struct slice bytes);
void load_say(struct load_connection *connection, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* After what is to be sent: another connection takes its place. */
void load_close(struct load_connection *connection);

/* The same, with the same message, at the next hop.  False: there is none. */
bool load_pass_on(struct load_connection *connection);

#endif
