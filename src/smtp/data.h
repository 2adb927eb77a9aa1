/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/data.h - the content of a message as it comes over the wire.
 *
 * RFC 5321, section 4.5.2: dots that start a line are taken away, and CR LF
 * "." CR LF ends it.  The bytes may be cut anywhere.  A bare CR or LF stops
 * everything: whoever accepts one lets two servers see different messages.
 * BDAT chunks (RFC 3030) go through the same check, without the dots.
 */
#ifndef SMTP_DATA_H
#define SMTP_DATA_H

#include "base/slice.h"

enum data_event {
	DATA_MORE,  /* the input is used up */
	DATA_PIECE, /* *ret_piece is content */
	DATA_END,   /* the final dot; what is left of input follows it */
	DATA_BARE_CR,
	DATA_BARE_LF,
};

enum data_state {
	DATA_AT_LINE, /* at the start of a line */
	DATA_IN_LINE,
	DATA_AFTER_CR,
	DATA_AFTER_DOT, /* a dot at the start of a line */
	DATA_AFTER_DOT_CR,
};

struct data_reader {
	bool chunks; /* BDAT: dots mean nothing, and there is no end */
	enum data_state state;
	/* Without CR LF.  Lines of up to 998 octets may not be counted. */
	size_t line_length, longest_line;
};

/* Takes the next run from the front of *input; call until DATA_MORE.  Pieces
 * borrow the input. */
enum data_event data_next(
    struct data_reader *reader, struct slice *input, struct slice *ret_piece);

/* After the last chunk: false if it ends with a bare CR. */
bool data_may_end(const struct data_reader *reader);

#endif
