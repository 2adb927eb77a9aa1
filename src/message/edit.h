/* SPDX-License-Identifier: Apache-2.0 */
/* message/edit.h - changes to a header, applied without copying the message.
 *
 * Intents only: rules and built-in policies add to a list; who sends or stores
 * the message asks for its pieces.
 */
#ifndef MESSAGE_EDIT_H
#define MESSAGE_EDIT_H

#include "base/arena.h"
#include "base/slice.h"
#include "message/headers.h"

struct header_edits {
	size_t added_count, added_room;
	struct slice *added; /* whole fields, each ending with CR LF;
			      * the last one added stands on top */
	size_t removed_count, removed_room;
	size_t *removed; /* positions in the header_list */
};

/* field is "Name: value" without a final line end (folded with CR LF WSP). */
void edit_add_on_top(
    struct arena *arena, struct header_edits *edits, struct slice field);
void edit_remove(
    struct arena *arena, struct header_edits *edits, size_t position);
bool edit_removes(const struct header_edits *edits, size_t position);

/* The edited message as pieces in order: new fields, what remains of the
 * header, empty line and body.  Pieces borrow message and edits. */
struct message_pieces {
	size_t count;
	struct slice *pieces;
	uint64_t size;
};
struct message_pieces edit_apply(struct arena *arena, struct slice message,
    const struct header_list *headers, const struct header_edits *edits);

#endif
