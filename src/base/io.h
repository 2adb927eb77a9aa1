/* SPDX-License-Identifier: Apache-2.0 */
/* base/io.h - descriptors with deadlines, and files that survive a crash.
 *
 * Every wait takes an absolute deadline.  Socket descriptors are expected to
 * be non-blocking (io_set_nonblocking).  EINTR is retried everywhere.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/slice.h"

bool io_set_nonblocking(int fd, struct err *err);

/* Waits for POLLIN or POLLOUT.  False: E_TIMEOUT,
 * E_TEMP or E_IO. */
bool io_wait(int fd, short events, struct deadline deadline, struct err *err);

/* At least one byte, at most size.  0 in *ret_count is end of file. */
bool io_read_some(int fd, void *memory, size_t size, struct deadline deadline,
    size_t *ret_count, struct err *err);

/* All of it. */
bool io_write_all(
    int fd, struct slice bytes, struct deadline deadline, struct err *err);

/* A whole file of at most max bytes; "-" is standard input.
 * False: E_NOT_FOUND, E_LIMIT or E_IO. */
bool io_read_file(struct arena *arena, const char *path, size_t max,
    struct slice *ret, struct err *err);

/* open(2) and fsync(2); EINTR, which network file systems know, is retried. */
int io_open(const char *path, int flags, mode_t mode);
int io_sync(int fd);

/* fsync(2) of a directory, so that a name in it is durable. */
bool io_sync_directory(const char *path, struct err *err);

#endif
