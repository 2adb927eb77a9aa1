/* SPDX-License-Identifier: Apache-2.0 */
/* auth/header_from.h - whose mail a message says it is.
 *
 * DMARC needs exactly one From: field with one address (RFC 9989 sections 4.2,
 * 5.3.1, 11.5; RFC 5322 section 3.6.2).  The octets of the header are read as
 * they are: what is wrong is reported, never repaired.  When there is more
 * than one From: field or address, all their domains are listed, so that each
 * can be evaluated and the strictest disposition holds.
 */
#ifndef AUTH_HEADER_FROM_H
#define AUTH_HEADER_FROM_H

#include "base/arena.h"
#include "base/limits.h"
#include "base/slice.h"
#include "message/faults.h"
#include "message/headers.h"

struct header_from {
	size_t domain_count;
	struct slice *domains; /* normalized, each once, in order */
	size_t address_count;
	struct slice *addresses; /* "local@domain" as written */
	struct faults faults;
	bool complete; /* false: some address or domain could not be read or
			* is one that readers read differently (its domain is
			* listed all the same), or there are more than
			* limits->from_addresses */
	struct slice problem;	/* plain words; empty if there is none */
	const char *unreadable; /* of FAULT_FROM_UNPARSEABLE, the first */
};

struct header_from header_from_read(struct arena *arena,
    const struct header_list *headers, const struct limits *limits);

#endif
