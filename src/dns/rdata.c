/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/rdata.h"

#include <string.h>

#include "dns/wire.h"

static bool parse_fixed(
    struct arena *arena, struct slice rdata, size_t len, struct dns_record *ret)
{
	if (rdata.len != len)
		return false;
	ret->data = arena_slice(arena, rdata);
	return true;
}

/* One name, and nothing behind it. */
static bool parse_name(
    struct arena *arena, struct slice rdata, struct dns_record *ret)
{
	struct wire_name name;

	if (!wire_read(rdata, &name) || name.len != rdata.len)
		return false;
	ret->data = wire_text(arena, &name);
	return true;
}

static bool parse_mx(
    struct arena *arena, struct slice rdata, struct dns_record *ret)
{
	const unsigned char *octets = (const unsigned char *)rdata.ptr;

	if (rdata.len < 3 || !parse_name(arena, slice_from_pos(rdata, 2), ret))
		return false;
	ret->preference = (uint16_t)(octets[0] << 8 | octets[1]);
	return true;
}

/* RFC 1035, section 3.3.14: one or more character-strings.  SPF and DKIM join
 * them without blanks (RFC 7208, section 3.3; RFC 6376, section 3.6.2.2). */
static bool parse_txt(
    struct arena *arena, struct slice rdata, struct dns_record *ret)
{
	char *joined = arena_alloc(arena, rdata.len + 1);
	size_t len = 0, pos = 0;

	if (slice_empty(rdata))
		return false;
	while (pos < rdata.len) {
		size_t part = (unsigned char)rdata.ptr[pos++];

		if (part > rdata.len - pos)
			return false;
		memcpy(joined + len, rdata.ptr + pos, part);
		len += part;
		pos += part;
	}
	ret->data = slice_of(joined, len);
	return true;
}

static bool parse(struct arena *arena, enum dns_type type, struct slice rdata,
    struct dns_record *ret)
{
	switch (type) {
	case DNS_A: return parse_fixed(arena, rdata, 4, ret);
	case DNS_AAAA: return parse_fixed(arena, rdata, 16, ret);
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR: return parse_name(arena, rdata, ret);
	case DNS_MX: return parse_mx(arena, rdata, ret);
	case DNS_TXT: return parse_txt(arena, rdata, ret);
	case DNS_SOA:
	case DNS_TLSA: break;
	}
	return parse_fixed(arena, rdata, rdata.len, ret);
}

bool rdata_parse(struct arena *arena, enum dns_type type, struct slice rdata,
    struct dns_record *ret, struct err *err)
{
	struct dns_record record = {.preference = 0};

	if (!parse(arena, type, rdata, &record))
		return err_set(
		    err, E_SYNTAX, "malformed %s record", dns_type_name(type));
	*ret = record;
	return true;
}
