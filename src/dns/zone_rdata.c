/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/zone_rdata.h"

#include <string.h>

#include "base/ascii.h"
#include "base/ip.h"
#include "base/text.h"

/* Letters of the forms: a IPv4, q IPv6, n name, b 8 bits, w 16 bits, l 32 bits,
 * t time, s character-string, S all of them to the end, v text to the end
 * without its length, h hexadecimal to the end, k base64 to the end, * not
 * kept.  DNAME is missing on purpose: to ignore it would be a wrong answer. */
static const struct zone_type types[] = {
    {"A", 1, "a"},
    {"NS", 2, "n"},
    {"CNAME", 5, "n"},
    {"SOA", 6, "nnltttt"},
    {"PTR", 12, "n"},
    {"HINFO", 13, "ss"},
    {"MX", 15, "wn"},
    {"TXT", 16, "S"},
    {"RP", 17, "nn"},
    {"AAAA", 28, "q"},
    {"SRV", 33, "wwwn"},
    {"NAPTR", 35, "wwsssn"},
    {"DS", 43, "wbbh"},
    {"SSHFP", 44, "bbh"},
    {"RRSIG", 46, "*"},
    {"NSEC", 47, "*"},
    {"DNSKEY", 48, "wbbk"},
    {"NSEC3", 50, "*"},
    {"NSEC3PARAM", 51, "*"},
    {"TLSA", 52, "bbbh"},
    {"SMIMEA", 53, "bbbh"},
    {"CDS", 59, "wbbh"},
    {"CDNSKEY", 60, "wbbk"},
    {"OPENPGPKEY", 61, "k"},
    {"ZONEMD", 63, "*"},
    {"SVCB", 64, "*"},
    {"HTTPS", 65, "*"},
    {"SPF", 99, "S"},
    {"CAA", 257, "bsv"},
};

struct reader {
	const struct zone_token *tokens;
	size_t count, pos;
	const struct wire_name *origin;
	struct buf *buf;
};

bool zone_type_find(
    struct slice name, const struct zone_type **ret, uint16_t *ret_number)
{
	uint64_t number = 0;
	bool generic = slice_starts_nocase(name, SLICE("TYPE")) &&
		       slice_to_u64(
			   slice_from_pos(name, 4), UINT16_MAX, &number);

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (!(generic
			    ? types[i].number == number
			    : slice_eq_nocase(name, slice_from(types[i].name))))
			continue;
		*ret = &types[i];
		*ret_number = types[i].number;
		return true;
	}
	if (!generic || number == 0)
		return false;
	*ret = NULL;
	*ret_number = (uint16_t)number;
	return true;
}

static uint64_t unit_seconds(char unit)
{
	switch (ascii_lower(unit)) {
	case 's': return 1;
	case 'm': return 60;
	case 'h': return 3600;
	case 'd': return 86400;
	case 'w': return 7 * 86400;
	default: return 0;
	}
}

bool zone_time(struct slice text, uint32_t *ret)
{
	uint64_t total = 0, number = 0, unit;
	bool digits = false;

	for (size_t i = 0; i < text.len; i++) {
		if (ascii_is_digit(text.ptr[i])) {
			number = 10 * number + (uint64_t)(text.ptr[i] - '0');
			digits = true;
		} else {
			unit = unit_seconds(text.ptr[i]);
			if (!digits || unit == 0)
				return false;
			total += number * unit;
			number = 0;
			digits = false;
		}
		if (number > INT32_MAX || total > INT32_MAX)
			return false;
	}
	if (slice_empty(text) || total + number > INT32_MAX)
		return false;
	*ret = (uint32_t)(total + number);
	return true;
}

static bool add(
    struct buf *buf, const void *octets, size_t len, struct err *err)
{
	return buf_add(buf, slice_of(octets, len)) ||
	       err_set(err, E_SYNTAX, "rdata over %d octets", ZONE_RDATA_MAX);
}

static bool add_number(
    struct buf *buf, uint32_t number, size_t octets, struct err *err)
{
	const unsigned char bytes[4] = {(unsigned char)(number >> 24),
	    (unsigned char)(number >> 16), (unsigned char)(number >> 8),
	    (unsigned char)number};

	return add(buf, bytes + 4 - octets, octets, err);
}

static bool read_address(
    struct slice text, enum ip_family family, struct buf *buf, struct err *err)
{
	static const unsigned char mapped[12] = {[10] = 0xff, 0xff};
	struct ip ip;

	if (!ip_parse(text, &ip))
		return err_set(err, E_SYNTAX, "bad address");
	/* base/ip turns ::ffff:192.0.2.1 into IPv4: write it back. */
	if (family == IP_V6 && ip.family == IP_V4 &&
	    slice_find(text, ':') < text.len)
		return add(buf, mapped, 12, err) && add(buf, ip.bytes, 4, err);
	if (ip.family != family)
		return err_set(err, E_SYNTAX, "address of the wrong family");
	return add(buf, ip.bytes, family == IP_V4 ? 4 : 16, err);
}

static bool read_name(struct reader *r, struct slice text, struct err *err)
{
	struct wire_name name;

	if (!wire_from_master(text, r->origin, &name))
		return err_set(err, E_SYNTAX, "bad domain name");
	return add(r->buf, name.octets, name.len, err);
}

static bool read_number(struct slice text, uint64_t max, size_t octets,
    struct buf *buf, struct err *err)
{
	uint64_t number;

	if (!slice_to_u64(text, max, &number))
		return err_set(err, E_SYNTAX, "bad number");
	return add_number(buf, (uint32_t)number, octets, err);
}

static bool read_time(struct slice text, struct buf *buf, struct err *err)
{
	uint32_t seconds;

	if (!zone_time(text, &seconds))
		return err_set(err, E_SYNTAX, "bad time");
	return add_number(buf, seconds, 4, err);
}

static bool unescape(struct slice text, struct buf *buf, struct err *err)
{
	for (size_t i = 0; i < text.len; i++) {
		char octet = text.ptr[i];

		if (octet == '\\' && !wire_unescape(text, true, &i, &octet))
			return err_set(err, E_SYNTAX, "bad escape");
		if (!add(buf, &octet, 1, err))
			return false;
	}
	return true;
}

/* RFC 1035, section 3.3: at most 255 octets. */
static bool read_string(struct slice text, struct buf *buf, struct err *err)
{
	size_t at = buf->len, len;

	if (!add(buf, "", 1, err) || !unescape(text, buf, err))
		return false;
	len = buf->len - at - 1;
	if (len > 255)
		return err_set(err, E_SYNTAX,
		    "character-string of %zu octets, the most is 255", len);
	buf->ptr[at] = (char)(unsigned char)len;
	return true;
}

static bool read_strings(struct reader *r, struct err *err)
{
	while (r->pos < r->count)
		if (!read_string(r->tokens[r->pos++].text, r->buf, err))
			return false;
	return true;
}

static bool add_hex(
    struct slice text, int *high, struct buf *buf, struct err *err)
{
	for (size_t i = 0; i < text.len; i++) {
		int value = ascii_hex_value(text.ptr[i]);
		char octet;

		if (value < 0)
			return err_set(err, E_SYNTAX, "bad hexadecimal digit");
		if (*high < 0) {
			*high = value;
			continue;
		}
		octet = (char)(unsigned char)(*high << 4 | value);
		*high = -1;
		if (!add(buf, &octet, 1, err))
			return false;
	}
	return true;
}

/* Blanks may stand anywhere in it, so also between the digits of an octet. */
static bool read_hex(struct reader *r, struct err *err)
{
	int high = -1;

	while (r->pos < r->count)
		if (!add_hex(r->tokens[r->pos++].text, &high, r->buf, err))
			return false;
	return high < 0 ||
	       err_set(err, E_SYNTAX, "odd number of hexadecimal digits");
}

static bool read_base64(struct reader *r, struct err *err)
{
	struct arena *arena = arena_new(0);
	struct buf *joined = buf_in_arena(arena, 2 * ZONE_RDATA_MAX);
	struct slice octets;
	bool fine = true;

	while (fine && r->pos < r->count)
		fine = buf_add(joined, r->tokens[r->pos++].text);
	fine = fine && text_base64_decode(arena, buf_slice(joined), &octets);
	if (!fine)
		err_set(err, E_SYNTAX, "bad base64");
	fine = fine && add(r->buf, octets.ptr, octets.len, err);
	arena_free(arena);
	return fine;
}

static bool read_field(struct reader *r, char letter, struct err *err)
{
	struct slice text;

	if (r->pos == r->count)
		return err_set(err, E_SYNTAX, "a field is missing");
	if (letter == 'S')
		return read_strings(r, err);
	if (letter == 'h')
		return read_hex(r, err);
	if (letter == 'k')
		return read_base64(r, err);
	text = r->tokens[r->pos++].text;
	switch (letter) {
	case 'a': return read_address(text, IP_V4, r->buf, err);
	case 'q': return read_address(text, IP_V6, r->buf, err);
	case 'n': return read_name(r, text, err);
	case 'b': return read_number(text, UINT8_MAX, 1, r->buf, err);
	case 'w': return read_number(text, UINT16_MAX, 2, r->buf, err);
	case 'l': return read_number(text, UINT32_MAX, 4, r->buf, err);
	case 't': return read_time(text, r->buf, err);
	case 's': return read_string(text, r->buf, err);
	default: return unescape(text, r->buf, err);
	}
}

/* RFC 3597, section 5: \# length hexadecimal. */
static bool read_generic(struct reader *r, struct err *err)
{
	size_t start = r->buf->len;
	uint64_t len;

	r->pos = 1;
	if (r->count < 2 ||
	    !slice_to_u64(r->tokens[r->pos++].text, ZONE_RDATA_MAX, &len))
		return err_set(err, E_SYNTAX, "\\# needs a length");
	if (!read_hex(r, err))
		return false;
	return r->buf->len - start == len ||
	       err_set(err, E_SYNTAX, "length and octets differ");
}

bool zone_rdata(const struct zone_type *type, const struct zone_token *tokens,
    size_t count, const struct wire_name *origin, struct buf *buf,
    bool *ret_kept, struct err *err)
{
	struct reader r = {tokens, count, 0, origin, buf};
	bool kept = true;

	if (count > 0 && !tokens[0].quoted &&
	    slice_eq(tokens[0].text, SLICE("\\#"))) {
		if (!read_generic(&r, err))
			return false;
	} else if (!type) {
		return err_set(
		    err, E_SYNTAX, "rdata of an unknown type starts with \\#");
	} else if (type->form[0] == '*') {
		kept = false;
	} else {
		for (const char *form = type->form; *form; form++)
			if (!read_field(&r, *form, err))
				return false;
		if (r.pos < r.count)
			return err_set(err, E_SYNTAX, "more fields than %s has",
			    type->name);
	}
	*ret_kept = kept;
	return true;
}
