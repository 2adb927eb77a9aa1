/* SPDX-License-Identifier: Apache-2.0 */
/* A master file, and a question about a name that it may have. */
#include "base/require.h"
#include "dns/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {
	    "", "a", "b.a", "www.agency.example", "*.agency.example"};
	struct slice text = slice_of((const char *)data, size);
	struct arena *arena = arena_new(0);
	struct zone *zone;
	struct err err;

	if (zone_parse(arena, text, "fuzz", &zone, &err)) {
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			struct zone_answer answer = zone_find(
			    zone, slice_from(names[i]), DNS_TXT);

			require(
			    (answer.status == DNS_FOUND) == (answer.count > 0));
		}
	} else {
		require(err.kind == E_CONFIG);
	}
	arena_free(arena);
	return 0;
}
