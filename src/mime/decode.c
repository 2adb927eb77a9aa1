/* SPDX-License-Identifier: Apache-2.0 */
#include "mime/decode.h"

#include <errno.h>
#include <iconv.h>

#include "base/ascii.h"
#include "base/buf.h"
#include "base/text.h"

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

/* Values of the alphabet; 64 pads, 65 is white space, 66 is foreign. */
static unsigned int base64_class(char c)
{
	if (ascii_is_upper(c))
		return (unsigned int)(c - 'A');
	if (ascii_is_alpha(c))
		return (unsigned int)(c - 'a') + 26;
	if (ascii_is_digit(c))
		return (unsigned int)(c - '0') + 52;
	switch (c) {
	case '+': return 62;
	case '/': return 63;
	case '=': return 64;
	default: return ascii_is_fws(c) ? 65 : 66;
	}
}

/* Groups of four; a pad ends its group and a new one may follow, as readers
 * accept for joined pieces. */
static void decode_base64(struct slice body, struct buf *out, bool *broken)
{
	uint32_t bits = 0;
	unsigned int digits = 0;
	char bytes[3];

	for (size_t i = 0; i <= body.len && out->len < out->max; i++) {
		unsigned int value = i < body.len ? base64_class(body.ptr[i])
						  : 64;

		if (value == 66)
			*broken = true;
		if (value > 64)
			continue;
		if (value < 64) {
			bits = bits << 6 | value;
			if (++digits < 4)
				continue;
		} else {
			bits <<= 6 * (4 - digits);
		}
		bytes[0] = (char)(bits >> 16 & 0xff);
		bytes[1] = (char)(bits >> 8 & 0xff);
		bytes[2] = (char)(bits & 0xff);
		if (digits >= 2)
			for (unsigned int b = 0; b < digits - 1; b++)
				buf_add_byte(out, bytes[b]);
		bits = 0;
		digits = 0;
	}
}

/* RFC 2045 section 6.7.  White space at a line's end is not content. */
static void decode_quoted_line(
    struct slice line, bool has_end, struct buf *out, bool *broken)
{
	bool soft;

	while (line.len && ascii_is_fws(line.ptr[line.len - 1]))
		line.len--;
	soft = line.len && line.ptr[line.len - 1] == '=';
	if (soft)
		line.len--;
	for (size_t i = 0; i < line.len; i++) {
		int high = -1, low = -1;

		if (line.ptr[i] == '=' && line.len - i > 2) {
			high = ascii_hex_value(line.ptr[i + 1]);
			low = ascii_hex_value(line.ptr[i + 2]);
		}
		if (high >= 0 && low >= 0) {
			buf_add_byte(out, (char)(high << 4 | low));
			i += 2;
			continue;
		}
		if (line.ptr[i] == '=')
			*broken = true;
		buf_add_byte(out, line.ptr[i]);
	}
	if (has_end && !soft)
		buf_add(out, SLICE("\r\n"));
}

static void decode_quoted(struct slice body, struct buf *out, bool *broken)
{
	while (body.len && out->len < out->max) {
		size_t end = slice_find(body, '\n');

		/* Without its line end a line keeps its white space: the
		 * text of encoded words comes so. */
		if (end == body.len && slice_find(body, '=') == body.len) {
			buf_add(out, body);
			return;
		}
		decode_quoted_line(
		    slice_sub(body, 0, end), end < body.len, out, broken);
		body = slice_from_pos(body, end + 1);
	}
}

static void decode_uu_line(struct slice line, struct buf *out)
{
	size_t want = line.len ? (size_t)(line.ptr[0] - ' ') & 63 : 0;

	for (size_t i = 1; i + 3 < line.len + 1 && want; i += 4) {
		uint32_t bits = 0;

		for (size_t j = 0; j < 4; j++) {
			char c = i + j < line.len ? line.ptr[i + j] : ' ';

			bits = bits << 6 | ((uint32_t)(c - ' ') & 63);
		}
		for (int shift = 16; shift >= 0 && want; shift -= 8, want--)
			buf_add_byte(out, (char)(bits >> shift & 0xff));
	}
}

static void decode_uu(struct slice body, struct buf *out)
{
	bool inside = false;

	while (body.len && out->len < out->max) {
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
}

struct slice mime_decode(struct arena *arena, enum mime_encoding encoding,
    struct slice body, size_t max, bool *ret_broken)
{
	struct buf *out;
	bool broken = false;

	if (encoding == ENCODING_IDENTITY || encoding == ENCODING_UNKNOWN) {
		if (ret_broken)
			*ret_broken = false;
		return slice_sub(body, 0, max);
	}
	out = buf_in_arena(arena, max);
	switch (encoding) {
	case ENCODING_BASE64: decode_base64(body, out, &broken); break;
	case ENCODING_QUOTED_PRINTABLE:
		decode_quoted(body, out, &broken);
		break;
	default: decode_uu(body, out); break;
	}
	if (ret_broken)
		*ret_broken = broken;
	return buf_slice(out);
}

static bool is_charset_byte(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '_' || c == ':' ||
	       c == '.' || c == '+';
}

static iconv_t open_charset(struct arena *arena, struct slice charset)
{
	iconv_t converter = (iconv_t)-1;

	/* "//TRANSLIT" and such come from nobody but us. */
	if (charset.len && charset.len < 64 &&
	    slice_all(charset, is_charset_byte))
		converter = iconv_open("UTF-8", arena_text(arena, charset));
	if (converter == (iconv_t)-1)
		converter = iconv_open("UTF-8", "WINDOWS-1252");
	return converter;
}

static void convert(iconv_t converter, char *in, size_t left, struct buf *out)
{
	enum { STEP = 4096 };

	while (left) {
		char *room = buf_reserve(out, STEP);
		char *to = room;
		size_t space = STEP;
		size_t result;

		if (!room)
			return;
		result = iconv(converter, &in, &left, &to, &space);
		buf_grown(out, (size_t)(to - room));
		if (result != (size_t)-1 || errno == E2BIG)
			continue;
		buf_add(out, SLICE("\xef\xbf\xbd"));
		in++;
		left--;
	}
}

struct slice mime_to_utf8(
    struct arena *arena, struct slice charset, struct slice bytes)
{
	struct buf *out;
	iconv_t converter;

	charset = slice_trim(charset);
	if (charset.len == 0 || slice_eq_nocase(charset, SLICE("utf-8")) ||
	    slice_eq_nocase(charset, SLICE("us-ascii")))
		return text_clean_utf8(arena, bytes);
	converter = open_charset(arena, charset);
	if (converter == (iconv_t)-1)
		return text_clean_utf8(arena, bytes);
	out = buf_in_arena(arena, bytes.len * 4 + 8192);
	convert(converter, arena_text(arena, bytes), bytes.len, out);
	iconv_close(converter);
	return text_clean_utf8(arena, buf_slice(out));
}
