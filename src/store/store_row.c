/* SPDX-License-Identifier: Apache-2.0 */
/* Cleaning and keys, done on the session's thread: the writer only writes. */
#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "store/store_private.h"

/* The texts of a trace; the identifiers are ours, but cleaned all the same. */
static const size_t texts[] = {
    offsetof(struct store_trace, id),
    offsetof(struct store_trace, message_id),
    offsetof(struct store_trace, listener),
    offsetof(struct store_trace, client_ip),
    offsetof(struct store_trace, client_name),
    offsetof(struct store_trace, helo),
    offsetof(struct store_trace, sender),
    offsetof(struct store_trace, header_from),
    offsetof(struct store_trace, subject),
    offsetof(struct store_trace, verdict),
    offsetof(struct store_trace, policy),
    offsetof(struct store_trace, reply),
    offsetof(struct store_trace, delivery),
    offsetof(struct store_trace, own_domain_result),
    offsetof(struct store_trace, own_domain),
    offsetof(struct store_trace, spf_result),
    offsetof(struct store_trace, dkim_result),
    offsetof(struct store_trace, dmarc_result),
    offsetof(struct store_trace, connector),
    offsetof(struct store_trace, facts),
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

static void add_recipients(
    struct arena *arena, struct store_row *row, const struct store_trace *from)
{
	size_t count = from->recipient_count;
	struct slice *clean = ARENA_ARRAY(arena, count, struct slice);

	row->recipient_keys = ARENA_ARRAY(arena, count, struct slice);
	row->recipient_domains = ARENA_ARRAY(arena, count, struct slice);
	for (size_t i = 0; i < count; i++) {
		clean[i] = text_clean_utf8(arena, from->recipients[i]);
		row->recipient_keys[i] = arena_lower(arena, clean[i]);
		row->recipient_domains[i] = store_row_domain(arena, clean[i]);
	}
	row->trace.recipients = clean;
}

struct store_row *store_row_new(
    struct arena *arena, const struct store_trace *trace)
{
	struct store_row *row = ARENA_NEW(arena, struct store_row);

	row->trace = *trace;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		void *at = (char *)&row->trace + texts[i];
		struct slice *text = at;

		*text = text_clean_utf8(arena, *text);
	}
	row->sender_key = arena_lower(arena, row->trace.sender);
	row->sender_domain = store_row_domain(arena, row->trace.sender);
	add_recipients(arena, row, trace);
	return row;
}
