/* SPDX-License-Identifier: Apache-2.0 */
/* Locks: that of the connections guards the snapshot, too; reloading is held
 * for longer, so that a snapshot is not replaced meanwhile.  A connection that
 * is neither parked nor at work stands in its network's line.
 */
#include "smtp/server.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/connections.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "smtp/lingering.h"
#include "smtp/refusal.h"
#include "smtp/session.h"

enum {
	/* Whoever is parked only between one command and the next is told in
	 * answer to that. */
	TELL_AFTER_MS = 50,
	DESCRIPTORS_OTHER = 64 + LINGERING_MAX,
};

struct smtp_connection {
	struct connection base; /* first */
	struct session *session;
	bool was_next; /* it stood in line, and has a thread's place */
};

struct smtp_server {
	struct connections connections;
	struct session_shared shared;
	struct lingering lingering; /* refused ones */
	uint64_t connections_max;   /* that there are descriptors for */
	int reserve;		    /* a descriptor, for turn_away */
	pthread_mutex_t reloading;  /* before the other */
	struct smtp_snapshot *snapshot;
};

static struct smtp_snapshot *hold_snapshot(struct smtp_server *server)
{
	struct smtp_snapshot *snapshot;

	pthread_mutex_lock(&server->connections.lock);
	snapshot = smtp_snapshot_hold(server->snapshot);
	pthread_mutex_unlock(&server->connections.lock);
	return snapshot;
}

/* Sessions. */

/* A client may have closed its side when it reads our last words. */
static uint32_t events_of(const struct session *session)
{
	return session_wants(session) == POLLOUT ? EPOLLOUT
						 : EPOLLIN | EPOLLRDHUP;
}

static void end(struct connection *connection)
{
	session_free(((struct smtp_connection *)connection)->session);
	memory_free(connection);
	metrics_add(METRIC_CONNECTIONS, -1);
}

static void go_on(struct smtp_server *server,
    struct smtp_connection *connection, enum session_next next)
{
	struct connections *connections = &server->connections;
	struct session *session = connection->session;

	switch (next) {
	case SESSION_WORKS:
		connections_post(connections, &connection->base);
		break;
	case SESSION_WAITS:
		connections_park(connections, &connection->base,
		    session_wakes_at(session), events_of(session),
		    session_may_end(session));
		break;
	case SESSION_SLEEPS:
		connections_park(connections, &connection->base,
		    session_wakes_at(session), 0, true);
		break;
	case SESSION_OVER:
		connections_end(connections, &connection->base);
		break;
	}
}

/* At the end of what waits for a worker, behind other networks' work. */
static void post_next(struct smtp_server *server, struct work *work)
{
	for (struct work *next; work; work = next) {
		next = work->next;
		((struct smtp_connection *)work)->was_next = true;
		workers_post(server->connections.parking.workers, work);
	}
}

/* False: it stands in its network's line, and may be another thread's by now.
 */
static bool begin_work(struct smtp_server *server,
    struct smtp_connection *connection, const struct ip *peer)
{
	struct rate_table *rate = server->shared.rate;
	const struct limits *limits = session_limits(connection->session);
	bool was_next = connection->was_next;

	connection->was_next = false;
	if (was_next || rate_begin_work(rate, peer, limits, NULL))
		return true;
	session_shrink(connection->session);
	return rate_begin_work(
	    rate, peer, limits, &connection->base.parked.work);
}

/* On the accepting thread, with reloading: whoever is the last to use an old
 * snapshot ends its resolver's thread, and that takes time. */
static void glance(
    struct smtp_server *server, struct smtp_connection *connection)
{
	enum session_next next = session_glance(connection->session);

	if (next == SESSION_OVER &&
	    session_snapshot(connection->session) != server->snapshot)
		next = SESSION_WORKS;
	go_on(server, connection, next);
}

static void wake(void *context, struct connection *connection)
{
	struct smtp_server *server = context;

	pthread_mutex_lock(&server->reloading);
	glance(server, (struct smtp_connection *)connection);
	pthread_mutex_unlock(&server->reloading);
}

static void run(void *context, struct work *work)
{
	struct smtp_server *server = context;
	struct smtp_connection *connection = (struct smtp_connection *)work;
	struct ip peer = *session_peer(connection->session);
	enum session_next next;

	if (!begin_work(server, connection, &peer))
		return;
	next = session_run(connection->session);
	post_next(server, rate_end_work(server->shared.rate, &peer));
	go_on(server, connection, next);
}

/* Listeners and their clients. */

/* The configuration has it: check_listeners. */
static size_t index_of(
    const struct listener *listener, const struct config *config)
{
	size_t i = 0;

	while (i < config->listener_count &&
	       !slice_eq(config->listeners[i].name, listener->name))
		i++;
	return i;
}

static bool check_listeners(const struct smtp_server *server,
    const struct config *config, struct err *err)
{
	const struct acceptor *acceptor = &server->connections.acceptor;

	for (size_t i = 0; i < acceptor->count; i++)
		if (index_of(&acceptor->listeners[i], config) ==
		    config->listener_count)
			return err_set(err, E_CONFIG,
			    "listener %.*s has a socket, but is not in the "
			    "configuration: restart to change listeners",
			    SLICE_ARGS(acceptor->listeners[i].name));
	return true;
}

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
	uint64_t open = atomic_load(&server->connections.open);
	const char *setting;

	if (open >= config->limits.connections ||
	    open >= server->connections_max)
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
	struct smtp_connection *connection = MEMORY_NEW(struct smtp_connection);

	settings->shared = &server->shared;
	settings->stream = stream_new(fd);
	connection->session = session_new(settings);
	connections_add(&server->connections, &connection->base, fd);
	metrics_add(METRIC_CONNECTIONS_ACCEPTED, 1);
	metrics_add(METRIC_CONNECTIONS, 1);
	glance(server, connection);
}

static void take_in(struct smtp_server *server, const struct listener *listener,
    int fd, const struct sockaddr *address)
{
	struct session_settings settings = {.snapshot = hold_snapshot(server)};
	const char *setting;

	ip_from_sockaddr(address, &settings.peer, &settings.port);
	settings.listener = index_of(listener, settings.snapshot->gate.config);
	setting = find_refusal(server, &settings);
	if (!setting) {
		add_connection(server, fd, &settings);
		return;
	}
	refuse(server, fd, &settings, refusal_find(setting));
	smtp_snapshot_release(settings.snapshot);
}

static void welcome(void *context, const struct listener *listener, int fd,
    const struct sockaddr *address)
{
	struct smtp_server *server = context;

	pthread_mutex_lock(&server->reloading);
	take_in(server, listener, fd, address);
	pthread_mutex_unlock(&server->reloading);
}

static bool open_reserve(struct smtp_server *server, struct err *err)
{
	server->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return server->reserve >= 0 || err_set_errno(err, "/dev/null");
}

/* With the reserve a client is told by being closed, instead of waiting in the
 * kernel's queue. */
static void turn_away(void *context, const struct listener *listener)
{
	struct smtp_server *server = context;
	int fd;

	log_error("smtp.no_descriptors",
	    LOG_I("connections",
		(int64_t)atomic_load(&server->connections.open)));
	close(server->reserve);
	fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		metrics_count(METRIC_CONNECTIONS_REFUSED, SLICE("descriptors"));
	}
	open_reserve(server, NULL);
}

static void tick(void *context)
{
	struct smtp_server *server = context;

	lingering_close_due(&server->lingering, clock_monotonic_ms());
	metrics_set(METRIC_CONNECTIONS_PARKED,
	    (int64_t)parking_count(&server->connections.parking));
	metrics_set(METRIC_CONNECTIONS_IN_LINE,
	    (int64_t)rate_in_line(server->shared.rate));
	metrics_heartbeat(PROCESS_SMTP);
}

static const struct connections_protocol protocol = {
    .welcome = welcome,
    .no_descriptors = turn_away,
    .wake = wake,
    .run = run,
    .end = end,
    .tick = tick,
    .wakes_after_ms = TELL_AFTER_MS,
};

/* Starting and ending. */

static void free_server(struct smtp_server *server)
{
	connections_free(&server->connections);
	lingering_close_all(&server->lingering);
	smtp_snapshot_release(server->snapshot);
	rate_free(server->shared.rate);
	partly_taken_free(server->shared.partly_taken);
	if (server->reserve >= 0)
		close(server->reserve);
	pthread_mutex_destroy(&server->reloading);
	memory_free(server);
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

	server->reserve = -1;
	pthread_mutex_init(&server->reloading, NULL);
	connections_init(&server->connections, &protocol, server,
	    settings->listeners, settings->listener_count);
	server->shared.draining = &server->connections.draining;
	server->shared.rate = rate_new();
	server->shared.partly_taken = partly_taken_new();
	count_descriptors(server, &config->limits);
	if (!check_listeners(server, config, err) ||
	    !smtp_snapshot_new(&settings->gate, &server->snapshot, err) ||
	    !open_reserve(server, err) ||
	    !connections_start(
		&server->connections, config->limits.threads, err)) {
		free_server(server);
		return false;
	}
	*ret = server;
	return true;
}

static void take_into_use(
    struct smtp_server *server, struct smtp_snapshot *fresh)
{
	struct smtp_snapshot *old;

	pthread_mutex_lock(&server->reloading);
	pthread_mutex_lock(&server->connections.lock);
	old = server->snapshot;
	server->snapshot = fresh;
	pthread_mutex_unlock(&server->connections.lock);
	pthread_mutex_unlock(&server->reloading);
	next_hop_pool_retire(old->pool);
	smtp_snapshot_release(old);
}

bool smtp_server_reload(struct smtp_server *server,
    const struct gate_context *gate, struct err *err)
{
	struct smtp_snapshot *fresh;

	if (!check_listeners(server, gate->config, err) ||
	    !smtp_snapshot_new(gate, &fresh, err))
		return false;
	take_into_use(server, fresh);
	workers_set_max(
	    server->connections.parking.workers, gate->config->limits.threads);
	return true;
}

bool smtp_server_renew(struct smtp_server *server,
    const struct gate_context *gate, void (*tell)(const struct err *err))
{
	struct smtp_snapshot *old = hold_snapshot(server);
	struct smtp_snapshot *fresh;
	bool all = smtp_snapshot_renew(gate, old, tell, &fresh);

	take_into_use(server, fresh);
	smtp_snapshot_release(old);
	return all;
}

void smtp_server_tidy(struct smtp_server *server)
{
	struct smtp_snapshot *snapshot = hold_snapshot(server);

	next_hop_pool_tidy(snapshot->pool, clock_monotonic_ms());
	smtp_snapshot_release(snapshot);
}

void smtp_server_drain(struct smtp_server *server)
{
	struct smtp_snapshot *snapshot = hold_snapshot(server);

	connections_drain(&server->connections,
	    (int64_t)snapshot->gate.config->limits.drain_timeout);
	smtp_snapshot_release(snapshot);
	/* Those that end have to come to their end. */
	post_next(server, rate_end_lines(server->shared.rate));
}

void smtp_server_wait(struct smtp_server *server)
{
	connections_wait(&server->connections);
	free_server(server);
}

struct smtp_server_statistics smtp_server_statistics(struct smtp_server *server)
{
	struct connections *connections = &server->connections;

	return (struct smtp_server_statistics){
	    .accepted = atomic_load(&connections->accepted),
	    .refused = atomic_load(&server->shared.refused),
	    .messages = atomic_load(&server->shared.messages),
	    .smuggling = atomic_load(&server->shared.smuggling),
	    .connections = atomic_load(&connections->open),
	    .parked = parking_count(&connections->parking),
	    .in_line = rate_in_line(server->shared.rate),
	    .threads = workers_threads(connections->parking.workers),
	};
}
