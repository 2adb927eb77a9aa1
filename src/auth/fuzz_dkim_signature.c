/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dkim_canon.h"
#include "auth/dkim_check.h"
#include "auth/dkim_signature.h"
#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(struct arena *arena, enum signature_kind kind,
    const struct header_list *headers, const struct header_field *field)
{
	struct dkim_signature signature;
	struct err err;

	if (!dkim_signature_parse(arena, kind, field, &signature, &err)) {
		require(err.kind != E_NONE);
		return;
	}
	require(!slice_empty(signature.domain));
	require(!slice_empty(signature.signature));
	dkim_check_header_digest(headers, &signature);
}

/* The input is a header block; each field is read as a signature. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of((const char *)data, size);
	struct arena *arena = arena_new(0);
	struct header_list headers;
	struct err err;

	if (headers_parse(arena, text, &limits_default, &headers, &err)) {
		for (size_t i = 0; i < headers.count && i < 20; i++) {
			const struct header_field *field = &headers.fields[i];

			parse(arena, SIGNATURE_DKIM, &headers, field);
			parse(arena, SIGNATURE_ARC_MESSAGE, &headers, field);
			parse(arena, SIGNATURE_ARC_SEAL, &headers, field);
		}
	}
	arena_free(arena);
	return 0;
}
