/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/session_fixture.h - one session with settings of its own, on a pair of
 * sockets: what test_session and fuzz_smtp_session have in common.
 */
#ifndef SMTP_SESSION_FIXTURE_H
#define SMTP_SESSION_FIXTURE_H

#include "smtp/session.h"

struct session_fixture {
	struct config *config; /* of the fields below */
	struct conf_listener listener;
	struct conf_route route;
	struct conf_connector connector;
	struct ip_network loopback;
	struct slice accepted;
	struct session_shared shared;
	atomic_bool draining;
};

/* Default limits without the delay of a tarpit; one route, which its user
 * fills in.  The fixture must stay where it is. */
void session_fixture_begin(struct session_fixture *fixture);

/* After the session. */
void session_fixture_end(struct session_fixture *fixture);

/* A setting of a dialogue, before the session is opened: the name of a limit
 * with a number from min to max, or
 *	role WORD		relay, or submission
 *	internal yes		a connector says so of any client
 *	accepted a.example	the only domain of ours (default: none)
 *	tls_required yes
 *	xclient yes		from the client
 *	proxy_protocol yes	the same
 * False: there is no such setting, or it cannot be set to that. */
bool session_fixture_set(struct session_fixture *fixture, struct slice name,
    struct slice value, uint64_t min, uint64_t max);

/* The session, for session_run, and the client's end of its connection; both
 * ends do not block. */
struct session *session_fixture_open(
    struct session_fixture *fixture, int *ret_peer);

#endif
