/* SPDX-License-Identifier: Apache-2.0 */
/* base/text.h - UTF-8, base64 and hexadecimal; JSON strings. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"

/* Well-formed UTF-8 (RFC 3629): no surrogates, no overlong forms. */
bool text_is_utf8(struct slice text);

/* Bytes of the well-formed UTF-8 sequence at the start; 0 if there is none. */
size_t text_utf8_length(struct slice text);

/* Of one character: does some terminal or reader obey it, move its cursor, end
 * its line, or turn the direction of writing?  Controls (US-ASCII's and U+0080
 * to U+009F), U+2028, U+2029, and the bidirectional ones: U+061C, U+200E,
 * U+200F, U+202A to U+202E, U+2066 to U+2069. */
bool text_is_control(struct slice character);

/* text as it is if it is UTF-8 without NUL; else a copy where each bad byte
 * and NUL is U+FFFD.  For records and JSON. */
struct slice text_clean_utf8(struct arena *arena, struct slice text);

/* The first max octets; up to three less where they would end within a
 * character. */
struct slice text_cut(struct slice text, size_t max);

/* text as a JSON string with its quotes; bad UTF-8 becomes U+FFFD, controls are
 * escaped. */
bool text_add_json_string(struct buf *buf, struct slice text);

/* The same without the quotes. */
bool text_add_json_escaped(struct buf *buf, struct slice text);

/* RFC 4648 base64; white space (SP, HTAB, CR, LF) is skipped anywhere.  A bad
 * byte, wrong padding or non-zero trailing bits: false, *ret untouched. */
bool text_base64_decode(
    struct arena *arena, struct slice text, struct slice *ret);

/* The same, but some or all of the "=" at the end may be missing: base64string
 * of RFC 6376 section 2.10, for DKIM and ARC. */
bool text_base64_decode_unpadded(
    struct arena *arena, struct slice text, struct slice *ret);

struct slice text_base64_encode(struct arena *arena, struct slice bytes);

/* Lower-case hexadecimal. */
struct slice text_hex(struct arena *arena, struct slice bytes);

/* The one of count candidates that a typist most likely meant: NULL if none
 * is near (Damerau-Levenshtein distance over a third of its length). */
const char *text_nearest(
    struct slice word, const char *const *candidates, size_t count);

#endif
