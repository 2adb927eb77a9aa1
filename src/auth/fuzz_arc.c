/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/arc_set.h"
#include "base/limits.h"
#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct arc_sets *sets)
{
	for (size_t i = 0; i < sets->count; i++) {
		const struct arc_set *set = &sets->sets[i];

		require(set->results && set->message_field && set->seal_field);
		require(set->message.instance == i + 1);
		require(set->seal.instance == i + 1);
		require(set->seal.chain_validation == (i ? CV_PASS : CV_NONE));
	}
}

/* The input is a header block. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of((const char *)data, size);
	struct arena *arena = arena_new(0);
	struct header_list headers;
	struct arc_sets sets;
	struct err err;

	if (headers_parse(arena, text, &limits_default, &headers, &err) &&
	    arc_sets_collect(arena, &headers, 50, &sets, &err))
		check(&sets);
	arena_free(arena);
	return 0;
}
