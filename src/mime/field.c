/* SPDX-License-Identifier: Apache-2.0 */
#include "mime/field.h"

#include "base/ascii.h"
#include "base/buf.h"
#include "mime/charset.h"
#include "mime/words.h"

/* token of RFC 2045 section 5.1; 8-bit is let pass, as it is in the wild. */
static bool is_token_byte(char c)
{
	return ascii_is_mime_token(c) || ascii_is_8bit(c);
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

/* False: against the grammar; *ret is what readers take all the same. */
static bool take_value(
    struct arena *arena, struct slice *rest, struct slice *ret)
{
	struct slice before;

	if (!skip_cfws(rest))
		return false;
	if (rest->len && rest->ptr[0] == '"')
		return take_quoted(arena, rest, ret);
	before = *rest;
	*ret = take_while(rest, is_token_byte);
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
	struct mime_parameter parameter = {0};
	bool ok;

	parameter.name = arena_lower(arena, take_while(rest, is_token_byte));
	ok = skip_cfws(rest) && parameter.name.len > 0;
	if (rest->len == 0 || rest->ptr[0] != '=') {
		take_while(rest, is_loose_byte);
		return false;
	}
	*rest = slice_from_pos(*rest, 1);
	ok = take_value(arena, rest, &parameter.value) && ok;
	if (parameter.name.len == 0)
		return false;
	if (parameter.value.len > MIME_PARAMETER_SIZE_MAX) {
		parameter.value.len = MIME_PARAMETER_SIZE_MAX;
		ok = false;
	}
	if (field->count == MIME_PARAMETERS_MAX)
		return false;
	field->parameters[field->count++] = parameter;
	return ok;
}

/* "type/subtype" or one token; white space and comments around "/" are let
 * pass, as RFC 822 had it. */
static bool take_main_word(
    struct arena *arena, struct slice *rest, struct slice *ret)
{
	struct slice word, subtype;
	bool ok = skip_cfws(rest);

	word = take_while(rest, is_token_byte);
	*ret = arena_lower(arena, word);
	ok = skip_cfws(rest) && ok && word.len > 0;
	if (rest->len == 0 || rest->ptr[0] != '/')
		return ok;
	*rest = slice_from_pos(*rest, 1);
	ok = skip_cfws(rest) && ok;
	subtype = take_while(rest, is_token_byte);
	*ret = arena_lower(arena, arena_format_slice(arena, "%.*s/%.*s",
				      SLICE_ARGS(word), SLICE_ARGS(subtype)));
	return ok && subtype.len > 0;
}

/* "title*0*" is a form of "title". */
static struct slice base_name(struct slice name)
{
	return slice_sub(name, 0, slice_find(name, '*'));
}

/* The number of a section, or none (RFC 2231 section 3). */
static struct slice section_number(struct slice name)
{
	struct slice number = slice_from_pos(name, slice_find(name, '*') + 1);

	return slice_sub(number, 0, slice_find(number, '*'));
}

/* The same parameter twice, or a section twice, or as a whole and in sections:
 * readers differ in which one they take. */
static bool contradict(struct slice a, struct slice b)
{
	struct slice number_a = section_number(a), number_b = section_number(b);

	if (!slice_eq(base_name(a), base_name(b)))
		return false;
	return slice_eq(number_a, number_b) || number_a.len == 0 ||
	       number_b.len == 0;
}

static bool any_repeated(const struct mime_field *field)
{
	for (size_t i = 1; i < field->count; i++)
		for (size_t j = 0; j < i; j++)
			if (contradict(field->parameters[i].name,
				field->parameters[j].name))
				return true;
	return false;
}

void mime_field_parse(
    struct arena *arena, struct slice value, struct mime_field *ret)
{
	struct slice rest = value;

	ret->count = 0;
	ret->valid = take_main_word(arena, &rest, &ret->word);
	while (rest.len) {
		ret->valid = skip_cfws(&rest) && ret->valid;
		if (rest.len == 0)
			break;
		/* A ";" may be missing; RFC 2046 does it in an example. */
		if (rest.ptr[0] == ';')
			rest = slice_from_pos(rest, 1);
		else
			ret->valid = false;
		ret->valid = skip_cfws(&rest) && ret->valid;
		if (rest.len && rest.ptr[0] != ';')
			ret->valid = take_parameter(arena, &rest, ret) &&
				     ret->valid;
	}
	ret->repeated = any_repeated(ret);
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
	struct buf *joined = NULL;
	struct slice charset = {NULL, 0};

	for (unsigned int section = 0; section < MIME_PARAMETERS_MAX;
	     section++) {
		const struct slice *plain = mime_field_raw(
		    field, arena_format_slice(
			       arena, "%.*s*%u", SLICE_ARGS(name), section));
		const struct slice *encoded = mime_field_raw(
		    field, arena_format_slice(
			       arena, "%.*s*%u*", SLICE_ARGS(name), section));

		if (!encoded && !plain)
			break;
		if (!joined)
			joined = buf_in_arena(arena,
			    MIME_PARAMETERS_MAX * MIME_PARAMETER_SIZE_MAX);
		if (!encoded)
			buf_add(joined, *plain);
		else
			add_percent_decoded(joined,
			    section ? *encoded
				    : split_charset(*encoded, &charset));
	}
	if (!joined)
		return false;
	/* Without a charset they may be encoded words, against section 3. */
	*ret = charset.ptr ? mime_to_utf8(arena, charset, buf_slice(joined))
			   : mime_decode_words(arena, buf_slice(joined));
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
