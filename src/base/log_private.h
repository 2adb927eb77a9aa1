/* SPDX-License-Identifier: Apache-2.0 */
/* base/log_private.h - what log.c, log_client.c and log_output.c share. */
#ifndef BASE_LOG_PRIVATE_H
#define BASE_LOG_PRIVATE_H

#include "base/ip.h"
#include "base/slice.h"

/* Whom a thread works for. */
struct log_client {
	bool known;
	uint16_t port;
	unsigned int topics; /* traced for this client */
	struct ip ip;
};

extern _Thread_local struct log_client log_client;

/* Writes a line, with its '\n', to stderr.  For a reader that does not read it
 * waits a quarter of a second once; from then on, until there is room again, a
 * line is dropped at once: no message waits for its log line.  False: dropped,
 * or cut short. */
bool log_output_write(struct slice line);

/* Finds out what stderr leads to, while this process may still open it: before
 * it becomes another user.  Again when stderr is another. */
void log_output_look(void);

#endif
