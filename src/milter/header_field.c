/* SPDX-License-Identifier: Apache-2.0 */
#include "milter/header_field.h"

#include "milter/packet.h"

bool header_field_parse(struct slice data, struct slice *ret_name,
    struct slice *ret_value, struct err *err)
{
	struct slice name, value;

	if (!packet_take_text(&data, &name) ||
	    !packet_take_text(&data, &value) || data.len)
		return err_set(err, E_SYNTAX, "header: not a name and a value");
	*ret_name = name;
	*ret_value = value;
	return true;
}

/* RFC 5322, 2.2; 8-bit names are left to the policies. */
static bool is_name_octet(char c)
{
	return (unsigned char)c > ' ' && c != ':' && c != 0x7f;
}

bool header_field_is_sound(struct slice name, struct slice value)
{
	if (name.len == 0 || !slice_all(name, is_name_octet))
		return false;
	for (;;) {
		size_t end = slice_find(value, '\n');

		if (end == value.len)
			return true;
		value = slice_from_pos(value, end + 1);
		if (value.len == 0 ||
		    (value.ptr[0] != ' ' && value.ptr[0] != '\t'))
			return false;
	}
}

/* Each LF becomes CR LF, if it is not that already. */
static bool add_lines(struct buf *header, struct slice value)
{
	for (;;) {
		size_t end = slice_find(value, '\n');

		if (end == value.len)
			return buf_add(header, value);
		if (!buf_add(header, slice_sub(value, 0, end)) ||
		    (!(end && value.ptr[end - 1] == '\r') &&
			!buf_add_byte(header, '\r')) ||
		    !buf_add_byte(header, '\n'))
			return false;
		value = slice_from_pos(value, end + 1);
	}
}

bool header_field_rebuild(struct buf *header, struct slice name,
    struct slice value, bool leading_space)
{
	/* Sendmail and Postfix eat a space, but no tab and no line end. */
	bool space = !leading_space && value.len && value.ptr[0] != '\t' &&
		     value.ptr[0] != '\n';

	return buf_add(header, name) &&
	       buf_add(header, space ? SLICE(": ") : SLICE(":")) &&
	       add_lines(header, value) && buf_add(header, SLICE("\r\n"));
}

void header_field_take_apart(struct arena *arena, struct slice field,
    bool leading_space, struct slice *ret_name, struct slice *ret_value)
{
	struct slice name, value;
	char *text;
	size_t len = 0;

	slice_split(field, ':', &name, &value);
	if (value.len >= 2 &&
	    slice_eq(slice_from_pos(value, value.len - 2), SLICE("\r\n")))
		value.len -= 2;
	if (!leading_space && value.len && value.ptr[0] == ' ')
		value = slice_from_pos(value, 1);
	text = arena_alloc(arena, value.len + 1);
	for (size_t i = 0; i < value.len; i++)
		if (value.ptr[i] != '\r' || i + 1 == value.len ||
		    value.ptr[i + 1] != '\n')
			text[len++] = value.ptr[i];
	*ret_name = name;
	*ret_value = slice_of(text, len);
}
