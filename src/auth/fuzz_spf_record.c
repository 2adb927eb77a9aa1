/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the TXT record of a domain. */
#include "auth/spf_record.h"
#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of((const char *)data, size);
	struct arena *arena = arena_new(0);
	struct spf_record record;
	struct err err;

	if (spf_record_is_spf(text)) {
		if (spf_record_parse(arena, text, &record, &err))
			for (size_t i = 0; i < record.count; i++)
				require(record.terms[i].text.len > 0 &&
					record.terms[i].prefix4 <= 32 &&
					record.terms[i].prefix6 <= 128);
		else
			require((err.kind == E_SYNTAX || err.kind == E_LIMIT) &&
				err.text[0]);
	}
	arena_free(arena);
	return 0;
}
