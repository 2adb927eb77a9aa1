/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/capabilities.h - what a next hop offers in its reply to EHLO.
 *
 * RFC 5321 section 4.1.1.1.  Keywords are rows of a table; unknown ones are
 * ignored.
 */
#ifndef SMTP_CAPABILITIES_H
#define SMTP_CAPABILITIES_H

#include <stdbool.h>
#include <stdint.h>

#include "smtp/reply.h"

enum smtp_capability {
	CAP_PIPELINING = 1 << 0, /* RFC 2920 */
	CAP_8BITMIME = 1 << 1,	 /* RFC 6152 */
	CAP_SMTPUTF8 = 1 << 2,	 /* RFC 6531 */
	CAP_SIZE = 1 << 3,	 /* RFC 1870 */
	CAP_DSN = 1 << 4,	 /* RFC 3461 */
	CAP_STARTTLS = 1 << 5,	 /* RFC 3207 */
	CAP_XFORWARD = 1 << 6,
	CAP_AUTH_PLAIN = 1 << 7, /* RFC 4616 */
	CAP_AUTH_LOGIN = 1 << 8,
	CAP_AUTH = 1 << 9, /* RFC 4954, any mechanism */
};

enum xforward_attribute {
	XFORWARD_NAME = 1 << 0,
	XFORWARD_ADDR = 1 << 1,
	XFORWARD_PORT = 1 << 2,
	XFORWARD_PROTO = 1 << 3,
	XFORWARD_HELO = 1 << 4,
	XFORWARD_IDENT = 1 << 5,
	XFORWARD_SOURCE = 1 << 6,
};

struct smtp_capabilities {
	unsigned int offered;  /* of enum smtp_capability */
	unsigned int xforward; /* of enum xforward_attribute */
	uint64_t size_max;     /* 0: not told */
};

struct smtp_capabilities capabilities_parse(const struct smtp_reply *reply);

static inline bool capabilities_have(
    const struct smtp_capabilities *capabilities, enum smtp_capability one)
{
	return (capabilities->offered & one) != 0;
}

#endif
