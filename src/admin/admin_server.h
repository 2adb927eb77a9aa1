/* SPDX-License-Identifier: Apache-2.0 */
/* admin/admin_server.h - the HTTP side of operations, in a process of its own.
 *
 *	GET /metrics	Prometheus text format 0.0.4
 *	GET /healthz	200: this process answers
 *	GET /readyz	200: mail can be taken
 *
 * For which the SMTP process (and the milter's, if one is wanted) lives, the
 * store takes writes, and there is room in it and in the spool.  Else 503 with
 * what is missing, on a loopback address in full.
 *
 * HEAD is answered as GET is, without the body (RFC 9110 section 9.3.2).
 *
 * Nothing is changed through it and nobody logs in, so it belongs on loopback
 * or a management network; another address is logged as a warning.  Routes
 * are rows of api_table.c.
 */
#ifndef ADMIN_ADMIN_SERVER_H
#define ADMIN_ADMIN_SERVER_H

#include "base/err.h"
#include "base/metrics.h"
#include "base/slice.h"

struct admin_settings {
	struct slice address; /* "127.0.0.1:8025"; empty: that one; port 0:
			       * any, see admin_port */
	const struct metrics *metrics; /* of the supervisor; stays valid; the
					* heartbeats are those of metrics_use */
	struct slice store_url; /* opened when first asked for, so that the
				 * order of starting does not matter; empty:
				 * not checked */
	struct slice spool_directory; /* empty: not looked at */
};

struct admin_server;

/* Copies what it needs of settings.  False: E_TEMP (the address is another
 * program's, or not yet this host's; no memory or thread), E_CONFIG (address),
 * E_IO. */
bool admin_start(const struct admin_settings *settings,
    struct admin_server **ret, struct err *err);

/* The port it listens on. */
unsigned int admin_port(const struct admin_server *server);

/* Ends open requests. */
void admin_stop(struct admin_server *server);

#endif
