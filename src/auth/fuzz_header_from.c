/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a header block: what From: says. */
#include "auth/header_from.h"
#include "base/require.h"
#include "dns/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of((const char *)data, size);
	struct arena *arena = arena_new(0);
	struct header_list list;

	if (headers_parse(arena, text, &limits_default, &list, NULL)) {
		struct header_from from = header_from_read(
		    arena, &list, &limits_default);

		require(from.domain_count <= limits_default.from_addresses);
		require(from.domain_count <= from.address_count);
		require(from.complete || from.faults.bits != 0);
		require(from.domain_count > 0 || !from.complete);
		for (size_t i = 0; i < from.domain_count; i++) {
			struct slice again;

			require(name_normalize(
			    arena, from.domains[i], &again, NULL));
			require(slice_eq(again, from.domains[i]));
		}
	}
	arena_free(arena);
	return 0;
}
