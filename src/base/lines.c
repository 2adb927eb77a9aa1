/* SPDX-License-Identifier: Apache-2.0 */
#include "base/lines.h"

#include <string.h>

enum { BLOCK = 128 };

#define INLINE static inline __attribute__((always_inline))

/* Without branches, so that compilers make vectors of it. */
INLINE unsigned char is_odd(char c, char next)
{
	return (unsigned char)(((c == '\r') ^ (next == '\n')) | (c == '\0') |
			       ((c == '\n') & (next == '.')));
}

INLINE bool block_is_ordinary(const char *bytes)
{
	unsigned char odd = 0;

	for (size_t i = 0; i < BLOCK; i++)
		odd |= is_odd(bytes[i], bytes[i + 1]);
	return !odd;
}

INLINE size_t count_ordinary(struct slice s)
{
	size_t at = 0;

	while (s.len - at > BLOCK && block_is_ordinary(s.ptr + at))
		at += BLOCK;
	return at;
}

#ifdef __x86_64__
/* Larger vectors than every processor has. */
__attribute__((target("avx2"))) static size_t count_with_avx2(struct slice s)
{
	return count_ordinary(s);
}
#endif

size_t lines_ordinary(struct slice s)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2"))
		return count_with_avx2(s);
#endif
	return count_ordinary(s);
}

/* Without the CR that may end s. */
static size_t length_of_rest(struct slice s)
{
	return s.len - (s.ptr[s.len - 1] == '\r');
}

/* While lines are short, one look from behind the furthest place where a line
 * may end passes many of them. */
size_t lines_measure(struct slice s, size_t before, size_t *ret_longest)
{
	while (s.len) {
		size_t reach = before <= LINES_SHORT ? LINES_SHORT + 2 - before
						     : 0;
		struct slice near = slice_sub(s, 0, reach);
		const char *end = near.len ? memrchr(near.ptr, '\n', near.len)
					   : NULL;

		if (!end && near.len == s.len)
			return before + length_of_rest(s);
		if (!end) {
			size_t length = slice_find(s, '\n');

			if (length == s.len)
				return before + length_of_rest(s);
			end = s.ptr + length;
			length = before + (length ? length - 1 : 0);
			if (length > LINES_SHORT && length > *ret_longest)
				*ret_longest = length;
		}
		s = slice_from_pos(s, (size_t)(end - s.ptr) + 1);
		before = 0;
	}
	return before;
}
