/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/test_reference.h"

#include "base/ascii.h"
#include "base/buf.h"

/* Up to the next CR LF; the rest if there is none. */
static struct slice take_line(struct slice *body)
{
	size_t end = slice_find_slice(*body, SLICE("\r\n"));
	struct slice line = slice_sub(*body, 0, end);

	*body = slice_from_pos(*body, end + 2);
	return line;
}

static void add_relaxed_line(struct buf *buf, struct slice line)
{
	while (line.len && ascii_is_wsp(line.ptr[line.len - 1]))
		line.len--;
	for (size_t i = 0; i < line.len; i++) {
		if (!ascii_is_wsp(line.ptr[i]))
			buf_add_byte(buf, line.ptr[i]);
		else if (i == 0 || !ascii_is_wsp(line.ptr[i - 1]))
			buf_add_byte(buf, ' ');
	}
}

static bool ends_with_empty_line(struct slice text)
{
	if (text.len == 2)
		return slice_eq(text, SLICE("\r\n"));
	return text.len >= 4 &&
	       slice_eq(slice_from_pos(text, text.len - 4), SLICE("\r\n\r\n"));
}

struct slice test_reference_body(struct arena *arena,
    enum dkim_canonicalization canonicalization, struct slice body)
{
	struct buf *buf = buf_in_arena(arena, body.len * 2 + 2);
	struct slice text;

	while (body.len) {
		struct slice line = take_line(&body);

		if (canonicalization == CANON_RELAXED)
			add_relaxed_line(buf, line);
		else
			buf_add(buf, line);
		buf_add(buf, SLICE("\r\n"));
	}
	text = buf_slice(buf);
	while (ends_with_empty_line(text))
		text.len -= 2;
	if (canonicalization == CANON_SIMPLE && text.len == 0)
		return SLICE("\r\n");
	return text;
}

struct slice test_reference_crlf(struct arena *arena, struct slice text)
{
	struct buf *buf = buf_in_arena(arena, text.len * 2);

	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '\n' && (i == 0 || text.ptr[i - 1] != '\r'))
			buf_add_byte(buf, '\r');
		buf_add_byte(buf, text.ptr[i]);
	}
	return buf_slice(buf);
}
