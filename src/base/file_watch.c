/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file_watch.h"

#include <string.h>
#include <sys/stat.h>

enum { PATH_SIZE = 4096 };

/* FNV-1a. */
static uint64_t mix(uint64_t hash, uint64_t value)
{
	for (size_t i = 0; i < sizeof(value); i++, value >>= 8)
		hash = (hash ^ (value & 0xff)) * 0x100000001b3ULL;
	return hash;
}

static uint64_t mix_time(uint64_t hash, const struct timespec *time)
{
	return mix(mix(hash, (uint64_t)time->tv_sec), (uint64_t)time->tv_nsec);
}

/* A path that is too long leads nowhere. */
static uint64_t mix_file(uint64_t hash, struct slice path)
{
	struct stat status;
	char text[PATH_SIZE];

	if (path.len >= sizeof(text))
		return mix(hash, 0);
	memcpy(text, path.ptr, path.len);
	text[path.len] = '\0';
	if (stat(text, &status) != 0)
		return mix(hash, 0);
	hash = mix(hash, status.st_dev);
	hash = mix(hash, status.st_ino);
	hash = mix(hash, (uint64_t)status.st_size);
	hash = mix_time(hash, &status.st_mtim);
	return mix_time(hash, &status.st_ctim);
}

static uint64_t look(size_t count, const struct slice *paths)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < count; i++)
		if (paths[i].len)
			hash = mix_file(hash, paths[i]);
	return hash;
}

void file_watch_begin(
    struct file_watch *watch, size_t count, const struct slice *paths)
{
	watch->in_use = watch->seen = watch->failed = look(count, paths);
}

bool file_watch_changed(
    struct file_watch *watch, size_t count, const struct slice *paths)
{
	uint64_t now = look(count, paths);
	bool rests = now == watch->seen;

	watch->seen = now;
	if (now == watch->in_use || !rests)
		return false;
	watch->in_use = now;
	return true;
}

bool file_watch_failed(struct file_watch *watch)
{
	bool first = watch->seen != watch->failed;

	watch->failed = watch->seen;
	/* Anything but what they are. */
	watch->in_use = ~watch->seen;
	return first;
}
