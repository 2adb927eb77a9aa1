/* SPDX-License-Identifier: Apache-2.0 */
/* Forged fields: whom would a reader, strict or sloppy, take this one for? */
#include "auth/authres.h"

#include "base/ascii.h"
#include "base/buf.h"

static bool is_name_byte(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '.' || c == '_' ||
	       ascii_is_8bit(c);
}

/* A field is read up to its first semicolon.  A reader that knows comments
 * and quoted strings may find that one elsewhere than one that does not: take
 * the later, by not counting those inside. */
static struct slice head_of(struct slice value)
{
	size_t depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < value.len; i++) {
		char c = value.ptr[i];

		if (c == '\\' && (quoted || depth))
			i++;
		else if (c == '"' && depth == 0)
			quoted = !quoted;
		else if (c == '(' && !quoted)
			depth++;
		else if (c == ')' && depth)
			depth--;
		else if (c == ';' && !quoted && depth == 0)
			return slice_sub(value, 0, i);
	}
	return value;
}

/* Without what a reader may drop: white space, controls, backslashes. */
static struct slice squeeze(struct arena *arena, struct slice text)
{
	struct buf *out = buf_in_arena(arena, text.len);

	for (size_t i = 0; i < text.len; i++)
		if (!ascii_is_control(text.ptr[i]) && text.ptr[i] != ' ' &&
		    text.ptr[i] != '\\')
			buf_add_byte(out, text.ptr[i]);
	return buf_slice(out);
}

/* Squeezed, and without quotes and comments, wherever they stand. */
static struct slice bare(struct arena *arena, struct slice text)
{
	struct buf *out = buf_in_arena(arena, text.len);
	size_t depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '"' && depth == 0)
			quoted = !quoted;
		else if (c == '(' && !quoted)
			depth++;
		else if (c == ')' && depth)
			depth--;
		else if (depth == 0)
			buf_add_byte(out, c);
	}
	return squeeze(arena, buf_slice(out));
}

/* The name stands there as a whole, a final dot aside; or, with below, at the
 * end of a longer one. */
static bool names(struct slice text, struct slice name, bool below)
{
	if (name.len == 0)
		return false;
	for (size_t i = 0; i + name.len <= text.len; i++) {
		struct slice after = slice_from_pos(text, i + name.len);
		char before = i ? text.ptr[i - 1] : ' ';

		if (!slice_eq_nocase(slice_sub(text, i, name.len), name) ||
		    (is_name_byte(before) && !(below && before == '.')))
			continue;
		if (after.len && after.ptr[0] == '.')
			after = slice_from_pos(after, 1);
		if (after.len == 0 || !is_name_byte(after.ptr[0]))
			return true;
	}
	return false;
}

/* "mx.agency.example1": an id with its version, once squeezed. */
static bool names_with_version(struct slice plain, struct slice name)
{
	return name.len && slice_starts_nocase(plain, name) &&
	       slice_all(slice_from_pos(plain, name.len), ascii_is_digit);
}

static struct slice without_version(struct slice plain)
{
	while (plain.len && ascii_is_digit(plain.ptr[plain.len - 1]))
		plain.len--;
	return plain;
}

static bool head_claims(struct arena *arena, struct slice head,
    struct slice authserv_id, struct slice domain)
{
	struct slice plain = bare(arena, head);
	const struct slice readings[] = {head, squeeze(arena, head), plain};

	for (size_t i = 0; i < sizeof(readings) / sizeof(readings[0]); i++)
		if (names(readings[i], authserv_id, false) ||
		    names(readings[i], domain, true))
			return true;
	return names_with_version(plain, authserv_id) ||
	       names(without_version(plain), domain, true);
}

/* Comments, white space, controls and semicolons before the first word. */
static struct slice skip_nothing(struct slice value)
{
	size_t depth = 0, at = 0;

	for (; at < value.len; at++) {
		char c = value.ptr[at];

		if (c == '(')
			depth++;
		else if (c == ')' && depth)
			depth--;
		else if (c == '\\' && depth)
			at++;
		else if (depth == 0 && c != ' ' && c != ';' &&
			 !ascii_is_control(c))
			break;
	}
	return slice_from_pos(value, at);
}

bool authres_claims(struct arena *arena, struct slice value,
    struct slice authserv_id, struct slice domain)
{
	/* Some skip semicolons that stand before the first word. */
	return head_claims(arena, head_of(value), authserv_id, domain) ||
	       head_claims(
		   arena, head_of(skip_nothing(value)), authserv_id, domain);
}

bool authres_is_anonymous(struct slice value)
{
	struct slice rest = skip_nothing(value);
	size_t word = 0;

	while (word < rest.len &&
	       (ascii_is_alnum(rest.ptr[word]) || rest.ptr[word] == '-'))
		word++;
	rest = skip_nothing(slice_from_pos(rest, word));
	return word > 0 && rest.len > 0 &&
	       (rest.ptr[0] == '=' || rest.ptr[0] == '/');
}
