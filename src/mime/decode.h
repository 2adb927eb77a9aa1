/* SPDX-License-Identifier: Apache-2.0 */
/* mime/decode.h - Content-Transfer-Encodings (RFC 2045 section 6).
 *
 * Lenient as mail readers are, since what they show is what counts: foreign
 * octets in base64 are skipped, and reported.  Decoding never makes more
 * octets than it is given.
 */
#ifndef MIME_DECODE_H
#define MIME_DECODE_H

#include "base/arena.h"
#include "base/slice.h"

enum mime_encoding {
	ENCODING_IDENTITY, /* 7bit, 8bit, binary, or none */
	ENCODING_BASE64,
	ENCODING_QUOTED_PRINTABLE,
	ENCODING_UUENCODE,
	ENCODING_UNKNOWN,
};

/* Of the word of Content-Transfer-Encoding, without case. */
enum mime_encoding mime_encoding_of(struct slice word);

/* At most max octets; the rest is dropped.  *ret_broken (may be NULL) tells of
 * content that the encoding does not allow: readers will differ about it.
 * Borrows body for identity (and for an unknown encoding). */
struct slice mime_decode(struct arena *arena, enum mime_encoding encoding,
    struct slice body, size_t max, bool *ret_broken);

/* The "Q" encoding of encoded words (RFC 2047 section 4.2). */
struct slice mime_decode_q(struct arena *arena, struct slice text);

#endif
