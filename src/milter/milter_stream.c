/* SPDX-License-Identifier: Apache-2.0 */
#include "milter/milter_stream.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/require.h"
#include "milter/packet.h"

enum {
	/* At first; a body comes in larger pieces.  The buffer has room for a
	 * NUL, too. */
	READ_SIZE = 16 * 1024 - 1,
	READ_SIZE_MAX = 256 * 1024,
	LENGTH_SIZE = 4,
	INPUT_MAX = LENGTH_SIZE + PACKET_MAX + READ_SIZE_MAX,
	OUTPUT_MAX = 4 * 1024 * 1024,
	KEPT_INPUT = 4096, /* memory of a waiting session */
	FLUSH_MS = 60 * 1000,
};

void milter_stream_init(struct milter_stream *stream, int fd)
{
	stream->fd = fd;
	stream->read_size = READ_SIZE;
	buf_init(&stream->input, INPUT_MAX);
	buf_init(&stream->output, OUTPUT_MAX);
}

void milter_stream_release(struct milter_stream *stream)
{
	close(stream->fd);
	buf_release(&stream->input);
	buf_release(&stream->output);
}

/* As recv(2).  Most sessions need little of what they could get: that is kept
 * in memory of its size.  A body comes where it is to stay. */
static ssize_t receive(struct milter_stream *stream)
{
	char usual[READ_SIZE];
	bool is_usual = stream->read_size == READ_SIZE;
	char *room = is_usual ? usual
			      : buf_reserve(&stream->input, stream->read_size);
	ssize_t count;

	require(room);
	do
		count = recv(stream->fd, room, stream->read_size, 0);
	while (count < 0 && errno == EINTR);
	if (count > 0 && is_usual)
		require(buf_add(&stream->input, slice_of(room, (size_t)count)));
	else if (count > 0)
		buf_grown(&stream->input, (size_t)count);
	return count;
}

bool milter_stream_read(struct milter_stream *stream, struct err *err)
{
	ssize_t count = receive(stream);

	if (count == 0)
		return err_set(err, E_CLOSED, "closed by the mail server");
	if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return err_set(err, E_TIMEOUT, "nothing is there");
	if (count < 0) {
		err_set_errno(err, "read");
		err->kind = E_IO;
		return false;
	}
	if ((size_t)count == stream->read_size)
		stream->read_size = READ_SIZE_MAX;
	return true;
}

/* Whatever became of it, it is the connection. */
static bool lose(struct milter_stream *stream, struct err *err)
{
	buf_clear(&stream->output);
	if (err->kind != E_TIMEOUT)
		err->kind = E_IO;
	return false;
}

bool milter_stream_flush(struct milter_stream *stream, struct err *err)
{
	if (stream->output.len &&
	    !io_write_all(stream->fd, buf_slice(&stream->output),
		deadline_in(FLUSH_MS), err))
		return lose(stream, err);
	buf_clear(&stream->output);
	return true;
}

bool milter_stream_flush_some(struct milter_stream *stream, struct err *err)
{
	size_t sent = 0;

	while (sent < stream->output.len) {
		ssize_t count = send(stream->fd, stream->output.ptr + sent,
		    stream->output.len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (count < 0 && errno != EINTR) {
			err_set_errno(err, "write");
			return lose(stream, err);
		}
		sent += count > 0 ? (size_t)count : 0;
	}
	buf_consume(&stream->output, sent);
	return true;
}

void milter_stream_shrink(struct milter_stream *stream)
{
	if (stream->input.len || stream->input.size <= KEPT_INPUT)
		return;
	buf_release(&stream->input);
	stream->read_size = READ_SIZE;
}
