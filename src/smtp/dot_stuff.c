/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/dot_stuff.h"

#include <string.h>

#include "base/lines.h"

/* A line starts after CR LF alone: only there a dot means something to a
 * correct server.  One after a bare LF is doubled nevertheless: a server that
 * takes LF for a line end must not see the end of data there (and messages
 * with bare line ends are refused long before by default). */
static void advance(struct dot_stuff *state, struct slice bytes)
{
	bool after_cr = state->after_cr;
	char last;

	if (!bytes.len)
		return;
	if (bytes.len > 1)
		after_cr = bytes.ptr[bytes.len - 2] == '\r';
	last = bytes.ptr[bytes.len - 1];
	state->in_line = last != '\n';
	state->after_cr = last == '\r';
	state->bare_lf = last == '\n' && !after_cr;
}

struct slice dot_stuff_next(
    struct dot_stuff *state, struct slice *rest, bool *ret_dot)
{
	struct slice text = *rest, part;
	size_t at = 0;

	*ret_dot = false;
	if (!state->in_line && text.len && text.ptr[0] == '.') {
		/* The caller sends one more; this one is data. */
		*ret_dot = true;
		state->in_line = true;
		return slice_sub(text, 0, 0);
	}
	while (at < text.len) {
		const char *end;

		at += lines_ordinary(slice_from_pos(text, at));
		end = memchr(text.ptr + at, '\n', text.len - at);
		at = end ? (size_t)(end - text.ptr) + 1 : text.len;
		if (at < text.len && text.ptr[at] == '.')
			break;
	}
	part = slice_sub(text, 0, at);
	*rest = slice_from_pos(text, at);
	advance(state, part);
	return part;
}

struct slice dot_stuff_end(const struct dot_stuff *state)
{
	if (state->after_cr)
		return SLICE("\n.\r\n");
	return state->in_line || state->bare_lf ? SLICE("\r\n.\r\n")
						: SLICE(".\r\n");
}
