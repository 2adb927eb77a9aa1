/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/memory.h"
#include "base/require.h"

enum { FIRST_SIZE = 4096, BLOCK_MAX = 65536 };

struct block {
	struct block *older;
	size_t size, used;
	alignas(max_align_t) char bytes[];
};

struct deferred {
	struct deferred *older;
	void (*release)(void *object);
	void *object;
};

struct arena {
	struct block *newest;
	struct deferred *deferred;
	size_t next_size, total;
};

struct arena *arena_new(size_t first_size)
{
	struct arena *arena = MEMORY_NEW(struct arena);

	arena->next_size = first_size ? first_size : FIRST_SIZE;
	return arena;
}

static void release_deferred(struct arena *arena)
{
	/* A release may defer another: take them one at a time. */
	while (arena->deferred) {
		struct deferred *last = arena->deferred;

		arena->deferred = last->older;
		last->release(last->object);
	}
}

static void free_blocks_after_first(struct arena *arena)
{
	while (arena->newest && arena->newest->older) {
		struct block *block = arena->newest;

		arena->newest = block->older;
		arena->total -= block->size;
		memory_free(block);
	}
}

void arena_reset(struct arena *arena)
{
	release_deferred(arena);
	free_blocks_after_first(arena);
	if (arena->newest) {
		memset(arena->newest->bytes, 0, arena->newest->used);
		arena->newest->used = 0;
	}
}

void arena_free(struct arena *arena)
{
	if (!arena)
		return;
	release_deferred(arena);
	free_blocks_after_first(arena);
	memory_free(arena->newest);
	memory_free(arena);
}

static struct block *add_block(struct arena *arena, size_t at_least)
{
	size_t size = arena->next_size;
	struct block *block;

	if (size < at_least)
		size = at_least;
	block = memory_new(1, sizeof(*block) + size);
	block->size = size;
	block->older = arena->newest;
	arena->newest = block;
	arena->total += size;
	if (arena->next_size < BLOCK_MAX)
		arena->next_size *= 2;
	return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	const size_t unit = alignof(max_align_t);
	struct block *block = arena->newest;
	void *memory;

	require(size <= SIZE_MAX / 2);
	size = (size + unit - 1) / unit * unit;
	if (!block || block->size - block->used < size)
		block = add_block(arena, size);
	memory = block->bytes + block->used;
	block->used += size;
	return memory;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
	require(size == 0 || count <= SIZE_MAX / 2 / size);
	return arena_alloc(arena, count * size);
}

void *arena_grow(
    struct arena *arena, void *array, size_t count, size_t *room, size_t size)
{
	void *more;

	if (count < *room)
		return array;
	*room = *room ? *room * 2 : 8;
	more = arena_array(arena, *room, size);
	if (count)
		memcpy(more, array, count * size);
	return more;
}

char *arena_text(struct arena *arena, struct slice text)
{
	char *copy = arena_alloc(arena, text.len + 1);

	if (text.len)
		memcpy(copy, text.ptr, text.len);
	return copy;
}

struct slice arena_slice(struct arena *arena, struct slice text)
{
	return slice_of(arena_text(arena, text), text.len);
}

struct slice arena_join(
    struct arena *arena, const struct slice *texts, size_t count)
{
	size_t size = 0, used = 0;
	char *joined;

	for (size_t i = 0; i < count; i++)
		size += texts[i].len;
	joined = arena_alloc(arena, size + 1);
	for (size_t i = 0; i < count; i++) {
		if (texts[i].len)
			memcpy(joined + used, texts[i].ptr, texts[i].len);
		used += texts[i].len;
	}
	return slice_of(joined, size);
}

static size_t whole_units(size_t size)
{
	return size - size % alignof(max_align_t);
}

/* Into what is left of the newest block, where it nearly always fits: most of
 * the cost is the formatting, so it is not done first for the length alone.
 * What did not fit is cleared away: blocks are zero where they are not used. */
__attribute__((format(printf, 2, 0))) static struct slice format_slice(
    struct arena *arena, const char *format, va_list args)
{
	struct block *block = arena->newest;
	size_t room = block ? whole_units(block->size - block->used) : 0;
	char *text = block ? block->bytes + block->used : NULL;
	va_list again;
	int len;

	va_copy(again, args);
	len = vsnprintf(text, room, format, args);
	require(len >= 0);
	if ((size_t)len >= room) {
		if (room)
			memset(text, 0, room);
		text = arena_alloc(arena, (size_t)len + 1);
		vsnprintf(text, (size_t)len + 1, format, again);
	} else {
		text = arena_alloc(arena, (size_t)len + 1);
	}
	va_end(again);
	return slice_of(text, (size_t)len);
}

char *arena_format(struct arena *arena, const char *format, ...)
{
	struct slice text;
	va_list args;

	va_start(args, format);
	text = format_slice(arena, format, args);
	va_end(args);
	/* format_slice made it: it is ours to hand out as writable. */
	return (char *)(uintptr_t)text.ptr;
}

struct slice arena_format_slice(struct arena *arena, const char *format, ...)
{
	struct slice text;
	va_list args;

	va_start(args, format);
	text = format_slice(arena, format, args);
	va_end(args);
	return text;
}

struct slice arena_lower(struct arena *arena, struct slice text)
{
	char *copy = arena_text(arena, text);

	for (size_t i = 0; i < text.len; i++)
		copy[i] = ascii_lower(copy[i]);
	return slice_of(copy, text.len);
}

void arena_defer(
    struct arena *arena, void (*release)(void *object), void *object)
{
	struct deferred *deferred = ARENA_NEW(arena, struct deferred);

	deferred->release = release;
	deferred->object = object;
	deferred->older = arena->deferred;
	arena->deferred = deferred;
}

static void close_deferred(void *object)
{
	close((int)(intptr_t)object);
}

void arena_defer_close(struct arena *arena, int fd)
{
	arena_defer(arena, close_deferred, (void *)(intptr_t)fd);
}

size_t arena_size(const struct arena *arena)
{
	return arena->total;
}
