/* SPDX-License-Identifier: Apache-2.0 */
/* mime/tree.h - the parts of a message as byte ranges (RFC 2045, 2046).
 *
 * One pass over the message, iterative, with an explicit stack of open
 * multiparts, in time linear in its length; limits->mime_depth and mime_parts
 * bound it.  Nothing is decoded before it is asked for.  What mail readers
 * resolve differently is a fault, not an error; what most of them do is done:
 *
 * - an outer boundary ends every multipart inside;
 * - a boundary line has nothing after the boundary but white space;
 * - a multipart said to be base64 or quoted-printable is divided all the same;
 *   an encoded message/rfc822 is not, and stays a leaf;
 * - a multipart whose boundary never occurs is a leaf;
 * - of a repeated field or parameter the first stands.
 */
#ifndef MIME_TREE_H
#define MIME_TREE_H

#include "base/arena.h"
#include "base/limits.h"
#include "base/slice.h"
#include "message/faults.h"
#include "message/headers.h"
#include "mime/decode.h"

enum mime_kind { MIME_LEAF, MIME_MULTIPART, MIME_MESSAGE };

struct mime_part {
	enum mime_kind kind;
	size_t parent;	   /* its position; 0's is 0 */
	size_t number;	   /* among its parent's children, from 1 */
	size_t depth;	   /* 0 is the message itself */
	size_t children;   /* those of a MIME_MESSAGE: one, its content */
	struct slice type; /* lower case; "text/plain" by default */
	struct slice charset;
	struct slice name; /* file name in UTF-8; or empty */
	bool attachment;   /* Content-Disposition says so */
	enum mime_encoding encoding;
	struct slice header;   /* as it is in the message, with the empty
				* line; for headers_parse */
	struct slice body;     /* as it is in the message */
	struct slice preamble; /* of a multipart: before its first part */
	struct slice epilogue; /* of a multipart: after its end */
};

struct mime_tree {
	size_t count;
	struct mime_part *parts; /* in order; 0 is the message */
	struct faults faults;
};

/* headers are those of message.  Never fails; what is beyond a limit is not
 * divided further, and a fault says so.  Parts borrow message. */
void mime_parse(struct arena *arena, struct slice message,
    const struct header_list *headers, const struct limits *limits,
    struct mime_tree *ret);

/* "1", "1.2": numbers as IMAP's (RFC 9051 section 6.4.5).  A message that is a
 * multipart, which has no number there, is "0"; one inside part 2 is "2.0".
 * The content of a message that is not a multipart is "1", "2.1". */
struct slice mime_part_path(
    struct arena *arena, const struct mime_tree *tree, size_t position);

/* The decoded octets of a leaf (of others: the body as it is), at most max.
 * faults (may be NULL) gains FAULT_MIME_ENCODING_BROKEN. */
struct slice mime_part_octets(struct arena *arena, const struct mime_part *part,
    size_t max, struct faults *faults);

/* Those of a text/ leaf (and of a multipart that is a leaf: readers show it)
 * in UTF-8; empty for others. */
struct slice mime_part_text(struct arena *arena, const struct mime_part *part,
    size_t max, struct faults *faults);

#endif
