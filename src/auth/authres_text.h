/* SPDX-License-Identifier: Apache-2.0 */
/* auth/authres_text.h - words of a structured header field, quoted and folded.
 *
 * A word is built in text->word between begin and end, and then placed: on the
 * same line if it fits in 78 columns, else on the next.  Words are shorter
 * than 998 octets as long as no value in them has more than 480.
 */
#ifndef AUTH_AUTHRES_TEXT_H
#define AUTH_AUTHRES_TEXT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"

struct authres_text {
	struct buf *out, *word;
	size_t column;
	bool utf8;	       /* 8-bit octets may stand, if they are UTF-8 */
	bool begins_statement; /* the next word does */
	bool full;	       /* nothing more is added */
};

void authres_text_init(
    struct arena *arena, struct authres_text *text, size_t max, bool utf8);

void authres_text_begin(struct authres_text *text);
void authres_text_end(struct authres_text *text);

/* The next word begins a statement, on a line of its own. */
void authres_text_statement(struct authres_text *text);

/* Added to the word: a token, an address or domain as it is, else a quoted
 * string. */
void authres_text_pvalue(struct authres_text *text, struct slice value);
void authres_text_quoted(struct authres_text *text, struct slice value);
void authres_text_comment(struct authres_text *text, struct slice value);

/* token of RFC 2045 section 5.1. */
bool authres_is_token_byte(char byte);

#endif
