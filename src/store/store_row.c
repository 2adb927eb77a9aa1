/* SPDX-License-Identifier: Apache-2.0 */
/* Cleaning and keys, done on the session's thread: the writer only writes. */
#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "store/store_pack.h"
#include "store/store_private.h"

/* The texts of a trace; the identifiers are ours, but cleaned all the same.
 * What comes from a message's header has no limit but the header's: one of
 * half a megabyte would be in the table, and in an index, too. */
static const struct {
	size_t offset;
	size_t cap; /* octets; 0: the protocol, or who made it, sees to it */
} texts[] = {
    {offsetof(struct store_trace, id), 0},
    {offsetof(struct store_trace, message_id), STORE_TEXT_MAX},
    {offsetof(struct store_trace, listener), 0},
    {offsetof(struct store_trace, client_ip), 0},
    {offsetof(struct store_trace, client_name), 0},
    {offsetof(struct store_trace, helo), 0},
    {offsetof(struct store_trace, sender), 0},
    {offsetof(struct store_trace, header_from), STORE_TEXT_MAX},
    {offsetof(struct store_trace, subject), STORE_TEXT_MAX},
    {offsetof(struct store_trace, verdict), 0},
    {offsetof(struct store_trace, policy), 0},
    {offsetof(struct store_trace, reply), STORE_TEXT_MAX},
    {offsetof(struct store_trace, delivery), 0},
    {offsetof(struct store_trace, own_domain_result), 0},
    {offsetof(struct store_trace, own_domain), 0},
    {offsetof(struct store_trace, spf_result), 0},
    {offsetof(struct store_trace, dkim_result), 0},
    {offsetof(struct store_trace, dmarc_result), 0},
    {offsetof(struct store_trace, connector), 0},
};

struct slice store_row_domain(struct arena *arena, struct slice address)
{
	const char *at = NULL;

	if (address.len)
		at = memrchr(address.ptr, '@', address.len);
	if (!at)
		return (struct slice){NULL, 0};
	return arena_lower(
	    arena, slice_from_pos(address, (size_t)(at - address.ptr) + 1));
}

static struct store_recipients clean_recipients(
    struct arena *arena, size_t count, const struct slice *from)
{
	struct slice *clean = ARENA_ARRAY(arena, count, struct slice);
	struct slice *keys = ARENA_ARRAY(arena, count, struct slice);
	struct slice *domains = ARENA_ARRAY(arena, count, struct slice);

	for (size_t i = 0; i < count; i++) {
		clean[i] = text_clean_utf8(arena, from[i]);
		keys[i] = arena_lower(arena, clean[i]);
		domains[i] = store_row_domain(arena, clean[i]);
	}
	return (struct store_recipients){count, clean, keys, domains};
}

struct store_row *store_row_new(struct arena *arena,
    const struct store_trace *trace, const struct store_quarantine *quarantine)
{
	struct store_row *row = ARENA_NEW(arena, struct store_row);

	row->trace = *trace;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		void *at = (char *)&row->trace + texts[i].offset;
		struct slice *text = at;

		*text = text_clean_utf8(arena, *text);
		if (texts[i].cap)
			*text = text_cut(*text, texts[i].cap);
	}
	row->packed_facts = store_pack(arena, trace->facts);
	row->sender_key = arena_lower(arena, row->trace.sender);
	row->sender_domain = store_row_domain(arena, row->trace.sender);
	row->recipients = clean_recipients(
	    arena, trace->recipient_count, trace->recipients);
	row->held = row->recipients;
	if (quarantine && quarantine->recipients)
		row->held = clean_recipients(
		    arena, quarantine->recipient_count, quarantine->recipients);
	return row;
}
