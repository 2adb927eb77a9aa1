/* SPDX-License-Identifier: Apache-2.0 */
/* milter/milter_server.h - the milter: listeners, parked sessions, workers.
 *
 * One thread accepts connections and watches the sessions that wait for their
 * MTA; a session with something to do runs on a worker (limits.threads of them
 * at most).  Connections over limits.connections are closed: the MTA then does
 * what it does without a milter.
 */
#ifndef MILTER_MILTER_SERVER_H
#define MILTER_MILTER_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/acceptor.h"
#include "base/err.h"
#include "gate/gate.h"

struct milter_server;

struct milter_server_settings {
	/* config and resolver are held; the store must outlive the server. */
	struct gate_context gate;
	/* Copied; their sockets are open until milter_server_wait has
	 * returned. */
	size_t listener_count;
	const struct listener *listeners;
};

/* False: E_IO, E_TEMP. */
bool milter_server_start(const struct milter_server_settings *settings,
    struct milter_server **ret, struct err *err);

/* Messages that begin from now on are judged with this. */
void milter_server_reload(
    struct milter_server *server, const struct gate_context *gate);

/* Returns at once.  Nothing is accepted any more; messages that are under way
 * finish, within limits.drain_timeout. */
void milter_server_drain(struct milter_server *server);

/* After milter_server_drain: until the last session has ended.  Frees. */
void milter_server_wait(struct milter_server *server);

struct milter_server_statistics {
	uint64_t accepted, refused, messages;  /* in all */
	uint64_t connections, parked, threads; /* now */
};
struct milter_server_statistics milter_server_statistics(
    struct milter_server *server);

#endif
