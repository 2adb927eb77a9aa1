/* SPDX-License-Identifier: Apache-2.0 */
/* dns/zone_entry.h - entries of a master file as tokens, private to dns/.
 *
 * An entry is a line, or several within parentheses (RFC 1035, section 5.1).
 * Tokens borrow from the text, and keep their escapes.
 */
#ifndef DNS_ZONE_ENTRY_H
#define DNS_ZONE_ENTRY_H

#include "base/err.h"
#include "base/slice.h"

enum { ZONE_TOKENS_MAX = 1024 };

struct zone_token {
	struct slice text; /* without the quotation marks */
	bool quoted;
};

struct zone_entry {
	unsigned int line; /* where it starts, from 1 */
	bool blank_owner;  /* starts with a blank */
	size_t count;
	struct zone_token tokens[ZONE_TOKENS_MAX];
};

struct zone_lexer {
	struct slice text;
	size_t pos;
	unsigned int line; /* of pos, from 1 */
};

/* The next entry that has a token; count is 0 at the end.
 * False: E_SYNTAX, about lexer->line. */
bool zone_entry_next(
    struct zone_lexer *lexer, struct zone_entry *ret, struct err *err);

#endif
