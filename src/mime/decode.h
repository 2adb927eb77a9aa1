/* SPDX-License-Identifier: Apache-2.0 */
/* mime/decode.h - transfer encodings and charsets.
 *
 * Lenient, as mail readers are, since what they show is what counts: foreign
 * octets in base64 are skipped, and reported.
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

/* Of the value of Content-Transfer-Encoding, without case. */
enum mime_encoding mime_encoding_of(struct slice word);

/* At most max octets; the rest is dropped.  *ret_broken (may be NULL) tells of
 * octets that the encoding does not know.  Borrows body for identity. */
struct slice mime_decode(struct arena *arena, enum mime_encoding encoding,
    struct slice body, size_t max, bool *ret_broken);

/* bytes as UTF-8.  An unknown charset is read as windows-1252, what cannot be
 * converted becomes U+FFFD; the result is always well-formed.  charset empty
 * is US-ASCII or UTF-8. */
struct slice mime_to_utf8(
    struct arena *arena, struct slice charset, struct slice bytes);

#endif
