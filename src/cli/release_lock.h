/* SPDX-License-Identifier: Apache-2.0 */
/* cli/release_lock.h - no message is released by two commands at once.
 *
 * The lock is advisory (F_OFD_SETLK of fcntl(2)), on one byte of the file
 * release.lock in the state directory: that which the message's id hashes to,
 * so that the release of one does not wait for that of another.  It ends with
 * its process, however that ends.  The file stays, and is empty.
 */
#ifndef CLI_RELEASE_LOCK_H
#define CLI_RELEASE_LOCK_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "conf/config.h"

/* Makes the file if need be, with mode 0600.  The arena closes it, which ends
 * all locks.  False: E_NOT_FOUND (no state directory), E_IO. */
bool release_lock_open(struct arena *arena, const struct config *config,
    int *ret_fd, struct err *err);

/* Tries at least once.  False: E_TIMEOUT, another has it; E_IO. */
bool release_lock_take(
    int fd, struct slice id, struct deadline until, struct err *err);
void release_lock_give(int fd, struct slice id);

#endif
