/* SPDX-License-Identifier: Apache-2.0 */
/* mime/words.h - encoded words in header fields (RFC 2047).
 *
 * Lenient where readers are: words inside words, in quoted strings, with
 * blanks in them.  A character that is split over two words of one charset is
 * put together.
 */
#ifndef MIME_WORDS_H
#define MIME_WORDS_H

#include "base/arena.h"
#include "base/slice.h"

/* text with its encoded words decoded, as well-formed UTF-8. */
struct slice mime_decode_words(struct arena *arena, struct slice text);

#endif
