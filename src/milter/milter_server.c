/* SPDX-License-Identifier: Apache-2.0 */
/* Locks: lock guards the wheel, the lists of connections and the snapshot.  A
 * connection belongs to the wheel (parked), to one thread, or to the list of
 * those whose message is recorded.  The accepting thread takes it out of the
 * wheel; but the store's thread those that wait for the store, which no event
 * of epoll can mean: they were disarmed when they came.
 */
#include "milter/milter_server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/parking.h"
#include "base/workers.h"
#include "milter/milter_session.h"

enum { EVENTS = 256, ACCEPTS = 64, STACK_SIZE = 256 * 1024, PAUSE_MS = 200 };

struct connection {
	struct parked parked; /* first */
	struct milter_server *server;
	bool committed;			 /* and its session not yet told */
	struct connection *next, **back; /* of all */
	struct milter_session *session;
};

struct listener {
	int fd;
	struct slice name;
};

struct milter_server {
	int wake;
	pthread_t thread;
	/* One thread of its own for the answers: what is recorded does not
	 * stand in line behind what waits for DNS. */
	struct workers *answerer;
	size_t listener_count;
	struct listener *listeners;
	struct deadline paused_until; /* out of descriptors; 0: accepting */
	bool drained; /* left its listeners, woke who was parked */
	struct deadline drain_until;
	struct progress_list progress;

	pthread_mutex_t lock;
	struct parking parking;
	struct work answers; /* run_answers */
	bool answers_posted;
	struct work *committed, **committed_last; /* whom it is to answer */
	struct connection *connections;
	struct milter_snapshot *snapshot;

	atomic_bool draining;
	atomic_ullong accepted, refused, open, messages;
};

static void poke(struct milter_server *server)
{
	uint64_t one = 1;

	/* A full counter wakes as well. */
	(void)!write(server->wake, &one, sizeof(one));
}

/* Parking. */

/* When the server drains, one that can end goes on at once: to its end. */
static void park(struct milter_server *server, struct connection *connection)
{
	bool ends = milter_session_may_end(connection->session);

	pthread_mutex_lock(&server->lock);
	ends = ends && atomic_load(&server->draining);
	if (!ends)
		parking_add(&server->parking, &connection->parked,
		    milter_session_wakes_at(connection->session),
		    EPOLLIN | EPOLLRDHUP);
	pthread_mutex_unlock(&server->lock);
	if (ends)
		workers_post(server->parking.workers, &connection->parked.work);
}

/* With the lock.  What was committed together is answered by one thread: waking
 * one for each costs more than the answers.  True: it is to be woken. */
static bool enlist(struct milter_server *server, struct connection *connection)
{
	bool wakes = !server->answers_posted;

	connection->parked.work.next = NULL;
	*server->committed_last = &connection->parked.work;
	server->committed_last = &connection->parked.work.next;
	server->answers_posted = true;
	return wakes;
}

/* The store will wake it; the time is for when it does not. */
static void park_committing(
    struct milter_server *server, struct connection *connection)
{
	bool wakes = false;

	pthread_mutex_lock(&server->lock);
	if (connection->committed)
		wakes = enlist(server, connection);
	else
		parking_add(&server->parking, &connection->parked,
		    milter_session_wakes_at(connection->session), 0);
	pthread_mutex_unlock(&server->lock);
	if (wakes)
		workers_post(server->answerer, &server->answers);
}

/* On the store's thread. */
static void take_notice(void *context)
{
	struct connection *connection = context;
	struct milter_server *server = connection->server;
	bool wakes = false;

	pthread_mutex_lock(&server->lock);
	connection->committed = true;
	if (parking_take(&server->parking, &connection->parked))
		wakes = enlist(server, connection);
	pthread_mutex_unlock(&server->lock);
	if (wakes)
		workers_post(server->answerer, &server->answers);
}

/* Tells the session what the store has told. */
static void tell_session(
    struct milter_server *server, struct connection *connection)
{
	bool committed;

	pthread_mutex_lock(&server->lock);
	committed = connection->committed;
	connection->committed = false;
	pthread_mutex_unlock(&server->lock);
	if (committed)
		milter_session_committed(connection->session);
}

static void end_connection(
    struct milter_server *server, struct connection *connection)
{
	pthread_mutex_lock(&server->lock);
	*connection->back = connection->next;
	if (connection->next)
		connection->next->back = connection->back;
	pthread_mutex_unlock(&server->lock);
	milter_session_free(connection->session);
	memory_free(connection);
	if (atomic_fetch_sub(&server->open, 1) == 1 &&
	    atomic_load(&server->draining))
		poke(server);
}

static void go_on(struct milter_server *server, struct connection *connection,
    enum milter_session_result result)
{
	switch (result) {
	case MILTER_SESSION_WAITS: park(server, connection); break;
	case MILTER_SESSION_WORKS:
		workers_post(server->parking.workers, &connection->parked.work);
		break;
	case MILTER_SESSION_COMMITS: park_committing(server, connection); break;
	case MILTER_SESSION_OVER: end_connection(server, connection); break;
	}
}

static struct work *take_committed(struct milter_server *server)
{
	struct work *list;

	pthread_mutex_lock(&server->lock);
	list = server->committed;
	server->committed = NULL;
	server->committed_last = &server->committed;
	if (!list)
		server->answers_posted = false;
	pthread_mutex_unlock(&server->lock);
	return list;
}

static void run_answers(void *context, struct work *ignored)
{
	struct milter_server *server = context;
	struct work *work, *next;

	(void)ignored;
	while ((work = take_committed(server)))
		for (; work; work = next) {
			struct connection *connection =
			    (struct connection *)work;

			next = work->next;
			tell_session(server, connection);
			go_on(server, connection,
			    milter_session_glance(connection->session));
		}
}

static void run_connection(void *context, struct work *work)
{
	struct milter_server *server = context;
	struct connection *connection = (struct connection *)work;

	tell_session(server, connection);
	go_on(server, connection, milter_session_run(connection->session));
}

/* Accepting. */

static struct milter_snapshot *take_snapshot(void *context)
{
	struct milter_server *server = context;
	struct milter_snapshot *snapshot;

	pthread_mutex_lock(&server->lock);
	snapshot = milter_snapshot_hold(server->snapshot);
	pthread_mutex_unlock(&server->lock);
	return snapshot;
}

static int64_t get_data_timeout(void *context)
{
	struct milter_server *server = context;
	int64_t timeout;

	pthread_mutex_lock(&server->lock);
	timeout = (int64_t)server->snapshot->gate.config->limits.data_timeout;
	pthread_mutex_unlock(&server->lock);
	return timeout;
}

static bool is_full(struct milter_server *server)
{
	bool full;

	pthread_mutex_lock(&server->lock);
	full = atomic_load(&server->open) >=
	       server->snapshot->gate.config->limits.connections;
	pthread_mutex_unlock(&server->lock);
	return full;
}

static void welcome(
    struct milter_server *server, const struct listener *listener, int fd)
{
	struct milter_session_settings settings = {
	    .fd = fd,
	    .listener = listener->name,
	    .snapshot = take_snapshot,
	    .data_timeout = get_data_timeout,
	    .context = server,
	    .draining = &server->draining,
	    .messages = &server->messages,
	    .progress = &server->progress,
	};
	struct connection *connection;

	if (is_full(server)) {
		atomic_fetch_add(&server->refused, 1);
		metrics_count(METRIC_MILTER_FAILURES, SLICE("connections"));
		log_warning("milter.connection_refused",
		    LOG_S("listener", listener->name),
		    LOG_T("setting", "limits.connections"));
		close(fd);
		return;
	}
	connection = MEMORY_NEW(struct connection);
	connection->server = server;
	settings.committed = (struct store_notice){take_notice, connection};
	connection->session = milter_session_new(&settings);
	connection->parked.fd = fd;
	atomic_fetch_add(&server->accepted, 1);
	atomic_fetch_add(&server->open, 1);
	metrics_add(METRIC_MILTER_CONNECTIONS_ACCEPTED, 1);
	pthread_mutex_lock(&server->lock);
	connection->next = server->connections;
	connection->back = &server->connections;
	if (connection->next)
		connection->next->back = &connection->next;
	server->connections = connection;
	pthread_mutex_unlock(&server->lock);
	go_on(server, connection, milter_session_glance(connection->session));
}

static void watch_listeners(struct milter_server *server, int operation)
{
	for (size_t i = 0; i < server->listener_count; i++) {
		struct epoll_event event = {.events = EPOLLIN};

		event.data.ptr = &server->listeners[i];
		epoll_ctl(server->parking.epoll, operation,
		    server->listeners[i].fd, &event);
	}
}

static void pause_accepting(struct milter_server *server)
{
	log_error("milter.no_descriptors",
	    LOG_I("connections", (int64_t)atomic_load(&server->open)));
	metrics_count(METRIC_MILTER_FAILURES, SLICE("descriptors"));
	server->paused_until = deadline_in(PAUSE_MS);
	watch_listeners(server, EPOLL_CTL_DEL);
}

static void resume_accepting(struct milter_server *server)
{
	if (!server->paused_until.at_ms ||
	    !deadline_passed(server->paused_until))
		return;
	server->paused_until.at_ms = 0;
	if (!atomic_load(&server->draining))
		watch_listeners(server, EPOLL_CTL_ADD);
}

static void accept_some(
    struct milter_server *server, const struct listener *listener)
{
	for (int i = 0; i < ACCEPTS && !atomic_load(&server->draining); i++) {
		int fd = accept4(
		    listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			welcome(server, listener, fd);
		} else if (errno == EMFILE || errno == ENFILE ||
			   errno == ENOBUFS || errno == ENOMEM) {
			pause_accepting(server);
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			return;
		}
	}
}

/* The accepting thread. */

/* The one-shot event has disarmed it. */
static void wake_connection(
    struct milter_server *server, struct connection *connection)
{
	bool parked;

	pthread_mutex_lock(&server->lock);
	parked = parking_take(&server->parking, &connection->parked);
	pthread_mutex_unlock(&server->lock);
	if (parked)
		go_on(server, connection,
		    milter_session_glance(connection->session));
}

static void cut_connections(struct milter_server *server)
{
	pthread_mutex_lock(&server->lock);
	for (struct connection *c = server->connections; c; c = c->next)
		shutdown(milter_session_fd(c->session), SHUT_RDWR);
	pthread_mutex_unlock(&server->lock);
}

static bool is_listener(const struct milter_server *server, const void *object)
{
	const struct listener *listener = object;

	for (size_t i = 0; i < server->listener_count; i++)
		if (&server->listeners[i] == listener)
			return true;
	return false;
}

static void handle_event(struct milter_server *server, void *object)
{
	uint64_t ignored;

	if (object == server)
		(void)!read(server->wake, &ignored, sizeof(ignored));
	else if (is_listener(server, object))
		accept_some(server, object);
	else
		wake_connection(server, object);
}

/* True: the last session has ended. */
static bool go_on_draining(struct milter_server *server)
{
	if (!atomic_load(&server->draining))
		return false;
	if (!server->drained) {
		watch_listeners(server, EPOLL_CTL_DEL);
		parking_wake_all(&server->parking);
	}
	server->drained = true;
	if (!atomic_load(&server->open))
		return true;
	if (deadline_passed(server->drain_until))
		cut_connections(server);
	return false;
}

static void *run_server(void *argument)
{
	struct milter_server *server = argument;
	struct epoll_event events[EVENTS];

	do {
		int count = epoll_wait(
		    server->parking.epoll, events, EVENTS, WHEEL_TICK_MS);

		for (int i = 0; i < count; i++)
			handle_event(server, events[i].data.ptr);
		resume_accepting(server);
		parking_wake_due(&server->parking);
		progress_tell(&server->progress);
		metrics_set(METRIC_MILTER_CONNECTIONS,
		    (int64_t)atomic_load(&server->open));
		metrics_heartbeat(PROCESS_MILTER);
	} while (!go_on_draining(server));
	return NULL;
}

/* Starting and ending. */

/* Accepted sockets inherit both.  A mail server that is gone for good is found
 * out in the end. */
static void set_options(int fd)
{
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	io_set_nonblocking(fd, NULL);
}

static void copy_listeners(
    struct milter_server *server, const struct milter_server_settings *settings)
{
	server->listener_count = settings->socket_count;
	server->listeners = memory_new(
	    settings->socket_count + 1, sizeof(struct listener));
	for (size_t i = 0; i < settings->socket_count; i++) {
		struct slice name = settings->sockets[i].name;

		server->listeners[i].fd = settings->sockets[i].fd;
		server->listeners[i].name = slice_of(
		    memory_copy_text(name.ptr, name.len), name.len);
		set_options(settings->sockets[i].fd);
	}
}

static void free_server(struct milter_server *server)
{
	for (size_t i = 0; i < server->listener_count; i++)
		memory_free((char *)(uintptr_t)server->listeners[i].name.ptr);
	memory_free(server->listeners);
	milter_snapshot_release(server->snapshot);
	if (server->parking.epoll >= 0)
		close(server->parking.epoll);
	if (server->wake >= 0)
		close(server->wake);
	progress_destroy(&server->progress);
	pthread_mutex_destroy(&server->lock);
	memory_free(server);
}

static bool open_descriptors(struct milter_server *server, struct err *err)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = server};

	server->parking.epoll = epoll_create1(EPOLL_CLOEXEC);
	server->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server->parking.epoll < 0 || server->wake < 0 ||
	    epoll_ctl(
		server->parking.epoll, EPOLL_CTL_ADD, server->wake, &event) < 0)
		return err_set_errno(err, "epoll");
	watch_listeners(server, EPOLL_CTL_ADD);
	return true;
}

static bool start_thread(struct milter_server *server, struct err *err)
{
	pthread_attr_t attributes;
	sigset_t all, before;

	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	errno = pthread_create(
	    &server->thread, &attributes, run_server, server);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return errno == 0 || err_set_errno(err, "start a thread");
}

bool milter_server_start(const struct milter_server_settings *settings,
    struct milter_server **ret, struct err *err)
{
	const struct config *config = settings->gate.config;
	struct milter_server *server = MEMORY_NEW(struct milter_server);

	server->parking.epoll = server->wake = -1;
	pthread_mutex_init(&server->lock, NULL);
	wheel_init(&server->parking.wheel, clock_monotonic_ms());
	server->parking.lock = &server->lock;
	server->committed_last = &server->committed;
	progress_init(&server->progress, PROGRESS_INTERVAL_MS);
	copy_listeners(server, settings);
	server->snapshot = milter_snapshot_new(&settings->gate);
	if (!open_descriptors(server, err)) {
		free_server(server);
		return false;
	}
	server->parking.workers = workers_new(
	    config->limits.threads, WORKERS_IDLE_MS, run_connection, server);
	server->answerer = workers_new(1, WORKERS_IDLE_MS, run_answers, server);
	if (!start_thread(server, err)) {
		workers_free(server->answerer);
		workers_free(server->parking.workers);
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

	pthread_mutex_lock(&server->lock);
	old = server->snapshot;
	server->snapshot = fresh;
	pthread_mutex_unlock(&server->lock);
	milter_snapshot_release(old);
	workers_set_max(server->parking.workers, gate->config->limits.threads);
}

void milter_server_drain(struct milter_server *server)
{
	pthread_mutex_lock(&server->lock);
	if (!atomic_load(&server->draining))
		server->drain_until = deadline_in(
		    (int64_t)
			server->snapshot->gate.config->limits.drain_timeout);
	atomic_store(&server->draining, true);
	pthread_mutex_unlock(&server->lock);
	poke(server);
}

void milter_server_wait(struct milter_server *server)
{
	pthread_join(server->thread, NULL);
	workers_free(server->answerer);
	workers_free(server->parking.workers);
	free_server(server);
}

struct milter_server_statistics milter_server_statistics(
    struct milter_server *server)
{
	return (struct milter_server_statistics){
	    .accepted = atomic_load(&server->accepted),
	    .refused = atomic_load(&server->refused),
	    .messages = atomic_load(&server->messages),
	    .connections = atomic_load(&server->open),
	    .parked = parking_count(&server->parking),
	    .threads = workers_threads(server->parking.workers),
	};
}
