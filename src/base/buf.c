/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/require.h"

/* A log line or a header field fits, or nearly. */
enum { FIRST_SIZE = 256 };

void buf_init(struct buf *buf, size_t max)
{
	*buf = (struct buf){.max = max};
}

void buf_release(struct buf *buf)
{
	memory_free(buf->ptr);
	*buf = (struct buf){.max = buf->max};
}

static void release_deferred(void *object)
{
	buf_release(object);
}

struct buf *buf_in_arena(struct arena *arena, size_t max)
{
	struct buf *buf = ARENA_NEW(arena, struct buf);

	buf_init(buf, max);
	arena_defer(arena, release_deferred, buf);
	return buf;
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
	buf->overflowed = false;
	if (buf->ptr)
		buf->ptr[0] = '\0';
}

char *buf_reserve(struct buf *buf, size_t count)
{
	size_t needed, size;

	if (count > buf->max || buf->len > buf->max - count) {
		buf->overflowed = true;
		return NULL;
	}
	needed = buf->len + count + 1;
	if (needed > buf->size) {
		size = buf->size ? buf->size : FIRST_SIZE;
		while (size < needed)
			size *= 2;
		if (size > buf->max + 1)
			size = buf->max + 1;
		buf->ptr = memory_resize(buf->ptr, size, 1);
		buf->size = size;
	}
	return buf->ptr + buf->len;
}

void buf_grown(struct buf *buf, size_t count)
{
	require(buf->len + count < buf->size);
	buf->len += count;
	buf->ptr[buf->len] = '\0';
}

static bool add_digits(struct buf *buf, uint64_t number, bool negative)
{
	char text[21];
	size_t at = sizeof(text);

	do
		text[--at] = (char)('0' + number % 10);
	while (number /= 10);
	if (negative)
		text[--at] = '-';
	return buf_add(buf, slice_of(text + at, sizeof(text) - at));
}

bool buf_add_number(struct buf *buf, int64_t number)
{
	uint64_t size = (uint64_t)number;

	return add_digits(buf, number < 0 ? -size : size, number < 0);
}

bool buf_add_unsigned(struct buf *buf, uint64_t number)
{
	return add_digits(buf, number, false);
}

bool buf_add_format(struct buf *buf, const char *format, ...)
{
	size_t room = buf->size - buf->len;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(room ? buf->ptr + buf->len : NULL, room, format, args);
	va_end(args);
	require(len >= 0);
	if ((size_t)len >= room) {
		if (room)
			buf->ptr[buf->len] = '\0';
		if (!buf_reserve(buf, (size_t)len))
			return false;
		va_start(args, format);
		vsnprintf(buf->ptr + buf->len, (size_t)len + 1, format, args);
		va_end(args);
	}
	buf_grown(buf, (size_t)len);
	return true;
}

void buf_consume(struct buf *buf, size_t count)
{
	require(count <= buf->len);
	if (count == 0)
		return;
	buf->len -= count;
	memmove(buf->ptr, buf->ptr + count, buf->len);
	buf->ptr[buf->len] = '\0';
}

struct slice buf_slice(const struct buf *buf)
{
	return slice_of(buf->ptr, buf->len);
}
