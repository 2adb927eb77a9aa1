/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/fuzz_smtp_client.h - the client of fuzz_smtp_session: on the same
 * thread, it says what the script says, and judges afterwards what it heard.
 *
 * Lines of the script are those of tests/dialogues (test_session.c), and more:
 *	> TEXT		a line with CR LF
 *	>> TEXT		octets, with escapes
 *	x N TEXT	N times a line
 *	<		waits for what it is told; all between is sent at once
 *	t MS		says nothing for so long
 *	c		closes
 *	q		reads no more of what it is told
 *	d		the service is told to end
 * What begins otherwise is not for the client.  At the end it says that no
 * more comes.
 */
#ifndef SMTP_FUZZ_SMTP_CLIENT_H
#define SMTP_FUZZ_SMTP_CLIENT_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/slice.h"
#include "smtp/fuzz_smtp_hop.h"

struct fuzz_client;

/* Lives in arena; fd becomes its own.  draining is the service's. */
struct fuzz_client *fuzz_client_new(
    struct arena *arena, struct slice script, int fd, atomic_bool *draining);

/* Reads what there is, unless it is deaf.  False: nothing. */
bool fuzz_client_hear(struct fuzz_client *client);

/* As fuzz_time_peer. */
int64_t fuzz_client_act(struct fuzz_client *client);

/* After the session: reads the rest, closes. */
void fuzz_client_end(struct fuzz_client *client);

/* Ends the process if what was said and heard is not SMTP, or not what the
 * next hop knows:
 * - each reply is well-formed (RFC 5321, 4.2; RFC 2034, 4), and each command
 *   has exactly one;
 * - a message that was accepted is at the next hop once, octet for octet
 *   behind our Received field, for so many recipients, and was accepted there;
 *   or the gate kept or discarded it;
 * - the next hop has seen no message to its end that the client did not send.
 * proxied: a PROXY header stands first. */
void fuzz_client_judge(const struct fuzz_client *client,
    const struct limits *limits, bool proxied, const struct fuzz_hop *hop);

#endif
