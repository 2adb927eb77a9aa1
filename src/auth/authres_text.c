/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/authres_text.h"

#include "base/ascii.h"
#include "base/text.h"
#include "message/address.h"

enum { WORD_MAX = 996, COLUMNS = 78, NAME_COLUMNS = 24 };

void authres_text_init(
    struct arena *arena, struct authres_text *text, size_t max, bool utf8)
{
	*text = (struct authres_text){
	    .out = buf_in_arena(arena, max),
	    .word = buf_in_arena(arena, WORD_MAX),
	    .column = NAME_COLUMNS, /* "Authentication-Results: " */
	    .utf8 = utf8,
	};
}

void authres_text_begin(struct authres_text *text)
{
	buf_clear(text->word);
}

/* A word that is too long is left out whole, never cut.  Once the field is
 * full nothing follows, so that no property joins another statement. */
void authres_text_end(struct authres_text *text)
{
	struct slice word = buf_slice(text->word);

	if (text->out->len + word.len + 8 > text->out->max)
		text->full = true;
	if (text->full || buf_overflowed(text->word) || word.len == 0)
		return;
	if (text->begins_statement)
		buf_add_byte(text->out, ';');
	if (text->begins_statement ||
	    text->column + 1 + word.len + 1 > COLUMNS) {
		if (text->out->len)
			buf_add_text(text->out, "\r\n\t");
		text->column = 8;
	} else if (text->out->len) {
		buf_add_byte(text->out, ' ');
		text->column++;
	}
	text->begins_statement = false;
	buf_add(text->out, word);
	text->column += word.len;
}

void authres_text_statement(struct authres_text *text)
{
	text->begins_statement = text->out->len > 0;
}

bool authres_is_token_byte(char byte)
{
	return ascii_is_mime_token(byte);
}

/* atext of RFC 5322 section 3.2.3, and the dot. */
static bool is_local_byte(char byte)
{
	switch (byte) {
	case '/':
	case '?':
	case '=': return true;
	default: return authres_is_token_byte(byte);
	}
}

static bool is_domain_byte(char byte)
{
	return ascii_is_alnum(byte) || byte == '-' || byte == '.';
}

/* [local "@"] domain without anything that needs quotes. */
static bool is_plain_address(struct slice value)
{
	struct slice local = slice_sub(value, 0, slice_find(value, '@'));
	struct slice domain = slice_from_pos(value, local.len + 1);

	return local.len < value.len && domain.len > 0 &&
	       slice_all(local, is_local_byte) &&
	       !address_has_odd_dots(local) &&
	       slice_all(domain, is_domain_byte);
}

static void add_escaped(
    struct authres_text *text, struct slice value, const char *escaped)
{
	while (value.len) {
		char c = value.ptr[0];
		size_t len = 1;

		if (ascii_is_8bit(c) && text->utf8)
			len = text_utf8_length(value);
		if (len > 1) {
			buf_add(text->word, slice_sub(value, 0, len));
		} else if (len == 0 || ascii_is_8bit(c) ||
			   ascii_is_control(c)) {
			buf_add_byte(text->word, '?');
			len = 1;
		} else {
			for (const char *at = escaped; *at; at++)
				if (*at == c)
					buf_add_byte(text->word, '\\');
			buf_add_byte(text->word, c);
		}
		value = slice_from_pos(value, len);
	}
}

void authres_text_quoted(struct authres_text *text, struct slice value)
{
	buf_add_byte(text->word, '"');
	add_escaped(text, value, "\"\\");
	buf_add_byte(text->word, '"');
}

void authres_text_comment(struct authres_text *text, struct slice value)
{
	buf_add_byte(text->word, '(');
	add_escaped(text, value, "()\\");
	buf_add_byte(text->word, ')');
}

void authres_text_pvalue(struct authres_text *text, struct slice value)
{
	if (value.len && (slice_all(value, authres_is_token_byte) ||
			     is_plain_address(value)))
		buf_add(text->word, value);
	else
		authres_text_quoted(text, value);
}
