/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fuzz_script.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum { LINES_MAX = 400, LINE_GROWTH = 64 };

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(
    uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *first, size_t first_size,
    const uint8_t *second, size_t second_size, uint8_t *out, size_t max_size,
    unsigned int seed);

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* One escape behind its backslash; returns what it takes, at least 1. */
static size_t unescape_one(struct slice rest, char *ret)
{
	static const char letters[] = "rn0\\", octets[] = "\r\n\0\\";
	const char *letter = memchr(letters, rest.ptr[0], sizeof(letters) - 1);

	*ret = rest.ptr[0];
	if (rest.len >= 2 && hex_digit(rest.ptr[0]) >= 0 &&
	    hex_digit(rest.ptr[1]) >= 0) {
		*ret = (char)(hex_digit(rest.ptr[0]) * 16 +
			      hex_digit(rest.ptr[1]));
		return 2;
	}
	if (letter)
		*ret = octets[letter - letters];
	return 1;
}

struct slice fuzz_script_unescape(struct arena *arena, struct slice text)
{
	char *copy = arena_text(arena, text);
	size_t len = 0, i = 0;

	while (i < text.len) {
		char c = text.ptr[i++];

		if (c == '\\' && i < text.len)
			i += unescape_one(slice_from_pos(text, i), &c);
		copy[len++] = c;
	}
	return slice_of(copy, len);
}

struct lines {
	size_t count;
	struct slice items[LINES_MAX];
};

static void add_lines(struct lines *lines, struct slice text)
{
	while (text.len && lines->count < LINES_MAX)
		slice_split(text, '\n', &lines->items[lines->count++], &text);
}

static size_t below(unsigned int *seed, size_t limit)
{
	return limit ? (size_t)rand_r(seed) % limit : 0;
}

static void insert(struct lines *lines, size_t at, struct slice line)
{
	if (lines->count == LINES_MAX)
		return;
	memmove(&lines->items[at + 1], &lines->items[at],
	    (lines->count - at) * sizeof(lines->items[0]));
	lines->items[at] = line;
	lines->count++;
}

static void drop(struct lines *lines, size_t at, size_t count)
{
	if (count > lines->count - at)
		count = lines->count - at;
	memmove(&lines->items[at], &lines->items[at + count],
	    (lines->count - at - count) * sizeof(lines->items[0]));
	lines->count -= count;
}

static struct slice any_word(unsigned int *seed)
{
	size_t count = 0;

	while (fuzz_script_lines[count])
		count++;
	return slice_from(fuzz_script_lines[below(seed, count)]);
}

/* Octets within one line; its first two mostly say what it is. */
static struct slice change(
    struct arena *arena, struct slice line, unsigned int *seed)
{
	size_t keep = below(seed, 4) ? 2 : 0, max = line.len + LINE_GROWTH;
	char *room;

	if (line.len <= keep)
		return line;
	room = arena_alloc(arena, max);
	memcpy(room, line.ptr, line.len);
	return slice_of(room, keep + LLVMFuzzerMutate((uint8_t *)room + keep,
					 line.len - keep, max - keep));
}

static void mutate(struct arena *arena, struct lines *lines, unsigned int *seed)
{
	size_t at = below(seed, lines->count), to, many;
	struct slice line;

	switch (lines->count ? below(seed, 8) : 0) {
	case 0:
	case 1:
		insert(lines, below(seed, lines->count + 1), any_word(seed));
		return;
	case 2: lines->items[at] = any_word(seed); return;
	case 3: insert(lines, at, lines->items[at]); return;
	case 4: drop(lines, at, 1 + below(seed, 3)); return;
	case 5:
		line = lines->items[at];
		drop(lines, at, 1);
		insert(lines, below(seed, lines->count + 1), line);
		return;
	case 6: /* a run of lines once more: whole transactions */
		many = 1 + below(seed, 12);
		to = lines->count;
		for (size_t i = at; i < to && i < at + many; i++)
			insert(lines, lines->count, lines->items[i]);
		return;
	default: lines->items[at] = change(arena, lines->items[at], seed);
	}
}

static size_t write_lines(
    const struct lines *lines, uint8_t *out, size_t max_size)
{
	struct buf text;
	size_t size = 0;

	buf_init(&text, max_size);
	for (size_t i = 0; i < lines->count; i++)
		if (buf_add(&text, lines->items[i]))
			buf_add_byte(&text, '\n');
	size = text.len;
	if (size)
		memcpy(out, text.ptr, size);
	buf_release(&text);
	return size;
}

size_t LLVMFuzzerCustomMutator(
    uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	struct arena *arena = arena_new(0);
	struct lines *lines = ARENA_NEW(arena, struct lines);
	size_t times = 1 + below(&seed, 3);

	add_lines(lines, slice_of((const char *)data, size));
	while (times--)
		mutate(arena, lines, &seed);
	size = write_lines(lines, data, max_size);
	arena_free(arena);
	return size;
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *first, size_t first_size,
    const uint8_t *second, size_t second_size, uint8_t *out, size_t max_size,
    unsigned int seed)
{
	struct arena *arena = arena_new(0);
	struct lines *head = ARENA_NEW(arena, struct lines);
	struct lines *tail = ARENA_NEW(arena, struct lines);
	size_t size;

	add_lines(head, slice_of((const char *)first, first_size));
	add_lines(tail, slice_of((const char *)second, second_size));
	drop(head, below(&seed, head->count + 1), LINES_MAX);
	drop(tail, 0, below(&seed, tail->count + 1));
	for (size_t i = 0; i < tail->count; i++)
		insert(head, head->count, tail->items[i]);
	size = write_lines(head, out, max_size);
	arena_free(arena);
	return size;
}
