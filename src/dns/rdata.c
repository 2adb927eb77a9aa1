/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/rdata.h"

#include <stdlib.h>
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

static int compare_octets(
    const struct dns_record *a, const struct dns_record *b)
{
	size_t len = a->data.len < b->data.len ? a->data.len : b->data.len;
	int order = len ? memcmp(a->data.ptr, b->data.ptr, len) : 0;

	if (order == 0)
		order = (a->data.len > b->data.len) -
			(a->data.len < b->data.len);
	if (order == 0)
		order = (a->preference > b->preference) -
			(a->preference < b->preference);
	return order;
}

/* Those that are the same in the order in which they came. */
static int compare(const void *left, const void *right)
{
	const struct dns_record *a = *(const struct dns_record *const *)left;
	const struct dns_record *b = *(const struct dns_record *const *)right;
	int order = compare_octets(a, b);

	return order ? order : (a > b) - (a < b);
}

/* A stranger's answer may have thousands: sorted, not each compared with each.
 */
size_t rdata_unique(struct dns_record *records, size_t count)
{
	struct arena *scratch = arena_new(0);
	const struct dns_record **sorted = ARENA_ARRAY(
	    scratch, count, const struct dns_record *);
	bool *repeats = ARENA_ARRAY(scratch, count, bool);
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		sorted[i] = &records[i];
	if (count > 1)
		qsort(sorted, count, sizeof(sorted[0]), compare);
	for (size_t i = 1; i < count; i++)
		if (compare_octets(sorted[i - 1], sorted[i]) == 0)
			repeats[sorted[i] - records] = true;
	for (size_t i = 0; i < count; i++)
		if (!repeats[i])
			records[kept++] = records[i];
	arena_free(scratch);
	return kept;
}
