/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/spf_macro.h"

#include <string.h>

#include "base/ascii.h"
#include "base/buf.h"

enum {
	NAME_MAX_OCTETS = 253,
	/* A macro of a domain-spec can bring a whole local part several times;
	 * more than this is cut at the left anyway. */
	EXPANSION_MAX = 8192,
};

/* One step of a macro string: a run of literal text (letter is 0, written
 * by its author or standing for %%, %_, %-) or a macro. */
struct item {
	struct slice literal;
	bool is_expansion; /* began with "%" */
	char letter;	   /* lower case */
	bool escaped;	   /* was upper case: URL escaping */
	size_t parts;	   /* right-hand parts to keep; 0: all */
	bool reversed;
	struct slice delimiters; /* empty: "." and nothing to do if
				  * there is no transformer either */
	bool transformed;
};

static bool is_delimiter(char c)
{
	return c != '\0' && strchr(".-+,/_=", c);
}

static bool is_literal(char c)
{
	return ascii_is_visible(c) && c != '%';
}

/* macro-letter transformers *delimiter, without the braces. */
static bool parse_macro(struct slice inside, struct item *ret, struct err *err)
{
	struct item item = {.is_expansion = true};
	size_t at = 1;
	bool has_digits = false;

	item.letter = inside.len ? ascii_lower(inside.ptr[0]) : '\0';
	if (!item.letter || !strchr("slodiphcrtv", item.letter))
		return err_set(err, E_SYNTAX, "unknown macro letter");
	item.escaped = ascii_is_upper(inside.ptr[0]);
	for (; at < inside.len && ascii_is_digit(inside.ptr[at]); at++) {
		has_digits = true;
		/* More parts than any name has are all parts. */
		if (item.parts < 10000)
			item.parts = item.parts * 10 +
				     (size_t)(inside.ptr[at] - '0');
	}
	if (has_digits && item.parts == 0)
		return err_set(err, E_SYNTAX, "a macro keeps 0 parts");
	if (at < inside.len && ascii_lower(inside.ptr[at]) == 'r') {
		item.reversed = true;
		at++;
	}
	item.delimiters = slice_from_pos(inside, at);
	if (!slice_all(item.delimiters, is_delimiter))
		return err_set(err, E_SYNTAX, "a macro has a wrong delimiter");
	item.transformed = inside.len > 1;
	*ret = item;
	return true;
}

/* "%%", "%_", "%-", "%{...}" at the start of *text. */
static bool next_expansion(
    struct slice *text, struct item *ret, struct err *err)
{
	char kind = text->len > 1 ? text->ptr[1] : '\0';
	size_t end;

	if (kind == '{') {
		end = slice_find(*text, '}');
		if (end == text->len)
			return err_set(err, E_SYNTAX, "a macro has no end");
		if (!parse_macro(slice_sub(*text, 2, end - 2), ret, err))
			return false;
		*text = slice_from_pos(*text, end + 1);
		return true;
	}
	*ret = (struct item){.is_expansion = true};
	if (kind == '%')
		ret->literal = SLICE("%");
	else if (kind == '_')
		ret->literal = SLICE(" ");
	else if (kind == '-')
		ret->literal = SLICE("%20");
	else
		return err_set(
		    err, E_SYNTAX, "\"%%\" is not followed by {, %%, _ or -");
	*text = slice_from_pos(*text, 2);
	return true;
}

/* The next item of a non-empty *text, which moves on.  In an explanation
 * spaces are allowed, and the letters c, r and t. */
static bool next_item(
    struct slice *text, bool explanation, struct item *ret, struct err *err)
{
	size_t len = 0;

	if (text->ptr[0] == '%') {
		if (!next_expansion(text, ret, err))
			return false;
		if (!explanation && ret->letter && strchr("crt", ret->letter))
			return err_set(err, E_SYNTAX,
			    "macro letter \"%c\" is for explanations only",
			    ret->letter);
		return true;
	}
	while (len < text->len && (is_literal(text->ptr[len]) ||
				      (explanation && text->ptr[len] == ' ')))
		len++;
	if (len == 0)
		return err_set(err, E_SYNTAX, "byte 0x%02x is not allowed",
		    (unsigned int)(unsigned char)text->ptr[0]);
	*ret = (struct item){.literal = slice_sub(*text, 0, len)};
	*text = slice_from_pos(*text, len);
	return true;
}

/* toplabel: LDH, not all digits, no hyphen at an end (section 7.1). */
static bool is_top_label(struct slice label)
{
	bool has_other = false;

	for (size_t i = 0; i < label.len; i++) {
		char c = label.ptr[i];

		if (!ascii_is_alnum(c) && c != '-')
			return false;
		has_other = has_other || !ascii_is_digit(c);
	}
	return has_other && label.ptr[0] != '-' &&
	       label.ptr[label.len - 1] != '-';
}

/* "." toplabel [ "." ] at the end of the last literal run. */
static bool ends_in_top_label(struct slice run)
{
	size_t dot = run.len;

	if (run.len && run.ptr[run.len - 1] == '.')
		dot = --run.len;
	while (dot > 0 && run.ptr[dot - 1] != '.')
		dot--;
	return dot > 0 && is_top_label(slice_from_pos(run, dot));
}

bool spf_macro_check_string(struct slice text, struct err *err)
{
	struct item item;

	while (text.len)
		if (!next_item(&text, false, &item, err))
			return false;
	return true;
}

bool spf_macro_check_domain(struct slice spec, struct err *err)
{
	struct item item = {.is_expansion = false};

	if (slice_empty(spec))
		return err_set(err, E_SYNTAX, "the domain is empty");
	while (spec.len)
		if (!next_item(&spec, false, &item, err))
			return false;
	if (!item.is_expansion && !ends_in_top_label(item.literal))
		return err_set(err, E_SYNTAX,
		    "the domain does not end in a top-level label");
	return true;
}

/* The dotted form of the i macro: "192.0.2.1", or 32 digits with dots. */
static struct slice dotted_address(struct arena *arena, const struct ip *ip)
{
	static const char digits[] = "0123456789ABCDEF";
	char text[IP_TEXT_MAX], *nibbles;

	if (ip->family != IP_V6)
		return arena_slice(arena, slice_from(ip_format(ip, text)));
	nibbles = arena_alloc(arena, 64);
	for (size_t i = 0; i < 32; i++) {
		unsigned char byte = ip->bytes[i / 2];

		nibbles[2 * i] = digits[i % 2 ? byte & 15 : byte >> 4];
		nibbles[2 * i + 1] = '.';
	}
	return slice_of(nibbles, 63);
}

static struct slice plain_address(struct arena *arena, const struct ip *ip)
{
	char text[IP_TEXT_MAX];

	return arena_slice(arena, slice_from(ip_format(ip, text)));
}

static struct slice letter_value(
    struct arena *arena, char letter, const struct spf_macro_values *values)
{
	switch (letter) {
	case 's':
		return arena_format_slice(arena, "%.*s@%.*s",
		    SLICE_ARGS(values->local_part),
		    SLICE_ARGS(values->sender_domain));
	case 'l': return values->local_part;
	case 'o': return values->sender_domain;
	case 'd': return values->domain;
	case 'i': return dotted_address(arena, &values->client_ip);
	case 'p': return values->validated_name(values->context);
	case 'h': return values->helo;
	case 'c': return plain_address(arena, &values->client_ip);
	case 'r':
		return slice_empty(values->receiver) ? SLICE("unknown")
						     : values->receiver;
	case 't':
		return arena_format_slice(
		    arena, "%lld", (long long)values->now);
	default:
		return values->client_ip.family == IP_V6 ? SLICE("ip6")
							 : SLICE("in-addr");
	}
}

static bool splits(const struct item *item, char c)
{
	return slice_empty(item->delimiters)
		   ? c == '.'
		   : slice_find(item->delimiters, c) < item->delimiters.len;
}

/* parts may be NULL: counts only. */
static size_t split_value(
    struct slice value, const struct item *item, struct slice *parts)
{
	size_t count = 0, start = 0;

	for (size_t i = 0; i <= value.len; i++) {
		if (i < value.len && !splits(item, value.ptr[i]))
			continue;
		if (parts)
			parts[count] = slice_sub(value, start, i - start);
		count++;
		start = i + 1;
	}
	return count;
}

/* Section 7.3: split, reverse, keep the right-hand parts, join with dots. */
static struct slice transform(
    struct arena *arena, struct slice value, const struct item *item)
{
	size_t count = split_value(value, item, NULL), first = 0, len = 0;
	struct slice *parts = ARENA_ARRAY(arena, count, struct slice);
	char *joined = arena_alloc(arena, value.len + 1);

	split_value(value, item, parts);
	if (item->parts && item->parts < count)
		first = count - item->parts;
	for (size_t i = first; i < count; i++) {
		struct slice part = parts[item->reversed ? count - 1 - i : i];

		if (i > first)
			joined[len++] = '.';
		if (part.len)
			memcpy(joined + len, part.ptr, part.len);
		len += part.len;
	}
	return slice_of(joined, len);
}

/* The unreserved set of RFC 3986 stays, all else becomes %XX. */
static void add_escaped(struct buf *out, struct slice value)
{
	for (size_t i = 0; i < value.len; i++) {
		char c = value.ptr[i];

		if (ascii_is_alnum(c) || (c && strchr("-._~", c)))
			buf_add_byte(out, c);
		else
			buf_add_format(
			    out, "%%%02X", (unsigned int)(unsigned char)c);
	}
}

static void add_item(struct arena *arena, struct buf *out,
    const struct item *item, const struct spf_macro_values *values)
{
	struct slice value;

	if (!item->letter) {
		buf_add(out, item->literal);
		return;
	}
	value = letter_value(arena, item->letter, values);
	if (item->transformed)
		value = transform(arena, value, item);
	if (item->escaped)
		add_escaped(out, value);
	else
		buf_add(out, value);
}

/* Section 7.3: "the left side is truncated to fit, by removing successive
 * domain labels (and their following dots)". */
static struct slice cut_left(struct slice name)
{
	while (name.len > NAME_MAX_OCTETS) {
		size_t dot = slice_find(name, '.');

		if (dot == name.len)
			break;
		name = slice_from_pos(name, dot + 1);
	}
	return name;
}

static bool can_be_asked(char c)
{
	return c >= ' ' && c < 0x7f;
}

static bool is_ascii(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (ascii_is_8bit(text.ptr[i]))
			return false;
	return true;
}

bool spf_macro_matches_nothing(
    struct slice spec, const struct spf_macro_values *values)
{
	struct item item;

	if (is_ascii(values->local_part))
		return false;
	while (spec.len && next_item(&spec, false, &item, NULL))
		if (item.letter == 's' || item.letter == 'l')
			return true;
	return false;
}

bool spf_macro_expand_domain(struct arena *arena, struct slice spec,
    const struct spf_macro_values *values, struct slice *ret)
{
	struct buf *out = buf_in_arena(arena, EXPANSION_MAX);
	struct slice name;
	struct item item;

	if (spf_macro_matches_nothing(spec, values))
		return false;
	while (spec.len && !buf_overflowed(out)) {
		if (!next_item(&spec, false, &item, NULL))
			return false;
		add_item(arena, out, &item, values);
	}
	if (buf_overflowed(out))
		return false;
	name = buf_slice(out);
	if (name.len && name.ptr[name.len - 1] == '.')
		name.len--;
	name = cut_left(name);
	if (slice_empty(name) || !slice_all(name, can_be_asked))
		return false;
	*ret = arena_slice(arena, name);
	return true;
}

bool spf_macro_expand_text(struct arena *arena, struct slice text,
    const struct spf_macro_values *values, struct slice *ret, struct err *err)
{
	struct buf *out = buf_in_arena(arena, SPF_EXPLANATION_MAX);
	struct item item;

	while (text.len && !buf_overflowed(out)) {
		if (!next_item(&text, true, &item, err))
			return false;
		add_item(arena, out, &item, values);
	}
	if (buf_overflowed(out))
		return err_set(err, E_LIMIT,
		    "the explanation is longer than %d octets",
		    SPF_EXPLANATION_MAX);
	/* It goes into an SMTP reply: what the sender brought must be text. */
	if (!slice_all(buf_slice(out), can_be_asked))
		return err_set(
		    err, E_SYNTAX, "the explanation is not US-ASCII text");
	*ret = arena_slice(arena, buf_slice(out));
	return true;
}
