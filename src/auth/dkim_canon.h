/* SPDX-License-Identifier: Apache-2.0 */
/* auth/dkim_canon.h - the header octets that DKIM and ARC sign.
 *
 * RFC 6376 sections 3.4.1, 3.4.2, 3.7 and 5.4.2; RFC 8617 section 5.1.1.
 * (Bodies: auth/body_hash.h.)  A bare LF inside a field is an ordinary octet;
 * the field's last line end, CR LF or LF, counts as CR LF.
 */
#ifndef AUTH_DKIM_CANON_H
#define AUTH_DKIM_CANON_H

#include "auth/body_hash.h"
#include "base/buf.h"
#include "base/slice.h"
#include "message/headers.h"

/* Appends a raw field in its canonical form, with CR LF at its end. */
void dkim_canon_field(struct buf *buf,
    enum dkim_canonicalization canonicalization, struct slice raw);

/* The same for the signature's own field: without what lies between '=' and
 * ';' of b= (signature, a part of raw, or empty), and without CR LF at its end.
 */
void dkim_canon_own_field(struct buf *buf,
    enum dkim_canonicalization canonicalization, struct slice raw,
    struct slice signature);

/* Appends the fields named by h=, in its order.  A name that is repeated
 * takes the next field upwards from the last; a name without a field left
 * adds nothing.  own, the signature's field, is never taken.  Of names that
 * fields have, SIGNATURE_NAMES_MAX different ones are looked at. */
void dkim_canon_named_fields(struct buf *buf,
    enum dkim_canonicalization canonicalization,
    const struct header_list *headers, struct slice names,
    const struct header_field *own);

/* More than enough for all of the above with one signature. */
size_t dkim_canon_max(const struct header_list *headers);

#endif
