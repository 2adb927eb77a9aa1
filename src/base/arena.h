/* SPDX-License-Identifier: Apache-2.0 */
/* base/arena.h - memory that is released all at once.
 *
 * One lifetime, one arena: a connection, a transaction, a configuration
 * snapshot.  Other resources (descriptors, library objects) join it through
 * arena_defer and are released in reverse order.  An arena belongs to one
 * thread at a time.  Allocation cannot fail (see base/memory.h).
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "base/slice.h"

struct arena;

/* Its first block has first_size bytes (0: 4 KiB); later ones double up to
 * 64 KiB.  Nothing but the handle is allocated before the first use. */
struct arena *arena_new(size_t first_size);

/* Runs the deferred releases in reverse order and frees everything. */
void arena_free(struct arena *arena);

/* The same, but the arena and its first block stay for reuse. */
void arena_reset(struct arena *arena);

/* Zeroed and aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size);

/* count * size is checked for overflow. */
void *arena_array(struct arena *arena, size_t count, size_t size);

/* array (count elements of size, of which *room fit) if one more fits, else a
 * copy of twice the size, with *room to match.  Start with NULL, 0 and 0. */
void *arena_grow(
    struct arena *arena, void *array, size_t count, size_t *room, size_t size);

#define ARENA_NEW(arena, type) ((type *)arena_alloc(arena, sizeof(type)))
#define ARENA_ARRAY(arena, count, type)                                        \
	((type *)arena_array(arena, count, sizeof(type)))

/* Terminated copies. */
char *arena_text(struct arena *arena, struct slice text);
struct slice arena_slice(struct arena *arena, struct slice text);
char *arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct slice arena_format_slice(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The texts one behind the other: ARENA_JOIN(arena, SLICE("_dmarc."), domain).
 * Where printf would only copy, a fifth of its time. */
struct slice arena_join(
    struct arena *arena, const struct slice *texts, size_t count);
#define ARENA_JOIN(arena, ...)                                                 \
	arena_join((arena), (const struct slice[]){__VA_ARGS__},               \
	    sizeof((const struct slice[]){__VA_ARGS__}) /                      \
		sizeof(struct slice))

/* A lower-case (US-ASCII) copy. */
struct slice arena_lower(struct arena *arena, struct slice text);

/* Calls release(object) when the arena is reset or freed. */
void arena_defer(
    struct arena *arena, void (*release)(void *object), void *object);

/* Closes the descriptor when the arena is reset or freed. */
void arena_defer_close(struct arena *arena, int fd);

/* Bytes taken from the system: for limits and metrics. */
size_t arena_size(const struct arena *arena);

#endif
