/* SPDX-License-Identifier: Apache-2.0 */
/* mime/charset.h - text of any charset as UTF-8. */
#ifndef MIME_CHARSET_H
#define MIME_CHARSET_H

#include "base/arena.h"
#include "base/slice.h"

/* bytes as UTF-8.  A charset that is empty, unknown or US-ASCII is UTF-8 where
 * the bytes are, else windows-1252: as mail readers guess.  What cannot be
 * converted, and NUL, becomes U+FFFD; the result is always well-formed.  May
 * borrow bytes. */
struct slice mime_to_utf8(
    struct arena *arena, struct slice charset, struct slice bytes);

/* Runs of anything but white space and control octets. */
size_t mime_count_words(struct slice text);

#endif
