/* SPDX-License-Identifier: Apache-2.0 */
/* conf/domain.h - domain names as the configuration may write them.
 *
 * Result: lower-case A-labels without a final dot, checked (letters, digits,
 * hyphens; labels of 1 to 63, 253 in all; RFC 1123 section 2.1, RFC 5890).
 */
#ifndef CONF_DOMAIN_H
#define CONF_DOMAIN_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

enum domain_form {
	DOMAIN_ANY = 1 << 0,	    /* "*" */
	DOMAIN_BELOW = 1 << 1,	    /* ".x.example" */
	DOMAIN_WILDCARD = 1 << 2,   /* "*.x.example" */
	DOMAIN_UNDERSCORE = 1 << 3, /* "_" in labels */
	DOMAIN_QUALIFIED = 1 << 4,  /* at least two labels */
};

/* forms: a set of enum domain_form.  False: E_SYNTAX. */
bool domain_normalize(struct arena *arena, struct slice text,
    unsigned int forms, struct slice *ret, struct err *err);

#endif
