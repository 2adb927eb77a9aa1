/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/session.h - one client's connection, from greeting to QUIT.
 *
 * Straight-line code on a worker's thread.  session_run goes on until nothing
 * is left to do without waiting for the client's next command; then it returns
 * and the server parks the session, which costs no thread.  While a message
 * comes in it blocks, with deadlines.
 */
#ifndef SMTP_SESSION_H
#define SMTP_SESSION_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/ip.h"
#include "smtp/rate.h"
#include "smtp/snapshot.h"
#include "smtp/stream.h"

/* What all sessions share; any thread. */
struct session_shared {
	struct rate_table *rate;
	atomic_bool draining; /* sessions end with 421 as soon as they may */
	atomic_ullong messages, bytes, smuggling;
	atomic_ullong content_memory; /* of all messages that come in */
};

struct session;

struct session_settings {
	struct session_shared *shared;
	struct smtp_snapshot
	    *snapshot;	       /* one reference becomes the session's */
	size_t listener;       /* index in the snapshot's config */
	struct stream *stream; /* becomes the session's */
	struct ip peer;	       /* IP_NONE for a Unix socket */
	uint16_t port;
	bool counted; /* rate_connect was called */
};

struct session *session_new(const struct session_settings *settings);

enum session_next {
	SESSION_WAITS,	/* call again when the client has sent something */
	SESSION_SLEEPS, /* call again when session_wakes_at has passed */
	SESSION_LATER,	/* its network has its share of threads: call again */
	SESSION_OVER,	/* free it */
};

enum session_next session_run(struct session *session);

/* When a parked session has to run again in any case: it then finds out that
 * it timed out. */
struct deadline session_wakes_at(const struct session *session);

int session_fd(const struct session *session);

/* Logs, aborts what is open, closes the connection. */
void session_free(struct session *session);

#endif
