/* SPDX-License-Identifier: Apache-2.0 */
/* cli/identity.h - who we are once privileges are gone. */
#ifndef CLI_IDENTITY_H
#define CLI_IDENTITY_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "conf/config.h"

/* The ids of the configuration's user and group (none: the user's).
 * False: E_CONFIG, there is no such user or group. */
bool identity_find(struct arena *arena, const struct config *config,
    uid_t *ret_uid, gid_t *ret_gid, struct err *err);

/* Root becomes them for good, with the user's supplementary groups; nothing
 * happens to others, or if the configuration names no user.  False: E_CONFIG,
 * E_IO. */
bool identity_become(
    struct arena *arena, const struct config *config, struct err *err);

#endif
