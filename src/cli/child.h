/* SPDX-License-Identifier: Apache-2.0 */
/* cli/child.h - what every child process of `gatehouse serve` does. */
#ifndef CLI_CHILD_H
#define CLI_CHILD_H

#include "base/err.h"
#include "conf/config.h"

enum child_event { CHILD_TICK, CHILD_RELOAD, CHILD_STOP };

struct child_process;

/* Blocks the signals that child_wait tells of; call before any thread starts.
 * Drops privileges to config->user and group if root, forbids regaining them
 * and dumping core.  False: E_CONFIG (no such user), E_IO. */
bool child_begin(struct arena *arena, const struct config *config,
    struct child_process **ret, struct err *err);

/* Writes a word ("ready", "reloaded", "kept") to the supervisor, if any. */
void child_tell(const struct child_process *child, const char *word);

/* Waits for a signal or the next tick (CHILD_ALIVE_MS); says "alive". */
enum child_event child_wait(const struct child_process *child);

/* The number in an environment variable of the supervisor, or -1. */
int child_inherited_fd(const char *variable);

/* The children: cli/child_smtp.c and cli/child_admin.c.  config is theirs
 * to release.  Return the exit code. */
int child_smtp_run(
    struct arena *arena, const char *config_path, struct config *config);
int child_admin_run(
    struct arena *arena, const char *config_path, struct config *config);

#endif
