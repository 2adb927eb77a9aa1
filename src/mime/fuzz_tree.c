/* SPDX-License-Identifier: Apache-2.0 */
#include "mime/tree.h"

#include "base/require.h"
#include "base/text.h"
#include "mime/charset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(struct slice inner, struct slice outer)
{
	return inner.len == 0 ||
	       (inner.ptr >= outer.ptr &&
		   inner.ptr + inner.len <= outer.ptr + outer.len);
}

static void check_part(struct arena *arena, const struct mime_tree *tree,
    size_t position, const struct limits *limits)
{
	const struct mime_part *part = &tree->parts[position];
	const struct mime_part *parent = &tree->parts[part->parent];
	struct faults faults = {0};
	struct slice text = mime_part_text(arena, part, 1 << 16, &faults);

	require(part->depth <= limits->mime_depth);
	require(inside(part->preamble, part->body));
	require(inside(part->epilogue, part->body));
	require(part->kind == MIME_LEAF || part->children > 0);
	require(text_is_utf8(part->name) && text_is_utf8(text));
	mime_count_words(text);
	mime_part_octets(arena, part, 1 << 16, &faults);
	if (position == 0)
		return;
	require(part->parent < position && parent->kind != MIME_LEAF);
	require(part->depth == parent->depth + 1);
	require(part->number >= 1 && part->number <= parent->children);
	require(inside(part->header, parent->body));
	require(inside(part->body, parent->body));
	require(mime_part_path(arena, tree, position).len > 0);
}

/* Every part lies in its parent, whatever the bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice message = slice_of((const char *)data, size);
	struct arena *arena = arena_new(0);
	struct limits limits = limits_default;
	struct header_list list;
	struct mime_tree tree;

	limits.mime_depth = 8;
	limits.mime_parts = 50;
	limits.header_count = 20;
	if (headers_parse(arena, message, &limits, &list, NULL)) {
		mime_parse(arena, message, &list, &limits, &tree);
		require(tree.count >= 1 && tree.count <= limits.mime_parts);
		for (size_t i = 0; i < tree.count; i++)
			check_part(arena, &tree, i, &limits);
	}
	arena_free(arena);
	return 0;
}
