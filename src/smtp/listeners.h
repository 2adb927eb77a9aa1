/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/listeners.h - the sockets of smtp/server.c that clients connect to.
 *
 * One thread, but for listeners_check.
 */
#ifndef SMTP_LISTENERS_H
#define SMTP_LISTENERS_H

#include "conf/config.h"
#include "smtp/server.h"

struct listener {
	int fd;
	struct slice name;
	bool is_kept, is_left;
};

/* The configuration must have it: listeners_check. */
size_t listener_index(
    const struct listener *listener, const struct config *config);

struct listeners;

struct listeners *listeners_new(
    const struct smtp_server_socket *sockets, size_t count);

/* NULL is nothing.  The sockets stay open. */
void listeners_free(struct listeners *listeners);

/* False: E_CONFIG, a socket has no listener in it.  Any thread. */
bool listeners_check(const struct listeners *listeners,
    const struct config *config, struct err *err);

/* From now on epoll tells of clients that come; the event's pointer is the
 * struct listener.  False: E_IO. */
bool listeners_watch(struct listeners *listeners, int epoll, struct err *err);
bool listeners_include(const struct listeners *listeners, const void *object);

/* No descriptor is left for a client of this one: with the one kept in reserve
 * it is told so by being closed, instead of waiting in the kernel's queue. Then
 * a pause, until listeners_resume finds that it is over. */
void listeners_pause(
    struct listeners *listeners, const struct listener *listener);
void listeners_resume(struct listeners *listeners);

/* Who comes to those that outlive this process is answered by the process that
 * comes next. */
void listeners_leave_kept(struct listeners *listeners);

#endif
