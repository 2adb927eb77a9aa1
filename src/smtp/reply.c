/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/reply.h"

#include "base/ascii.h"
#include "base/buf.h"

static struct slice without_line_end(struct slice line)
{
	if (line.len && line.ptr[line.len - 1] == '\n')
		line.len--;
	if (line.len && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

static size_t digits_at(struct slice text, size_t at)
{
	size_t count = 0;

	while (at + count < text.len && ascii_is_digit(text.ptr[at + count]))
		count++;
	return count;
}

/* status-code of RFC 3463 section 2 at the start of text: its length, or 0. */
static size_t enhanced_length(struct slice text, int code)
{
	size_t length = 1;

	if (!text.len || text.ptr[0] != '0' + code / 100)
		return 0;
	for (int part = 0; part < 2; part++) {
		size_t digits = digits_at(text, length + 1);

		if (length >= text.len || text.ptr[length] != '.' || !digits ||
		    digits > 3)
			return 0;
		length += 1 + digits;
	}
	return length == text.len || text.ptr[length] == ' ' ? length : 0;
}

static bool parse_code(struct slice line, int *ret, struct err *err)
{
	uint64_t code;

	/* The second digit is 0 to 5 by the grammar, but 571 is common. */
	if (!slice_to_u64(slice_sub(line, 0, 3), 599, &code) || code < 200)
		return err_set(err, E_SYNTAX, "a reply without a code");
	if (line.len > 3 && line.ptr[3] != ' ' && line.ptr[3] != '-')
		return err_set(err, E_SYNTAX, "a reply with a bad separator");
	*ret = (int)code;
	return true;
}

static struct slice clean(struct arena *arena, struct slice text)
{
	char *copy = arena_text(arena, text);

	for (size_t i = 0; i < text.len; i++)
		if (ascii_is_control(copy[i]) || ascii_is_8bit(copy[i]))
			copy[i] = '?';
	return slice_of(copy, text.len);
}

static void append(
    struct arena *arena, struct smtp_reply *reply, struct slice text)
{
	if (reply->line_count == reply->line_room) {
		size_t room = reply->line_room ? reply->line_room * 2 : 4;
		struct slice *lines = ARENA_ARRAY(arena, room, struct slice);

		for (size_t i = 0; i < reply->line_count; i++)
			lines[i] = reply->lines[i];
		reply->lines = lines;
		reply->line_room = room;
	}
	reply->lines[reply->line_count++] = text;
}

bool reply_add_line(struct arena *arena, struct smtp_reply *reply,
    struct slice line, bool *ret_complete, struct err *err)
{
	struct slice text;
	size_t enhanced;
	int code = 0;

	line = without_line_end(line);
	if (line.len > REPLY_LINE_MAX)
		return err_set(
		    err, E_LIMIT, "a reply line over %d bytes", REPLY_LINE_MAX);
	if (reply->line_count == REPLY_LINES_MAX)
		return err_set(
		    err, E_LIMIT, "a reply of over %d lines", REPLY_LINES_MAX);
	if (!parse_code(line, &code, err))
		return false;
	if (reply->code && reply->code != code)
		return err_set(err, E_SYNTAX,
		    "a reply of several codes: %d and %d", reply->code, code);
	reply->code = code;
	text = clean(arena, slice_from_pos(line, 4));
	enhanced = enhanced_length(text, code);
	if (enhanced && slice_empty(reply->enhanced))
		reply->enhanced = slice_sub(text, 0, enhanced);
	append(arena, reply, slice_trim(slice_from_pos(text, enhanced)));
	*ret_complete = line.len == 3 || line.ptr[3] == ' ';
	return true;
}

/* The lines in one, cut where a reply line would become too long. */
static struct slice one_line(
    struct arena *arena, const struct smtp_reply *reply)
{
	struct buf *buf = buf_in_arena(arena, REPLY_TEXT_MAX);

	for (size_t i = 0; i < reply->line_count; i++) {
		size_t room = REPLY_TEXT_MAX - buf->len;

		if (slice_empty(reply->lines[i]))
			continue;
		if (buf->len && room) {
			buf_add_byte(buf, ' ');
			room--;
		}
		buf_add(buf, slice_sub(reply->lines[i], 0, room));
	}
	return slice_trim(buf_slice(buf));
}

static struct slice general_enhanced(int code)
{
	switch (code / 100) {
	case 2: return SLICE("2.0.0");
	case 5: return SLICE("5.0.0");
	default: return SLICE("4.0.0");
	}
}

static bool is_between_us(int code)
{
	/* RFC 3207 and 4954: TLS or a login is wanted of us. */
	return code == 530 || code == 534 || code == 535 || code == 538;
}

struct smtp_reply_text reply_pass_on(
    struct arena *arena, const struct smtp_reply *reply)
{
	struct smtp_reply_text text = {
	    .code = reply->code,
	    .text = one_line(arena, reply),
	};
	int class = reply->code / 100;

	text.enhanced = arena_slice(arena, reply->enhanced);
	if (slice_empty(text.enhanced))
		text.enhanced = general_enhanced(reply->code);
	if (slice_empty(text.text))
		text.text = class == 2 ? SLICE("ok") : SLICE("refused");
	if (reply_is_closing(reply))
		text.code = 451;
	if (is_between_us(reply->code)) {
		text.code = 451;
		text.enhanced = SLICE("4.3.5");
		text.text = SLICE("the next hop wants a login or TLS of us");
	} else if (class != 2 && class != 4 && class != 5) {
		text.code = 451;
		text.enhanced = SLICE("4.5.0");
		text.text = SLICE("the next hop gave an unexpected reply");
	}
	return text;
}

struct smtp_reply_text reply_strongest(
    const struct smtp_reply_text *replies, size_t count)
{
	static const int classes[] = {4, 5};

	for (size_t c = 0; c < 2; c++)
		for (size_t i = 0; i < count; i++)
			if (replies[i].code / 100 == classes[c])
				return replies[i];
	return replies[0];
}
