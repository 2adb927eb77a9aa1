/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/zone_entry.h"

#include "base/ascii.h"

static bool at_end(const struct zone_lexer *lexer)
{
	return lexer->pos >= lexer->text.len;
}

static char peek(const struct zone_lexer *lexer)
{
	return lexer->text.ptr[lexer->pos];
}

static bool is_delimiter(char c)
{
	return ascii_is_fws(c) || c == ';' || c == '(' || c == ')' || c == '"';
}

static void skip_comment(struct zone_lexer *lexer)
{
	while (!at_end(lexer) && peek(lexer) != '\n')
		lexer->pos++;
}

/* Over one byte of a token, or an escape of two. */
static bool skip_byte(struct zone_lexer *lexer, struct err *err)
{
	if (peek(lexer) == '\\')
		lexer->pos++;
	if (at_end(lexer) || peek(lexer) == '\n')
		return err_set(err, E_SYNTAX, "backslash at the end of a line");
	lexer->pos++;
	return true;
}

static bool read_quoted(
    struct zone_lexer *lexer, struct zone_token *ret, struct err *err)
{
	size_t start = ++lexer->pos;

	while (!at_end(lexer) && peek(lexer) != '"' && peek(lexer) != '\n')
		if (!skip_byte(lexer, err))
			return false;
	if (at_end(lexer) || peek(lexer) == '\n')
		return err_set(err, E_SYNTAX, "unfinished quoted string");
	ret->text = slice_sub(lexer->text, start, lexer->pos - start);
	ret->quoted = true;
	lexer->pos++;
	return true;
}

static bool read_plain(
    struct zone_lexer *lexer, struct zone_token *ret, struct err *err)
{
	size_t start = lexer->pos;

	while (!at_end(lexer) && !is_delimiter(peek(lexer)))
		if (!skip_byte(lexer, err))
			return false;
	ret->text = slice_sub(lexer->text, start, lexer->pos - start);
	ret->quoted = false;
	return true;
}

static bool read_token(
    struct zone_lexer *lexer, struct zone_entry *entry, struct err *err)
{
	struct zone_token *token;

	if (entry->count == ZONE_TOKENS_MAX)
		return err_set(
		    err, E_SYNTAX, "more than %d fields", ZONE_TOKENS_MAX);
	if (entry->count == 0)
		entry->line = lexer->line;
	token = &entry->tokens[entry->count++];
	return peek(lexer) == '"' ? read_quoted(lexer, token, err)
				  : read_plain(lexer, token, err);
}

static void start_line(struct zone_lexer *lexer, struct zone_entry *entry)
{
	if (entry->count == 0)
		entry->blank_owner = !at_end(lexer) &&
				     ascii_is_wsp(peek(lexer));
}

static void skip_newline(struct zone_lexer *lexer)
{
	lexer->pos++;
	lexer->line++;
}

static bool change_depth(struct zone_lexer *lexer, bool *open, struct err *err)
{
	bool opens = peek(lexer) == '(';

	if (opens == *open)
		return err_set(err, E_SYNTAX,
		    opens ? "parentheses do not nest"
			  : "')' without a '(' before it");
	*open = opens;
	lexer->pos++;
	return true;
}

bool zone_entry_next(
    struct zone_lexer *lexer, struct zone_entry *ret, struct err *err)
{
	bool open = false;

	ret->count = 0;
	start_line(lexer, ret);
	while (!at_end(lexer)) {
		char c = peek(lexer);

		if (c == '\n') {
			skip_newline(lexer);
			if (ret->count > 0 && !open)
				return true;
			if (!open)
				start_line(lexer, ret);
		} else if (ascii_is_fws(c)) {
			lexer->pos++;
		} else if (c == ';') {
			skip_comment(lexer);
		} else if (c == '(' || c == ')') {
			if (!change_depth(lexer, &open, err))
				return false;
		} else if (!read_token(lexer, ret, err)) {
			return false;
		}
	}
	return !open || err_set(err, E_SYNTAX, "'(' without a ')' behind it");
}
