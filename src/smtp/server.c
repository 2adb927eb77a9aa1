/* SPDX-License-Identifier: Apache-2.0 */
/* Locks: lock guards the wheel, the list of connections and the snapshot;
 * reloading is held for longer, so that a snapshot is not replaced meanwhile. A
 * connection belongs to the wheel (parked), to one worker or to its network's
 * line; only the accepting thread takes it out of the wheel.
 */
#include "smtp/server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/parking.h"
#include "base/workers.h"
#include "smtp/lingering.h"
#include "smtp/listeners.h"
#include "smtp/refusal.h"
#include "smtp/session.h"

enum {
	EVENTS = 256,
	ACCEPTS = 64,
	STACK_SIZE = 256 * 1024,
	/* Whoever is parked only between one command and the next is told in
	 * answer to that. */
	TELL_AFTER_MS = 50,
	DESCRIPTORS_OTHER = 64 + LINGERING_MAX,
};

struct connection {
	struct parked parked;		 /* first */
	struct connection *next, **back; /* of all */
	struct session *session;
	bool was_next; /* it stood in line, and has a thread's place */
};

struct smtp_server {
	int wake;
	pthread_t thread;
	struct session_shared shared;
	struct listeners *listeners;
	struct lingering lingering; /* refused ones */
	uint64_t connections_max;   /* that there are descriptors for */
	bool drained;		    /* no more of its kept listeners */
	struct deadline tell_at;    /* parked ones; 0: they were told */
	struct deadline drain_until;

	pthread_mutex_t reloading, lock; /* in this order */
	struct parking parking;
	struct connection *connections;
	struct smtp_snapshot *snapshot;

	atomic_ullong accepted, open;
};

static void poke(struct smtp_server *server)
{
	uint64_t one = 1;

	/* A full counter wakes as well. */
	(void)!write(server->wake, &one, sizeof(one));
}

/* Parking. */

/* A client may have closed its side when it reads our last words. */
static uint32_t events_of(const struct session *session)
{
	return session_wants(session) == POLLOUT ? EPOLLOUT
						 : EPOLLIN | EPOLLRDHUP;
}

/* When the server drains, one that can end goes on at once: to
 * its 421. */
static void park(struct smtp_server *server, struct connection *connection,
    struct deadline wakes, bool sleeps)
{
	bool ends = sleeps || session_may_end(connection->session);

	pthread_mutex_lock(&server->lock);
	ends = ends && atomic_load(&server->shared.draining);
	if (!ends)
		parking_add(&server->parking, &connection->parked, wakes,
		    sleeps ? 0 : events_of(connection->session));
	pthread_mutex_unlock(&server->lock);
	if (ends)
		workers_post(server->parking.workers, &connection->parked.work);
}

static void end_connection(
    struct smtp_server *server, struct connection *connection)
{
	pthread_mutex_lock(&server->lock);
	*connection->back = connection->next;
	if (connection->next)
		connection->next->back = connection->back;
	pthread_mutex_unlock(&server->lock);
	session_free(connection->session);
	memory_free(connection);
	metrics_add(METRIC_CONNECTIONS, -1);
	if (atomic_fetch_sub(&server->open, 1) == 1 &&
	    atomic_load(&server->shared.draining))
		poke(server);
}

static void go_on(struct smtp_server *server, struct connection *connection,
    enum session_next next)
{
	struct session *session = connection->session;

	switch (next) {
	case SESSION_WORKS:
		workers_post(server->parking.workers, &connection->parked.work);
		break;
	case SESSION_WAITS:
		park(server, connection, session_wakes_at(session), false);
		break;
	case SESSION_SLEEPS:
		park(server, connection, session_wakes_at(session), true);
		break;
	case SESSION_OVER: end_connection(server, connection); break;
	}
}

/* At the end of what waits for a worker, behind other networks' work. */
static void post_next(struct smtp_server *server, struct work *work)
{
	for (struct work *next; work; work = next) {
		next = work->next;
		((struct connection *)work)->was_next = true;
		workers_post(server->parking.workers, work);
	}
}

/* False: it stands in its network's line, and may be another thread's by now.
 */
static bool begin_work(struct smtp_server *server,
    struct connection *connection, const struct ip *peer)
{
	struct rate_table *rate = server->shared.rate;
	const struct limits *limits = session_limits(connection->session);
	bool was_next = connection->was_next;

	connection->was_next = false;
	if (was_next || rate_begin_work(rate, peer, limits, NULL))
		return true;
	session_shrink(connection->session);
	return rate_begin_work(rate, peer, limits, &connection->parked.work);
}

/* On the accepting thread, with reloading: whoever is the last to use an old
 * snapshot ends its resolver's thread, and that takes time. */
static void glance(struct smtp_server *server, struct connection *connection)
{
	enum session_next next = session_glance(connection->session);

	if (next == SESSION_OVER &&
	    session_snapshot(connection->session) != server->snapshot)
		next = SESSION_WORKS;
	go_on(server, connection, next);
}

static void run_connection(void *context, struct work *work)
{
	struct smtp_server *server = context;
	struct connection *connection = (struct connection *)work;
	struct ip peer = *session_peer(connection->session);
	enum session_next next;

	if (!begin_work(server, connection, &peer))
		return;
	next = session_run(connection->session);
	post_next(server, rate_end_work(server->shared.rate, &peer));
	go_on(server, connection, next);
}

/* Accepting. */

static void refuse(struct smtp_server *server, int fd,
    const struct session_settings *settings, const struct refusal *refusal)
{
	const struct conf_listener *listener =
	    &settings->snapshot->gate.config->listeners[settings->listener];
	char line[512];
	int len;

	refusal_note(&server->shared, refusal, &settings->peer, listener->name);
	len = snprintf(line, sizeof(line), "421 %s %s (%s)\r\n",
	    refusal->enhanced, refusal->text, refusal->setting);
	/* A client of implicit TLS could not read it. */
	if (!listener->implicit_tls)
		send(fd, line, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
	lingering_add(&server->lingering, fd, clock_monotonic_ms());
}

static const char *find_refusal(
    struct smtp_server *server, struct session_settings *settings)
{
	const struct config *config = settings->snapshot->gate.config;
	const struct conf_listener *listener =
	    &config->listeners[settings->listener];
	const char *setting;

	if (atomic_load(&server->open) >= config->limits.connections ||
	    atomic_load(&server->open) >= server->connections_max)
		return "limits.connections";
	/* Behind a balancer the client is not known yet. */
	if (session_in_networks(&listener->proxy_protocol, &settings->peer))
		return NULL;
	setting = rate_connect(
	    server->shared.rate, &settings->peer, &config->limits);
	settings->counted = !setting;
	return setting;
}

static void add_connection(
    struct smtp_server *server, int fd, struct session_settings *settings)
{
	struct connection *connection = MEMORY_NEW(struct connection);

	settings->shared = &server->shared;
	settings->stream = stream_new(fd);
	connection->session = session_new(settings);
	connection->parked.fd = fd;
	atomic_fetch_add(&server->accepted, 1);
	atomic_fetch_add(&server->open, 1);
	metrics_add(METRIC_CONNECTIONS_ACCEPTED, 1);
	metrics_add(METRIC_CONNECTIONS, 1);
	pthread_mutex_lock(&server->lock);
	connection->next = server->connections;
	connection->back = &server->connections;
	if (connection->next)
		connection->next->back = &connection->next;
	server->connections = connection;
	pthread_mutex_unlock(&server->lock);
	glance(server, connection);
}

static void welcome(struct smtp_server *server, const struct listener *listener,
    int fd, const struct sockaddr *address)
{
	struct session_settings settings = {0};
	const char *setting;

	ip_from_sockaddr(address, &settings.peer, &settings.port);
	pthread_mutex_lock(&server->lock);
	settings.snapshot = smtp_snapshot_hold(server->snapshot);
	pthread_mutex_unlock(&server->lock);
	settings.listener = listener_index(
	    listener, settings.snapshot->gate.config);
	setting = find_refusal(server, &settings);
	if (!setting) {
		add_connection(server, fd, &settings);
		return;
	}
	refuse(server, fd, &settings, refusal_find(setting));
	smtp_snapshot_release(settings.snapshot);
}

static void accept_some(
    struct smtp_server *server, const struct listener *listener)
{
	for (int i = 0; i < ACCEPTS; i++) {
		struct sockaddr_storage address = {0};
		socklen_t size = sizeof(address);
		int fd = accept4(listener->fd, (struct sockaddr *)&address,
		    &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			welcome(server, listener, fd,
			    (const struct sockaddr *)&address);
		} else if (errno == EMFILE || errno == ENFILE ||
			   errno == ENOBUFS || errno == ENOMEM) {
			log_error("smtp.no_descriptors",
			    LOG_I("connections",
				(int64_t)atomic_load(&server->open)));
			listeners_pause(server->listeners, listener);
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			return;
		}
	}
}

/* The accepting thread. */

/* The one-shot event has disarmed it. */
static void wake_connection(
    struct smtp_server *server, struct connection *connection)
{
	bool parked;

	pthread_mutex_lock(&server->lock);
	parked = parking_take(&server->parking, &connection->parked);
	pthread_mutex_unlock(&server->lock);
	if (parked)
		glance(server, connection);
}

static void cut_connections(struct smtp_server *server)
{
	pthread_mutex_lock(&server->lock);
	for (struct connection *c = server->connections; c; c = c->next)
		shutdown(session_fd(c->session), SHUT_RDWR);
	pthread_mutex_unlock(&server->lock);
}

static void handle_event(struct smtp_server *server, void *object)
{
	uint64_t ignored;

	if (object == server) {
		(void)!read(server->wake, &ignored, sizeof(ignored));
		return;
	}
	pthread_mutex_lock(&server->reloading);
	if (listeners_include(server->listeners, object))
		accept_some(server, object);
	else
		wake_connection(server, object);
	pthread_mutex_unlock(&server->reloading);
}

/* True: the last session has ended. */
static bool go_on_draining(struct smtp_server *server)
{
	if (!atomic_load(&server->shared.draining))
		return false;
	if (!server->drained) {
		listeners_leave_kept(server->listeners);
		/* Those that end have to come to their end. */
		post_next(server, rate_end_lines(server->shared.rate));
		server->tell_at = deadline_in(TELL_AFTER_MS);
	}
	server->drained = true;
	if (server->tell_at.at_ms && deadline_passed(server->tell_at)) {
		server->tell_at.at_ms = 0;
		parking_wake_all(&server->parking);
	}
	if (!atomic_load(&server->open))
		return true;
	if (deadline_passed(server->drain_until))
		cut_connections(server);
	return false;
}

static void *run_server(void *argument)
{
	struct smtp_server *server = argument;
	struct epoll_event events[EVENTS];

	do {
		int count = epoll_wait(
		    server->parking.epoll, events, EVENTS, WHEEL_TICK_MS);

		for (int i = 0; i < count; i++)
			handle_event(server, events[i].data.ptr);
		listeners_resume(server->listeners);
		lingering_close_due(&server->lingering, clock_monotonic_ms());
		parking_wake_due(&server->parking);
		metrics_set(METRIC_CONNECTIONS_PARKED,
		    (int64_t)parking_count(&server->parking));
		metrics_set(METRIC_CONNECTIONS_IN_LINE,
		    (int64_t)rate_in_line(server->shared.rate));
		metrics_heartbeat(PROCESS_SMTP);
	} while (!go_on_draining(server));
	return NULL;
}

/* Starting and ending. */

static void free_server(struct smtp_server *server)
{
	listeners_free(server->listeners);
	lingering_close_all(&server->lingering);
	smtp_snapshot_release(server->snapshot);
	rate_free(server->shared.rate);
	partly_taken_free(server->shared.partly_taken);
	if (server->parking.epoll >= 0)
		close(server->parking.epoll);
	if (server->wake >= 0)
		close(server->wake);
	pthread_mutex_destroy(&server->lock);
	pthread_mutex_destroy(&server->reloading);
	memory_free(server);
}

static bool open_descriptors(struct smtp_server *server, struct err *err)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = server};

	server->parking.epoll = epoll_create1(EPOLL_CLOEXEC);
	server->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server->parking.epoll < 0 || server->wake < 0 ||
	    epoll_ctl(
		server->parking.epoll, EPOLL_CTL_ADD, server->wake, &event) < 0)
		return err_set_errno(err, "epoll");
	return listeners_watch(server->listeners, server->parking.epoll, err);
}

static bool start_thread(struct smtp_server *server, struct err *err)
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

/* A session needs a second one for its next hop or its file: if connections
 * alone may take all, no message gets through. */
static void count_descriptors(
    struct smtp_server *server, const struct limits *limits)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

	getrlimit(RLIMIT_NOFILE, &limit);
	server->connections_max = limit.rlim_cur > DESCRIPTORS_OTHER + 2
				      ? (limit.rlim_cur - DESCRIPTORS_OTHER) / 2
				      : 1;
	if (server->connections_max < limits->connections)
		log_warning("smtp.few_descriptors",
		    LOG_I("limit", (int64_t)limit.rlim_cur),
		    LOG_I("connections", (int64_t)server->connections_max));
}

bool smtp_server_start(const struct smtp_server_settings *settings,
    struct smtp_server **ret, struct err *err)
{
	const struct config *config = settings->gate.config;
	struct smtp_server *server = MEMORY_NEW(struct smtp_server);

	server->parking.epoll = server->wake = -1;
	pthread_mutex_init(&server->reloading, NULL);
	pthread_mutex_init(&server->lock, NULL);
	wheel_init(&server->parking.wheel, clock_monotonic_ms());
	server->parking.lock = &server->lock;
	server->shared.rate = rate_new();
	server->shared.partly_taken = partly_taken_new();
	server->listeners = listeners_new(
	    settings->sockets, settings->socket_count);
	count_descriptors(server, &config->limits);
	if (!listeners_check(server->listeners, config, err) ||
	    !smtp_snapshot_new(&settings->gate, &server->snapshot, err) ||
	    !open_descriptors(server, err)) {
		free_server(server);
		return false;
	}
	server->parking.workers = workers_new(
	    config->limits.threads, WORKERS_IDLE_MS, run_connection, server);
	if (!start_thread(server, err)) {
		workers_free(server->parking.workers);
		free_server(server);
		return false;
	}
	*ret = server;
	return true;
}

bool smtp_server_reload(struct smtp_server *server,
    const struct gate_context *gate, struct err *err)
{
	struct smtp_snapshot *fresh, *old;

	if (!listeners_check(server->listeners, gate->config, err) ||
	    !smtp_snapshot_new(gate, &fresh, err))
		return false;
	pthread_mutex_lock(&server->reloading);
	pthread_mutex_lock(&server->lock);
	old = server->snapshot;
	server->snapshot = fresh;
	pthread_mutex_unlock(&server->lock);
	pthread_mutex_unlock(&server->reloading);
	next_hop_pool_retire(old->pool);
	smtp_snapshot_release(old);
	workers_set_max(server->parking.workers, gate->config->limits.threads);
	return true;
}

void smtp_server_tidy(struct smtp_server *server)
{
	struct smtp_snapshot *snapshot;

	pthread_mutex_lock(&server->lock);
	snapshot = smtp_snapshot_hold(server->snapshot);
	pthread_mutex_unlock(&server->lock);
	next_hop_pool_tidy(snapshot->pool, clock_monotonic_ms());
	smtp_snapshot_release(snapshot);
}

void smtp_server_drain(struct smtp_server *server)
{
	pthread_mutex_lock(&server->lock);
	if (!atomic_load(&server->shared.draining))
		server->drain_until = deadline_in(
		    (int64_t)
			server->snapshot->gate.config->limits.drain_timeout);
	atomic_store(&server->shared.draining, true);
	pthread_mutex_unlock(&server->lock);
	poke(server);
}

void smtp_server_wait(struct smtp_server *server)
{
	pthread_join(server->thread, NULL);
	workers_free(server->parking.workers);
	free_server(server);
}

struct smtp_server_statistics smtp_server_statistics(struct smtp_server *server)
{
	return (struct smtp_server_statistics){
	    .accepted = atomic_load(&server->accepted),
	    .refused = atomic_load(&server->shared.refused),
	    .messages = atomic_load(&server->shared.messages),
	    .smuggling = atomic_load(&server->shared.smuggling),
	    .connections = atomic_load(&server->open),
	    .parked = parking_count(&server->parking),
	    .in_line = rate_in_line(server->shared.rate),
	    .threads = workers_threads(server->parking.workers),
	};
}
