/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/test_fake_server.h - a scripted next hop on the loopback, for tests.
 *
 * A script is a list of lines, one script a connection, in order:
 *	"S:TEXT"	sends TEXT and CR LF
 *	"C:TEXT"	reads a line that has to start with TEXT
 *	"D"		reads data to its final dot
 *	"D:N"		reads N bytes of data at least
 *	"T"		shakes hands as a TLS server
 *	"G"		sends garbage in place of a TLS handshake
 *	"H"		waits until the client closes
 *	"X"		closes at once, as does the end of the script
 *	"A"		answers everything with yes from here on
 * After the last script the listening socket is closed: connections are
 * refused.
 */
#ifndef SMTP_TEST_FAKE_SERVER_H
#define SMTP_TEST_FAKE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct fake_server;

/* forever: all connections, each in a thread of its own, run scripts[0]. */
struct fake_server *fake_server_start(
    const char *const *const *scripts, size_t count, bool forever);

/* PEM file with certificate and key, for "T"; before a client connects. */
void fake_server_use_certificate(struct fake_server *server, const char *path);

uint16_t fake_server_port(const struct fake_server *server);

/* Waits for the scripts to end and releases.  NULL, or what went wrong. */
const char *fake_server_stop(struct fake_server *server);

/* Data as received by all "D" so far, with its dots; after the end of the
 * scripts only. */
struct slice fake_server_data(const struct fake_server *server);

/* All command lines received, each with '\n'. */
struct slice fake_server_commands(const struct fake_server *server);

size_t fake_server_connections(const struct fake_server *server);

/* Joins, keeping what was recorded; then fake_server_stop. */
void fake_server_wait(struct fake_server *server);

#endif
