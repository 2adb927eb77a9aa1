/* SPDX-License-Identifier: Apache-2.0 */
#include "base/disk_room.h"

#include <sys/statvfs.h>

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
