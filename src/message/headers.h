/* SPDX-License-Identifier: Apache-2.0 */
/* message/headers.h - the header block as an ordered list of raw fields.
 *
 * RFC 5322 section 2.2.  Fields are byte ranges of the message: nothing is
 * unfolded, decoded or repaired, so that DKIM, ARC, DMARC and rules all read
 * the octets that the next hop will read.  What is structurally wrong is kept
 * and flagged (see message/faults.h).
 */
#ifndef MESSAGE_HEADERS_H
#define MESSAGE_HEADERS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/slice.h"

struct header_field {
	struct slice raw;   /* name to final line end, that included */
	struct slice name;  /* before ':', without trailing white space */
	struct slice value; /* after ':', folding kept, no final line end */
	bool valid;	    /* false: no ':' or a bad byte in the name */
};

struct header_list {
	size_t count;
	struct header_field *fields; /* top first */
	const size_t *by_name;	     /* positions: see headers_named */
	struct slice block;	     /* all fields, without the empty line */
	size_t body_offset; /* of the body in the message: past the empty
			     * line, or the message's length */
};

/* message is the whole message or at least its header with the empty line.
 * Lines may end in CR LF or LF.  Fields live in arena and borrow message.
 * False: E_LIMIT, with the setting's name in err. */
bool headers_parse(struct arena *arena, struct slice message,
    const struct limits *limits, struct header_list *ret, struct err *err);

/* The positions of the fields of that name, top first.  Names are compared
 * without case.  Takes the logarithm of the number of fields: a stranger may
 * send thousands, and ask for as many in h=. */
struct header_positions {
	size_t count;
	const size_t *items;
};
struct header_positions headers_named(
    const struct header_list *list, struct slice name);

/* The nth field of that name from the top (0 is the first); NULL if there are
 * not so many. */
const struct header_field *headers_find(
    const struct header_list *list, struct slice name, size_t nth);

size_t headers_count(const struct header_list *list, struct slice name);

/* The name without the octets that cannot stand in one: what a reader that
 * overlooks them takes the field for. */
struct slice headers_lenient_name(
    struct arena *arena, const struct header_field *field);

/* The value without folding (each CR LF or LF before WSP removed) and without
 * outer white space. */
struct slice headers_unfold(struct arena *arena, struct slice value);

#endif
