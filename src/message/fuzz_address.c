/* SPDX-License-Identifier: Apache-2.0 */
#include "message/address.h"

#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What an address is formatted as parses to the same address. */
static void round_trip(struct arena *arena, const struct mailbox *mailbox)
{
	struct slice text = address_format(arena, mailbox);
	struct mailbox_list again;

	require(address_parse_list(arena, text, 1, &again, NULL));
	require(again.count == 1);
	require(slice_eq(again.mailboxes[0].local_part, mailbox->local_part));
	require(slice_eq(again.mailboxes[0].domain, mailbox->domain));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of((const char *)data, size);
	struct arena *arena = arena_new(0);
	struct mailbox_list list;
	struct mailbox mailbox;

	if (address_parse_list(arena, text, 100, &list, NULL))
		for (size_t i = 0; i < list.count; i++)
			round_trip(arena, &list.mailboxes[i]);
	if (address_parse_path(arena, text, true, &mailbox, NULL) &&
	    mailbox.domain.len)
		round_trip(arena, &mailbox);
	arena_free(arena);
	return 0;
}
