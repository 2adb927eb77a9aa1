/* SPDX-License-Identifier: Apache-2.0 */
/* message/recipient_edit.h - recipients that policy adds and removes.
 *
 * Intents only, as message/edit.h has them for the header.  The envelope
 * stays what the client said; who hands the message on asks for the list.
 */
#ifndef MESSAGE_RECIPIENT_EDIT_H
#define MESSAGE_RECIPIENT_EDIT_H

#include "base/arena.h"
#include "base/err.h"
#include "message/envelope.h"

/* What every server takes in one transaction (RFC 5321, 4.5.3.1.8). */
enum { RECIPIENT_EDIT_ADDED_MAX = 100 };

/* Of one recipient of the envelope. */
struct recipient_mark {
	bool removed;
	size_t first; /* of all that have this address the number of one */
	size_t stay;  /* in that one's mark: how many of these remain */
};

struct recipient_edits {
	size_t added_count, added_room;
	struct envelope_recipient *added;
	size_t removed_count;
	size_t *removed;   /* numbers in the envelope */
	size_t mark_count; /* of all in the envelope; 0: none removed yet */
	struct recipient_mark *marks;
};

/* The text of recipient is copied.  One that is there already changes nothing,
 * one that was removed as it is here comes back.  False: E_SYNTAX (an address
 * or a DSN parameter that cannot be said in SMTP), E_LIMIT. */
bool recipient_edit_add(struct arena *arena, struct recipient_edits *edits,
    const struct envelope *envelope, const struct envelope_recipient *recipient,
    struct err *err);

/* All of the envelope's recipients must be known by then. */
void recipient_edit_remove(struct arena *arena, struct recipient_edits *edits,
    const struct envelope *envelope, size_t number);
bool recipient_edit_removes(const struct recipient_edits *edits, size_t number);

/* For who can only name the address: is this recipient removed, and its address
 * with it?  Not if the envelope has it twice and the other one stays. */
bool recipient_edit_frees_address(
    const struct recipient_edits *edits, size_t number);

/* Is there anything to change? */
bool recipient_edit_any(const struct recipient_edits *edits);

/* How many there are with the changes. */
size_t recipient_edit_count(
    const struct recipient_edits *edits, const struct envelope *envelope);

/* Those who get the message: the envelope's that remain, then the added ones;
 * recipient_edit_count of them. */
const struct envelope_recipient *recipient_edit_apply(struct arena *arena,
    const struct recipient_edits *edits, const struct envelope *envelope);

#endif
