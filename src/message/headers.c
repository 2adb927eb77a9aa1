/* SPDX-License-Identifier: Apache-2.0 */
#include "message/headers.h"

#include "base/ascii.h"
#include "base/buf.h"
#include "base/require.h"

/* One line with its end; the rest of the text if no LF follows. */
static struct slice take_line(struct slice text)
{
	return slice_sub(text, 0, slice_find(text, '\n') + 1);
}

static struct slice without_line_end(struct slice line)
{
	if (line.len && line.ptr[line.len - 1] == '\n')
		line.len--;
	if (line.len && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* A line and the folded lines after it. */
static struct slice take_field(struct slice text)
{
	struct slice field = take_line(text);

	while (field.len < text.len && ascii_is_wsp(text.ptr[field.len])) {
		struct slice next = take_line(slice_from_pos(text, field.len));

		/* A line of white space alone is still folding, obsolete
		 * (RFC 5322 section 4.2), and never the end. */
		field.len += next.len;
	}
	return field;
}

/* ftext: printable US-ASCII except ":" (RFC 5322 section 2.2). */
static bool is_name_byte(char c)
{
	return ascii_is_visible(c) && c != ':';
}

static struct header_field split_field(struct slice raw)
{
	struct slice text = without_line_end(raw);
	struct header_field field = {.raw = raw};
	struct slice name, value;

	if (!slice_split(text, ':', &name, &value)) {
		field.value = text;
		return field;
	}
	/* RFC 5322 section 4.5: white space before the colon is obsolete. */
	while (name.len && ascii_is_wsp(name.ptr[name.len - 1]))
		name.len--;
	field.valid = name.len > 0 && slice_all(name, is_name_byte);
	/* Folding there is an error; readers that unfold first see the name. */
	while (name.len && ascii_is_fws(name.ptr[name.len - 1]))
		name.len--;
	field.name = name;
	field.value = value;
	return field;
}

static void add_field(struct arena *arena, struct header_list *list,
    size_t *room, struct slice raw)
{
	list->fields = arena_grow(
	    arena, list->fields, list->count, room, sizeof(*list->fields));
	list->fields[list->count++] = split_field(raw);
}

static bool limit_error(struct err *err, const char *what, uint64_t limit,
    const char *unit, const char *setting)
{
	return err_set(err, E_LIMIT, "a %s of over %llu %s (limits.%s)", what,
	    (unsigned long long)limit, unit, setting);
}

/* Any order will do in which equal names stand together. */
static int compare_names(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	for (size_t i = 0; i < a.len; i++) {
		char x = ascii_lower(a.ptr[i]), y = ascii_lower(b.ptr[i]);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}

static int compare_fields(const void *one, const void *other, void *object)
{
	const struct header_field *fields = object;
	size_t a = *(const size_t *)one, b = *(const size_t *)other;
	int order = compare_names(fields[a].name, fields[b].name);

	if (order != 0)
		return order;
	return a < b ? -1 : a > b;
}

static void sort_by_name(struct arena *arena, struct header_list *list)
{
	size_t *positions = ARENA_ARRAY(arena, list->count, size_t);

	for (size_t i = 0; i < list->count; i++)
		positions[i] = i;
	if (list->count)
		qsort_r(positions, list->count, sizeof(positions[0]),
		    compare_fields, list->fields);
	list->by_name = positions;
}

bool headers_parse(struct arena *arena, struct slice message,
    const struct limits *limits, struct header_list *ret, struct err *err)
{
	struct header_list list = {0};
	struct slice rest = message;
	size_t room = 0;

	while (rest.len) {
		struct slice line = take_line(rest);
		struct slice field;

		if (without_line_end(line).len == 0) {
			list.body_offset = line.len;
			break;
		}
		field = take_field(rest);
		list.block.len += field.len;
		if (list.block.len > limits->header_size)
			return limit_error(err, "header", limits->header_size,
			    "octets", "header_size");
		if (field.len > limits->header_field_size)
			return limit_error(err, "header field",
			    limits->header_field_size, "octets",
			    "header_field_size");
		if (list.count == limits->header_count)
			return limit_error(err, "header", limits->header_count,
			    "fields", "header_count");
		add_field(arena, &list, &room, field);
		rest = slice_from_pos(rest, field.len);
	}
	list.block.ptr = message.ptr;
	list.body_offset += list.block.len;
	sort_by_name(arena, &list);
	*ret = list;
	return true;
}

/* How many of by_name have a name before it, or with equal_too that one. */
static size_t count_before(
    const struct header_list *list, struct slice name, bool equal_too)
{
	size_t from = 0, to = list->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = compare_names(
		    list->fields[list->by_name[middle]].name, name);

		if (order < 0 || (order == 0 && equal_too))
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

struct header_positions headers_named(
    const struct header_list *list, struct slice name)
{
	size_t from = count_before(list, name, false);
	size_t to = count_before(list, name, true);

	return (struct header_positions){to - from, list->by_name + from};
}

const struct header_field *headers_find(
    const struct header_list *list, struct slice name, size_t nth)
{
	struct header_positions found = headers_named(list, name);

	return nth < found.count ? &list->fields[found.items[nth]] : NULL;
}

size_t headers_count(const struct header_list *list, struct slice name)
{
	return headers_named(list, name).count;
}

struct slice headers_lenient_name(
    struct arena *arena, const struct header_field *field)
{
	struct buf *name;

	if (field->valid)
		return field->name;
	name = buf_in_arena(arena, field->name.len);
	for (size_t i = 0; i < field->name.len; i++)
		if (is_name_byte(field->name.ptr[i]))
			buf_add_byte(name, field->name.ptr[i]);
	return buf_slice(name);
}

struct slice headers_unfold(struct arena *arena, struct slice value)
{
	struct buf *buf;

	value = slice_trim(value);
	if (slice_find(value, '\n') == value.len)
		return value;
	buf = buf_in_arena(arena, value.len);
	while (value.len) {
		struct slice line = take_line(value);

		buf_add(buf, without_line_end(line));
		value = slice_from_pos(value, line.len);
	}
	return buf_slice(buf);
}
