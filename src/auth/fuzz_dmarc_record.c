/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the TXT record below _dmarc. */
#include "auth/dmarc_record.h"
#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of((const char *)data, size);
	struct arena *arena = arena_new(0);

	if (dmarc_record_is(text)) {
		struct dmarc_record record = dmarc_record_parse(arena, text);

		require(slice_eq(record.text, text));
		require(record.usable || record.problem.len > 0);
		require(record.usable || record.rua.len == 0);
		for (size_t i = 0; i < record.problem.len; i++)
			require(record.problem.ptr[i] >= ' ');
	}
	arena_free(arena);
	return 0;
}
