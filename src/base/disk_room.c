/* SPDX-License-Identifier: Apache-2.0 */
#include "base/disk_room.h"

#include <sys/statvfs.h>

/* So much of a disk stays free, at most reserve_max. */
enum { RESERVE_SHARE = 20 };
static const uint64_t reserve_max = (uint64_t)1 << 30;

bool disk_is_nearly_full(const char *path)
{
	struct statvfs disk;
	uint64_t room, reserve;

	if (statvfs(path, &disk) < 0)
		return false;
	room = (uint64_t)disk.f_bavail * disk.f_frsize;
	reserve = (uint64_t)disk.f_blocks * disk.f_frsize / RESERVE_SHARE;
	return room < (reserve < reserve_max ? reserve : reserve_max);
}

bool disk_room(const char *path, uint64_t *ret, struct err *err)
{
	struct statvfs disk;

	if (statvfs(path, &disk) < 0)
		return err_set_errno(err, "%s", path);
	/* Without inodes in its books (btrfs) it has any number. */
	if (disk.f_files > 0 && disk.f_favail == 0)
		*ret = 0;
	else
		*ret = (uint64_t)disk.f_bavail * disk.f_frsize;
	return true;
}
