/* SPDX-License-Identifier: Apache-2.0 */
/* cli/config_copy.h - the bytes of a configuration file that was good.
 *
 * The service goes on with them whatever becomes of the file: children load
 * what the supervisor has checked, not what somebody is writing, and none can
 * change it.
 */
#ifndef CLI_CONFIG_COPY_H
#define CLI_CONFIG_COPY_H

#include "conf/config.h"

/* A descriptor with the bytes of the file, closed on exec; -1: E_NOT_FOUND,
 * E_IO, E_CONFIG (too large). */
int config_copy_open(const char *path, struct err *err);

/* To whoever has the other end of a socket (AF_UNIX); waits for nothing.
 * False: E_CLOSED, E_TEMP, E_IO. */
bool config_copy_send(int socket, int copy, struct err *err);

/* The newest of those that were sent, the others are closed; -1: none. */
int config_copy_receive(int socket);

/* As config_load, with the bytes of copy. */
bool config_copy_load(struct arena *arena, int copy, const char *path,
    struct config **ret, struct config_problems *problems, struct err *err);

#endif
