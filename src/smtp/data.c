/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/data.h"

#include "base/lines.h"

static void add_to_line(struct data_reader *reader, size_t count)
{
	reader->line_length += count;
	if (reader->line_length > reader->longest_line)
		reader->longest_line = reader->line_length;
}

/* So many octets, in a line or at its start, have nothing that ends a run. */
static size_t take_ordinary(struct data_reader *reader, struct slice input)
{
	size_t count, longest = 0;
	char last;

	if (input.ptr[0] == '\n')
		return 0;
	count = lines_ordinary(input);
	if (!count)
		return 0;
	reader->line_length = lines_measure(
	    slice_sub(input, 0, count), reader->line_length, &longest);
	if (longest > reader->longest_line)
		reader->longest_line = longest;
	add_to_line(reader, 0);
	last = input.ptr[count - 1];
	reader->state = last == '\r'   ? DATA_AFTER_CR
			: last == '\n' ? DATA_AT_LINE
				       : DATA_IN_LINE;
	return count;
}

/* The length of the run of content at the front: up to a dot that starts a
 * line, a fault (then *ret_fault), or the end of the input. */
static size_t measure_run(
    struct data_reader *reader, struct slice input, enum data_event *ret_fault)
{
	size_t at = 0;

	while (at < input.len) {
		size_t cr, ordinary;

		if (reader->state == DATA_AFTER_CR) {
			if (input.ptr[at] != '\n') {
				*ret_fault = DATA_BARE_CR;
				return at;
			}
			at++;
			reader->state = DATA_AT_LINE;
			reader->line_length = 0;
			continue;
		}
		if (reader->state == DATA_AT_LINE && !reader->chunks &&
		    input.ptr[at] == '.')
			return at;
		ordinary = take_ordinary(reader, slice_from_pos(input, at));
		at += ordinary;
		if (ordinary)
			continue;
		reader->state = DATA_IN_LINE;
		cr = slice_find(slice_from_pos(input, at), '\r');
		if (slice_find(slice_sub(input, at, cr), '\n') < cr) {
			*ret_fault = DATA_BARE_LF;
			return at;
		}
		add_to_line(reader, cr);
		at += cr;
		if (at < input.len) {
			at++;
			reader->state = DATA_AFTER_CR;
		}
	}
	return at;
}

/* One byte at or behind a dot that starts a line.  DATA_PIECE: the dot was
 * stuffed; content goes on with this byte. */
static enum data_event step_after_dot(struct data_reader *reader, char byte)
{
	if (reader->state == DATA_AFTER_DOT_CR)
		return byte == '\n' ? DATA_END : DATA_BARE_CR;
	if (byte == '\n')
		return DATA_BARE_LF;
	if (byte == '\r') {
		reader->state = DATA_AFTER_DOT_CR;
		return DATA_MORE;
	}
	reader->state = DATA_IN_LINE;
	return DATA_PIECE;
}

/* Past the dot, as far as the input goes.  DATA_PIECE: content follows. */
static enum data_event skip_dot(struct data_reader *reader, struct slice *input)
{
	if (reader->state == DATA_AT_LINE) {
		reader->state = DATA_AFTER_DOT;
		*input = slice_from_pos(*input, 1);
	}
	while (input->len) {
		enum data_event event = step_after_dot(reader, input->ptr[0]);

		if (event == DATA_PIECE)
			return event;
		*input = slice_from_pos(*input, 1);
		if (event != DATA_MORE)
			return event;
	}
	return DATA_MORE;
}

static bool at_dot(const struct data_reader *reader, struct slice input)
{
	if (reader->state == DATA_AFTER_DOT ||
	    reader->state == DATA_AFTER_DOT_CR)
		return true;
	return reader->state == DATA_AT_LINE && !reader->chunks &&
	       input.ptr[0] == '.';
}

enum data_event data_next(
    struct data_reader *reader, struct slice *input, struct slice *ret_piece)
{
	enum data_event event = DATA_PIECE;
	size_t length;

	if (!input->len)
		return DATA_MORE;
	if (at_dot(reader, *input)) {
		event = skip_dot(reader, input);
		if (event != DATA_PIECE)
			return event;
	}
	length = measure_run(reader, *input, &event);
	if (event != DATA_PIECE)
		return event;
	*ret_piece = slice_sub(*input, 0, length);
	*input = slice_from_pos(*input, length);
	return DATA_PIECE;
}

bool data_may_end(const struct data_reader *reader)
{
	return reader->state != DATA_AFTER_CR;
}
