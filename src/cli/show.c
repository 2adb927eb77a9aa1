/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/show.h"

#include <stdio.h>

#include "base/ascii.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/command.h"

/* C1 controls (U+0080 to U+009F), and the marks that turn the direction of
 * writing (U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069). */
static bool is_harmful(struct slice sequence)
{
	unsigned char first = (unsigned char)sequence.ptr[0];
	unsigned char last = (unsigned char)sequence.ptr[sequence.len - 1];

	if (sequence.len == 1)
		return ascii_is_control(sequence.ptr[0]);
	if (sequence.len == 2)
		return first == 0xc2 && last < 0xa0;
	if (sequence.len != 3 || first != 0xe2)
		return false;
	if ((unsigned char)sequence.ptr[1] == 0x80)
		return last == 0x8e || last == 0x8f ||
		       (last >= 0xaa && last <= 0xae);
	return (unsigned char)sequence.ptr[1] == 0x81 && last >= 0xa6 &&
	       last <= 0xa9;
}

void show_text(struct buf *out, struct slice text)
{
	while (text.len) {
		size_t length = text_utf8_length(text);
		struct slice sequence = slice_sub(text, 0, length ? length : 1);

		if (length && !is_harmful(sequence))
			buf_add(out, sequence);
		else
			for (size_t i = 0; i < sequence.len; i++)
				buf_add_format(out, "\\x%02x",
				    (unsigned char)sequence.ptr[i]);
		text = slice_from_pos(text, sequence.len);
	}
}

void show_time(struct buf *out, int64_t time_ms)
{
	struct arena *arena = arena_new(256);

	buf_add(out, clock_format_rfc3339(arena, time_ms / 1000));
	arena_free(arena);
}

/* Without the end of a line that was cut. */
static struct slice whole_lines(struct slice text)
{
	while (text.len && text.ptr[text.len - 1] != '\n')
		text.len--;
	return text;
}

int show_print(const struct buf *out)
{
	struct slice text = buf_slice(out);

	if (buf_overflowed(out)) {
		text = whole_lines(text);
		fprintf(stderr,
		    "gatehouse: this is too much to print, over %zu MiB, and "
		    "ends here: ask for less, or for --json\n",
		    out->max >> 20);
	}
	return fwrite(text.ptr, 1, text.len, stdout) == text.len &&
		       !buf_overflowed(out)
		   ? EXIT_DONE
		   : EXIT_TEMPORARY;
}

int show_print_json(json_t *json)
{
	bool ok = json && json_dumpf(json, stdout, JSON_INDENT(2)) == 0;

	json_decref(json);
	putchar('\n');
	return ok ? EXIT_DONE : EXIT_INTERNAL;
}

json_t *show_json_text(struct arena *arena, struct slice text)
{
	struct slice clean = text_clean_utf8(arena, text);

	return json_stringn(clean.len ? clean.ptr : "", clean.len);
}

json_t *show_json_time(struct arena *arena, int64_t time_ms)
{
	return show_json_text(
	    arena, clock_format_rfc3339(arena, time_ms / 1000));
}

json_t *show_json_texts(
    struct arena *arena, size_t count, const struct slice *texts)
{
	json_t *values = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(values, show_json_text(arena, texts[i]));
	return values;
}
