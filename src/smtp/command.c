/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/command.h"

#include "base/ascii.h"

struct command command_split(struct slice line)
{
	struct command command;

	line = slice_trim(line);
	slice_split(line, ' ', &command.verb, &command.argument);
	command.argument = slice_trim(command.argument);
	return command;
}

/* The position of the '>' that closes the path; text.len if there is none.
 * A quoted local part may hold one that does not. */
static size_t find_path_end(struct slice text)
{
	bool quoted = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (c == '>' && !quoted)
			return i;
	}
	return text.len;
}

static bool is_keyword_byte(char c)
{
	return ascii_is_alnum(c) || c == '-';
}

/* esmtp-value of RFC 5321, section 4.1.2, and UTF-8 (RFC 6531, 3.3). */
static bool is_value_byte(char c)
{
	return (ascii_is_visible(c) && c != '=') || ascii_is_8bit(c);
}

/* AUTH=<> and ORCPT's "=" in old clients: '=' inside a value is forgiven. */
static bool is_value_byte_lenient(char c)
{
	return is_value_byte(c) || c == '=';
}

static bool parse_parameter(
    struct slice text, struct command_parameter *ret, struct err *err)
{
	struct command_parameter parameter;

	parameter.has_value = slice_split(
	    text, '=', &parameter.name, &parameter.value);
	if (slice_empty(parameter.name) || parameter.name.ptr[0] == '-' ||
	    !slice_all(parameter.name, is_keyword_byte))
		return err_set(err, E_SYNTAX, "a parameter has no proper name");
	if (parameter.has_value &&
	    (slice_empty(parameter.value) ||
		!slice_all(parameter.value, is_value_byte_lenient)))
		return err_set(err, E_SYNTAX, "%.*s has no proper value",
		    SLICE_ARGS(parameter.name));
	*ret = parameter;
	return true;
}

static bool parse_parameters(
    struct slice text, struct command_path *path, struct err *err)
{
	while (!slice_empty(text)) {
		struct slice word;

		if (!ascii_is_wsp(text.ptr[0]))
			return err_set(err, E_SYNTAX,
			    "no space between path and parameter");
		text = slice_trim(text);
		if (slice_empty(text))
			break;
		word = slice_sub(text, 0, slice_find(text, ' '));
		if (path->count == COMMAND_PARAMETERS_MAX)
			return err_set(err, E_LIMIT, "more than %d parameters",
			    COMMAND_PARAMETERS_MAX);
		if (!parse_parameter(word, &path->parameters[path->count], err))
			return false;
		path->count++;
		text = slice_from_pos(text, word.len);
	}
	return true;
}

bool command_parse_path(struct slice argument, struct slice keyword,
    struct command_path *ret, struct err *err)
{
	struct command_path path = {0};
	struct slice rest;
	size_t end;

	if (!slice_starts_nocase(argument, keyword))
		return err_set(
		    err, E_SYNTAX, "%.*s is missing", SLICE_ARGS(keyword));
	rest = slice_trim(slice_from_pos(argument, keyword.len));
	if (slice_empty(rest) || rest.ptr[0] != '<')
		return err_set(
		    err, E_SYNTAX, "the address is not in angle brackets");
	end = find_path_end(rest);
	if (end == rest.len)
		return err_set(err, E_SYNTAX, "the address has no end");
	path.path = slice_sub(rest, 1, end - 1);
	if (!parse_parameters(slice_from_pos(rest, end + 1), &path, err))
		return false;
	*ret = path;
	return true;
}

bool command_decode_xtext(
    struct arena *arena, struct slice text, struct slice *ret)
{
	char *decoded = arena_alloc(arena, text.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		int high, low;

		if (text.ptr[i] != '+') {
			decoded[len++] = text.ptr[i];
			continue;
		}
		if (text.len - i < 3)
			return false;
		high = ascii_hex_value(text.ptr[i + 1]);
		low = ascii_hex_value(text.ptr[i + 2]);
		if (high < 0 || low < 0)
			return false;
		decoded[len++] = (char)(high * 16 + low);
		i += 2;
	}
	*ret = slice_of(decoded, len);
	return true;
}

bool command_parse_bdat(
    struct slice argument, uint64_t *ret_size, bool *ret_last)
{
	struct slice number, last;
	bool has_last = slice_split(argument, ' ', &number, &last);
	uint64_t size;

	if (has_last && !slice_eq_nocase(slice_trim(last), SLICE("LAST")))
		return false;
	if (!slice_to_u64(number, UINT64_MAX / 4, &size))
		return false;
	*ret_size = size;
	*ret_last = has_last;
	return true;
}

static bool is_helo_byte(char c)
{
	return ascii_is_visible(c) || ascii_is_8bit(c);
}

bool command_helo_is_sane(struct slice argument)
{
	return argument.len > 0 && argument.len <= 255 &&
	       slice_all(argument, is_helo_byte);
}
