/* SPDX-License-Identifier: Apache-2.0 */
/* base/slice.h - a piece of text or bytes that somebody else owns.
 *
 * A slice borrows: it is valid as long as the bytes it points into.  It is
 * passed by value, is not terminated, and may hold any byte, NUL included.
 * The empty slice may have a NULL pointer.
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char *ptr;
	size_t len;
};

/* A slice of a string literal. */
#define SLICE(literal) ((struct slice){"" literal, sizeof(literal) - 1})

/* The same for static initializers. */
#define SLICE_INIT(literal)                                                    \
	{                                                                      \
		"" literal, sizeof(literal) - 1                                \
	}

/* Arguments for "%.*s"; the text must fit an int and be free of NUL. */
#define SLICE_ARGS(s) (int)(s).len, (s).len ? (s).ptr : ""

static inline struct slice slice_of(const char *ptr, size_t len)
{
	return (struct slice){ptr, len};
}

/* text up to its terminator; NULL gives the empty slice. */
static inline struct slice slice_from(const char *text)
{
	return (struct slice){text, text ? strlen(text) : 0};
}

static inline bool slice_empty(struct slice s)
{
	return s.len == 0;
}

bool slice_eq(struct slice a, struct slice b);

/* As slice_eq, with the letters of US-ASCII compared without case. */
bool slice_eq_nocase(struct slice a, struct slice b);

/* -1, 0 or 1, by unsigned bytes; a shorter one sorts first. */
int slice_compare(struct slice a, struct slice b);

bool slice_starts(struct slice s, struct slice prefix);
bool slice_starts_nocase(struct slice s, struct slice prefix);
bool slice_ends_nocase(struct slice s, struct slice suffix);

/* The first position of byte, or s.len. */
static inline size_t slice_find(struct slice s, char byte)
{
	const char *at = s.len ? memchr(s.ptr, byte, s.len) : NULL;

	return at ? (size_t)(at - s.ptr) : s.len;
}

/* The first position of needle, or s.len. */
size_t slice_find_slice(struct slice s, struct slice needle);

/* The part from position from (clamped) to the end. */
static inline struct slice slice_from_pos(struct slice s, size_t from)
{
	if (from >= s.len)
		return (struct slice){NULL, 0};
	return (struct slice){s.ptr + from, s.len - from};
}

/* At most len bytes from position from, both clamped. */
static inline struct slice slice_sub(struct slice s, size_t from, size_t len)
{
	s = slice_from_pos(s, from);
	return (struct slice){s.ptr, s.len < len ? s.len : len};
}

/* Without SP, HTAB, CR and LF at both ends. */
struct slice slice_trim(struct slice s);

/* Splits at the first separator.  Without one: *ret_head is all of s,
 * *ret_rest is empty, and the result is false.  Either may point to s. */
bool slice_split(struct slice s, char separator, struct slice *ret_head,
    struct slice *ret_rest);

/* True if every byte passes; true for the empty slice. */
static inline bool slice_all(struct slice s, bool (*passes)(char byte))
{
	for (size_t i = 0; i < s.len; i++)
		if (!passes(s.ptr[i]))
			return false;
	return true;
}

/* Decimal digits only, no sign, no more than max.  False: not a number, or
 * over max; *ret is then untouched. */
bool slice_to_u64(struct slice s, uint64_t max, uint64_t *ret);

#endif
