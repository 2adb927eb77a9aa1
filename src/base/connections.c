/* SPDX-License-Identifier: Apache-2.0 */
#include "base/connections.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, ACCEPTS = 64, STACK_SIZE = 256 * 1024 };

static void poke(struct connections *connections)
{
	uint64_t one = 1;

	/* A full counter wakes as well. */
	(void)!write(connections->wake, &one, sizeof(one));
}

/* Of one connection. */

void connections_add(
    struct connections *connections, struct connection *connection, int fd)
{
	connection->parked.fd = fd;
	atomic_fetch_add(&connections->accepted, 1);
	atomic_fetch_add(&connections->open, 1);
	pthread_mutex_lock(&connections->lock);
	connection->next = connections->first;
	connection->back = &connections->first;
	if (connection->next)
		connection->next->back = &connection->next;
	connections->first = connection;
	pthread_mutex_unlock(&connections->lock);
}

void connections_post(
    struct connections *connections, struct connection *connection)
{
	workers_post(connections->parking.workers, &connection->parked.work);
}

void connections_park(struct connections *connections,
    struct connection *connection, struct deadline wakes, uint32_t events,
    bool may_end)
{
	bool ends;

	pthread_mutex_lock(&connections->lock);
	ends = may_end && atomic_load(&connections->draining);
	if (!ends)
		parking_add(
		    &connections->parking, &connection->parked, wakes, events);
	pthread_mutex_unlock(&connections->lock);
	if (ends)
		connections_post(connections, connection);
}

void connections_end(
    struct connections *connections, struct connection *connection)
{
	pthread_mutex_lock(&connections->lock);
	*connection->back = connection->next;
	if (connection->next)
		connection->next->back = connection->back;
	pthread_mutex_unlock(&connections->lock);
	connections->protocol->end(connection);
	if (atomic_fetch_sub(&connections->open, 1) == 1 &&
	    atomic_load(&connections->draining))
		poke(connections);
}

/* The accepting thread. */

static bool is_open(
    struct connections *connections, const struct listener *listener)
{
	return !listener->is_kept || !atomic_load(&connections->draining);
}

static void accept_some(
    struct connections *connections, const struct listener *listener)
{
	const struct connections_protocol *protocol = connections->protocol;

	for (int i = 0; i < ACCEPTS && is_open(connections, listener); i++) {
		struct sockaddr_storage address = {0};
		socklen_t size = sizeof(address);
		int fd = accept4(listener->fd, (struct sockaddr *)&address,
		    &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			protocol->welcome(connections->server, listener, fd,
			    (const struct sockaddr *)&address);
		} else if (errno == EMFILE || errno == ENFILE ||
			   errno == ENOBUFS || errno == ENOMEM) {
			protocol->no_descriptors(connections->server, listener);
			acceptor_pause(&connections->acceptor);
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			return;
		}
	}
}

/* The one-shot event has disarmed it. */
static void wake_connection(
    struct connections *connections, struct connection *connection)
{
	bool parked;

	pthread_mutex_lock(&connections->lock);
	parked = parking_take(&connections->parking, &connection->parked);
	pthread_mutex_unlock(&connections->lock);
	if (parked)
		connections->protocol->wake(connections->server, connection);
}

static void handle_event(struct connections *connections, void *object)
{
	uint64_t ignored;

	if (object == connections)
		(void)!read(connections->wake, &ignored, sizeof(ignored));
	else if (acceptor_has(&connections->acceptor, object))
		accept_some(connections, object);
	else
		wake_connection(connections, object);
}

static void cut_off(struct connections *connections)
{
	pthread_mutex_lock(&connections->lock);
	for (struct connection *c = connections->first; c; c = c->next)
		shutdown(c->parked.fd, SHUT_RDWR);
	pthread_mutex_unlock(&connections->lock);
}

/* True: the last one has ended. */
static bool go_on_draining(struct connections *connections)
{
	if (!atomic_load(&connections->draining))
		return false;
	if (!connections->drained) {
		acceptor_leave_kept(&connections->acceptor);
		connections->wake_at = deadline_in(
		    connections->protocol->wakes_after_ms);
	}
	connections->drained = true;
	if (deadline_passed(connections->wake_at)) {
		connections->wake_at = DEADLINE_NEVER;
		parking_wake_all(&connections->parking);
	}
	if (!atomic_load(&connections->open))
		return true;
	if (deadline_passed(connections->drain_until))
		cut_off(connections);
	return false;
}

static void *run_thread(void *argument)
{
	struct connections *connections = argument;
	struct epoll_event events[EVENTS];

	do {
		int count = epoll_wait(
		    connections->parking.epoll, events, EVENTS, WHEEL_TICK_MS);

		for (int i = 0; i < count; i++)
			handle_event(connections, events[i].data.ptr);
		acceptor_resume(&connections->acceptor);
		parking_wake_due(&connections->parking);
		connections->protocol->tick(connections->server);
	} while (!go_on_draining(connections));
	return NULL;
}

/* Starting and ending. */

void connections_init(struct connections *connections,
    const struct connections_protocol *protocol, void *server,
    const struct listener *listeners, size_t count)
{
	*connections = (struct connections){
	    .protocol = protocol,
	    .server = server,
	    .wake = -1,
	    .parking.lock = &connections->lock,
	    .parking.epoll = -1,
	};
	pthread_mutex_init(&connections->lock, NULL);
	wheel_init(&connections->parking.wheel, clock_monotonic_ms());
	acceptor_init(&connections->acceptor, listeners, count);
}

static bool open_descriptors(struct connections *connections, struct err *err)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = connections};
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	connections->parking.epoll = epoll;
	connections->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (epoll < 0 || connections->wake < 0 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, connections->wake, &event) < 0)
		return err_set_errno(err, "epoll");
	return acceptor_watch(&connections->acceptor, epoll, err);
}

static bool start_thread(struct connections *connections, struct err *err)
{
	pthread_attr_t attributes;
	sigset_t all, before;

	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	errno = pthread_create(
	    &connections->thread, &attributes, run_thread, connections);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return errno == 0 || err_set_errno(err, "start a thread");
}

bool connections_start(
    struct connections *connections, size_t threads, struct err *err)
{
	if (!open_descriptors(connections, err))
		return false;
	connections->parking.workers = workers_new(threads, WORKERS_IDLE_MS,
	    connections->protocol->run, connections->server);
	if (!connections->parking.workers)
		return err_set_errno(err, "start a thread");
	return start_thread(connections, err);
}

void connections_drain(struct connections *connections, int64_t timeout_ms)
{
	pthread_mutex_lock(&connections->lock);
	if (!atomic_load(&connections->draining))
		connections->drain_until = deadline_in(timeout_ms);
	atomic_store(&connections->draining, true);
	pthread_mutex_unlock(&connections->lock);
	poke(connections);
}

void connections_wait(struct connections *connections)
{
	pthread_join(connections->thread, NULL);
}

void connections_free(struct connections *connections)
{
	if (connections->parking.workers)
		workers_free(connections->parking.workers);
	acceptor_free(&connections->acceptor);
	if (connections->parking.epoll >= 0)
		close(connections->parking.epoll);
	if (connections->wake >= 0)
		close(connections->wake);
	pthread_mutex_destroy(&connections->lock);
}
