/* SPDX-License-Identifier: Apache-2.0 */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

bool io_set_nonblocking(int fd, struct err *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_set_errno(err, "set O_NONBLOCK");
	return true;
}

bool io_wait(int fd, short events, struct deadline deadline, struct err *err)
{
	struct pollfd poller = {.fd = fd, .events = events};

	for (;;) {
		int ready = poll(&poller, 1, deadline_poll_ms(deadline));

		if (ready > 0)
			return true;
		if (ready < 0 && errno != EINTR)
			return err_set_errno(err, "poll");
		if (deadline_passed(deadline))
			return err_set(err, E_TIMEOUT, "timed out");
	}
}

static bool would_block(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK;
}

bool io_read_some(int fd, void *memory, size_t size, struct deadline deadline,
    size_t *ret_count, struct err *err)
{
	for (;;) {
		ssize_t count = read(fd, memory, size);

		if (count >= 0) {
			*ret_count = (size_t)count;
			return true;
		}
		if (errno == EINTR)
			continue;
		if (!would_block())
			return err_set_errno(err, "read");
		if (!io_wait(fd, POLLIN, deadline, err))
			return false;
	}
}

bool io_write_all(
    int fd, struct slice bytes, struct deadline deadline, struct err *err)
{
	while (bytes.len) {
		ssize_t count = write(fd, bytes.ptr, bytes.len);

		if (count >= 0)
			bytes = slice_from_pos(bytes, (size_t)count);
		else if (errno == EINTR)
			continue;
		else if (!would_block())
			return err_set_errno(err, "write");
		else if (!io_wait(fd, POLLOUT, deadline, err))
			return false;
	}
	return true;
}

static bool read_to_end(
    struct arena *arena, int fd, size_t max, struct slice *ret, struct err *err)
{
	enum { STEP = 65536 };
	struct buf *buf = buf_in_arena(arena, max + STEP);
	size_t count = 1;

	while (count) {
		char *room = buf_reserve(buf, STEP);

		if (!io_read_some(fd, room, STEP, DEADLINE_NEVER, &count, err))
			return false;
		buf_grown(buf, count);
		if (buf->len > max)
			return err_set(
			    err, E_LIMIT, "larger than %zu bytes", max);
	}
	*ret = buf_slice(buf);
	return true;
}

int io_open(const char *path, int flags, mode_t mode)
{
	int fd;

	do
		fd = open(path, flags, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

int io_sync(int fd)
{
	int result;

	do
		result = fsync(fd);
	while (result < 0 && errno == EINTR);
	return result;
}

bool io_read_file(struct arena *arena, const char *path, size_t max,
    struct slice *ret, struct err *err)
{
	bool is_stdin = !strcmp(path, "-");
	int fd = is_stdin ? STDIN_FILENO
			  : io_open(path, O_RDONLY | O_CLOEXEC, 0);
	bool ok;

	if (fd < 0)
		return err_set_errno(err, "%s", path);
	ok = read_to_end(arena, fd, max, ret, err) ||
	     err_prefix(err, "%s", is_stdin ? "standard input" : path);
	if (!is_stdin)
		close(fd);
	return ok;
}

bool io_sync_directory(const char *path, struct err *err)
{
	int fd = io_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	bool ok;

	if (fd < 0)
		return err_set_errno(err, "%s", path);
	ok = io_sync(fd) == 0 || err_set_errno(err, "fsync %s", path);
	close(fd);
	return ok;
}
