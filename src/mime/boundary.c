/* SPDX-License-Identifier: Apache-2.0 */
#include "mime/boundary.h"

#include <string.h>

#include "base/ascii.h"
#include "base/require.h"

enum { BUCKETS = 1024, NOBODY = 0 };

struct entry {
	struct slice text;
	uint64_t hash;
	size_t older; /* of its bucket: number + 1 */
	bool closed;
};

struct boundary_stack {
	struct arena *arena;
	size_t count, room;
	struct entry *entries;
	size_t buckets[BUCKETS];	  /* innermost: number + 1 */
	size_t lengths[BOUNDARY_MAX + 1]; /* how many have this length */
};

/* FNV-1a: that somebody can make two alike costs time only within
 * limits.mime_depth, as texts are compared too. */
static const uint64_t hash_start = UINT64_C(0xcbf29ce484222325);

static uint64_t hash_add(uint64_t hash, char byte)
{
	return (hash ^ (unsigned char)byte) * UINT64_C(0x100000001b3);
}

static uint64_t hash_of(struct slice text)
{
	uint64_t hash = hash_start;

	for (size_t i = 0; i < text.len; i++)
		hash = hash_add(hash, text.ptr[i]);
	return hash;
}

static size_t bucket_of(uint64_t hash)
{
	return (hash ^ hash >> 32) % BUCKETS;
}

struct boundary_stack *boundary_stack_new(struct arena *arena)
{
	struct boundary_stack *stack = ARENA_NEW(arena, struct boundary_stack);

	stack->arena = arena;
	return stack;
}

size_t boundary_count(const struct boundary_stack *stack)
{
	return stack->count;
}

/* What of the innermost of this text is sought: NOBODY, or number + 1. */
static size_t find(const struct boundary_stack *stack, struct slice text,
    uint64_t hash, bool closed)
{
	size_t at = stack->buckets[bucket_of(hash)];

	while (at != NOBODY) {
		const struct entry *entry = &stack->entries[at - 1];

		if (entry->hash == hash && entry->closed == closed &&
		    slice_eq(entry->text, text))
			return at;
		at = entry->older;
	}
	return NOBODY;
}

static void make_room(struct boundary_stack *stack)
{
	struct entry *more;

	if (stack->count < stack->room)
		return;
	stack->room = stack->room ? stack->room * 2 : 8;
	more = ARENA_ARRAY(stack->arena, stack->room, struct entry);
	if (stack->count)
		memcpy(more, stack->entries, stack->count * sizeof(*more));
	stack->entries = more;
}

bool boundary_push(struct boundary_stack *stack, struct slice boundary)
{
	uint64_t hash = hash_of(boundary);
	size_t *bucket = &stack->buckets[bucket_of(hash)];
	bool unique = find(stack, boundary, hash, false) == NOBODY;

	require(boundary.len > 0 && boundary.len <= BOUNDARY_MAX);
	make_room(stack);
	stack->entries[stack->count++] = (struct entry){
	    .text = boundary,
	    .hash = hash,
	    .older = *bucket,
	};
	*bucket = stack->count;
	stack->lengths[boundary.len]++;
	return unique;
}

void boundary_close(struct boundary_stack *stack, size_t number)
{
	stack->entries[number].closed = true;
}

bool boundary_is_closed(const struct boundary_stack *stack, size_t number)
{
	return stack->entries[number].closed;
}

void boundary_pop(struct boundary_stack *stack)
{
	const struct entry *entry = &stack->entries[--stack->count];

	stack->buckets[bucket_of(entry->hash)] = entry->older;
	stack->lengths[entry->text.len]--;
}

/* "--boundary  \r\n" without what stands around the text. */
static struct slice candidate_text(struct slice line)
{
	line = slice_from_pos(line, 2);
	while (line.len && ascii_is_fws(line.ptr[line.len - 1]))
		line.len--;
	return line;
}

struct found {
	size_t delimiter, closing; /* open: the whole text */
	size_t beginning;	   /* open: the text goes on */
	size_t closed;		   /* the whole text, but closed */
};

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

static void look(const struct boundary_stack *stack, struct slice text,
    size_t len, uint64_t hash, struct found *found)
{
	struct slice part = slice_sub(text, 0, len);
	struct slice rest = slice_from_pos(text, len);
	bool closes = slice_eq(rest, SLICE("--"));
	size_t at = find(stack, part, hash, false);

	if (rest.len == 0)
		found->delimiter = at;
	else if (closes)
		found->closing = at;
	else
		found->beginning = larger(found->beginning, at);
	if (rest.len == 0 || closes)
		found->closed = larger(
		    found->closed, find(stack, part, hash, true));
}

struct boundary_match boundary_match(
    const struct boundary_stack *stack, struct slice line)
{
	struct slice text = candidate_text(line);
	struct found found = {0};
	struct boundary_match match = {BOUNDARY_NONE, 0, false};
	uint64_t hash = hash_start;
	size_t best;

	for (size_t i = 0; i < text.len && i < BOUNDARY_MAX; i++) {
		hash = hash_add(hash, text.ptr[i]);
		if (stack->lengths[i + 1])
			look(stack, text, i + 1, hash, &found);
	}
	best = larger(found.delimiter, found.closing);
	match.ambiguous = found.beginning > best || found.closed > best;
	if (best == NOBODY)
		return match;
	match.kind = best == found.delimiter ? BOUNDARY_DELIMITER
					     : BOUNDARY_CLOSE;
	match.number = best - 1;
	return match;
}
