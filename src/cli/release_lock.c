/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/release_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <unistd.h>

#include "base/io.h"

enum { STEP_MS = 20 };

static void close_file(void *context)
{
	close(*(int *)context);
}

bool release_lock_open(struct arena *arena, const struct config *config,
    int *ret_fd, struct err *err)
{
	const char *path = arena_format(
	    arena, "%.*s/release.lock", SLICE_ARGS(config->state_directory));
	int *fd = ARENA_NEW(arena, int);

	*fd = io_open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (*fd < 0)
		return err_set_errno(err, "%s", path);
	arena_defer(arena, close_file, fd);
	*ret_fd = *fd;
	return true;
}

/* FNV-1a.  Two ids with one byte wait for each other, no more. */
static off_t byte_of(struct slice id)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < id.len; i++)
		hash = (hash ^ (unsigned char)id.ptr[i]) * 0x100000001b3u;
	return (off_t)(hash & INT32_MAX);
}

static bool set(int fd, struct slice id, short type)
{
	struct flock lock = {
	    .l_type = type,
	    .l_whence = SEEK_SET,
	    .l_start = byte_of(id),
	    .l_len = 1,
	};

	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

bool release_lock_take(
    int fd, struct slice id, struct deadline until, struct err *err)
{
	while (!set(fd, id, F_WRLCK)) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return err_set_errno(err, "%.*s: cannot be locked",
			    SLICE_ARGS(slice_sub(id, 0, 100)));
		if (deadline_passed(until))
			return err_set(err, E_TIMEOUT,
			    "%.*s: another release of it is under way; try "
			    "again when that has ended",
			    SLICE_ARGS(slice_sub(id, 0, 100)));
		poll(NULL, 0, STEP_MS);
	}
	return true;
}

void release_lock_give(int fd, struct slice id)
{
	set(fd, id, F_UNLCK);
}
