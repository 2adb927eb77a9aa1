/* SPDX-License-Identifier: Apache-2.0 */
/* base/connections.h - the connections of a server, from accept to drain.
 *
 * One thread accepts clients and watches the connections that are parked;
 * those with something to do run on workers.  What they do is their protocol's.
 * A connection belongs to the wheel (parked), to one thread, or to a list of
 * its server's.  Only the accepting thread takes it out of the wheel: an event
 * that is already on its way would else find it freed.  (Except one parked
 * without events: there is none.)
 */
#ifndef BASE_CONNECTIONS_H
#define BASE_CONNECTIONS_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/acceptor.h"
#include "base/err.h"
#include "base/parking.h"

struct sockaddr;

/* The first member of a server's own. */
struct connection {
	struct parked parked;		 /* first */
	struct connection *next, **back; /* of all */
};

/* What a server does with them. */
struct connections_protocol {
	/* On the accepting thread.  A client has come.  fd does not block: to
	 * be closed, or added. */
	void (*welcome)(void *server, const struct listener *listener, int fd,
	    const struct sockaddr *address);
	/* On the accepting thread.  No descriptor is left for a client of this
	 * listener; a pause follows. */
	void (*no_descriptors)(void *server, const struct listener *listener);
	/* On the accepting thread.  What it was parked for has come, and it is
	 * the callee's.  Must wait for nobody. */
	void (*wake)(void *server, struct connection *connection);
	/* On a worker's thread: one that was posted, or whose time has come. */
	void (*run)(void *server, struct work *work);
	/* On any: frees it, and closes its descriptor. */
	void (*end)(struct connection *connection);
	/* On the accepting thread, every WHEEL_TICK_MS or more often. */
	void (*tick)(void *server);
	/* Those that are parked when the server begins to drain are woken after
	 * so long. */
	int64_t wakes_after_ms;
};

struct connections {
	/* Guards the wheel and the list of all.  The server may guard more with
	 * it. */
	pthread_mutex_t lock;
	struct parking parking;
	struct acceptor acceptor;
	atomic_ullong accepted, open;
	atomic_bool draining;

	/* connections.c's own */
	const struct connections_protocol *protocol;
	void *server; /* for its functions */
	int wake;
	pthread_t thread;
	struct connection *first;
	bool drained;		 /* no more of its kept listeners */
	struct deadline wake_at; /* who is parked */
	struct deadline drain_until;
};

/* The listeners are copied; their sockets must stay open until
 * connections_free. */
void connections_init(struct connections *connections,
    const struct connections_protocol *protocol, void *server,
    const struct listener *listeners, size_t count);

/* When all the server's functions use is there.  threads: of workers, at most.
 * False: E_TEMP, E_IO; connections_free is still to be called. */
bool connections_start(
    struct connections *connections, size_t threads, struct err *err);

/* Any thread.  Nobody is accepted any more on listeners that are kept.  Who is
 * left after timeout_ms is cut off. */
void connections_drain(struct connections *connections, int64_t timeout_ms);

/* After connections_drain: until the last one has ended. */
void connections_wait(struct connections *connections);

/* After connections_wait, or if nothing was started.  Until all workers have
 * ended. */
void connections_free(struct connections *connections);

/* Counts it; it is still the caller's. */
void connections_add(
    struct connections *connections, struct connection *connection, int fd);

/* For a worker. */
void connections_post(
    struct connections *connections, struct connection *connection);

/* Until one of the events of epoll(7) or the time wakes it.  may_end: in a
 * drain it has nothing to wait for, and goes on at once, to its end. */
void connections_park(struct connections *connections,
    struct connection *connection, struct deadline wakes, uint32_t events,
    bool may_end);

/* It is no more. */
void connections_end(
    struct connections *connections, struct connection *connection);

#endif
