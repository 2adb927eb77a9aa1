/* SPDX-License-Identifier: Apache-2.0 */
/* The wire: packets, and the data of each command. */
#include "base/require.h"
#include "milter/header_field.h"
#include "milter/macros.h"
#include "milter/options.h"
#include "milter/packet.h"
#include "milter/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A field that is sound must be one field to every reader. */
static void rebuild(struct slice name, struct slice value)
{
	struct buf header;

	if (!header_field_is_sound(name, value))
		return;
	buf_init(&header, 2 * PACKET_MAX);
	if (header_field_rebuild(&header, name, value, true)) {
		struct slice text = buf_slice(&header);

		while (text.len) {
			size_t end = slice_find_slice(text, SLICE("\r\n"));

			require(end < text.len);
			require(
			    slice_find(slice_sub(text, 0, end), '\n') == end);
			text = slice_from_pos(text, end + 2);
			require(!text.len || text.ptr[0] == ' ' ||
				text.ptr[0] == '\t');
		}
	}
	buf_release(&header);
}

/* What is written is read again. */
static void write_packets(struct slice name, struct slice value)
{
	struct buf out;
	struct packet packet = {0};
	struct err err;

	buf_init(&out, 4 * PACKET_MAX);
	if (packet_write_header(&out, 'm', 1, name, value)) {
		require(packet_read(buf_slice(&out), &packet, &err) ==
			PACKET_WHOLE);
		require(packet.size == out.len && packet.command == 'm');
	}
	buf_clear(&out);
	if (packet_write_text(&out, 'q', value)) {
		require(packet_read(buf_slice(&out), &packet, &err) ==
			PACKET_WHOLE);
		require(packet_parse_text(packet.data, &name, &err));
		require(slice_eq(name, value));
	}
	buf_release(&out);
}

/* Apart and together again.  A CR within is none of ours. */
static void take_apart(struct slice name, struct slice value, bool leading)
{
	struct arena *arena = arena_new(0);
	struct slice again_name, again_value;
	struct buf field, again;

	buf_init(&field, 4 * PACKET_MAX);
	buf_init(&again, 4 * PACKET_MAX);
	if (header_field_is_sound(name, value) &&
	    slice_find(value, '\r') == value.len &&
	    header_field_rebuild(&field, name, value, leading)) {
		header_field_take_apart(arena, buf_slice(&field), leading,
		    &again_name, &again_value);
		require(slice_eq(name, again_name));
		require(header_field_rebuild(
		    &again, again_name, again_value, leading));
		require(slice_eq(buf_slice(&field), buf_slice(&again)));
	}
	buf_release(&field);
	buf_release(&again);
	arena_free(arena);
}

static void agree(const struct milter_options *offered)
{
	struct milter_options chosen, told;
	struct packet packet = {0};
	struct buf out;
	struct err err;

	if (!options_choose(offered, &chosen, &err))
		return;
	buf_init(&out, PACKET_MAX);
	require(options_write(&out, &chosen));
	require(packet_read(buf_slice(&out), &packet, &err) == PACKET_WHOLE);
	require(options_parse(packet.data, &told, &err));
	require(told.version == chosen.version &&
		told.actions == chosen.actions && told.steps == chosen.steps);
	require(!(told.actions & ~offered->actions));
	require(!(told.steps & ~offered->steps));
	buf_release(&out);
}

static void take(struct macros *macros, const struct packet *packet)
{
	struct packet_connect connect;
	struct milter_options options;
	struct slice name, value;
	struct err err;

	switch (packet->command) {
	case SMFIC_OPTNEG:
		if (options_parse(packet->data, &options, &err))
			agree(&options);
		break;
	case SMFIC_MACRO:
		macros_take(macros, packet->data, &err);
		for (int i = 0; i < MACRO_COUNT; i++)
			macros_get(macros, (enum macro)i);
		break;
	case SMFIC_CONNECT:
		packet_parse_connect(packet->data, &connect, &err);
		break;
	case SMFIC_HEADER:
		if (!header_field_parse(packet->data, &name, &value, &err))
			break;
		rebuild(name, value);
		write_packets(name, value);
		take_apart(name, value, true);
		take_apart(name, value, false);
		break;
	default: packet_parse_text(packet->data, &name, &err); break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = slice_of((const char *)data, size);
	struct macros macros;
	struct packet packet = {0};
	struct err err;

	macros_init(&macros);
	while (packet_read(input, &packet, &err) == PACKET_WHOLE) {
		require(packet.size <= input.len);
		take(&macros, &packet);
		input = slice_from_pos(input, packet.size);
	}
	macros_release(&macros);
	return 0;
}
