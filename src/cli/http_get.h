/* SPDX-License-Identifier: Apache-2.0 */
/* cli/http_get.h - one page of our own admin server.
 *
 * HTTP/1.0 and no more: one request, and the answer ends with the connection.
 */
#ifndef CLI_HTTP_GET_H
#define CLI_HTTP_GET_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/slice.h"

struct http_answer {
	unsigned int status; /* 100 to 599 */
	struct slice body;
};

/* False: E_SYNTAX, not an answer of HTTP/1.  *ret points into text. */
bool http_answer_parse(
    struct slice text, struct http_answer *ret, struct err *err);

/* path is one of ours: nothing is escaped.  *ret lives in arena.  False: as
 * connect_tcp; E_LIMIT, over 1 MiB; E_SYNTAX. */
bool http_get(struct arena *arena, const struct ip *ip, uint16_t port,
    const char *path, struct deadline deadline, struct http_answer *ret,
    struct err *err);

#endif
