/* SPDX-License-Identifier: Apache-2.0 */
/* dns/wire.h - domain names as octets (RFC 1035, section 3.1), private to dns/.
 *
 * Any octet can stand in a label: SPF macros ask for names that are no host
 * names.  Letters are lower-cased on the way in, so equal names are equal
 * octets.  The canonical text of a name writes octets that are not visible
 * US-ASCII, and "." "\" and the quotation mark inside a label, as \DDD: it can
 * be split at its dots, and libunbound reads it back.
 */
#ifndef DNS_WIRE_H
#define DNS_WIRE_H

#include "base/arena.h"
#include "base/slice.h"

enum { WIRE_NAME_MAX = 255, WIRE_LABEL_MAX = 63 };

struct wire_name {
	size_t len; /* with the final zero octet; the root has 1 */
	unsigned char octets[WIRE_NAME_MAX];
};

/* A name in a question: dots separate, one may end it, "." is the root, \DDD
 * is an octet and any other byte stands for itself; U-labels become A-labels.
 * False: it cannot be a name. */
bool wire_from_text(struct slice text, struct wire_name *ret);

/* A name in a master file: relative to origin without a final dot, "@" is the
 * origin, \DDD and \X (RFC 1035, section 5.1).  False: it is not a name. */
bool wire_from_master(
    struct slice token, const struct wire_name *origin, struct wire_name *ret);

/* The uncompressed name at the start of rdata.  False: there is none. */
bool wire_read(struct slice rdata, struct wire_name *ret);

/* The canonical text, without final dot; the root is "". */
struct slice wire_text(struct arena *arena, const struct wire_name *name);

/* Decodes the escape at text.ptr[*pos], a backslash: \DDD, or (in master
 * files) \X.  False: it is neither; *pos is then untouched. */
bool wire_unescape(struct slice text, bool master, size_t *pos, char *ret);

#endif
