/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/dot_stuff.h - a message as DATA wants it: RFC 5321 section 4.5.2.
 *
 * Works on pieces as they are, wherever a line is split between them; nothing
 * is copied but the dots.
 */
#ifndef SMTP_DOT_STUFF_H
#define SMTP_DOT_STUFF_H

#include <stdbool.h>

#include "base/slice.h"

struct dot_stuff {
	bool in_line;  /* something stands before, on this line */
	bool after_cr; /* the last byte was CR */
	bool bare_lf;  /* the last byte was LF, without CR before */
};

/* Cuts the front of *rest: bytes up to where a dot has to be doubled (*ret
 * ends before it, and *ret_dot says to send one more dot), or all. */
struct slice dot_stuff_next(
    struct dot_stuff *state, struct slice *rest, bool *ret_dot);

/* What ends the data: CR LF if the last line has none, and the final dot. */
struct slice dot_stuff_end(const struct dot_stuff *state);

#endif
