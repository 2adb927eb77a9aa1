/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dkim_canon.h"

#include "auth/dkim_signature.h"
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

/* The fields of one name, and how many from the bottom have been used. */
struct stack {
	struct header_positions fields;
	size_t used;
};

struct stacks {
	size_t count;
	struct stack items[SIGNATURE_NAMES_MAX];
};

/* That of the name; NULL if no field has it. */
static struct stack *find_stack(
    struct stacks *stacks, const struct header_list *headers, struct slice name)
{
	struct header_positions fields = headers_named(headers, name);

	if (fields.count == 0)
		return NULL;
	for (size_t i = 0; i < stacks->count; i++)
		if (stacks->items[i].fields.items == fields.items)
			return &stacks->items[i];
	if (stacks->count == SIGNATURE_NAMES_MAX)
		return NULL;
	stacks->items[stacks->count] = (struct stack){fields, 0};
	return &stacks->items[stacks->count++];
}

/* The next one upwards; NULL if none is left. */
static const struct header_field *take_field(struct stack *stack,
    const struct header_list *headers, const struct header_field *own)
{
	while (stack->used < stack->fields.count) {
		size_t at = stack->fields.count - ++stack->used;
		const struct header_field *field =
		    &headers->fields[stack->fields.items[at]];

		if (field != own)
			return field;
	}
	return NULL;
}

void dkim_canon_named_fields(struct buf *buf,
    enum dkim_canonicalization canonicalization,
    const struct header_list *headers, struct slice names,
    const struct header_field *own)
{
	struct stacks stacks = {.count = 0};
	struct slice name;

	while (taglist_next_word(&names, &name)) {
		const struct header_field *field = NULL;
		struct stack *stack = NULL;

		if (!slice_empty(name))
			stack = find_stack(&stacks, headers, name);
		if (stack)
			field = take_field(stack, headers, own);
		if (field)
			dkim_canon_field(buf, canonicalization, field->raw);
	}
}

size_t dkim_canon_max(const struct header_list *headers)
{
	return 2 * headers->block.len + 2 * headers->count + 64;
}
