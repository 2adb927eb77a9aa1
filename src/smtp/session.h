/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/session.h - one client's connection, from greeting to QUIT.
 *
 * Straight-line code on a worker's thread.  session_run goes on until nothing
 * is left to do without the client: without its next command, more content,
 * its part of a handshake, or room for our replies.  Then it returns, and the
 * server parks the session, which costs no thread.  DNS, next hops and the
 * store are waited for on the thread, with their own deadlines.
 */
#ifndef SMTP_SESSION_H
#define SMTP_SESSION_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/ip.h"
#include "smtp/partly_taken.h"
#include "smtp/rate.h"
#include "smtp/snapshot.h"
#include "smtp/stream.h"

/* What all sessions share; any thread. */
struct session_shared {
	struct rate_table *rate;
	struct partly_taken *partly_taken;
	/* Sessions end with 421 as soon as they may. */
	const atomic_bool *draining;
	atomic_ullong messages, bytes, smuggling;
	atomic_ullong refused; /* connections */
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
	SESSION_WAITS,	/* call again when there is what session_wants */
	SESSION_SLEEPS, /* call again when session_wakes_at has passed */
	SESSION_WORKS,	/* from a glance: it is to run on a worker's thread */
	SESSION_OVER,	/* free it */
};

enum session_next session_run(struct session *session);

/* Does what costs next to nothing and waits for nobody: greeting, EHLO, QUIT
 * and the like, of a client without TLS.  The thread that accepts can do that
 * itself: handing it to another costs more than doing it.  After SESSION_OVER
 * session_run may be called all the same: it returns SESSION_OVER. */
enum session_next session_glance(struct session *session);

/* When a parked session has to run again in any case: it then finds out that
 * it timed out. */
struct deadline session_wakes_at(const struct session *session);

int session_fd(const struct session *session);

/* Before it waits for a thread for long: gives memory back.  While it waits for
 * its client it has given it back already. */
void session_shrink(struct session *session);

/* What its end may free: smtp/server.c. */
const struct smtp_snapshot *session_snapshot(const struct session *session);

/* For rate_begin_work.  A PROXY header that session_run reads changes the
 * first. */
const struct ip *session_peer(const struct session *session);
const struct limits *session_limits(const struct session *session);

/* After SESSION_WAITS: POLLIN or POLLOUT. */
short session_wants(const struct session *session);

/* It is between two commands: called again while the server drains, it would
 * end. */
bool session_may_end(const struct session *session);

bool session_in_networks(
    const struct conf_network_list *networks, const struct ip *ip);

/* Logs, aborts what is open, closes the connection. */
void session_free(struct session *session);

#endif
