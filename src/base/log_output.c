/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/limits.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log_private.h"

enum { PATIENCE_MS = 250 };

/* One lock for the descriptor and both: whoever has seen that there is room is
 * the one who writes, and lines of several pieces stay whole. */
static struct {
	pthread_mutex_t lock;
	bool stuck; /* its reader did not read: nobody waits for it again */
	bool cut;   /* amid a line */
} output = {.lock = PTHREAD_MUTEX_INITIALIZER};

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

/* A pipe that has room takes no more than PIPE_BUF without waiting. */
static size_t piece_of(struct slice line)
{
	struct stat status;

	if (line.len > PIPE_BUF && fstat(STDERR_FILENO, &status) == 0 &&
	    S_ISFIFO(status.st_mode))
		return PIPE_BUF;
	return line.len;
}

static bool write_all(struct slice line)
{
	while (line.len) {
		ssize_t written;

		if (!has_room())
			return false;
		written = write(STDERR_FILENO, line.ptr, piece_of(line));
		if (written == 0 ||
		    (written < 0 && errno != EINTR && errno != EAGAIN))
			return false;
		if (written > 0) {
			line = slice_from_pos(line, (size_t)written);
			output.cut = line.len > 0;
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
