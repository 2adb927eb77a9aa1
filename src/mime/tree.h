/* SPDX-License-Identifier: Apache-2.0 */
/* mime/tree.h - the parts of a message as byte ranges (RFC 2045, 2046).
 *
 * One pass over the message, iterative, with an explicit stack of open
 * multiparts; limits->mime_depth and mime_parts bound it.  Nothing is decoded
 * before it is asked for.  Ambiguities that mail readers resolve differently
 * are faults, not errors.
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
	struct slice path; /* "1", "1.2": numbers as IMAP's (RFC 3501),
			    * except that the message itself is "0" */
	enum mime_kind kind;
	size_t parent;	   /* its position; 0's is 0 */
	size_t depth;	   /* 0 is the message itself */
	size_t children;   /* so far seen */
	struct slice type; /* lower case; "text/plain" by default */
	struct slice charset;
	struct slice name; /* file name in UTF-8; or empty */
	bool attachment;   /* Content-Disposition says so */
	enum mime_encoding encoding;
	struct header_list headers;
	struct slice body; /* as it is in the message */
};

struct mime_tree {
	size_t count;
	struct mime_part *parts; /* in order; 0 is the message */
	struct faults faults;
};

/* headers are those of message.  Never fails; what is beyond a limit is not
 * divided further, and a fault says so. */
void mime_parse(struct arena *arena, struct slice message,
    const struct header_list *headers, const struct limits *limits,
    struct mime_tree *ret);

/* The decoded octets of a leaf, at most max. */
struct slice mime_part_octets(
    struct arena *arena, const struct mime_part *part, size_t max);

/* The text of a text/ leaf in UTF-8; empty for others. */
struct slice mime_part_text(
    struct arena *arena, const struct mime_part *part, size_t max);

/* Runs of anything but white space and control octets. */
size_t mime_count_words(struct slice text);

#endif
