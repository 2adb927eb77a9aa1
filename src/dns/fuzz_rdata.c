/* SPDX-License-Identifier: Apache-2.0 */
/* Two octets of type, then rdata; and the rest once more as a name in text, as
 * a message, and as records, one a line. */
#include "base/require.h"
#include "dns/name.h"
#include "dns/negative.h"
#include "dns/rdata.h"
#include "dns/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The canonical text of a name is the name. */
static void check_name(struct arena *arena, struct slice text)
{
	struct wire_name name, again;
	struct slice canonical;

	if (!wire_from_text(text, &name))
		return;
	canonical = wire_text(arena, &name);
	if (slice_empty(canonical))
		return;
	require(wire_from_text(canonical, &again));
	require(slice_eq(slice_of((const char *)name.octets, name.len),
	    slice_of((const char *)again.octets, again.len)));
	require(
	    wire_read(slice_of((const char *)name.octets, name.len), &again));
}

/* In a master file: absolute as it is, relative below the origin. */
static void check_master(struct slice token)
{
	struct wire_name origin, name;

	require(wire_from_text(SLICE("zone.example"), &origin));
	if (wire_from_master(token, &origin, &name))
		require(wire_read(
		    slice_of((const char *)name.octets, name.len), &name));
}

static void check_normal(struct slice name)
{
	struct slice parent = name_parent(name);

	if (slice_empty(name))
		return;
	require(name_label_count(name) <= 127);
	require(name_is_at_or_below(name, name));
	require(name_is_at_or_below(name, parent));
	require(!parent.len || !name_is_at_or_below(parent, name));
	require(name_label_count(parent) < name_label_count(name));
}

/* The reverse name of an address is a name. */
static void check_reverse(struct arena *arena, struct slice bytes)
{
	struct ip ip = {.family = bytes.len % 2 ? IP_V4 : IP_V6};
	struct wire_name name;

	for (size_t i = 0; i < sizeof(ip.bytes) && i < bytes.len; i++)
		ip.bytes[i] = (unsigned char)bytes.ptr[i];
	require(wire_from_text(name_reverse(arena, &ip), &name));
}

static bool is_same(const struct dns_record *a, const struct dns_record *b)
{
	return a->preference == b->preference && slice_eq(a->data, b->data);
}

static size_t count_same(const struct dns_record *records, size_t count,
    const struct dns_record *wanted)
{
	size_t same = 0;

	for (size_t i = 0; i < count; i++)
		same += is_same(&records[i], wanted);
	return same;
}

/* Lines are records: those that are left are the first of each, in order. */
static void check_unique(struct slice lines)
{
	enum { RECORDS_MAX = 64 };
	struct dns_record records[RECORDS_MAX], left[RECORDS_MAX];
	size_t count = 0, kept, next = 0;

	while (lines.len && count < RECORDS_MAX) {
		struct dns_record *record = &records[count++];

		*record = (struct dns_record){.preference = lines.len % 2};
		slice_split(lines, '\n', &record->data, &lines);
	}
	for (size_t i = 0; i < count; i++)
		left[i] = records[i];
	kept = rdata_unique(left, count);
	for (size_t i = 0; i < count; i++)
		if (!count_same(records, i, &records[i]))
			require(
			    next < kept && is_same(&left[next++], &records[i]));
	require(next == kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(0);
	struct dns_record record;
	struct slice rest, normal;

	if (size >= 2) {
		enum dns_type type = (enum dns_type)(data[0] << 8 | data[1]);

		rest = slice_of((const char *)data + 2, size - 2);
		rdata_parse(arena, type, rest, &record, NULL);
		check_name(arena, rest);
		if (name_normalize(arena, rest, &normal, NULL))
			check_normal(normal);
		check_master(rest);
		check_reverse(arena, rest);
		negative_read(rest);
		check_unique(rest);
	}
	arena_free(arena);
	return 0;
}
