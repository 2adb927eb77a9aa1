/* SPDX-License-Identifier: Apache-2.0 */
/* Locks: that of the connections guards the snapshot and the list of those
 * whose message is recorded, too.  Those that wait for the store are taken out
 * of the wheel by the store's thread: no event of epoll can mean them, they
 * were disarmed when they came.
 */
#include "milter/milter_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/connections.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "milter/milter_session.h"

struct milter_connection {
	struct connection base; /* first */
	struct milter_server *server;
	bool committed; /* and its session not yet told */
	struct milter_session *session;
};

struct milter_server {
	struct connections connections;
	/* One thread of its own for the answers: what is recorded does not
	 * stand in line behind what waits for DNS. */
	struct workers *answerer;
	struct progress_list progress;
	struct work answers; /* run_answers */
	bool answers_posted;
	struct work *committed, **committed_last; /* whom it is to answer */
	struct milter_snapshot *snapshot;
	atomic_ullong refused, messages;
};

static void lock(struct milter_server *server)
{
	pthread_mutex_lock(&server->connections.lock);
}

static void unlock(struct milter_server *server)
{
	pthread_mutex_unlock(&server->connections.lock);
}

/* Sessions. */

/* With the lock.  What was committed together is answered by one thread: waking
 * one for each costs more than the answers.  True: it is to be woken. */
static bool enlist(
    struct milter_server *server, struct milter_connection *connection)
{
	bool wakes = !server->answers_posted;
	struct work *work = &connection->base.parked.work;

	work->next = NULL;
	*server->committed_last = work;
	server->committed_last = &work->next;
	server->answers_posted = true;
	return wakes;
}

/* The store will wake it; the time is for when it does not. */
static void park_committing(
    struct milter_server *server, struct milter_connection *connection)
{
	bool wakes = false;

	lock(server);
	if (connection->committed)
		wakes = enlist(server, connection);
	else
		parking_add(&server->connections.parking,
		    &connection->base.parked,
		    milter_session_wakes_at(connection->session), 0);
	unlock(server);
	if (wakes)
		workers_post(server->answerer, &server->answers);
}

/* On the store's thread. */
static void take_notice(void *context)
{
	struct milter_connection *connection = context;
	struct milter_server *server = connection->server;
	bool wakes = false;

	lock(server);
	connection->committed = true;
	if (parking_take(
		&server->connections.parking, &connection->base.parked))
		wakes = enlist(server, connection);
	unlock(server);
	if (wakes)
		workers_post(server->answerer, &server->answers);
}

/* Tells the session what the store has told. */
static void tell_session(
    struct milter_server *server, struct milter_connection *connection)
{
	bool committed;

	lock(server);
	committed = connection->committed;
	connection->committed = false;
	unlock(server);
	if (committed)
		milter_session_committed(connection->session);
}

static void end(struct connection *connection)
{
	milter_session_free(((struct milter_connection *)connection)->session);
	memory_free(connection);
}

static void go_on(struct milter_server *server,
    struct milter_connection *connection, enum milter_session_result result)
{
	struct connections *connections = &server->connections;
	struct milter_session *session = connection->session;

	switch (result) {
	case MILTER_SESSION_WAITS:
		connections_park(connections, &connection->base,
		    milter_session_wakes_at(session), EPOLLIN | EPOLLRDHUP,
		    milter_session_may_end(session));
		break;
	case MILTER_SESSION_WORKS:
		connections_post(connections, &connection->base);
		break;
	case MILTER_SESSION_COMMITS: park_committing(server, connection); break;
	case MILTER_SESSION_OVER:
		connections_end(connections, &connection->base);
		break;
	}
}

static void glance(
    struct milter_server *server, struct milter_connection *connection)
{
	go_on(server, connection, milter_session_glance(connection->session));
}

static void wake(void *context, struct connection *connection)
{
	glance(context, (struct milter_connection *)connection);
}

static struct work *take_committed(struct milter_server *server)
{
	struct work *list;

	lock(server);
	list = server->committed;
	server->committed = NULL;
	server->committed_last = &server->committed;
	if (!list)
		server->answers_posted = false;
	unlock(server);
	return list;
}

static void run_answers(void *context, struct work *ignored)
{
	struct milter_server *server = context;
	struct work *work, *next;

	(void)ignored;
	while ((work = take_committed(server)))
		for (; work; work = next) {
			struct milter_connection *connection =
			    (struct milter_connection *)work;

			next = work->next;
			tell_session(server, connection);
			glance(server, connection);
		}
}

static void run(void *context, struct work *work)
{
	struct milter_server *server = context;
	struct milter_connection *connection = (struct milter_connection *)work;

	tell_session(server, connection);
	go_on(server, connection, milter_session_run(connection->session));
}

/* Accepting. */

static struct milter_snapshot *take_snapshot(void *context)
{
	struct milter_server *server = context;
	struct milter_snapshot *snapshot;

	lock(server);
	snapshot = milter_snapshot_hold(server->snapshot);
	unlock(server);
	return snapshot;
}

static int64_t get_data_timeout(void *context)
{
	struct milter_server *server = context;
	int64_t timeout;

	lock(server);
	timeout = (int64_t)server->snapshot->gate.config->limits.data_timeout;
	unlock(server);
	return timeout;
}

static bool is_full(struct milter_server *server)
{
	bool full;

	lock(server);
	full = atomic_load(&server->connections.open) >=
	       server->snapshot->gate.config->limits.connections;
	unlock(server);
	return full;
}

static void welcome(void *context, const struct listener *listener, int fd,
    const struct sockaddr *address)
{
	struct milter_server *server = context;
	struct milter_session_settings settings = {
	    .fd = fd,
	    .listener = listener->name,
	    .snapshot = take_snapshot,
	    .data_timeout = get_data_timeout,
	    .context = server,
	    .draining = &server->connections.draining,
	    .messages = &server->messages,
	    .progress = &server->progress,
	};
	struct milter_connection *connection;

	(void)address;
	if (is_full(server)) {
		atomic_fetch_add(&server->refused, 1);
		metrics_count(METRIC_MILTER_FAILURES, SLICE("connections"));
		log_warning("milter.connection_refused",
		    LOG_S("listener", listener->name),
		    LOG_T("setting", "limits.connections"));
		close(fd);
		return;
	}
	connection = MEMORY_NEW(struct milter_connection);
	connection->server = server;
	settings.committed = (struct store_notice){take_notice, connection};
	connection->session = milter_session_new(&settings);
	connections_add(&server->connections, &connection->base, fd);
	metrics_add(METRIC_MILTER_CONNECTIONS_ACCEPTED, 1);
	glance(server, connection);
}

static void report_no_descriptors(void *context, const struct listener *ignored)
{
	struct milter_server *server = context;

	(void)ignored;
	log_error("milter.no_descriptors",
	    LOG_I("connections",
		(int64_t)atomic_load(&server->connections.open)));
	metrics_count(METRIC_MILTER_FAILURES, SLICE("descriptors"));
}

static void tick(void *context)
{
	struct milter_server *server = context;

	progress_tell(&server->progress);
	metrics_set(METRIC_MILTER_CONNECTIONS,
	    (int64_t)atomic_load(&server->connections.open));
	metrics_heartbeat(PROCESS_MILTER);
}

static const struct connections_protocol protocol = {
    .welcome = welcome,
    .no_descriptors = report_no_descriptors,
    .wake = wake,
    .run = run,
    .end = end,
    .tick = tick,
};

/* Starting and ending. */

/* Accepted sockets inherit the options.  A mail server that is gone for good is
 * found out in the end.  In a drain nobody is accepted: no reply could tell it
 * to come again. */
static void prepare(struct listener *listener)
{
	int on = 1;

	setsockopt(listener->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(listener->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	listener->is_kept = true;
}

static void free_server(struct milter_server *server)
{
	if (server->answerer)
		workers_free(server->answerer);
	connections_free(&server->connections);
	milter_snapshot_release(server->snapshot);
	progress_destroy(&server->progress);
	memory_free(server);
}

static bool start_threads(
    struct milter_server *server, size_t threads, struct err *err)
{
	server->answerer = workers_new(1, WORKERS_IDLE_MS, run_answers, server);
	if (!server->answerer)
		return err_set_errno(err, "start a thread");
	return connections_start(&server->connections, threads, err);
}

bool milter_server_start(const struct milter_server_settings *settings,
    struct milter_server **ret, struct err *err)
{
	struct milter_server *server = MEMORY_NEW(struct milter_server);
	struct acceptor *acceptor = &server->connections.acceptor;

	connections_init(&server->connections, &protocol, server,
	    settings->listeners, settings->listener_count);
	for (size_t i = 0; i < acceptor->count; i++)
		prepare(&acceptor->listeners[i]);
	server->committed_last = &server->committed;
	progress_init(&server->progress, PROGRESS_INTERVAL_MS);
	server->snapshot = milter_snapshot_new(&settings->gate);
	if (!start_threads(
		server, settings->gate.config->limits.threads, err)) {
		free_server(server);
		return false;
	}
	*ret = server;
	return true;
}

void milter_server_reload(
    struct milter_server *server, const struct gate_context *gate)
{
	struct milter_snapshot *fresh = milter_snapshot_new(gate), *old;

	lock(server);
	old = server->snapshot;
	server->snapshot = fresh;
	unlock(server);
	milter_snapshot_release(old);
	workers_set_max(
	    server->connections.parking.workers, gate->config->limits.threads);
}

void milter_server_drain(struct milter_server *server)
{
	int64_t timeout;

	lock(server);
	timeout = (int64_t)server->snapshot->gate.config->limits.drain_timeout;
	unlock(server);
	connections_drain(&server->connections, timeout);
}

void milter_server_wait(struct milter_server *server)
{
	connections_wait(&server->connections);
	free_server(server);
}

struct milter_server_statistics milter_server_statistics(
    struct milter_server *server)
{
	struct connections *connections = &server->connections;

	return (struct milter_server_statistics){
	    .accepted = atomic_load(&connections->accepted),
	    .refused = atomic_load(&server->refused),
	    .messages = atomic_load(&server->messages),
	    .connections = atomic_load(&connections->open),
	    .parked = parking_count(&connections->parking),
	    .threads = workers_threads(connections->parking.workers),
	};
}
