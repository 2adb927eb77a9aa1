/* SPDX-License-Identifier: Apache-2.0 */
/* base/disk_room.h - how much may still be written to a disk. */
#ifndef BASE_DISK_ROOM_H
#define BASE_DISK_ROOM_H

#include <stdint.h>

#include "base/err.h"

/* Octets that this user may still write to the file system that path is on;
 * none if it has no room for another file.  Quotas are not seen.  False: what
 * err_set_errno says of path. */
bool disk_room(const char *path, uint64_t *ret, struct err *err);

/* The same without what has to stay free for others: a twentieth of the disk,
 * 1 GiB at most. */
bool disk_room_to_spare(const char *path, uint64_t *ret, struct err *err);

/* What is left of room on a disk of so many octets without that. */
uint64_t disk_spare(uint64_t size, uint64_t room);

#endif
