/* SPDX-License-Identifier: Apache-2.0 */
/* base/lines.h - long runs of ordinary lines, by blocks instead of by lines.
 *
 * Nearly all of a message consists of lines that end with CR LF and do not
 * start with a dot.  Code that looks for what is odd skips them with this, and
 * looks at the rest octet by octet.
 */
#ifndef BASE_LINES_H
#define BASE_LINES_H

#include <stddef.h>

#include "base/slice.h"

/* RFC 5322 section 2.1.1: the longest line, without CR LF. */
enum { LINES_SHORT = 998 };

/* So many octets at the front of s are ordinary, perhaps more: each CR is
 * followed by LF, each LF but the first octet comes after CR, none is NUL, and
 * no dot comes after LF.  It holds for the octet that follows them, too; so
 * they are always fewer than s has. */
size_t lines_ordinary(struct slice s);

/* Goes through ordinary octets.  before: the length of the line so far; the
 * result is that of the line that s ends in.  Both without its CR.
 * *ret_longest is raised to the length of each line over LINES_SHORT that ends
 * in s. */
size_t lines_measure(struct slice s, size_t before, size_t *ret_longest);

#endif
