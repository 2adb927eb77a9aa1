/* SPDX-License-Identifier: Apache-2.0 */
/* cli/config_copy.h - the bytes of a configuration file that was good.
 *
 * The service goes on with them whatever becomes of the file: a child that is
 * started anew gets what the others work with, not what somebody is writing.
 */
#ifndef CLI_CONFIG_COPY_H
#define CLI_CONFIG_COPY_H

#include "conf/config.h"

/* A descriptor with the bytes of the file, closed on exec; -1: E_NOT_FOUND,
 * E_IO, E_CONFIG (too large). */
int config_copy_open(const char *path, struct err *err);

/* As config_load, with the bytes of copy. */
bool config_copy_load(struct arena *arena, int copy, const char *path,
    struct config **ret, struct config_problems *problems, struct err *err);

#endif
