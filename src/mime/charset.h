/* SPDX-License-Identifier: Apache-2.0 */
/* mime/charset.h - text of any charset as UTF-8. */
#ifndef MIME_CHARSET_H
#define MIME_CHARSET_H

#include "base/arena.h"
#include "base/slice.h"

/* An octet becomes four characters of three octets at most (TSCII). */
enum { MIME_EXPANSION_MAX = 12 };

/* bytes as UTF-8.  A charset that is empty, unknown or US-ASCII is UTF-8 where
 * the bytes are, else windows-1252: as mail readers guess.  What cannot be
 * converted, and NUL, becomes U+FFFD; the result is always well-formed, and
 * has at most MIME_EXPANSION_MAX times the octets.  May borrow bytes. */
struct slice mime_to_utf8(
    struct arena *arena, struct slice charset, struct slice bytes);

/* For a text that changes its charset again and again: most charsets are a
 * library that is loaded when the first converter is opened, and forgotten
 * soon after the last is closed.  After so many charsets (opening them all
 * takes 2 ms) others count as unknown. */
enum { MIME_CONVERTERS_MAX = 64 };

struct mime_converters;

struct mime_converters *mime_converters_new(void);
void mime_converters_free(struct mime_converters *converters);

/* As mime_to_utf8 does. */
struct slice mime_convert(struct mime_converters *converters,
    struct arena *arena, struct slice charset, struct slice bytes);

/* Runs of anything but white space and control octets. */
size_t mime_count_words(struct slice text);

#endif
