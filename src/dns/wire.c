/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/wire.h"

#include <string.h>

#include "base/ascii.h"
#include "dns/idna.h"

/* A name that grows: label is where the length octet of the label in work
 * stands; name.len is behind the last octet of it. */
struct growing {
	struct wire_name name;
	size_t label;
};

static void grow_start(struct growing *g)
{
	g->name.octets[0] = 0;
	g->name.len = 1;
	g->label = 0;
}

static bool grow_octet(struct growing *g, char octet)
{
	/* The last place is that of the root's zero octet. */
	if (g->name.len - g->label > WIRE_LABEL_MAX ||
	    g->name.len >= WIRE_NAME_MAX - 1)
		return false;
	g->name.octets[g->name.len++] = (unsigned char)ascii_lower(octet);
	g->name.octets[g->label]++;
	return true;
}

static bool grow_label_end(struct growing *g)
{
	if (g->name.octets[g->label] == 0)
		return false;
	g->label = g->name.len;
	g->name.octets[g->name.len++] = 0;
	return true;
}

bool wire_unescape(struct slice text, bool master, size_t *pos, char *ret)
{
	struct slice digits = slice_sub(text, *pos + 1, 3);
	uint64_t value;

	if (digits.len == 3 && slice_to_u64(digits, 255, &value)) {
		*ret = (char)(unsigned char)value;
		*pos += 3;
		return true;
	}
	if (!master || slice_empty(digits) || ascii_is_digit(digits.ptr[0]))
		return false;
	*ret = digits.ptr[0];
	*pos += 1;
	return true;
}

/* A label without dots; not ended. */
static bool grow_plain_label(struct growing *g, struct slice label)
{
	for (size_t i = 0; i < label.len; i++) {
		char octet = label.ptr[i];

		if (octet == '\\')
			wire_unescape(label, false, &i, &octet);
		if (!grow_octet(g, octet))
			return false;
	}
	return true;
}

static bool grow_u_label(struct growing *g, struct slice label)
{
	bool fine = true;
	struct buf buf;

	buf_init(&buf, 2 * WIRE_NAME_MAX);
	fine = idna_add_label(&buf, label, NULL);
	for (size_t i = 0; fine && i < buf.len; i++)
		fine = buf.ptr[i] == '.' ? grow_label_end(g)
					 : grow_octet(g, buf.ptr[i]);
	buf_release(&buf);
	return fine;
}

bool wire_from_text(struct slice text, struct wire_name *ret)
{
	struct slice label, rest = text;
	struct growing g;

	grow_start(&g);
	if (text.len > 0 && text.ptr[text.len - 1] == '.')
		rest.len--;
	if (slice_empty(rest) && text.len == 0)
		return false;
	for (bool more = !slice_empty(rest); more;) {
		more = slice_split(rest, '.', &label, &rest);
		if (!(idna_is_needed(label) ? grow_u_label(&g, label)
					    : grow_plain_label(&g, label)) ||
		    !grow_label_end(&g))
			return false;
	}
	*ret = g.name;
	return true;
}

static bool append_origin(struct growing *g, const struct wire_name *origin)
{
	if (g->label + origin->len > WIRE_NAME_MAX)
		return false;
	memcpy(g->name.octets + g->label, origin->octets, origin->len);
	g->name.len = g->label + origin->len;
	return true;
}

bool wire_from_master(
    struct slice token, const struct wire_name *origin, struct wire_name *ret)
{
	struct growing g;
	bool ended = false;

	grow_start(&g);
	if (slice_eq(token, SLICE("@"))) {
		*ret = *origin;
		return true;
	}
	if (slice_empty(token))
		return false;
	if (slice_eq(token, SLICE("."))) {
		*ret = g.name;
		return true;
	}
	for (size_t i = 0; i < token.len; i++) {
		char octet = token.ptr[i];

		ended = octet == '.';
		if (ended ? !grow_label_end(&g)
			  : (octet == '\\' &&
				!wire_unescape(token, true, &i, &octet)) ||
				!grow_octet(&g, octet))
			return false;
	}
	if (!ended && (!grow_label_end(&g) || !append_origin(&g, origin)))
		return false;
	*ret = g.name;
	return true;
}

bool wire_read(struct slice rdata, struct wire_name *ret)
{
	struct wire_name name = {.len = 0};
	size_t length;

	do {
		if (name.len >= rdata.len)
			return false;
		length = (unsigned char)rdata.ptr[name.len];
		/* 0xc0 is a pointer (section 4.1.4): not in an rdata alone. */
		if (length > WIRE_LABEL_MAX ||
		    name.len + 1 + length > rdata.len ||
		    name.len + 1 + length > WIRE_NAME_MAX)
			return false;
		name.octets[name.len] = (unsigned char)length;
		for (size_t i = name.len + 1; i <= name.len + length; i++)
			name.octets[i] = (unsigned char)ascii_lower(
			    rdata.ptr[i]);
		name.len += 1 + length;
	} while (length > 0);
	*ret = name;
	return true;
}

static bool needs_escape(char c)
{
	return !ascii_is_visible(c) || c == '.' || c == '\\' || c == '"';
}

static size_t put_octet(char *text, unsigned char octet)
{
	if (!needs_escape((char)octet)) {
		text[0] = (char)octet;
		return 1;
	}
	text[0] = '\\';
	text[1] = (char)('0' + octet / 100);
	text[2] = (char)('0' + octet / 10 % 10);
	text[3] = (char)('0' + octet % 10);
	return 4;
}

struct slice wire_text(struct arena *arena, const struct wire_name *name)
{
	char text[4 * WIRE_NAME_MAX];
	size_t len = 0, pos = 0;

	while (name->octets[pos] != 0) {
		size_t end = pos + 1 + name->octets[pos];

		if (pos > 0)
			text[len++] = '.';
		for (pos++; pos < end; pos++)
			len += put_octet(text + len, name->octets[pos]);
	}
	return arena_slice(arena, slice_of(text, len));
}
