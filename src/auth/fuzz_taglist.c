/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/taglist.h"
#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(struct slice part, const char *start, size_t size)
{
	return part.len == 0 ||
	       (part.ptr >= start && part.ptr + part.len <= start + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *start = (const char *)data;
	struct taglist list;
	struct slice word;
	struct err err;

	if (!taglist_parse(slice_of(start, size), &list, &err))
		return 0;
	require(list.count > 0 && list.count <= TAGLIST_MAX);
	for (size_t i = 0; i < list.count; i++) {
		const struct tag *tag = &list.tags[i];
		struct slice rest = tag->value;

		require(tag->name.len > 0 && inside(tag->name, start, size));
		require(inside(tag->value, start, size));
		require(inside(tag->whole, start, size));
		require(taglist_find(&list, tag->name) == tag);
		while (taglist_next_word(&rest, &word))
			require(inside(word, start, size));
	}
	return 0;
}
