/* SPDX-License-Identifier: Apache-2.0 */
#include "base/disk_room.h"

#include <sys/statvfs.h>

enum { RESERVE_SHARE = 20 };
static const uint64_t reserve_max = (uint64_t)1 << 30;

static bool look(
    const char *path, uint64_t *ret_size, uint64_t *ret_room, struct err *err)
{
	struct statvfs disk;

	if (statvfs(path, &disk) < 0)
		return err_set_errno(err, "%s", path);
	*ret_size = (uint64_t)disk.f_blocks * disk.f_frsize;
	/* Without inodes in its books (btrfs) it has any number. */
	if (disk.f_files > 0 && disk.f_favail == 0)
		*ret_room = 0;
	else
		*ret_room = (uint64_t)disk.f_bavail * disk.f_frsize;
	return true;
}

uint64_t disk_spare(uint64_t size, uint64_t room)
{
	uint64_t reserve = size / RESERVE_SHARE;

	if (reserve > reserve_max)
		reserve = reserve_max;
	return room > reserve ? room - reserve : 0;
}

bool disk_room(const char *path, uint64_t *ret, struct err *err)
{
	uint64_t size = 0;

	return look(path, &size, ret, err);
}

bool disk_room_to_spare(const char *path, uint64_t *ret, struct err *err)
{
	uint64_t size = 0, room = 0;

	if (!look(path, &size, &room, err))
		return false;
	*ret = disk_spare(size, room);
	return true;
}
