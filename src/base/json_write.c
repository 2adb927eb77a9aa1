/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_write.h"

#include <string.h>

#include "base/text.h"

static void begin_value(struct json_write *json, const char *key)
{
	if (json->comma)
		buf_add_byte(json->buf, ',');
	json->comma = true;
	if (!key)
		return;
	buf_add_byte(json->buf, '"');
	buf_add_text(json->buf, key);
	buf_add(json->buf, SLICE("\":"));
}

void json_write_begin(struct json_write *json, const char *key, char bracket)
{
	begin_value(json, key);
	buf_add_byte(json->buf, bracket);
	json->comma = false;
}

void json_write_end(struct json_write *json, char bracket)
{
	buf_add_byte(json->buf, bracket);
	json->comma = true;
}

/* A NUL is legal in JSON, but readers of ours, and databases, refuse it. */
void json_write_text(
    struct json_write *json, const char *key, struct slice text)
{
	size_t nul = slice_find(text, '\0');

	begin_value(json, key);
	buf_add_byte(json->buf, '"');
	while (nul < text.len) {
		text_add_json_escaped(json->buf, slice_sub(text, 0, nul));
		buf_add(json->buf, SLICE("\xef\xbf\xbd"));
		text = slice_from_pos(text, nul + 1);
		nul = slice_find(text, '\0');
	}
	text_add_json_escaped(json->buf, text);
	buf_add_byte(json->buf, '"');
}

void json_write_word(struct json_write *json, const char *key, const char *word)
{
	json_write_text(json, key, slice_from(word));
}

void json_write_number(
    struct json_write *json, const char *key, uint64_t number)
{
	begin_value(json, key);
	buf_add_unsigned(json->buf, number);
}

void json_write_flag(struct json_write *json, const char *key, bool flag)
{
	begin_value(json, key);
	buf_add(json->buf, flag ? SLICE("true") : SLICE("false"));
}

void json_write_null(struct json_write *json, const char *key)
{
	begin_value(json, key);
	buf_add(json->buf, SLICE("null"));
}
