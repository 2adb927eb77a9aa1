/* SPDX-License-Identifier: Apache-2.0 */
#include "mime/field.h"

#include "base/require.h"
#include "base/text.h"
#include "mime/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bounds hold, and every text is UTF-8. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice value = slice_of((const char *)data, size);
	struct arena *arena = arena_new(0);
	struct mime_field field;

	mime_field_parse(arena, value, &field);
	require(field.count <= MIME_PARAMETERS_MAX);
	for (size_t i = 0; i < field.count; i++) {
		struct slice name = field.parameters[i].name;

		require(name.len > 0);
		require(
		    field.parameters[i].value.len <= MIME_PARAMETER_SIZE_MAX);
		name.len = slice_find(name, '*');
		require(text_is_utf8(mime_field_text(arena, &field, name)));
	}
	require(text_is_utf8(mime_decode_words(arena, value)));
	arena_free(arena);
	return 0;
}
