/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a message, for who asks: the live path pays nothing. */
#include "gate/gate_private.h"
#include "mime/charset.h"
#include "mime/tree.h"

static struct content_part inspect_part(struct gate_message *message,
    const struct mime_tree *tree, size_t position, struct arena *scratch)
{
	const struct mime_part *part = &tree->parts[position];
	size_t max = message->content.len;

	return (struct content_part){
	    .path = mime_part_path(message->arena, tree, position),
	    .type = part->type,
	    .name = part->name,
	    .size = mime_part_octets(scratch, part, max, &message->faults).len,
	    .text_words = mime_count_words(
		mime_part_text(scratch, part, max, &message->faults)),
	};
}

void content_inspect(struct gate_message *message)
{
	struct arena *scratch;
	struct mime_tree tree;

	if (message->content_inspected || !message->has_header)
		return;
	message->content_inspected = true;
	mime_parse(message->arena, message->content, &message->headers,
	    &message->context->config->limits, &tree);
	message->faults.bits |= tree.faults.bits;
	message->parts = ARENA_ARRAY(
	    message->arena, tree.count, struct content_part);
	message->part_count = tree.count;
	scratch = arena_new(0);
	for (size_t i = 0; i < tree.count; i++) {
		message->parts[i] = inspect_part(message, &tree, i, scratch);
		arena_reset(scratch);
	}
	arena_free(scratch);
}
