/* SPDX-License-Identifier: Apache-2.0 */
/* base/acceptor.h - the listening sockets of a server, in the epoll descriptor
 * of the thread that accepts.
 *
 * That thread alone calls it; the listeners may be read by any.
 */
#ifndef BASE_ACCEPTOR_H
#define BASE_ACCEPTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/slice.h"

struct listener {
	int fd;		   /* stays the caller's, open until acceptor_free */
	struct slice name; /* in the configuration */
	/* It outlives the process: when the server drains nobody is accepted
	 * any more, new clients wait for the process that comes next. */
	bool is_kept;
};

struct acceptor {
	size_t count;
	struct listener *listeners;
	int epoll;
	bool has_left; /* those that are kept */
	struct deadline paused_until;
};

/* Copies them, names too, and makes the sockets non-blocking. */
void acceptor_init(
    struct acceptor *acceptor, const struct listener *listeners, size_t count);

/* The sockets stay open. */
void acceptor_free(struct acceptor *acceptor);

/* From now on epoll tells of clients that come; the event's pointer is the
 * struct listener.  False: E_TEMP, E_IO, E_FULL (fs.epoll.max_user_watches). */
bool acceptor_watch(struct acceptor *acceptor, int epoll, struct err *err);
bool acceptor_has(const struct acceptor *acceptor, const void *object);

/* No descriptor is left: not again at once, but when acceptor_resume finds that
 * the pause is over. */
void acceptor_pause(struct acceptor *acceptor);
void acceptor_resume(struct acceptor *acceptor);

/* Leaves those that are kept. */
void acceptor_leave_kept(struct acceptor *acceptor);

#endif
