/* SPDX-License-Identifier: Apache-2.0 */
/* However the bytes are cut, the message is the same, and never holds a bare
 * CR or LF. */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/require.h"
#include "smtp/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum data_event read_all(
    struct slice wire, size_t step, bool chunks, struct buf *content)
{
	struct data_reader reader = {.chunks = chunks};
	enum data_event event = DATA_MORE;

	while (wire.len && event == DATA_MORE) {
		struct slice part = slice_sub(wire, 0, step), piece;

		wire = slice_from_pos(wire, part.len);
		while (
		    (event = data_next(&reader, &part, &piece)) == DATA_PIECE)
			require(buf_add(content, piece));
	}
	return event;
}

static void check_content(struct slice content)
{
	for (size_t i = 0; i < content.len; i++) {
		char before = i ? content.ptr[i - 1] : '\0';

		if (content.ptr[i] == '\n')
			require(before == '\r');
		if (before == '\r')
			require(content.ptr[i] == '\n');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice wire = slice_of((const char *)data, size);
	struct buf whole, cut;
	enum data_event event;
	bool chunks;
	size_t step;

	if (!size)
		return 0;
	chunks = data[0] & 1;
	step = (size_t)(data[0] >> 1) % 7 + 1;
	wire = slice_from_pos(wire, 1);
	buf_init(&whole, size);
	buf_init(&cut, size);
	event = read_all(wire, size, chunks, &whole);
	require(read_all(wire, step, chunks, &cut) == event);
	if (event == DATA_MORE || event == DATA_END) {
		require(slice_eq(buf_slice(&whole), buf_slice(&cut)));
		check_content(buf_slice(&whole));
	}
	buf_release(&whole);
	buf_release(&cut);
	return 0;
}
