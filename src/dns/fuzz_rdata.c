/* SPDX-License-Identifier: Apache-2.0 */
/* Two octets of type, then rdata; and the rest once more as a name in text. */
#include "base/require.h"
#include "dns/name.h"
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
			require(name_label_count(normal) <= 127);
	}
	arena_free(arena);
	return 0;
}
