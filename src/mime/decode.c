/* SPDX-License-Identifier: Apache-2.0 */
#include "mime/decode.h"

#include <string.h>

#include "base/ascii.h"

enum mime_encoding mime_encoding_of(struct slice word)
{
	static const struct {
		struct slice name;
		enum mime_encoding encoding;
	} rows[] = {
	    {SLICE_INIT(""), ENCODING_IDENTITY},
	    {SLICE_INIT("7bit"), ENCODING_IDENTITY},
	    {SLICE_INIT("8bit"), ENCODING_IDENTITY},
	    {SLICE_INIT("binary"), ENCODING_IDENTITY},
	    {SLICE_INIT("base64"), ENCODING_BASE64},
	    {SLICE_INIT("quoted-printable"), ENCODING_QUOTED_PRINTABLE},
	    {SLICE_INIT("x-uuencode"), ENCODING_UUENCODE},
	    {SLICE_INIT("uuencode"), ENCODING_UUENCODE},
	    {SLICE_INIT("x-uue"), ENCODING_UUENCODE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (slice_eq_nocase(slice_trim(word), rows[i].name))
			return rows[i].encoding;
	return ENCODING_UNKNOWN;
}

/* What is written; room is never passed. */
struct output {
	char *ptr;
	size_t len, room;
	bool broken;
};

static void put(struct output *out, char byte)
{
	if (out->len < out->room)
		out->ptr[out->len++] = byte;
}

static void put_text(struct output *out, struct slice text)
{
	text = slice_sub(text, 0, out->room - out->len);
	if (text.len)
		memcpy(out->ptr + out->len, text.ptr, text.len);
	out->len += text.len;
}

/* Classes of octets over the 64 digits. */
enum { PAD = 64, BLANK, FOREIGN };

static void fill_base64_classes(unsigned char classes[static 256])
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	memset(classes, FOREIGN, 256);
	for (unsigned char i = 0; i < 64; i++)
		classes[(unsigned char)digits[i]] = i;
	classes['='] = PAD;
	classes[' '] = classes['\t'] = classes['\r'] = classes['\n'] = BLANK;
}

/* A group that is not full: two digits are one octet, three are two. */
static void end_group(struct output *out, uint32_t bits, unsigned int digits)
{
	bits <<= 6 * (4 - digits);
	if (digits >= 2)
		put(out, (char)(bits >> 16 & 0xff));
	if (digits >= 3)
		put(out, (char)(bits >> 8 & 0xff));
	if (digits == 1)
		out->broken = true;
}

/* Whole groups of four digits at body.ptr[i]; the position after them. */
static size_t decode_groups(struct slice body, size_t i,
    const unsigned char classes[static 256], struct output *out)
{
	const unsigned char *in = (const unsigned char *)body.ptr;

	while (body.len - i >= 4 && out->room - out->len >= 3) {
		unsigned int a = classes[in[i]], b = classes[in[i + 1]];
		unsigned int c = classes[in[i + 2]], d = classes[in[i + 3]];
		uint32_t bits;

		if ((a | b | c | d) >= PAD)
			break;
		bits = a << 18 | b << 12 | c << 6 | d;
		out->ptr[out->len++] = (char)(bits >> 16 & 0xff);
		out->ptr[out->len++] = (char)(bits >> 8 & 0xff);
		out->ptr[out->len++] = (char)(bits & 0xff);
		i += 4;
	}
	return i;
}

/* A group on its way. */
struct group {
	uint32_t bits;
	unsigned int digits, pads_due;
	bool padded; /* a pad has been seen */
};

static void take_digit(
    struct group *group, unsigned int digit, struct output *out)
{
	out->broken = out->broken || group->padded;
	group->bits = group->bits << 6 | digit;
	if (++group->digits < 4)
		return;
	put(out, (char)(group->bits >> 16 & 0xff));
	put(out, (char)(group->bits >> 8 & 0xff));
	put(out, (char)(group->bits & 0xff));
	group->bits = group->digits = 0;
}

static void take_pad(struct group *group, struct output *out)
{
	if (group->digits)
		group->pads_due = 4 - group->digits;
	out->broken = out->broken || group->pads_due == 0;
	group->pads_due -= group->pads_due > 0;
	end_group(out, group->bits, group->digits);
	group->padded = true;
	group->bits = group->digits = 0;
}

/* RFC 2045 section 6.8.  A pad ends its group; what follows one is decoded
 * too, as readers do that accept joined pieces, but others stop there. */
static void decode_base64(struct slice body, struct output *out)
{
	unsigned char classes[256];
	struct group group = {0};
	size_t i = 0;

	fill_base64_classes(classes);
	while (i < body.len && out->len < out->room) {
		unsigned int class;

		if (group.digits == 0 && !group.padded)
			i = decode_groups(body, i, classes, out);
		if (i == body.len || out->len == out->room)
			break;
		class = classes[(unsigned char)body.ptr[i++]];
		if (class < PAD)
			take_digit(&group, class, out);
		else if (class == PAD)
			take_pad(&group, out);
		else if (class == FOREIGN)
			out->broken = true;
	}
	out->broken = out->broken || group.digits > 0 || group.pads_due > 0;
	end_group(out, group.bits, group.digits);
}

/* "=XX" at the start of text: the octet, or -1. */
static int quoted_octet(struct slice text)
{
	int high, low;

	if (text.len < 3 || text.ptr[0] != '=')
		return -1;
	high = ascii_hex_value(text.ptr[1]);
	low = ascii_hex_value(text.ptr[2]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static void decode_quoted_text(struct slice text, struct output *out)
{
	while (text.len) {
		size_t plain = slice_find(text, '=');
		int octet;

		put_text(out, slice_sub(text, 0, plain));
		text = slice_from_pos(text, plain);
		if (text.len == 0)
			return;
		octet = quoted_octet(text);
		/* Otherwise "=" stands for itself: section 6.7, (1) advice. */
		put(out, octet < 0 ? '=' : (char)octet);
		out->broken = out->broken || octet < 0;
		text = slice_from_pos(text, octet < 0 ? 1 : 3);
	}
}

/* RFC 2045 section 6.7.  White space at a line's end is not content; line
 * ends stay as they are. */
static void decode_quoted(struct slice body, struct output *out)
{
	while (body.len && out->len < out->room) {
		struct slice line = slice_sub(
		    body, 0, slice_find(body, '\n') + 1);
		struct slice text = line, end;

		body = slice_from_pos(body, line.len);
		while (text.len && ascii_is_fws(text.ptr[text.len - 1]))
			text.len--;
		end = slice_from_pos(line, text.len);
		while (end.len && ascii_is_wsp(end.ptr[0]))
			end = slice_from_pos(end, 1);
		if (text.len && text.ptr[text.len - 1] == '=') {
			text.len--; /* a soft line break */
			end.len = 0;
		}
		decode_quoted_text(text, out);
		put_text(out, end);
	}
}

struct slice mime_decode_q(struct arena *arena, struct slice text)
{
	char *spaced = arena_text(arena, text);
	struct output out = {.room = text.len};

	for (size_t i = 0; i < text.len; i++)
		if (spaced[i] == '_')
			spaced[i] = ' ';
	out.ptr = arena_alloc(arena, text.len + 1);
	decode_quoted_text(slice_of(spaced, text.len), &out);
	return slice_of(out.ptr, out.len);
}

/* The first octet is the count; digits are SP to "`".  Those missing at the
 * end were blanks that something removed. */
static void decode_uu_line(struct slice line, struct output *out)
{
	size_t want = line.len ? (size_t)(line.ptr[0] - ' ') & 63 : 0;

	for (size_t i = 1; want; i += 4) {
		uint32_t bits = 0;

		for (size_t j = 0; j < 4; j++) {
			char c = i + j < line.len ? line.ptr[i + j] : ' ';

			out->broken = out->broken || c < ' ' || c > '`';
			bits = bits << 6 | ((uint32_t)(c - ' ') & 63);
		}
		for (int shift = 16; shift >= 0 && want; shift -= 8, want--)
			put(out, (char)(bits >> shift & 0xff));
	}
}

static void decode_uu(struct slice body, struct output *out)
{
	bool inside = false;

	while (body.len && out->len < out->room) {
		struct slice line;

		slice_split(body, '\n', &line, &body);
		while (line.len && line.ptr[line.len - 1] == '\r')
			line.len--;
		if (!inside)
			inside = slice_starts(line, SLICE("begin "));
		else if (slice_eq(line, SLICE("end")))
			return;
		else
			decode_uu_line(line, out);
	}
	out->broken = true; /* no "begin", or no "end" */
}

struct slice mime_decode(struct arena *arena, enum mime_encoding encoding,
    struct slice body, size_t max, bool *ret_broken)
{
	struct output out = {.room = body.len < max ? body.len : max};

	if (ret_broken)
		*ret_broken = false;
	if (encoding == ENCODING_IDENTITY || encoding == ENCODING_UNKNOWN)
		return slice_sub(body, 0, max);
	out.ptr = arena_alloc(arena, out.room + 1);
	switch (encoding) {
	case ENCODING_BASE64: decode_base64(body, &out); break;
	case ENCODING_QUOTED_PRINTABLE: decode_quoted(body, &out); break;
	default: decode_uu(body, &out); break;
	}
	if (ret_broken)
		*ret_broken = out.broken;
	return slice_of(out.ptr, out.len);
}
