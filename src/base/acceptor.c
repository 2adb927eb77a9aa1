/* SPDX-License-Identifier: Apache-2.0 */
#include "base/acceptor.h"

#include <stdint.h>
#include <sys/epoll.h>

#include "base/io.h"
#include "base/memory.h"

enum { PAUSE_MS = 200 };

void acceptor_init(
    struct acceptor *acceptor, const struct listener *listeners, size_t count)
{
	*acceptor = (struct acceptor){
	    .count = count,
	    .listeners = memory_new(count + 1, sizeof(*listeners)),
	    .epoll = -1,
	    .paused_until = DEADLINE_NEVER,
	};
	for (size_t i = 0; i < count; i++) {
		struct slice name = listeners[i].name;

		acceptor->listeners[i] = listeners[i];
		acceptor->listeners[i].name = slice_of(
		    memory_copy_text(name.ptr, name.len), name.len);
		io_set_nonblocking(listeners[i].fd, NULL);
	}
}

void acceptor_free(struct acceptor *acceptor)
{
	for (size_t i = 0; i < acceptor->count; i++)
		memory_free((char *)(uintptr_t)acceptor->listeners[i].name.ptr);
	memory_free(acceptor->listeners);
}

/* False: errno says why.  Of what is in epoll already only its events change,
 * and for that the kernel needs no memory. */
static bool control(struct acceptor *acceptor, int operation, uint32_t events)
{
	for (size_t i = 0; i < acceptor->count; i++) {
		struct listener *listener = &acceptor->listeners[i];
		struct epoll_event event = {
		    .events = events, .data.ptr = listener};

		if (acceptor->has_left && listener->is_kept)
			continue;
		if (epoll_ctl(
			acceptor->epoll, operation, listener->fd, &event) < 0)
			return false;
	}
	return true;
}

bool acceptor_watch(struct acceptor *acceptor, int epoll, struct err *err)
{
	acceptor->epoll = epoll;
	return control(acceptor, EPOLL_CTL_ADD, EPOLLIN) ||
	       err_set_errno(err, "epoll");
}

bool acceptor_has(const struct acceptor *acceptor, const void *object)
{
	for (size_t i = 0; i < acceptor->count; i++)
		if (&acceptor->listeners[i] == object)
			return true;
	return false;
}

void acceptor_pause(struct acceptor *acceptor)
{
	acceptor->paused_until = deadline_in(PAUSE_MS);
	control(acceptor, EPOLL_CTL_MOD, 0);
}

void acceptor_resume(struct acceptor *acceptor)
{
	if (!deadline_passed(acceptor->paused_until))
		return;
	acceptor->paused_until = DEADLINE_NEVER;
	control(acceptor, EPOLL_CTL_MOD, EPOLLIN);
}

void acceptor_leave_kept(struct acceptor *acceptor)
{
	for (size_t i = 0; i < acceptor->count; i++)
		if (acceptor->listeners[i].is_kept)
			epoll_ctl(acceptor->epoll, EPOLL_CTL_DEL,
			    acceptor->listeners[i].fd, NULL);
	acceptor->has_left = true; /* after a pause, too */
}
