/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/connect.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io.h"

/* The outcome of a connect that was begun. */
static bool finish(int fd, struct deadline deadline, struct err *err)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (!io_wait(fd, POLLOUT, deadline, err))
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return err_set_errno(err, "connect");
	if (!error)
		return true;
	errno = error;
	return err_set_errno(err, "connect");
}

enum { FULL_MS = 20 };

/* A Unix socket whose queue is full: nothing tells when there is room. */
static bool wait_for_room(struct deadline deadline, struct err *err)
{
	if (deadline_passed(deadline))
		return err_set(err, E_TIMEOUT, "timed out");
	poll(NULL, 0,
	    deadline_poll_ms(deadline_min(deadline, deadline_in(FULL_MS))));
	return true;
}

static bool begin(int fd, const struct sockaddr *address, socklen_t size,
    struct deadline deadline, struct err *err)
{
	while (connect(fd, address, size) < 0) {
		/* One that was interrupted goes on: as a slow one. */
		if (errno == EINPROGRESS || errno == EINTR)
			return finish(fd, deadline, err);
		if (errno != EAGAIN || address->sa_family != AF_UNIX)
			return err_set_errno(err, "connect");
		if (!wait_for_room(deadline, err))
			return false;
	}
	return true;
}

static bool connect_to(const struct sockaddr *address, socklen_t size,
    struct deadline deadline, int *ret_fd, struct err *err)
{
	int fd = socket(
	    address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_set_errno(err, "socket");
	if (!begin(fd, address, size, deadline, err)) {
		close(fd);
		return false;
	}
	*ret_fd = fd;
	return true;
}

bool connect_tcp(const struct ip *ip, uint16_t port, struct deadline deadline,
    int *ret_fd, struct err *err)
{
	struct sockaddr_storage address;
	socklen_t size = ip_to_sockaddr(ip, port, &address);

	return connect_to(
	    (const struct sockaddr *)&address, size, deadline, ret_fd, err);
}

bool connect_unix(
    struct slice path, struct deadline deadline, int *ret_fd, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (!path.len || path.len >= sizeof(address.sun_path))
		return err_set(err, E_CONFIG, "a socket path over %zu bytes",
		    sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path.ptr, path.len);
	return connect_to((const struct sockaddr *)&address, sizeof(address),
	    deadline, ret_fd, err);
}
