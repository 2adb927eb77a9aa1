/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_nearest(struct slice text)
{
	static const char *const words[] = {"message_size", "hostname", "dns",
	    "listeners", "a_word_far_longer_than_a_typist_would_write"};
	const char *nearest = text_nearest(
	    text, words, sizeof(words) / sizeof(*words));

	for (size_t i = 0; i < 4; i++)
		if (slice_eq(text, slice_from(words[i])))
			require(nearest == words[i]);
}

/* What is cleaned is well-formed and free of NUL; base64 comes back. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of((const char *)data, size), bytes, lax;
	struct arena *arena = arena_new(0);
	struct buf *json = buf_in_arena(arena, 6 * size + 2);
	struct slice clean = text_clean_utf8(arena, text);

	require(text_is_utf8(clean));
	require(slice_find(clean, '\0') == clean.len);
	require(text_add_json_string(json, text));
	require(text_is_utf8(buf_slice(json)));
	require(
	    text_base64_decode(arena, text_base64_encode(arena, text), &bytes));
	require(slice_eq(bytes, text));
	if (text_base64_decode(arena, text, &bytes))
		require(text_base64_decode_unpadded(arena, text, &lax) &&
			slice_eq(bytes, lax));
	/* A text has one meaning, and a meaning one text without blanks. */
	if (text_base64_decode(arena, text, &bytes))
		require(text_base64_encode(arena, bytes).len <= size);
	require(text_hex(arena, text).len == 2 * size);
	check_nearest(text);
	arena_free(arena);
	return 0;
}
