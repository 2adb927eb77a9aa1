/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/listeners.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/memory.h"

enum { PAUSE_MS = 200 };

struct listeners {
	size_t count;
	struct listener *items;
	int epoll, reserve;
	struct deadline paused_until; /* out of descriptors; 0: accepting */
};

size_t listener_index(
    const struct listener *listener, const struct config *config)
{
	size_t i = 0;

	while (i < config->listener_count &&
	       !slice_eq(config->listeners[i].name, listener->name))
		i++;
	return i;
}

struct listeners *listeners_new(
    const struct smtp_server_socket *sockets, size_t count)
{
	struct listeners *listeners = MEMORY_NEW(struct listeners);

	listeners->epoll = listeners->reserve = -1;
	listeners->count = count;
	listeners->items = memory_new(count + 1, sizeof(struct listener));
	for (size_t i = 0; i < count; i++) {
		struct slice name = sockets[i].name;

		listeners->items[i].fd = sockets[i].fd;
		listeners->items[i].is_kept = sockets[i].is_kept;
		listeners->items[i].name = slice_of(
		    memory_copy_text(name.ptr, name.len), name.len);
		io_set_nonblocking(sockets[i].fd, NULL);
	}
	return listeners;
}

void listeners_free(struct listeners *listeners)
{
	if (!listeners)
		return;
	for (size_t i = 0; i < listeners->count; i++)
		memory_free((char *)(uintptr_t)listeners->items[i].name.ptr);
	memory_free(listeners->items);
	if (listeners->reserve >= 0)
		close(listeners->reserve);
	memory_free(listeners);
}

bool listeners_check(const struct listeners *listeners,
    const struct config *config, struct err *err)
{
	for (size_t i = 0; i < listeners->count; i++)
		if (listener_index(&listeners->items[i], config) ==
		    config->listener_count)
			return err_set(err, E_CONFIG,
			    "listener %.*s has a socket, but is not in the "
			    "configuration: restart to change listeners",
			    SLICE_ARGS(listeners->items[i].name));
	return true;
}

static void control(struct listeners *listeners, int operation)
{
	for (size_t i = 0; i < listeners->count; i++) {
		struct listener *listener = &listeners->items[i];
		struct epoll_event event = {
		    .events = EPOLLIN, .data.ptr = listener};

		if (!listener->is_left)
			epoll_ctl(
			    listeners->epoll, operation, listener->fd, &event);
	}
}

static void open_reserve(struct listeners *listeners)
{
	listeners->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

bool listeners_watch(struct listeners *listeners, int epoll, struct err *err)
{
	listeners->epoll = epoll;
	open_reserve(listeners);
	if (listeners->reserve < 0)
		return err_set_errno(err, "/dev/null");
	control(listeners, EPOLL_CTL_ADD);
	return true;
}

bool listeners_include(const struct listeners *listeners, const void *object)
{
	for (size_t i = 0; i < listeners->count; i++)
		if (&listeners->items[i] == object)
			return true;
	return false;
}

void listeners_pause(
    struct listeners *listeners, const struct listener *listener)
{
	int fd;

	close(listeners->reserve);
	fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	open_reserve(listeners);
	listeners->paused_until = deadline_in(PAUSE_MS);
	control(listeners, EPOLL_CTL_DEL);
}

void listeners_resume(struct listeners *listeners)
{
	if (!listeners->paused_until.at_ms ||
	    !deadline_passed(listeners->paused_until))
		return;
	listeners->paused_until.at_ms = 0;
	control(listeners, EPOLL_CTL_ADD);
}

void listeners_leave_kept(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++) {
		struct listener *listener = &listeners->items[i];

		if (!listener->is_kept)
			continue;
		epoll_ctl(listeners->epoll, EPOLL_CTL_DEL, listener->fd, NULL);
		listener->is_left = true; /* after a pause, too */
	}
}
