/* SPDX-License-Identifier: Apache-2.0 */
#include "message/recipient_edit.h"

#include <stdlib.h>

#include "base/require.h"
#include "message/address.h"

/* RFC 5321 section 2.4: only the domain is without case. */
static bool is_same(struct slice a, struct slice b)
{
	struct slice domain = address_domain(a);

	return a.len == b.len && slice_eq_nocase(domain, address_domain(b)) &&
	       slice_eq(slice_sub(a, 0, a.len - domain.len),
		   slice_sub(b, 0, b.len - domain.len));
}

static bool stays(const struct recipient_edits *edits,
    const struct envelope *envelope, struct slice address)
{
	for (size_t i = 0; i < envelope->recipient_count; i++)
		if (is_same(envelope->recipients[i].address, address) &&
		    !recipient_edit_removes(edits, i))
			return true;
	return false;
}

static bool is_there(const struct recipient_edits *edits,
    const struct envelope *envelope, struct slice address)
{
	if (stays(edits, envelope, address))
		return true;
	for (size_t i = 0; i < edits->added_count; i++)
		if (is_same(edits->added[i].address, address))
			return true;
	return false;
}

/* The values of RFC 3461 have no blanks. */
static bool is_parameter_octet(char c)
{
	return c > ' ' && c <= '~';
}

static bool check(const struct envelope *envelope,
    const struct envelope_recipient *recipient, struct arena *arena,
    struct err *err)
{
	struct mailbox mailbox;

	if (!address_parse_path(
		arena, recipient->address, envelope->smtputf8, &mailbox, err))
		return err_prefix(err, "recipient to add");
	if (!mailbox.domain.len || recipient->address.ptr[0] == '@')
		return err_set(
		    err, E_SYNTAX, "recipient to add: not local@domain");
	if (!slice_all(recipient->dsn_notify, is_parameter_octet) ||
	    !slice_all(recipient->dsn_orcpt, is_parameter_octet))
		return err_set(
		    err, E_SYNTAX, "recipient to add: a DSN parameter");
	return true;
}

/* Nothing has changed then.  (Older versions of Postfix would lose it: their
 * filter for duplicates still knows what a milter has removed.) */
static bool take_back(struct recipient_edits *edits,
    const struct envelope *envelope, const struct envelope_recipient *recipient)
{
	for (size_t i = 0; i < edits->removed_count; i++) {
		size_t number = edits->removed[i];
		const struct envelope_recipient *one =
		    &envelope->recipients[number];

		if (!is_same(one->address, recipient->address) ||
		    !slice_eq(one->dsn_notify, recipient->dsn_notify) ||
		    !slice_eq(one->dsn_orcpt, recipient->dsn_orcpt))
			continue;
		edits->removed[i] = edits->removed[--edits->removed_count];
		edits->marks[number].removed = false;
		edits->marks[edits->marks[number].first].stay++;
		return true;
	}
	return false;
}

bool recipient_edit_add(struct arena *arena, struct recipient_edits *edits,
    const struct envelope *envelope, const struct envelope_recipient *recipient,
    struct err *err)
{
	if (!check(envelope, recipient, arena, err))
		return false;
	if (is_there(edits, envelope, recipient->address) ||
	    take_back(edits, envelope, recipient))
		return true;
	if (edits->added_count == RECIPIENT_EDIT_ADDED_MAX)
		return err_set(err, E_LIMIT, "over %d recipients to add",
		    RECIPIENT_EDIT_ADDED_MAX);
	edits->added = arena_grow(arena, edits->added, edits->added_count,
	    &edits->added_room, sizeof(*edits->added));
	edits->added[edits->added_count++] = (struct envelope_recipient){
	    .address = arena_slice(arena, recipient->address),
	    .dsn_notify = arena_slice(arena, recipient->dsn_notify),
	    .dsn_orcpt = arena_slice(arena, recipient->dsn_orcpt),
	};
	return true;
}

/* Equal for recipients that is_same takes for one. */
struct key {
	struct slice text;
	size_t number;
};

static int compare_keys(const void *a, const void *b)
{
	return slice_compare(
	    ((const struct key *)a)->text, ((const struct key *)b)->text);
}

static struct slice key_text(struct arena *arena, struct slice address)
{
	struct slice domain = address_domain(address);

	return ARENA_JOIN(arena,
	    slice_sub(address, 0, address.len - domain.len),
	    arena_lower(arena, domain));
}

/* Sorted, for there may be thousands. */
static void prepare_marks(struct arena *arena, struct recipient_edits *edits,
    const struct envelope *envelope)
{
	size_t count = envelope->recipient_count, first = 0;
	struct key *keys = ARENA_ARRAY(arena, count, struct key);

	for (size_t i = 0; i < count; i++)
		keys[i] = (struct key){
		    key_text(arena, envelope->recipients[i].address), i};
	qsort(keys, count, sizeof(*keys), compare_keys);
	edits->removed = ARENA_ARRAY(arena, count, size_t);
	edits->mark_count = count;
	edits->marks = ARENA_ARRAY(arena, count, struct recipient_mark);
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || !slice_eq(keys[i].text, keys[i - 1].text))
			first = keys[i].number;
		edits->marks[keys[i].number].first = first;
		edits->marks[first].stay++;
	}
}

void recipient_edit_remove(struct arena *arena, struct recipient_edits *edits,
    const struct envelope *envelope, size_t number)
{
	if (edits->mark_count == 0)
		prepare_marks(arena, edits, envelope);
	require(number < edits->mark_count);
	if (edits->marks[number].removed)
		return;
	edits->marks[number].removed = true;
	edits->marks[edits->marks[number].first].stay--;
	edits->removed[edits->removed_count++] = number;
}

bool recipient_edit_removes(const struct recipient_edits *edits, size_t number)
{
	return number < edits->mark_count && edits->marks[number].removed;
}

bool recipient_edit_frees_address(
    const struct recipient_edits *edits, size_t number)
{
	return recipient_edit_removes(edits, number) &&
	       edits->marks[edits->marks[number].first].stay == 0;
}

bool recipient_edit_any(const struct recipient_edits *edits)
{
	return edits->added_count || edits->removed_count;
}

size_t recipient_edit_count(
    const struct recipient_edits *edits, const struct envelope *envelope)
{
	return envelope->recipient_count - edits->removed_count +
	       edits->added_count;
}

const struct envelope_recipient *recipient_edit_apply(struct arena *arena,
    const struct recipient_edits *edits, const struct envelope *envelope)
{
	struct envelope_recipient *list = ARENA_ARRAY(arena,
	    recipient_edit_count(edits, envelope), struct envelope_recipient);
	size_t count = 0;

	for (size_t i = 0; i < envelope->recipient_count; i++)
		if (!recipient_edit_removes(edits, i))
			list[count++] = envelope->recipients[i];
	for (size_t i = 0; i < edits->added_count; i++)
		list[count++] = edits->added[i];
	return list;
}
