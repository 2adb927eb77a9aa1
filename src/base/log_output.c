/* SPDX-License-Identifier: Apache-2.0 */
/* Other processes write to the same stderr: the room that one of them has seen
 * may be gone when it writes, and then write(2) waits for the reader.  So it is
 * asked not to wait where that can be done: of a socket in each call, and with
 * a description of our own (open(2)) of a pipe, since that flag of stderr's
 * would be the others', too.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log_private.h"

enum { PATIENCE_MS = 250 };

/* One lock for the descriptor and all of these: lines of several pieces stay
 * whole. */
static struct {
	pthread_mutex_t lock;
	bool stuck; /* its reader did not read: nobody waits for it again */
	bool cut;   /* amid a line */
	/* What stderr led to when it was looked at. */
	struct stat target;
	int pipe; /* the description of our own; -1: none */
} output = {.lock = PTHREAD_MUTEX_INITIALIZER, .pipe = -1};

/* A pipe of another user cannot be opened: then it is waited for, if need be.
 */
static void look(void)
{
	struct stat now = {0};

	fstat(STDERR_FILENO, &now);
	if (now.st_dev == output.target.st_dev &&
	    now.st_ino == output.target.st_ino &&
	    now.st_mode == output.target.st_mode)
		return;
	output.target = now;
	if (output.pipe >= 0)
		close(output.pipe);
	output.pipe = -1;
	if (S_ISFIFO(now.st_mode))
		output.pipe = open("/proc/self/fd/2",
		    O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

void log_output_look(void)
{
	int saved_errno = errno;

	pthread_mutex_lock(&output.lock);
	look();
	pthread_mutex_unlock(&output.lock);
	errno = saved_errno;
}

static bool has_room(void)
{
	struct pollfd descriptor = {STDERR_FILENO, POLLOUT, 0};
	int count;

	do
		count = poll(&descriptor, 1, output.stuck ? 0 : PATIENCE_MS);
	while (count < 0 && errno == EINTR);
	output.stuck = count == 0;
	return count != 0;
}

/* A write may wait: whether there is room has to be seen first. */
static bool may_wait(void)
{
	return output.pipe < 0 && !S_ISSOCK(output.target.st_mode) &&
	       !S_ISREG(output.target.st_mode);
}

/* A pipe that has room takes no more than PIPE_BUF without waiting. */
static size_t piece_of(struct slice line)
{
	return line.len > PIPE_BUF && !S_ISREG(output.target.st_mode)
		   ? PIPE_BUF
		   : line.len;
}

static ssize_t write_some(struct slice line)
{
	if (output.pipe >= 0)
		return write(output.pipe, line.ptr, line.len);
	if (S_ISSOCK(output.target.st_mode))
		return send(STDERR_FILENO, line.ptr, line.len,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	return write(STDERR_FILENO, line.ptr, piece_of(line));
}

/* After a write that failed: it may be tried again. */
static bool may_go_on(int error)
{
	return error == EINTR || (error == EAGAIN && has_room());
}

static bool write_all(struct slice line)
{
	while (line.len) {
		ssize_t written;

		if (may_wait() && !has_room())
			return false;
		written = write_some(line);
		if (written == 0 || (written < 0 && !may_go_on(errno)))
			return false;
		if (written > 0) {
			line = slice_from_pos(line, (size_t)written);
			output.cut = line.len > 0;
			output.stuck = false;
		}
	}
	return true;
}

bool log_output_write(struct slice line)
{
	bool ok;

	pthread_mutex_lock(&output.lock);
	ok = (!output.cut || write_all(SLICE("\n"))) && write_all(line);
	pthread_mutex_unlock(&output.lock);
	return ok;
}
