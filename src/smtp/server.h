/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/server.h - the SMTP server: listeners, parked sessions, workers.
 *
 * One thread accepts connections and watches the sessions that wait for their
 * client; a session with something to do runs on a worker (limits.threads of
 * them at most, half of them for one network: the others of that network stand
 * in line).  Who comes when limits.connections or the limits of his
 * network are reached hears 421 at once.
 */
#ifndef SMTP_SERVER_H
#define SMTP_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/acceptor.h"
#include "base/err.h"
#include "gate/gate.h"

struct smtp_server;

struct smtp_server_settings {
	/* config and resolver are held; the store must outlive the server. */
	struct gate_context gate;
	/* Copied; their sockets are open until smtp_server_wait has returned.
	 */
	size_t listener_count;
	const struct listener *listeners;
};

/* False: E_CONFIG (certificates; a socket without its listener), E_IO. */
bool smtp_server_start(const struct smtp_server_settings *settings,
    struct smtp_server **ret, struct err *err);

/* New sessions work with this from now on; those that run keep what they have.
 * False, and nothing changed: E_CONFIG. */
bool smtp_server_reload(struct smtp_server *server,
    const struct gate_context *gate, struct err *err);

/* Files have changed: the same for the configuration in use, with gate's
 * resolver.  TLS files that cannot be used any more are left as they were
 * loaded, and tell hears why.  Returns whether all of them could be used. */
bool smtp_server_renew(struct smtp_server *server,
    const struct gate_context *gate, void (*tell)(const struct err *err));

/* Now and then: ends connections to next hops that have been idle for too
 * long.  May wait for them for a moment. */
void smtp_server_tidy(struct smtp_server *server);

/* Returns at once.  New connections (but see struct listener) and parked
 * sessions get 421; those at work finish, within limits.drain_timeout. */
void smtp_server_drain(struct smtp_server *server);

/* After smtp_server_drain: until the last session has ended.  Frees. */
void smtp_server_wait(struct smtp_server *server);

struct smtp_server_statistics {
	uint64_t accepted, refused, messages, smuggling; /* in all */
	uint64_t connections, parked, in_line, threads;	 /* now */
};
struct smtp_server_statistics smtp_server_statistics(
    struct smtp_server *server);

#endif
