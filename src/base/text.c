/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <stdint.h>
#include <string.h>

#include "base/ascii.h"

/* The lead byte's length and the bounds of the second byte: Unicode 15,
 * table 3-7.  Later bytes are 80..BF. */
static size_t lead_length(
    unsigned char lead, unsigned char *low, unsigned char *high)
{
	*low = 0x80;
	*high = 0xbf;
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef) {
		*low = lead == 0xe0 ? 0xa0 : 0x80;
		*high = lead == 0xed ? 0x9f : 0xbf;
		return 3;
	}
	if (lead >= 0xf0 && lead <= 0xf4) {
		*low = lead == 0xf0 ? 0x90 : 0x80;
		*high = lead == 0xf4 ? 0x8f : 0xbf;
		return 4;
	}
	return 0;
}

size_t text_utf8_length(struct slice text)
{
	const unsigned char *bytes = (const unsigned char *)text.ptr;
	unsigned char low, high;
	size_t length;

	if (text.len == 0)
		return 0;
	length = lead_length(bytes[0], &low, &high);
	if (length == 0 || length > text.len)
		return 0;
	if (length > 1 && (bytes[1] < low || bytes[1] > high))
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

/* Of a well-formed sequence. */
static uint32_t code_point(struct slice sequence)
{
	static const unsigned char lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	const unsigned char *bytes = (const unsigned char *)sequence.ptr;
	uint32_t code = bytes[0] & lead_bits[sequence.len];

	for (size_t i = 1; i < sequence.len; i++)
		code = code << 6 | (bytes[i] & 0x3f);
	return code;
}

bool text_is_control(struct slice character)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {{0, 0x1f}, {0x7f, 0x9f}, {0x61c, 0x61c}, {0x200e, 0x200f},
	    {0x2028, 0x202e}, {0x2066, 0x2069}};
	uint32_t code = code_point(character);

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

/* Most text is US-ASCII: eight bytes at a time. */
static size_t ascii_run(struct slice text)
{
	static const uint64_t high_bits = UINT64_C(0x8080808080808080);
	size_t at = 0;
	uint64_t eight;

	for (; text.len - at >= sizeof(eight); at += sizeof(eight)) {
		memcpy(&eight, text.ptr + at, sizeof(eight));
		if (eight & high_bits)
			break;
	}
	while (at < text.len && !(text.ptr[at] & 0x80))
		at++;
	return at;
}

bool text_is_utf8(struct slice text)
{
	text = slice_from_pos(text, ascii_run(text));
	while (text.len) {
		size_t length = text_utf8_length(text);

		if (length == 0)
			return false;
		text = slice_from_pos(text, length);
		text = slice_from_pos(text, ascii_run(text));
	}
	return true;
}

static const struct slice replacement = SLICE_INIT("\xef\xbf\xbd");

struct slice text_clean_utf8(struct arena *arena, struct slice text)
{
	char *copy;
	size_t used = 0;

	if (slice_find(text, '\0') == text.len && text_is_utf8(text))
		return text;
	copy = arena_array(arena, text.len, replacement.len);
	while (text.len) {
		size_t length = text_utf8_length(text);
		struct slice piece = slice_sub(text, 0, length ? length : 1);
		struct slice out = piece;

		if (length == 0 || text.ptr[0] == '\0')
			out = replacement;
		memcpy(copy + used, out.ptr, out.len);
		used += out.len;
		text = slice_from_pos(text, piece.len);
	}
	return slice_of(copy, used);
}

struct slice text_cut(struct slice text, size_t max)
{
	if (text.len <= max)
		return text;
	for (size_t back = 0; back <= 3 && back <= max; back++)
		if ((text.ptr[max - back] & 0xc0) != 0x80)
			return slice_sub(text, 0, max - back);
	return slice_sub(text, 0, max); /* it is no UTF-8 */
}

/* One well-formed character. */
static bool add_json_character(struct buf *buf, struct slice character)
{
	static const char named[] = "\"\\\b\f\n\r\t";
	static const char letters[] = "\"\\bfnrt";
	char c = character.ptr[0];
	const char *at = c ? strchr(named, c) : NULL;

	if (at)
		return buf_add(
		    buf, slice_of((char[]){'\\', letters[at - named]}, 2));
	if (text_is_control(character))
		return buf_add_format(buf, "\\u%04x", code_point(character));
	return buf_add(buf, character);
}

/* Printable US-ASCII that stands for itself. */
static bool is_plain(char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

/* Eight octets at a time, because a trace has thousands.  The high bit of each
 * octet says what it is: below a blank, above '~', or one of the two. */
static bool are_plain(const char *octets)
{
	const uint64_t ones = 0x0101010101010101, highs = ones * 0x80;
	uint64_t word, quote, backslash;

	memcpy(&word, octets, sizeof(word));
	quote = word ^ (ones * '"');
	backslash = word ^ (ones * '\\');
	return (((word - ones * ' ') | word | (word + ones) | (quote - ones) |
		    (backslash - ones)) &
		   highs) == 0;
}

static size_t plain_run(struct slice text)
{
	size_t at = 0;

	while (text.len - at >= 8 && are_plain(text.ptr + at))
		at += 8;
	while (at < text.len && is_plain(text.ptr[at]))
		at++;
	return at;
}

bool text_add_json_escaped(struct buf *buf, struct slice text)
{
	bool ok = true;

	while (text.len) {
		size_t length = plain_run(text);

		if (length) {
			ok = buf_add(buf, slice_sub(text, 0, length)) && ok;
			text = slice_from_pos(text, length);
			continue;
		}
		length = text_utf8_length(text);
		if (length == 0)
			ok = buf_add(buf, replacement) && ok;
		else
			ok = add_json_character(
				 buf, slice_sub(text, 0, length)) &&
			     ok;
		text = slice_from_pos(text, length ? length : 1);
	}
	return ok;
}

bool text_add_json_string(struct buf *buf, struct slice text)
{
	bool ok = buf_add_byte(buf, '"');

	ok = text_add_json_escaped(buf, text) && ok;
	return buf_add_byte(buf, '"') && ok;
}

/* One more than the value of each digit; 0: not in the alphabet. */
static const unsigned char base64_digits[256] = {
    /* clang-format off */
    ['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
    14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
    ['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39,
    40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52,
    ['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62,
    ['+'] = 63, ['/'] = 64,
    /* clang-format on */
};

static bool decode_base64(struct arena *arena, struct slice text,
    bool padding_optional, struct slice *ret)
{
	char *out = arena_alloc(arena, text.len / 4 * 3 + 3);
	size_t used = 0, digits = 0, padding = 0, missing;
	uint32_t bits = 0;

	for (size_t i = 0; i < text.len; i++) {
		int value = base64_digits[(unsigned char)text.ptr[i]] - 1;

		if (ascii_is_fws(text.ptr[i]))
			continue;
		if (text.ptr[i] == '=') {
			padding++;
			continue;
		}
		if (value < 0 || padding)
			return false;
		bits = bits << 6 | (uint32_t)value;
		if (++digits % 4 == 0) {
			out[used++] = (char)(bits >> 16 & 0xff);
			out[used++] = (char)(bits >> 8 & 0xff);
			out[used++] = (char)(bits & 0xff);
		}
	}
	missing = (4 - digits % 4) % 4;
	if (missing == 3 || padding > missing ||
	    (padding < missing && !padding_optional))
		return false;
	if (missing == 1) {
		if (bits & 0x3)
			return false;
		out[used++] = (char)(bits >> 10 & 0xff);
		out[used++] = (char)(bits >> 2 & 0xff);
	} else if (missing == 2) {
		if (bits & 0xf)
			return false;
		out[used++] = (char)(bits >> 4 & 0xff);
	}
	*ret = slice_of(out, used);
	return true;
}

bool text_base64_decode(
    struct arena *arena, struct slice text, struct slice *ret)
{
	return decode_base64(arena, text, false, ret);
}

bool text_base64_decode_unpadded(
    struct arena *arena, struct slice text, struct slice *ret)
{
	return decode_base64(arena, text, true, ret);
}

struct slice text_base64_encode(struct arena *arena, struct slice bytes)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *out = arena_alloc(arena, (bytes.len + 2) / 3 * 4 + 1);
	size_t used = 0;

	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t left = bytes.len - i < 3 ? bytes.len - i : 3;
		uint32_t bits = (uint32_t)(unsigned char)bytes.ptr[i] << 16;

		if (left > 1)
			bits |= (uint32_t)(unsigned char)bytes.ptr[i + 1] << 8;
		if (left > 2)
			bits |= (unsigned char)bytes.ptr[i + 2];
		out[used++] = alphabet[bits >> 18];
		out[used++] = alphabet[bits >> 12 & 63];
		out[used++] = left > 1 ? alphabet[bits >> 6 & 63] : '=';
		out[used++] = left > 2 ? alphabet[bits & 63] : '=';
	}
	return slice_of(out, used);
}

struct slice text_hex(struct arena *arena, struct slice bytes)
{
	static const char digits[] = "0123456789abcdef";
	char *out = arena_alloc(arena, bytes.len * 2 + 1);

	for (size_t i = 0; i < bytes.len; i++) {
		out[2 * i] = digits[(unsigned char)bytes.ptr[i] >> 4];
		out[2 * i + 1] = digits[bytes.ptr[i] & 15];
	}
	return slice_of(out, bytes.len * 2);
}

enum { NEAREST_MAX = 64 };

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Optimal string alignment distance; both at most NEAREST_MAX long. */
static size_t distance(struct slice a, struct slice b)
{
	size_t rows[3][NEAREST_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b.len; j++)
		above[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t *spare = before;

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			char x = ascii_lower(a.ptr[i - 1]);
			char y = ascii_lower(b.ptr[j - 1]);

			row[j] = least(least(above[j], row[j - 1]) + 1,
			    above[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == ascii_lower(b.ptr[j - 2]) &&
			    y == ascii_lower(a.ptr[i - 2]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
		before = above;
		above = row;
		row = spare;
	}
	return above[b.len];
}

const char *text_nearest(
    struct slice word, const char *const *candidates, size_t count)
{
	const char *nearest = NULL;
	size_t best = word.len / 3 + 1;

	if (word.len > NEAREST_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		struct slice candidate = slice_from(candidates[i]);
		size_t d;

		if (candidate.len > NEAREST_MAX)
			continue;
		d = distance(word, candidate);
		if (d < best) {
			best = d;
			nearest = candidates[i];
		}
	}
	return nearest;
}
