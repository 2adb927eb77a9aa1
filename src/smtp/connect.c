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

static bool connect_to(const struct sockaddr *address, socklen_t size,
    struct deadline deadline, int *ret_fd, struct err *err)
{
	int fd = socket(
	    address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_set_errno(err, "socket");
	/* An interrupted connect goes on: waited for like a slow one. */
	if (connect(fd, address, size) < 0 &&
	    !((errno == EINPROGRESS || errno == EINTR)
		    ? finish(fd, deadline, err)
		    : err_set_errno(err, "connect"))) {
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
