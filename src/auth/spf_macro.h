/* SPDX-License-Identifier: Apache-2.0 */
/* auth/spf_macro.h - macro strings of SPF: RFC 7208 section 7.
 *
 * Checking (while a record is parsed) and expanding (while it is evaluated)
 * read the same grammar.  Texts are borrowed; expansions live in an arena.
 */
#ifndef AUTH_SPF_MACRO_H
#define AUTH_SPF_MACRO_H

#include "base/arena.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/slice.h"

/* An expanded explanation may be so long; a longer one is dropped. */
enum { SPF_EXPLANATION_MAX = 2048 };

/* What the macro letters stand for (section 7.2). */
struct spf_macro_values {
	struct slice local_part, sender_domain; /* l, o; both: s */
	struct slice domain;			/* d */
	struct slice helo;			/* h */
	struct slice receiver;			/* r; empty is "unknown" */
	struct ip client_ip;			/* i, c, v */
	int64_t now;				/* t */
	/* p: called only when it is met. */
	struct slice (*validated_name)(void *context);
	void *context;
};

/* The grammar domain-spec: a macro string that ends in a macro or in a valid
 * top label (section 7.1).  False: E_SYNTAX. */
bool spf_macro_check_domain(struct slice spec, struct err *err);

/* The grammar macro-string, of modifiers that are not known (section 6). */
bool spf_macro_check_string(struct slice text, struct err *err);

/* Does a checked domain-spec use a local part that is not US-ASCII?  A term
 * with it matches nothing, whatever the term (RFC 8616 section 4). */
bool spf_macro_matches_nothing(
    struct slice spec, const struct spf_macro_values *values);

/* The name that a checked domain-spec stands for, at most 253 octets long:
 * labels on its left are cut off until it fits (section 7.3); without a final
 * dot.  False: it cannot be a name: it matches nothing (see above), or has
 * bytes that cannot be asked for. */
bool spf_macro_expand_domain(struct arena *arena, struct slice spec,
    const struct spf_macro_values *values, struct slice *ret);

/* The text that an explain-string stands for (section 6.2).  False: E_SYNTAX,
 * or E_LIMIT when it is too long. */
bool spf_macro_expand_text(struct arena *arena, struct slice text,
    const struct spf_macro_values *values, struct slice *ret, struct err *err);

#endif
