/* SPDX-License-Identifier: Apache-2.0 */
/* base/file_watch.h - have these files changed, and come to rest?
 *
 * By device, inode, size and times of what each path leads to, so a symbolic
 * link that is set to another file is a change.  Nothing is read and no
 * descriptor is held: the caller asks from time to time.  A change counts when
 * two looks in a row saw the same: what is still being written is let alone.
 * Any files may come to be missing; that is a state like others.
 */
#ifndef BASE_FILE_WATCH_H
#define BASE_FILE_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct file_watch {
	uint64_t in_use; /* what the files were when they were taken */
	uint64_t seen;	 /* with the last look */
	uint64_t failed; /* what they were when file_watch_failed told of it */
};

/* Call it before the files are read: a change in between is then seen later,
 * and not lost. */
void file_watch_begin(
    struct file_watch *watch, size_t count, const struct slice *paths);

/* True once for each change that has come to rest; the files count as taken
 * from then on, so what failed to load is not tried until it changes; unless
 * file_watch_failed is called. */
bool file_watch_changed(
    struct file_watch *watch, size_t count, const struct slice *paths);

/* After file_watch_changed: they could not be taken, and the next look is to
 * say so again, since the failure may pass (a lack of memory or descriptors).
 * True the first time for these files: it is to be told. */
bool file_watch_failed(struct file_watch *watch);

#endif
