/* SPDX-License-Identifier: Apache-2.0 */
#include "mime/field.h"

#include <stdio.h>

#include "base/ascii.h"
#include "base/buf.h"
#include "base/text.h"
#include "mime/decode.h"

/* token of RFC 2045 section 5.1; 8-bit is let pass, as it is in the wild. */
static bool is_token_byte(char c)
{
	switch (c) {
	case '(':
	case ')':
	case '<':
	case '>':
	case '@':
	case ',':
	case ';':
	case ':':
	case '\\':
	case '"':
	case '[':
	case ']':
	case '?':
	case '=': return false;
	default: return ascii_is_visible(c) || ascii_is_8bit(c);
	}
}

static bool skip_comment(struct slice *rest)
{
	size_t depth = 0;

	while (rest->len) {
		char c = rest->ptr[0];

		*rest = slice_from_pos(*rest, c == '\\' ? 2 : 1);
		if (c == '(')
			depth++;
		else if (c == ')' && --depth == 0)
			return true;
	}
	return false;
}

static bool skip_cfws(struct slice *rest)
{
	while (rest->len) {
		if (ascii_is_fws(rest->ptr[0]))
			*rest = slice_from_pos(*rest, 1);
		else if (rest->ptr[0] != '(')
			return true;
		else if (!skip_comment(rest))
			return false;
	}
	return true;
}

static struct slice take_while(struct slice *rest, bool (*passes)(char c))
{
	size_t len = 0;
	struct slice taken;

	while (len < rest->len && passes(rest->ptr[len]))
		len++;
	taken = slice_sub(*rest, 0, len);
	*rest = slice_from_pos(*rest, len);
	return taken;
}

static bool is_word_byte(char c)
{
	return is_token_byte(c);
}

/* What a parameter without quotes runs to, for those who forget them. */
static bool is_loose_byte(char c)
{
	return c != ';' && c != '\r' && c != '\n';
}

static bool take_quoted(
    struct arena *arena, struct slice *rest, struct slice *ret)
{
	struct buf *text = buf_in_arena(arena, rest->len);

	*rest = slice_from_pos(*rest, 1);
	while (rest->len && rest->ptr[0] != '"') {
		char c = rest->ptr[0];

		if (c == '\\' && rest->len > 1) {
			*rest = slice_from_pos(*rest, 1);
			c = rest->ptr[0];
		}
		if (c != '\r' && c != '\n')
			buf_add_byte(text, c);
		*rest = slice_from_pos(*rest, 1);
	}
	*ret = buf_slice(text);
	if (rest->len == 0)
		return false;
	*rest = slice_from_pos(*rest, 1);
	return true;
}

static bool take_value(
    struct arena *arena, struct slice *rest, struct slice *ret)
{
	struct slice before;

	if (!skip_cfws(rest))
		return false;
	if (rest->len && rest->ptr[0] == '"')
		return take_quoted(arena, rest, ret);
	before = *rest;
	*ret = take_while(rest, is_word_byte);
	if (!skip_cfws(rest))
		return false;
	if (rest->len == 0 || rest->ptr[0] == ';')
		return ret->len > 0;
	*rest = before;
	*ret = slice_trim(take_while(rest, is_loose_byte));
	return false;
}

static bool take_parameter(
    struct arena *arena, struct slice *rest, struct mime_field *field)
{
	struct mime_parameter parameter;
	bool ok;

	parameter.name = arena_lower(arena, take_while(rest, is_word_byte));
	ok = skip_cfws(rest) && parameter.name.len > 0;
	if (rest->len == 0 || rest->ptr[0] != '=') {
		take_while(rest, is_loose_byte);
		return false;
	}
	*rest = slice_from_pos(*rest, 1);
	ok = take_value(arena, rest, &parameter.value) && ok;
	if (parameter.value.len > MIME_PARAMETER_SIZE_MAX)
		parameter.value.len = MIME_PARAMETER_SIZE_MAX;
	if (mime_field_raw(field, parameter.name))
		field->repeated = true;
	if (field->count == MIME_PARAMETERS_MAX)
		return false;
	field->parameters[field->count++] = parameter;
	return ok;
}

/* "type/subtype" or one token, white space around "/" tolerated. */
static bool take_main_word(
    struct arena *arena, struct slice *rest, struct slice *ret)
{
	struct slice word;

	if (!skip_cfws(rest))
		return false;
	word = take_while(rest, is_word_byte);
	*ret = arena_lower(arena, word);
	return word.len > 0;
}

void mime_field_parse(
    struct arena *arena, struct slice value, struct mime_field *ret)
{
	struct slice rest = value;

	*ret = (struct mime_field){.valid = true};
	ret->valid = take_main_word(arena, &rest, &ret->word);
	while (rest.len) {
		ret->valid = skip_cfws(&rest) && ret->valid;
		if (rest.len == 0)
			break;
		if (rest.ptr[0] != ';') {
			ret->valid = false;
			take_while(&rest, is_loose_byte);
			if (rest.len && rest.ptr[0] != ';')
				rest = slice_from_pos(rest, 1);
			continue;
		}
		rest = slice_from_pos(rest, 1);
		ret->valid = skip_cfws(&rest) && ret->valid;
		if (rest.len && rest.ptr[0] != ';')
			ret->valid = take_parameter(arena, &rest, ret) &&
				     ret->valid;
	}
}

const struct slice *mime_field_raw(
    const struct mime_field *field, struct slice name)
{
	for (size_t i = 0; i < field->count; i++)
		if (slice_eq(field->parameters[i].name, name))
			return &field->parameters[i].value;
	return NULL;
}

/* %XX of RFC 2231 section 4. */
static void add_percent_decoded(struct buf *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		int high = -1, low = -1;

		if (text.ptr[i] == '%' && i + 2 < text.len) {
			high = ascii_hex_value(text.ptr[i + 1]);
			low = ascii_hex_value(text.ptr[i + 2]);
		} else if (text.ptr[i] == '%' && i + 2 == text.len) {
			high = -1;
		}
		if (high >= 0 && low >= 0) {
			buf_add_byte(out, (char)(high << 4 | low));
			i += 2;
		} else {
			buf_add_byte(out, text.ptr[i]);
		}
	}
}

/* "charset'language'text": returns the text, sets the charset. */
static struct slice split_charset(struct slice value, struct slice *ret_charset)
{
	struct slice charset, language, rest;

	if (!slice_split(value, '\'', &charset, &rest) ||
	    !slice_split(rest, '\'', &language, &rest))
		return value;
	*ret_charset = charset;
	return rest;
}

/* Joins name*0, name*1*, ... (RFC 2231 section 3).  False: there are none. */
static bool join_sections(struct arena *arena, const struct mime_field *field,
    struct slice name, struct slice *ret)
{
	struct buf *joined = buf_in_arena(
	    arena, MIME_PARAMETERS_MAX * MIME_PARAMETER_SIZE_MAX);
	struct slice charset = {NULL, 0};

	for (unsigned int section = 0; section < MIME_PARAMETERS_MAX;
	     section++) {
		const struct slice *plain = mime_field_raw(
		    field, arena_format_slice(
			       arena, "%.*s*%u", SLICE_ARGS(name), section));
		const struct slice *encoded = mime_field_raw(
		    field, arena_format_slice(
			       arena, "%.*s*%u*", SLICE_ARGS(name), section));

		if (encoded)
			add_percent_decoded(joined,
			    section ? *encoded
				    : split_charset(*encoded, &charset));
		else if (plain)
			buf_add(joined, *plain);
		else if (section == 0)
			return false;
		else
			break;
	}
	*ret = mime_to_utf8(arena, charset, buf_slice(joined));
	return true;
}

struct slice mime_field_text(
    struct arena *arena, const struct mime_field *field, struct slice name)
{
	const struct slice *value = mime_field_raw(
	    field, arena_format_slice(arena, "%.*s*", SLICE_ARGS(name)));
	struct slice joined;

	if (value) {
		struct slice charset = {NULL, 0};
		struct slice text = split_charset(*value, &charset);
		struct buf *decoded = buf_in_arena(arena, text.len);

		add_percent_decoded(decoded, text);
		return mime_to_utf8(arena, charset, buf_slice(decoded));
	}
	if (join_sections(arena, field, name, &joined))
		return joined;
	value = mime_field_raw(field, name);
	return value ? mime_decode_words(arena, *value)
		     : (struct slice){NULL, 0};
}

/* "=?charset?e?text?=" at the start of *rest (RFC 2047 section 2). */
static bool take_encoded_word(
    struct arena *arena, struct slice *rest, struct slice *ret)
{
	struct slice charset, encoding, text, after = *rest, language, octets;
	size_t end;

	if (!slice_starts(after, SLICE("=?")))
		return false;
	after = slice_from_pos(after, 2);
	if (!slice_split(after, '?', &charset, &after) ||
	    !slice_split(after, '?', &encoding, &after))
		return false;
	end = slice_find_slice(after, SLICE("?="));
	if (end == after.len || charset.len == 0 || encoding.len != 1)
		return false;
	text = slice_sub(after, 0, end);
	/* RFC 2231 section 5: a language may follow the charset. */
	slice_split(charset, '*', &charset, &language);
	if (ascii_lower(encoding.ptr[0]) == 'b') {
		octets = mime_decode(
		    arena, ENCODING_BASE64, text, text.len, NULL);
	} else if (ascii_lower(encoding.ptr[0]) == 'q') {
		char *spaced = arena_text(arena, text);

		for (size_t i = 0; i < text.len; i++)
			if (spaced[i] == '_')
				spaced[i] = ' ';
		octets = mime_decode(arena, ENCODING_QUOTED_PRINTABLE,
		    slice_of(spaced, text.len), text.len, NULL);
	} else {
		return false;
	}
	*ret = mime_to_utf8(arena, charset, octets);
	*rest = slice_from_pos(after, end + 2);
	return true;
}

struct slice mime_decode_words(struct arena *arena, struct slice text)
{
	struct buf *out;
	bool after_word = false;
	size_t gap = 0;

	if (slice_find_slice(text, SLICE("=?")) == text.len)
		return text_clean_utf8(arena, text);
	out = buf_in_arena(arena, text.len * 4 + 16);
	while (text.len) {
		struct slice word;

		if (take_encoded_word(arena, &text, &word)) {
			/* White space between two words is not shown. */
			if (after_word && gap)
				out->len -= gap;
			buf_add(out, word);
			after_word = true;
			gap = 0;
			continue;
		}
		if (ascii_is_fws(text.ptr[0])) {
			gap++;
		} else {
			after_word = false;
			gap = 0;
		}
		buf_add_byte(out, text.ptr[0]);
		text = slice_from_pos(text, 1);
	}
	return text_clean_utf8(arena, buf_slice(out));
}
