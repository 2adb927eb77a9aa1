/* SPDX-License-Identifier: Apache-2.0 */
/* What a part of a tree is called, and what it holds. */
#include "base/buf.h"
#include "mime/charset.h"
#include "mime/tree.h"

/* The number of a part in a path; 0: it has none there. */
static size_t path_number(const struct mime_tree *tree, size_t position)
{
	const struct mime_part *part = &tree->parts[position];

	/* The content of a message: IMAP numbers its parts, not itself. */
	if (position == 0 || tree->parts[part->parent].kind == MIME_MESSAGE)
		return part->kind == MIME_MULTIPART ? 0 : 1;
	return part->number;
}

struct slice mime_part_path(
    struct arena *arena, const struct mime_tree *tree, size_t position)
{
	size_t room = tree->parts[position].depth + 1;
	size_t *numbers = ARENA_ARRAY(arena, room, size_t);
	struct buf *path = buf_in_arena(arena, room * 21);
	size_t count = 0;

	numbers[count++] = path_number(tree, position);
	while (position) {
		size_t number;

		position = tree->parts[position].parent;
		number = path_number(tree, position);
		if (number)
			numbers[count++] = number;
	}
	while (count-- > 0)
		buf_add_format(path, count ? "%zu." : "%zu", numbers[count]);
	return buf_slice(path);
}

struct slice mime_part_octets(struct arena *arena, const struct mime_part *part,
    size_t max, struct faults *faults)
{
	bool broken;
	struct slice octets;

	if (part->kind != MIME_LEAF)
		return slice_sub(part->body, 0, max);
	octets = mime_decode(arena, part->encoding, part->body, max, &broken);
	if (broken && faults)
		faults_add(faults, FAULT_MIME_ENCODING_BROKEN);
	return octets;
}

struct slice mime_part_text(struct arena *arena, const struct mime_part *part,
    size_t max, struct faults *faults)
{
	if (part->kind != MIME_LEAF ||
	    (!slice_starts(part->type, SLICE("text/")) &&
		!slice_starts(part->type, SLICE("multipart/"))))
		return (struct slice){NULL, 0};
	return mime_to_utf8(
	    arena, part->charset, mime_part_octets(arena, part, max, faults));
}
