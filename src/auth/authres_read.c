/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/authres.h"

#include "auth/authres_text.h"
#include "base/ascii.h"
#include "base/buf.h"
#include "message/cfws.h"

enum { RESULTS_MAX = 100, PROPERTIES_MAX = 50 };

struct reader {
	struct arena *arena;
	struct slice rest;
	struct err *err;
	bool deviates;
};

static bool at_byte(const struct reader *reader, char byte)
{
	return reader->rest.len && reader->rest.ptr[0] == byte;
}

static void advance(struct reader *reader, size_t count)
{
	reader->rest = slice_from_pos(reader->rest, count);
}

static bool take_byte(struct reader *reader, char byte)
{
	if (!at_byte(reader, byte))
		return false;
	advance(reader, 1);
	return true;
}

static bool fail(struct reader *reader, const char *what)
{
	return err_set(reader->err, E_SYNTAX, "%s", what);
}

static bool skip_cfws(struct reader *reader)
{
	return cfws_skip(&reader->rest, reader->err);
}

static bool take_quoted(struct reader *reader, struct slice *ret)
{
	struct buf *text = buf_in_arena(reader->arena, reader->rest.len);

	advance(reader, 1);
	while (reader->rest.len) {
		char c = reader->rest.ptr[0];

		advance(reader, 1);
		if (c == '"') {
			*ret = buf_slice(text);
			return true;
		}
		if (c == '\\' && reader->rest.len) {
			c = reader->rest.ptr[0];
			advance(reader, 1);
		}
		if (c == '\r' || c == '\n')
			continue;
		if (c != '\t' && ascii_is_control(c))
			return fail(
			    reader, "a quoted string holds a control octet");
		buf_add_byte(text, c);
	}
	return fail(reader, "a quoted string is not closed");
}

static struct slice take_while(struct reader *reader, bool (*passes)(char byte))
{
	struct slice taken = reader->rest;

	taken.len = 0;
	while (
	    taken.len < reader->rest.len && passes(reader->rest.ptr[taken.len]))
		taken.len++;
	advance(reader, taken.len);
	return taken;
}

/* token, with the UTF-8 that RFC 8601 section 2.2 adds. */
static bool is_token_or_8bit(char c)
{
	return authres_is_token_byte(c) || ascii_is_8bit(c);
}

static bool is_keyword_byte(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '_';
}

/* What ends a value that should have been quoted. */
static bool is_loose_byte(char c)
{
	return c != ';' && c != '(' && c != '"' && !ascii_is_fws(c) &&
	       !ascii_is_control(c);
}

static bool take_keyword(
    struct reader *reader, const char *what, struct slice *ret)
{
	*ret = take_while(reader, is_keyword_byte);
	if (ret->len)
		return true;
	return err_set(reader->err, E_SYNTAX, "no %s where one must be", what);
}

static bool take_value(struct reader *reader, struct slice *ret)
{
	if (!skip_cfws(reader))
		return false;
	if (at_byte(reader, '"'))
		return take_quoted(reader, ret);
	*ret = take_while(reader, is_token_or_8bit);
	return ret->len > 0 || fail(reader, "a value is missing");
}

/* value, or an address, or what senders write there unquoted. */
static bool take_pvalue(struct reader *reader, struct slice *ret)
{
	struct slice local = {NULL, 0};
	bool quoted;

	if (!skip_cfws(reader))
		return false;
	quoted = at_byte(reader, '"');
	if (quoted && !take_quoted(reader, &local))
		return false;
	if (quoted && !at_byte(reader, '@')) {
		*ret = local;
		return true;
	}
	*ret = take_while(reader, is_loose_byte);
	if (ret->len == 0 ||
	    !(slice_all(*ret, is_token_or_8bit) || at_byte(reader, '@') ||
		slice_find(*ret, '@') < ret->len))
		reader->deviates = true;
	if (quoted)
		*ret = arena_format_slice(reader->arena, "%.*s%.*s",
		    SLICE_ARGS(local), SLICE_ARGS(*ret));
	return true;
}

/* "/" version, or nothing. */
static bool skip_version(struct reader *reader)
{
	if (!skip_cfws(reader))
		return false;
	if (!take_byte(reader, '/'))
		return true;
	if (!skip_cfws(reader))
		return false;
	if (take_while(reader, ascii_is_digit).len == 0)
		return fail(reader, "a method's version is no number");
	return skip_cfws(reader);
}

static bool take_method(struct reader *reader, struct authres_result *result)
{
	if (!take_keyword(reader, "method", &result->method) ||
	    !skip_version(reader))
		return false;
	if (!take_byte(reader, '='))
		return fail(reader, "a method has no result");
	return skip_cfws(reader) &&
	       take_keyword(reader, "result", &result->result);
}

/* reasonspec, propspec, or Exchange's "name=value". */
static bool take_property(struct reader *reader, struct authres_result *result)
{
	struct authres_property *property =
	    &result->properties[result->property_count];

	if (result->property_count == PROPERTIES_MAX)
		return err_set(reader->err, E_LIMIT, "too many properties");
	if (!take_keyword(reader, "property", &property->ptype) ||
	    !skip_cfws(reader))
		return false;
	if (take_byte(reader, '=')) {
		if (slice_eq_nocase(property->ptype, SLICE("reason")))
			return take_value(reader, &result->reason);
		reader->deviates = true;
		property->property = property->ptype;
		property->ptype = (struct slice){NULL, 0};
	} else {
		if (!take_byte(reader, '.'))
			return fail(reader, "a property has no type");
		if (!skip_cfws(reader) ||
		    !take_keyword(reader, "property", &property->property) ||
		    !skip_cfws(reader))
			return false;
		if (!take_byte(reader, '='))
			return fail(reader, "a property has no value");
	}
	result->property_count++;
	return take_pvalue(reader, &property->value);
}

static bool take_result(struct reader *reader, struct authres_result *result)
{
	struct authres_property properties[PROPERTIES_MAX];
	struct authres_property *copy;

	result->properties = properties;
	if (!take_method(reader, result) || !skip_cfws(reader))
		return false;
	while (reader->rest.len && !at_byte(reader, ';'))
		if (!take_property(reader, result) || !skip_cfws(reader))
			return false;
	copy = ARENA_ARRAY(
	    reader->arena, result->property_count, struct authres_property);
	for (size_t i = 0; i < result->property_count; i++)
		copy[i] = properties[i];
	result->properties = copy;
	return true;
}

/* authserv-id [ CFWS version ] */
static bool take_head(struct reader *reader, struct authres *ret)
{
	struct slice digits;
	uint64_t version;

	if (!take_value(reader, &ret->authserv_id) || !skip_cfws(reader))
		return false;
	ret->version = 1;
	digits = take_while(reader, ascii_is_digit);
	if (digits.len) {
		if (!slice_to_u64(digits, 1000, &version))
			return fail(reader, "the version is no number");
		ret->version = (unsigned int)version;
	}
	if (!skip_cfws(reader))
		return false;
	return !reader->rest.len || at_byte(reader, ';') ||
	       fail(reader, "text after the authserv-id");
}

/* no-result: "none" alone. */
static bool is_none(struct reader *reader)
{
	struct reader ahead = *reader;

	ahead.err = NULL;
	if (!slice_eq_nocase(
		take_while(&ahead, is_keyword_byte), SLICE("none")) ||
	    !skip_cfws(&ahead))
		return false;
	return ahead.rest.len == 0;
}

static bool take_results(struct reader *reader, struct authres *ret)
{
	struct authres_result *results = ARENA_ARRAY(
	    reader->arena, RESULTS_MAX, struct authres_result);

	ret->results = results;
	if (reader->rest.len == 0)
		reader->deviates = true;
	while (take_byte(reader, ';')) {
		if (!skip_cfws(reader))
			return false;
		if (ret->count == 0 && is_none(reader))
			return true;
		if (!reader->rest.len || at_byte(reader, ';')) {
			reader->deviates = true;
			continue;
		}
		if (ret->count == RESULTS_MAX)
			return err_set(
			    reader->err, E_LIMIT, "too many results");
		if (!take_result(reader, &results[ret->count]))
			return false;
		ret->count++;
	}
	return !reader->rest.len ||
	       fail(reader, "statements are not separated by a semicolon");
}

bool authres_parse(struct arena *arena, struct slice value, struct authres *ret,
    struct err *err)
{
	struct reader reader = {arena, value, err, false};
	struct authres authres = {0};

	if (!skip_cfws(&reader) || !take_head(&reader, &authres) ||
	    !take_results(&reader, &authres))
		return false;
	authres.conforming = !reader.deviates;
	*ret = authres;
	return true;
}

struct slice authres_property(const struct authres_result *result,
    const char *ptype, const char *property)
{
	for (size_t i = 0; i < result->property_count; i++)
		if (slice_eq_nocase(
			result->properties[i].ptype, slice_from(ptype)) &&
		    slice_eq_nocase(
			result->properties[i].property, slice_from(property)))
			return result->properties[i].value;
	return (struct slice){NULL, 0};
}
