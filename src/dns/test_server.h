/* SPDX-License-Identifier: Apache-2.0 */
/* dns/test_server.h - a real name server for tests: nsd on a loopback port.
 *
 * Everything lives in a folder of its own under TMPDIR.  What goes wrong ends
 * the test as failed: a machine without nsd and ldnsutils cannot test this.
 */
#ifndef DNS_TEST_SERVER_H
#define DNS_TEST_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/metrics.h"

struct test_zone {
	const char *name; /* without final dot */
	const char *text; /* master file; its origin is the name */
	bool sign;
	/* Replaced once in the signed file, so that a signature breaks. */
	const char *find, *put;
};

struct test_server {
	char folder[64];
	uint16_t port;
	pid_t pid;
};

/* Signs what is to be signed and starts nsd; "anchors" in the folder holds the
 * DS records of the signed zones. */
void test_server_start(
    struct test_server *ret, const struct test_zone *zones, size_t count);

/* What this process counts from now on. */
struct metrics *test_server_metrics(void);

/* Ends nsd and removes the folder. */
void test_server_stop(struct test_server *server);

/* A UDP socket on loopback that reads nothing; its port in *ret_port. */
int test_server_silent(uint16_t *ret_port);

#endif
