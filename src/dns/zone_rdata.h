/* SPDX-License-Identifier: Apache-2.0 */
/* dns/zone_rdata.h - the rdata of a master file as octets, private to dns/. */
#ifndef DNS_ZONE_RDATA_H
#define DNS_ZONE_RDATA_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "dns/wire.h"
#include "dns/zone_entry.h"

enum { ZONE_RDATA_MAX = 65535 };

/* A type of record that master files write by name. */
struct zone_type {
	const char *name;
	uint16_t number;
	const char *form; /* a letter a field: zone_rdata.c */
};

/* "TXT", or "TYPE123" (RFC 3597); *ret_number in each case, *ret NULL for a
 * type without a row.  False: no type at all. */
bool zone_type_find(
    struct slice name, const struct zone_type **ret, uint16_t *ret_number);

/* A time in seconds: "3600" or with units: "1h30m".  At most 2^31-1
 * (RFC 2181, section 8). */
bool zone_time(struct slice text, uint32_t *ret);

/* Appends the octets.  *ret_kept is false for types whose content is of no
 * use here: then nothing was appended.  type NULL: generic rdata only.
 * False: E_SYNTAX. */
bool zone_rdata(const struct zone_type *type, const struct zone_token *tokens,
    size_t count, const struct wire_name *origin, struct buf *buf,
    bool *ret_kept, struct err *err);

#endif
