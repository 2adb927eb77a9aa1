/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/proxy_protocol.h - the PROXY protocol of load balancers, versions 1
 * (a line) and 2 (binary): who the client behind the balancer is.
 *
 * Only read from networks that the configuration names, as the very first
 * bytes of a connection.
 */
#ifndef SMTP_PROXY_PROTOCOL_H
#define SMTP_PROXY_PROTOCOL_H

#include "base/ip.h"
#include "base/slice.h"

enum proxy_result {
	PROXY_MORE, /* so far right, but not complete */
	PROXY_DONE,
	PROXY_BAD,
};

/* A longer header of version 2 (its extensions) is refused. */
enum { PROXY_HEADER_MAX = 2048 };

struct proxy_header {
	bool has_source; /* false: LOCAL or UNKNOWN, the balancer itself */
	struct ip source;
	uint16_t source_port;
};

/* have is what was received so far.  PROXY_DONE: *ret_length bytes of it are
 * the header. */
enum proxy_result proxy_protocol_parse(
    struct slice have, struct proxy_header *ret, size_t *ret_length);

#endif
