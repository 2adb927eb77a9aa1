/* SPDX-License-Identifier: Apache-2.0 */
/* dns/zone.h - a master file that is all the DNS there is, private to dns/.
 *
 * RFC 1035, section 5, with $TTL (RFC 2308), generic rdata (RFC 3597) and
 * units in times; no $INCLUDE.  A relative name before any $ORIGIN is relative
 * to the root.  Whatever the file says, nothing is delegated: one file with
 * any number of origins is one tree of names.
 */
#ifndef DNS_ZONE_H
#define DNS_ZONE_H

#include "base/arena.h"
#include "base/err.h"
#include "dns/resolver.h"

struct zone;

/* Everything goes into the arena; text need not outlive the call.
 * False: E_CONFIG, "file:line: ...". */
bool zone_parse(struct arena *arena, struct slice text, const char *file,
    struct zone **ret, struct err *err);

/* The same from a file.  Also false: E_NOT_FOUND, E_LIMIT, E_IO. */
bool zone_read(
    struct arena *arena, const char *path, struct zone **ret, struct err *err);

struct zone_answer {
	enum dns_status status;
	const char *problem; /* with DNS_TEMPORARY_FAILURE: why */
	uint32_t ttl;
	size_t count;
	const struct dns_record *records; /* live as long as the zone */
};

/* name is a canonical text (dns/wire.h).  Follows CNAMEs, at most 16. */
struct zone_answer zone_find(
    const struct zone *zone, struct slice name, enum dns_type type);

#endif
