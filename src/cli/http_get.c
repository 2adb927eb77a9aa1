/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/http_get.h"

#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "smtp/connect.h"

enum { ANSWER_MAX = 1 << 20, CHUNK = 16 << 10 };

bool http_answer_parse(
    struct slice text, struct http_answer *ret, struct err *err)
{
	enum { CODE_AT = 9, CODE_LEN = 3 };
	size_t end = slice_find_slice(text, SLICE("\r\n\r\n"));
	uint64_t status;

	/* "HTTP/1.1 200 OK": RFC 9112 section 4. */
	if (end == text.len || !slice_starts(text, SLICE("HTTP/1.")) ||
	    text.ptr[CODE_AT - 1] != ' ' ||
	    !slice_to_u64(slice_sub(text, CODE_AT, CODE_LEN), 599, &status) ||
	    status < 100)
		return err_set(err, E_SYNTAX, "not an answer of HTTP");
	ret->status = (unsigned int)status;
	ret->body = slice_from_pos(text, end + 4);
	return true;
}

static bool read_all(
    int fd, struct buf *answer, struct deadline deadline, struct err *err)
{
	size_t count;

	do {
		char *room = buf_reserve(answer, CHUNK);

		if (!room)
			return err_set(err, E_LIMIT, "the answer is too long");
		if (!io_read_some(fd, room, CHUNK, deadline, &count, err))
			return false;
		buf_grown(answer, count);
	} while (count > 0);
	return true;
}

bool http_get(struct arena *arena, const struct ip *ip, uint16_t port,
    const char *path, struct deadline deadline, struct http_answer *ret,
    struct err *err)
{
	struct buf *answer = buf_in_arena(arena, ANSWER_MAX);
	struct slice request = arena_format_slice(arena,
	    "GET %s HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n",
	    path);
	bool ok;
	int fd;

	if (!connect_tcp(ip, port, deadline, &fd, err))
		return false;
	ok = io_write_all(fd, request, deadline, err) &&
	     read_all(fd, answer, deadline, err);
	close(fd);
	return ok && http_answer_parse(buf_slice(answer), ret, err);
}
