/* SPDX-License-Identifier: Apache-2.0 */
/* milter/header_field.h - header fields as a milter sees them, and as they were
 * sent.
 *
 * MTAs take a field apart into name and value, with LF alone between the lines
 * of a folded value.  With SMFIP_HDR_LEADSPC the value begins right behind the
 * colon; without it one space after the colon is gone, and is put back (a
 * field without any then differs from what was sent, which only the "simple"
 * canonicalization of DKIM can tell).
 */
#ifndef MILTER_HEADER_FIELD_H
#define MILTER_HEADER_FIELD_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

/* The data of an SMFIC_HEADER.  False: E_SYNTAX. */
bool header_field_parse(struct slice data, struct slice *ret_name,
    struct slice *ret_value, struct err *err);

/* Name and value as one field: could an MTA write them so that readers see
 * this one field?  False: a name with ':', blanks or control octets, a line of
 * the value that does not begin with white space. */
bool header_field_is_sound(struct slice name, struct slice value);

/* Appends the field as it came over SMTP.  False: over the maximum. */
bool header_field_rebuild(struct buf *header, struct slice name,
    struct slice value, bool leading_space);

/* A whole field ("Name: value" folded with CR LF, maybe with its final CR LF)
 * as an MTA wants to be told of it. */
void header_field_take_apart(struct arena *arena, struct slice field,
    bool leading_space, struct slice *ret_name, struct slice *ret_value);

#endif
