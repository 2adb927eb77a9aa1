/* SPDX-License-Identifier: Apache-2.0 */
/* cli/child.h - what every child process of `gatehouse serve` does. */
#ifndef CLI_CHILD_H
#define CLI_CHILD_H

#include "base/err.h"
#include "conf/config.h"

enum child_event { CHILD_TICK, CHILD_RELOAD, CHILD_STOP };

struct child_process;
struct dns_resolver;

/* Blocks the signals that child_wait tells of; call before any thread starts.
 * Drops privileges to config->user and group if root, forbids regaining them
 * and dumping core.  False: E_CONFIG (no such user), E_IO. */
bool child_begin(struct arena *arena, const struct config *config,
    struct child_process **ret, struct err *err);

/* Writes a word ("ready", "reloaded", "kept") to the supervisor, if any. */
void child_tell(const struct child_process *child, const char *word);

/* At CHILD_RELOAD: the configuration that the supervisor has checked and handed
 * over; that of before if it has not.  Without a supervisor, that of the file.
 * False: as config_load. */
bool child_load_config(struct child_process *child, struct arena *arena,
    const char *path, struct config **ret, struct err *err);

/* What came of a reload, for the log and the supervisor; err is NULL if the new
 * configuration is in use, else what keeps the old one. */
void child_tell_reload(
    const struct child_process *child, const char *name, const struct err *err);

/* Says why, and returns the exit code. */
int child_cannot_start(const char *name, const struct err *err);

/* As the configuration says; again after each reload. */
void child_set_up_log(const struct config *config);

/* Waits for a signal or the next tick (CHILD_ALIVE_MS); says "alive". */
enum child_event child_wait(const struct child_process *child);

/* The number in an environment variable of the supervisor, or -1. */
int child_inherited_fd(const char *variable);

/* The URL of the store: what the service was started with.  A reload does not
 * change it, nor does a child that is started anew, or each would look at
 * another.  Borrowed of config or the environment. */
struct slice child_store_url(const struct config *config);

/* Counts into the supervisor's block, if there is one. */
bool child_open_metrics(struct err *err);

/* Large messages go to the spool's folder: that it is missing must not show
 * with the first of them.  False: E_CONFIG if somebody has to mend it, else
 * what errno says (E_FULL, E_IO, ...). */
bool child_make_spool(
    struct arena *arena, const struct config *config, struct err *err);

/* That folder, and the resolver with its zone and keys.  A file that is not
 * there is E_CONFIG: the service ends and says so, it is not tried for ever. */
bool child_open_named(struct arena *arena, const struct config *config,
    struct dns_resolver **ret, struct err *err);

/* The children, in files of their names.  config is theirs to release.
 * Return the exit code. */
int child_smtp_run(
    struct arena *arena, const char *config_path, struct config *config);
int child_milter_run(
    struct arena *arena, const char *config_path, struct config *config);
int child_admin_run(
    struct arena *arena, const char *config_path, struct config *config);

#endif
