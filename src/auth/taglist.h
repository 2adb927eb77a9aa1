/* SPDX-License-Identifier: Apache-2.0 */
/* auth/taglist.h - tag=value lists of DKIM and ARC: RFC 6376 section 3.2.
 *
 * A list borrows: its slices point into the parsed text.  There is nothing to
 * release.  Not for DMARC records: there a faulty tag is ignored, here it
 * voids the whole list.
 */
#ifndef AUTH_TAGLIST_H
#define AUTH_TAGLIST_H

#include "base/err.h"
#include "base/slice.h"

/* Real signatures carry about a dozen tags. */
enum { TAGLIST_MAX = 32 };

struct tag {
	struct slice name;
	struct slice value; /* trimmed; folding inside it is kept */
	struct slice whole; /* from after '=' to before ';': what signers
			     * leave out of b= */
};

struct taglist {
	size_t count;
	struct tag tags[TAGLIST_MAX];
};

/* Parses all of text.  False: E_SYNTAX or E_LIMIT. */
bool taglist_parse(struct slice text, struct taglist *ret, struct err *err);

/* The tag called name, in the same case; NULL if there is none. */
const struct tag *taglist_find(const struct taglist *list, struct slice name);

/* The next item of a list of words separated by ':' (h=, s=, t=), trimmed.
 * False at the end; "a::b:" has the words a, nothing, b.  *rest starts as the
 * tag's value. */
bool taglist_next_word(struct slice *rest, struct slice *ret);

#endif
