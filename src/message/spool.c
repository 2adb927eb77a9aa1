/* SPDX-License-Identifier: Apache-2.0 */
#include "message/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/disk_room.h"
#include "base/io.h"
#include "base/require.h"

/* Small pieces are collected into writes of this size. */
enum { WRITE_SIZE = 256 * 1024, SMALL = 64 * 1024 };

struct spool {
	const char *directory;
	uint64_t size_max, memory_max;
	struct buf buf; /* everything, or what is not yet in the file */
	uint64_t size;	/* of all */
	bool failed;	/* a write did: the file ends anywhere */
	bool forgets;	/* nothing is kept any more */
	int fd;		/* -1: in memory */
	void *map;	/* NULL: not mapped */
	size_t map_size;
};

static void unmap(struct spool *spool)
{
	if (spool->map)
		munmap(spool->map, spool->map_size);
	spool->map = NULL;
}

static void release(void *object)
{
	struct spool *spool = object;

	unmap(spool);
	if (spool->fd >= 0)
		close(spool->fd);
	buf_release(&spool->buf);
}

struct spool *spool_new(
    struct arena *arena, const char *directory, const struct limits *limits)
{
	struct spool *spool = ARENA_NEW(arena, struct spool);

	spool->directory = directory;
	spool->size_max = limits->message_size;
	spool->memory_max = limits->spool_memory;
	spool->fd = -1;
	buf_init(&spool->buf, limits->spool_memory > WRITE_SIZE
				  ? limits->spool_memory
				  : WRITE_SIZE);
	arena_defer(arena, release, spool);
	return spool;
}

/* For file systems without O_TMPFILE. */
static int open_and_unlink(const char *directory)
{
	char path[4096];
	int len, fd;

	len = snprintf(path, sizeof(path), "%s/spool-XXXXXX", directory);
	if (len < 0 || (size_t)len >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

/* A missing directory is the system's fault, not the message's. */
static bool open_failed(const struct spool *spool, struct err *err)
{
	err_set_errno(err, "spool file in %s", spool->directory);
	if (err && err->kind == E_NOT_FOUND)
		err->kind = E_IO;
	return false;
}

static bool open_file(struct spool *spool, struct err *err)
{
	spool->fd = io_open(spool->directory, O_TMPFILE | O_RDWR | O_CLOEXEC,
	    S_IRUSR | S_IWUSR);
	/* An old kernel ignores the flag and sees a directory opened for
	 * writing: EISDIR. */
	if (spool->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
		spool->fd = open_and_unlink(spool->directory);
	if (spool->fd < 0)
		return open_failed(spool, err);
	return true;
}

/* A file size limit (RLIMIT_FSIZE) is as full as a disk. */
static bool write_failed(const struct spool *spool, struct err *err)
{
	if (errno == EFBIG)
		return err_set(err, E_FULL,
		    "spool file in %s: over the "
		    "process's file size limit",
		    spool->directory);
	return err_set_errno(err, "spool file in %s", spool->directory);
}

/* The disk may be the store's, too: what a stranger sends leaves room to record
 * the mail of others. */
static bool write_all(struct spool *spool, struct slice bytes, struct err *err)
{
	uint64_t spare = 0;

	if (disk_room_to_spare(spool->directory, &spare, NULL) && spare == 0)
		return err_set(err, E_FULL,
		    "spool file in %s: the disk is nearly full",
		    spool->directory);
	while (bytes.len) {
		ssize_t count = write(spool->fd, bytes.ptr, bytes.len);

		if (count > 0)
			bytes = slice_from_pos(bytes, (size_t)count);
		else if (count == 0 || errno != EINTR)
			return write_failed(spool, err);
	}
	return true;
}

static bool flush(struct spool *spool, struct err *err)
{
	if (spool->fd < 0 && !open_file(spool, err))
		return false;
	if (!write_all(spool, buf_slice(&spool->buf), err)) {
		spool->failed = true;
		return false;
	}
	/* The memory of the first part is given back, not kept. */
	if (spool->buf.size > WRITE_SIZE + 1)
		buf_release(&spool->buf);
	else
		buf_clear(&spool->buf);
	return true;
}

static bool fits_buffer(const struct spool *spool, struct slice bytes)
{
	uint64_t max = spool->fd < 0 ? spool->memory_max : WRITE_SIZE;

	return bytes.len <= max && spool->buf.len <= max - bytes.len;
}

static bool add(struct spool *spool, struct slice bytes, struct err *err)
{
	if (fits_buffer(spool, bytes)) {
		buf_add(&spool->buf, bytes);
		return true;
	}
	if (!flush(spool, err))
		return false;
	if (fits_buffer(spool, bytes)) {
		buf_add(&spool->buf, bytes);
		return true;
	}
	return write_all(spool, bytes, err);
}

bool spool_add(struct spool *spool, struct slice bytes, struct err *err)
{
	if (spool->failed)
		return err_set(err, E_IO, "an earlier write failed");
	if (bytes.len > spool->size_max - spool->size)
		return err_set(err, E_LIMIT,
		    "larger than %llu bytes "
		    "(limits.message_size)",
		    (unsigned long long)spool->size_max);
	unmap(spool);
	if (!spool->forgets && !add(spool, bytes, err)) {
		spool->failed = true;
		spool_forget(spool);
		return false;
	}
	spool->size += bytes.len;
	return true;
}

void spool_use_file(struct spool *spool)
{
	if (spool->memory_max > SMALL)
		spool->memory_max = SMALL;
}

void spool_forget(struct spool *spool)
{
	unmap(spool);
	if (spool->fd >= 0)
		close(spool->fd);
	spool->fd = -1;
	buf_release(&spool->buf);
	spool->forgets = true;
}

uint64_t spool_size(const struct spool *spool)
{
	return spool->size;
}

size_t spool_memory(const struct spool *spool)
{
	return spool->buf.size;
}

bool spool_content(struct spool *spool, struct slice *ret, struct err *err)
{
	if (spool->failed)
		return err_set(err, E_IO, "an earlier write failed");
	require(!spool->forgets);
	if (spool->fd < 0) {
		*ret = buf_slice(&spool->buf);
		return true;
	}
	if (!spool->map) {
		if (!flush(spool, err))
			return false;
		spool->map_size = (size_t)spool->size;
		spool->map = mmap(
		    NULL, spool->map_size, PROT_READ, MAP_SHARED, spool->fd, 0);
		if (spool->map == MAP_FAILED) {
			spool->map = NULL;
			return err_set_errno(err, "map the spool file");
		}
	}
	*ret = slice_of(spool->map, spool->map_size);
	return true;
}
