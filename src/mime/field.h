/* SPDX-License-Identifier: Apache-2.0 */
/* mime/field.h - values of MIME fields: Content-Type, Content-Disposition,
 * Content-Transfer-Encoding (RFC 2045 section 5.1, RFC 2183), with parameters
 * in all their forms: quoted, continued and encoded (RFC 2231), and with
 * encoded words (RFC 2047) where senders put them against the rules.
 */
#ifndef MIME_FIELD_H
#define MIME_FIELD_H

#include "base/arena.h"
#include "base/slice.h"

enum { MIME_PARAMETERS_MAX = 64, MIME_PARAMETER_SIZE_MAX = 8192 };

struct mime_parameter {
	struct slice name;  /* lower case, with "*0*" and such as written */
	struct slice value; /* unquoted */
};

struct mime_field {
	struct slice word; /* lower case: "text/plain", "attachment" */
	bool valid;	   /* false: breaks the grammar somewhere */
	bool repeated;	   /* a parameter occurs twice, or in two forms */
	size_t count;
	struct mime_parameter parameters[MIME_PARAMETERS_MAX];
};

/* Takes what can be taken; never fails.  The first of repeated parameters
 * stands first in the list. */
void mime_field_parse(
    struct arena *arena, struct slice value, struct mime_field *ret);

/* A parameter's raw value; NULL if absent. */
const struct slice *mime_field_raw(
    const struct mime_field *field, struct slice name);

/* A parameter in UTF-8: RFC 2231 pieces joined and decoded, else the plain
 * value with encoded words decoded.  Empty if absent.  name has no "*". */
struct slice mime_field_text(
    struct arena *arena, const struct mime_field *field, struct slice name);

#endif
