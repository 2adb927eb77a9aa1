/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dkim_canon.h"

#include "auth/taglist.h"
#include "base/ascii.h"

static struct slice without_line_end(struct slice raw)
{
	if (raw.len && raw.ptr[raw.len - 1] == '\n')
		raw.len--;
	if (raw.len && raw.ptr[raw.len - 1] == '\r')
		raw.len--;
	return raw;
}

static void add_lower(struct buf *buf, struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		buf_add_byte(buf, ascii_lower(name.ptr[i]));
}

/* White space and line ends of folding, at the start of text. */
static size_t count_folding(struct slice text)
{
	size_t at = 0;

	while (at < text.len) {
		if (ascii_is_wsp(text.ptr[at]))
			at += 1;
		else if (at + 1 < text.len && text.ptr[at] == '\r' &&
			 text.ptr[at + 1] == '\n')
			at += 2;
		else
			break;
	}
	return at;
}

static size_t count_plain(struct slice text)
{
	size_t at = 0;

	while (at < text.len && !ascii_is_wsp(text.ptr[at]) &&
	       text.ptr[at] != '\r')
		at++;
	return at;
}

/* Unfolded, white space inside as one space, none at the ends. */
static void add_relaxed_value(struct buf *buf, struct slice value)
{
	bool first = true;

	for (;;) {
		size_t count = count_folding(value);

		value = slice_from_pos(value, count);
		if (!value.len)
			return;
		if (count && !first)
			buf_add_byte(buf, ' ');
		first = false;
		/* A CR that starts no line end is an ordinary octet. */
		count = count_plain(value);
		if (!count)
			count = 1;
		buf_add(buf, slice_sub(value, 0, count));
		value = slice_from_pos(value, count);
	}
}

/* RFC 6376 section 3.4.2.  text has no final line end. */
static void add_relaxed(struct buf *buf, struct slice text)
{
	struct slice name, value;

	slice_split(text, ':', &name, &value);
	while (name.len && ascii_is_fws(name.ptr[name.len - 1]))
		name.len--;
	add_lower(buf, name);
	buf_add_byte(buf, ':');
	add_relaxed_value(buf, value);
}

static void add_text(struct buf *buf,
    enum dkim_canonicalization canonicalization, struct slice text)
{
	if (canonicalization == CANON_RELAXED)
		add_relaxed(buf, text);
	else
		buf_add(buf, text);
}

void dkim_canon_field(struct buf *buf,
    enum dkim_canonicalization canonicalization, struct slice raw)
{
	add_text(buf, canonicalization, without_line_end(raw));
	buf_add(buf, SLICE("\r\n"));
}

void dkim_canon_own_field(struct buf *buf,
    enum dkim_canonicalization canonicalization, struct slice raw,
    struct slice signature)
{
	struct slice text = without_line_end(raw);
	size_t from = signature.len ? (size_t)(signature.ptr - raw.ptr)
				    : text.len;
	struct buf cut;

	buf_init(&cut, text.len);
	buf_add(&cut, slice_sub(text, 0, from));
	buf_add(&cut, slice_from_pos(text, from + signature.len));
	add_text(buf, canonicalization, buf_slice(&cut));
	buf_release(&cut);
}

/* The last field of that name above position *below; NULL if none. */
static const struct header_field *find_above(const struct header_list *headers,
    struct slice name, const struct header_field *own, size_t *below)
{
	while (*below) {
		const struct header_field *field = &headers->fields[--*below];

		if (field != own && slice_eq_nocase(field->name, name))
			return field;
	}
	return NULL;
}

/* How often name stands in names before the word at position. */
static size_t count_before(
    struct slice names, const char *position, struct slice name)
{
	struct slice word;
	size_t count = 0;

	while (taglist_next_word(&names, &word) && word.ptr != position)
		count += slice_eq_nocase(word, name);
	return count;
}

void dkim_canon_named_fields(struct buf *buf,
    enum dkim_canonicalization canonicalization,
    const struct header_list *headers, struct slice names,
    const struct header_field *own)
{
	struct slice rest = names, name;

	while (taglist_next_word(&rest, &name)) {
		const struct header_field *field;
		size_t skip, below = headers->count;

		if (slice_empty(name))
			continue;
		skip = count_before(names, name.ptr, name);
		do
			field = find_above(headers, name, own, &below);
		while (field && skip--);
		if (field)
			dkim_canon_field(buf, canonicalization, field->raw);
	}
}

size_t dkim_canon_max(const struct header_list *headers)
{
	return 2 * headers->block.len + 2 * headers->count + 64;
}
