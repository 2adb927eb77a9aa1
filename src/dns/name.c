/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/name.h"

#include <string.h>

#include "base/ascii.h"
#include "dns/idna.h"

enum { LABEL_MAX = 63, NAME_MAX_TEXT = 253 };

/* Letters, digits and hyphens of host names (RFC 1123, section 2.1), and the
 * underscore of service labels (RFC 8552). */
static bool is_name_byte(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '_';
}

static bool check_label(struct slice label, struct err *err)
{
	if (slice_empty(label))
		return err_set(err, E_SYNTAX, "empty label in a domain name");
	if (label.len > LABEL_MAX)
		return err_set(err, E_SYNTAX,
		    "label of %zu octets in a domain name, the most is %d",
		    label.len, LABEL_MAX);
	if (!slice_all(label, is_name_byte))
		return err_set(
		    err, E_SYNTAX, "a byte that cannot stand in a domain name");
	return true;
}

static bool check_name(struct slice name, struct err *err)
{
	struct slice label, rest = name;

	if (name.len > NAME_MAX_TEXT)
		return err_set(err, E_SYNTAX,
		    "domain name of %zu octets, the most is %d", name.len,
		    NAME_MAX_TEXT);
	for (bool more = true; more;) {
		more = slice_split(rest, '.', &label, &rest);
		if (!check_label(label, err))
			return false;
	}
	return true;
}

/* Appends a label, as its A-label if it is not US-ASCII. */
static bool add_label(struct buf *buf, struct slice label, struct err *err)
{
	if (!idna_is_needed(label))
		return buf_add(buf, label) ||
		       err_set(err, E_SYNTAX, "domain name too long");
	return idna_add_label(buf, label, err);
}

static bool add_labels(struct buf *buf, struct slice text, struct err *err)
{
	struct slice label, rest = text;

	for (bool more = true; more;) {
		more = slice_split(rest, '.', &label, &rest);
		if (!add_label(buf, label, err))
			return false;
		if (more && !buf_add_byte(buf, '.'))
			return err_set(err, E_SYNTAX, "domain name too long");
	}
	return true;
}

static bool normalize_u_labels(
    struct arena *arena, struct slice text, struct slice *ret, struct err *err)
{
	struct buf buf;
	bool fine;

	/* Room to name what is wrong; U-labels grow as they are converted. */
	buf_init(&buf, 4 * NAME_MAX_TEXT);
	fine = add_labels(&buf, text, err) && check_name(buf_slice(&buf), err);
	if (fine)
		*ret = arena_lower(arena, buf_slice(&buf));
	buf_release(&buf);
	return fine;
}

bool name_normalize(
    struct arena *arena, struct slice text, struct slice *ret, struct err *err)
{
	if (text.len > 0 && text.ptr[text.len - 1] == '.')
		text.len--;
	if (slice_empty(text))
		return err_set(err, E_SYNTAX, "empty domain name");
	if (idna_is_needed(text))
		return normalize_u_labels(arena, text, ret, err);
	if (!check_name(text, err))
		return false;
	*ret = arena_lower(arena, text);
	return true;
}

bool name_check_a_labels(struct slice name, struct err *err)
{
	struct slice label, rest = name;

	for (bool more = true; more;) {
		more = slice_split(rest, '.', &label, &rest);
		if (idna_is_a_label(label) && !idna_check_a_label(label, err))
			return false;
	}
	return true;
}

bool name_is_at_or_below(struct slice name, struct slice parent)
{
	if (slice_empty(parent))
		return true;
	if (!slice_ends_nocase(name, parent))
		return false;
	return name.len == parent.len ||
	       name.ptr[name.len - parent.len - 1] == '.';
}

struct slice name_parent(struct slice name)
{
	struct slice label, rest;

	slice_split(name, '.', &label, &rest);
	return rest;
}

size_t name_label_count(struct slice name)
{
	size_t count = slice_empty(name) ? 0 : 1;

	for (size_t i = 0; i < name.len; i++)
		count += name.ptr[i] == '.';
	return count;
}

/* RFC 3596, section 2.5: nibbles, the last one first. */
static struct slice reverse_v6(struct arena *arena, const struct ip *ip)
{
	static const char digits[] = "0123456789abcdef";
	char text[64];

	for (size_t i = 0; i < 16; i++) {
		unsigned char octet = ip->bytes[15 - i];

		text[4 * i] = digits[octet & 15];
		text[4 * i + 1] = '.';
		text[4 * i + 2] = digits[octet >> 4];
		text[4 * i + 3] = '.';
	}
	return arena_format_slice(arena, "%.*sip6.arpa", 64, text);
}

struct slice name_reverse(struct arena *arena, const struct ip *ip)
{
	const unsigned char *b = ip->bytes;

	if (ip->family == IP_V6)
		return reverse_v6(arena, ip);
	return arena_format_slice(
	    arena, "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]);
}
