/* SPDX-License-Identifier: Apache-2.0 */
/* milter/milter_session.h - one connection of an MTA.
 *
 * An MTA has one for each SMTP client (or, with SMFIC_QUIT_NC, for several one
 * after the other), with any number of messages.  It drives; whatever it sends
 * that is out of place or no packet ends the connection, and it falls back on
 * what it does without a milter (tempfail, if set up as documented).
 *
 * The session reads what is there and returns when it must wait, for its MTA
 * or for the store: a waiting session needs no thread.
 */
#ifndef MILTER_MILTER_SESSION_H
#define MILTER_MILTER_SESSION_H

#include <stdatomic.h>

#include "base/clock.h"
#include "milter/milter_snapshot.h"
#include "milter/progress.h"

struct milter_session;

struct milter_session_settings {
	int fd;		       /* non-blocking; the session closes it */
	struct slice listener; /* outlives it */
	/* The snapshot that a message begins with; held for the session. */
	struct milter_snapshot *(*snapshot)(void *context);
	/* limits.data_timeout at present, with no hold on a snapshot: on the
	 * thread that asks it might be the last. */
	int64_t (*data_timeout)(void *context);
	void *context;
	const atomic_bool *draining;	/* end when no message is under way */
	atomic_ullong *messages;	/* counts; or NULL */
	struct progress_list *progress; /* or NULL */
	/* For a session that commits: its message is recorded, or could not
	 * be.  Called on the store's thread, maybe before the session has said
	 * that it commits. */
	struct store_notice committed;
};

enum milter_session_result {
	MILTER_SESSION_WAITS,
	MILTER_SESSION_WORKS,	/* from a glance: it is to be run */
	MILTER_SESSION_COMMITS, /* nothing can be done until it is told */
	MILTER_SESSION_OVER,
};

struct milter_session *milter_session_new(
    const struct milter_session_settings *settings);

/* Closes and logs; a message under way is forgotten. */
void milter_session_free(struct milter_session *session);

/* After settings.committed was called, before it is run (or glanced at). */
void milter_session_committed(struct milter_session *session);

/* Takes what came as far as that costs next to nothing and waits for nobody:
 * negotiation, the client, the end; nothing of a message.  Half of the events
 * of a connection need no other thread.
 *
 * For one that has committed: gives the answer as far as the MTA takes it at
 * once, and forgets the message, perhaps with the last hold on a configuration:
 * not on the accepting thread. */
enum milter_session_result milter_session_glance(
    struct milter_session *session);

/* Until more must come, or the end. */
enum milter_session_result milter_session_run(struct milter_session *session);

/* For one that waits: no message is under way. */
bool milter_session_may_end(const struct milter_session *session);

/* For one that waits or commits: when it is to be run although nothing came. */
struct deadline milter_session_wakes_at(const struct milter_session *session);

int milter_session_fd(const struct milter_session *session);

#endif
