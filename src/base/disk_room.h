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

/* Less than a twentieth of it, or than 1 GiB, is left.  False also if nobody
 * can tell. */
bool disk_is_nearly_full(const char *path);

#endif
