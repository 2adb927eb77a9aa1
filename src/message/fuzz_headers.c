/* SPDX-License-Identifier: Apache-2.0 */
#include "message/headers.h"

#include "base/require.h"
#include "message/faults.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The fields together are the block, whatever the bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice message = slice_of((const char *)data, size);
	struct arena *arena = arena_new(0);
	struct header_list list;
	size_t total = 0;

	if (headers_parse(arena, message, &limits_default, &list, NULL)) {
		for (size_t i = 0; i < list.count; i++) {
			require(
			    list.fields[i].raw.ptr == list.block.ptr + total);
			total += list.fields[i].raw.len;
			headers_unfold(arena, list.fields[i].value);
		}
		require(total == list.block.len);
		require(list.body_offset <= size);
		faults_of_headers(&list);
	}
	arena_free(arena);
	return 0;
}
