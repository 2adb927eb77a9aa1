/* SPDX-License-Identifier: Apache-2.0 */
/* base/buf.h - text that grows, up to a maximum given at its birth.
 *
 * Adding past the maximum adds nothing, and the buffer remembers it: check
 * each result, or buf_overflowed once at the end.  The bytes are always
 * followed by a NUL that is not counted.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/slice.h"

struct buf {
	char *ptr;
	size_t len, size, max;
	bool overflowed;
};

/* Allocates nothing yet.  End with buf_release. */
void buf_init(struct buf *buf, size_t max);
void buf_release(struct buf *buf);

/* A buffer that the arena releases. */
struct buf *buf_in_arena(struct arena *arena, size_t max);

/* Empties it; keeps the memory; forgets an overflow. */
void buf_clear(struct buf *buf);

/* Room for count bytes at the end; NULL if over the maximum.  Write there,
 * then say with buf_grown how many were written. */
char *buf_reserve(struct buf *buf, size_t count);
void buf_grown(struct buf *buf, size_t count);

/* False, and nothing added: it would pass the maximum.  Text is mostly built
 * of bytes and short words: in line where there is room. */
static inline bool buf_add(struct buf *buf, struct slice text)
{
	if (text.len >= buf->size - buf->len && !buf_reserve(buf, text.len))
		return false;
	if (text.len)
		memcpy(buf->ptr + buf->len, text.ptr, text.len);
	buf->len += text.len;
	buf->ptr[buf->len] = '\0';
	return true;
}

static inline bool buf_add_byte(struct buf *buf, char byte)
{
	return buf_add(buf, slice_of(&byte, 1));
}

static inline bool buf_add_text(struct buf *buf, const char *text)
{
	return buf_add(buf, slice_of(text, strlen(text)));
}

/* In decimal. */
bool buf_add_number(struct buf *buf, int64_t number);
bool buf_add_unsigned(struct buf *buf, uint64_t number);

bool buf_add_format(struct buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Removes count bytes at the front. */
void buf_consume(struct buf *buf, size_t count);

/* What it holds, valid until the next change. */
struct slice buf_slice(const struct buf *buf);

static inline bool buf_overflowed(const struct buf *buf)
{
	return buf->overflowed;
}

#endif
