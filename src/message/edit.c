/* SPDX-License-Identifier: Apache-2.0 */
#include "message/edit.h"

#include <string.h>

#include "base/require.h"

void edit_add_on_top(
    struct arena *arena, struct header_edits *edits, struct slice field)
{
	edits->added = arena_grow(arena, edits->added, edits->added_count,
	    &edits->added_room, sizeof(*edits->added));
	edits->added[edits->added_count++] = ARENA_JOIN(
	    arena, field, SLICE("\r\n"));
}

void edit_remove(
    struct arena *arena, struct header_edits *edits, size_t position)
{
	if (edit_removes(edits, position))
		return;
	edits->removed = arena_grow(arena, edits->removed, edits->removed_count,
	    &edits->removed_room, sizeof(*edits->removed));
	edits->removed[edits->removed_count++] = position;
}

bool edit_removes(const struct header_edits *edits, size_t position)
{
	for (size_t i = 0; i < edits->removed_count; i++)
		if (edits->removed[i] == position)
			return true;
	return false;
}

static void add_piece(struct message_pieces *pieces, struct slice piece)
{
	if (piece.len == 0)
		return;
	pieces->pieces[pieces->count++] = piece;
	pieces->size += piece.len;
}

struct message_pieces edit_apply(struct arena *arena, struct slice message,
    const struct header_list *headers, const struct header_edits *edits)
{
	struct message_pieces pieces = {0};
	size_t kept_from = 0, at = 0;

	require(headers->body_offset <= message.len);
	pieces.pieces = ARENA_ARRAY(
	    arena, edits->added_count + edits->removed_count + 1, struct slice);
	for (size_t i = edits->added_count; i-- > 0;)
		add_piece(&pieces, edits->added[i]);
	/* Kept fields that follow each other are one piece. */
	for (size_t i = 0; i < headers->count; i++) {
		size_t end = at + headers->fields[i].raw.len;

		if (edit_removes(edits, i)) {
			add_piece(&pieces,
			    slice_sub(message, kept_from, at - kept_from));
			kept_from = end;
		}
		at = end;
	}
	add_piece(&pieces, slice_from_pos(message, kept_from));
	return pieces;
}
