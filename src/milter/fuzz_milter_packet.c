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

static void take(struct macros *macros, const struct packet *packet)
{
	struct packet_connect connect;
	struct milter_options options;
	struct slice name, value;
	struct err err;

	switch (packet->command) {
	case SMFIC_OPTNEG: options_parse(packet->data, &options, &err); break;
	case SMFIC_MACRO: macros_take(macros, packet->data, &err); break;
	case SMFIC_CONNECT:
		packet_parse_connect(packet->data, &connect, &err);
		break;
	case SMFIC_HEADER:
		if (header_field_parse(packet->data, &name, &value, &err))
			rebuild(name, value);
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
