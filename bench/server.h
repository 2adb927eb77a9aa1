/* SPDX-License-Identifier: Apache-2.0 */
/* bench/server.h - the servers of the benchmark: one thread, epoll, loopback.
 *
 * A server says how large a client of it is and what to do with input. SIGUSR1:
 * prints what it has counted, as one line of JSON.  SIGTERM: the same, and
 * ends.
 */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include "base/slice.h"

enum { SERVER_OUTPUT_MAX = 4096 };

struct server {
	const char *name;
	size_t client_size; /* zeroed at the beginning */
	/* Sent to who connects; NULL: nothing. */
	const char *greeting;
	/* All of in is taken.  False: over. */
	bool (*take)(struct server *server, void *client, struct slice in);

	unsigned long long messages, octets; /* counted by take */

	/* server.c's own. */
	int epoll, listener, signals;
	char *input;
	char output[SERVER_OUTPUT_MAX];
	size_t output_len;
};

/* Sent when take returns; what does not fit is lost. */
void server_say(struct server *server, struct slice text);

/* The whole program; its argument is a port.  Returns the exit status. */
int server_main(struct server *server, int argc, char **argv);

#endif
