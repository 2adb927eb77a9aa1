/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/memory.h"

enum {
	OUTPUT_SIZE = 16384, /* larger pieces are sent at once */
	DROP_SIZE = 16384,
};

struct stream {
	int fd;
	short wants; /* POLLIN or POLLOUT */
	SSL *ssl;
	char *in;
	unsigned int in_start, in_end, in_size;
	bool was_filled; /* by the last read, all its room */
	bool ended;
	struct buf out;
};

struct stream *stream_new(int fd)
{
	struct stream *stream = MEMORY_NEW(struct stream);
	int on = 1;

	stream->fd = fd;
	buf_init(&stream->out, STREAM_OUTPUT_MAX);
	/* Not for Unix sockets, and no harm there. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return stream;
}

void stream_free(struct stream *stream)
{
	if (!stream)
		return;
	SSL_free(stream->ssl);
	close(stream->fd);
	memory_free(stream->in);
	buf_release(&stream->out);
	memory_free(stream);
}

int stream_fd(const struct stream *stream)
{
	return stream->fd;
}

struct ssl_st *stream_ssl(const struct stream *stream)
{
	return stream->ssl;
}

struct slice stream_buffered(const struct stream *stream)
{
	if (stream->in_start == stream->in_end)
		return slice_of(NULL, 0);
	return slice_of(
	    stream->in + stream->in_start, stream->in_end - stream->in_start);
}

void stream_consume(struct stream *stream, size_t count)
{
	stream->in_start += (unsigned int)count;
}

bool stream_has_input(const struct stream *stream)
{
	if (stream->in_start < stream->in_end)
		return true;
	/* Pending also counts a record that is read but not yet decrypted. */
	return stream->ssl && SSL_has_pending(stream->ssl);
}

short stream_wants(const struct stream *stream)
{
	return stream->wants;
}

/* False: E_TIMEOUT or E_IO.  A peer that keeps sending does not outrun the
 * deadline. */
static bool wait_for(struct stream *stream, short events,
    struct deadline deadline, struct err *err)
{
	stream->wants = events;
	if (deadline_passed(deadline))
		return err_set(err, E_TIMEOUT, "timed out");
	return io_wait(stream->fd, events, deadline, err);
}

static bool connection_lost(int number)
{
	return number == ECONNRESET || number == EPIPE || number == ENOTCONN ||
	       number == ETIMEDOUT;
}

/* After an OpenSSL call failed: waits for what it wants.  False: it is over,
 * and err says why. */
static bool wait_for_tls(struct stream *stream, int result,
    struct deadline deadline, struct err *err)
{
	int number = errno;
	unsigned long code;
	char text[200];

	switch (SSL_get_error(stream->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return wait_for(stream, POLLIN, deadline, err);
	case SSL_ERROR_WANT_WRITE:
		return wait_for(stream, POLLOUT, deadline, err);
	case SSL_ERROR_ZERO_RETURN:
		return err_set(err, E_CLOSED, "the peer closed the connection");
	default: break;
	}
	code = ERR_get_error();
	ERR_clear_error();
	if (!code && (number == 0 || connection_lost(number)))
		return err_set(err, E_CLOSED, "the connection was lost");
	if (!code) {
		errno = number;
		return err_set_errno(err, "TLS");
	}
	/* A peer that goes away without close_notify is common, and a line or
	 * a message that is cut short is never taken as whole anyway. */
	if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return err_set(err, E_CLOSED, "the connection was lost");
	ERR_error_string_n(code, text, sizeof(text));
	return err_set(err, E_IO, "TLS: %s", text);
}

static bool read_tls(struct stream *stream, char *room, size_t size,
    struct deadline deadline, size_t *ret_count, struct err *err)
{
	for (;;) {
		int count;

		errno = 0;
		ERR_clear_error();
		count = SSL_read(stream->ssl, room, (int)size);
		if (count > 0) {
			*ret_count = (size_t)count;
			return true;
		}
		if (!wait_for_tls(stream, count, deadline, err))
			return false;
	}
}

static bool read_plain(struct stream *stream, char *room, size_t size,
    struct deadline deadline, size_t *ret_count, struct err *err)
{
	for (;;) {
		ssize_t count = recv(stream->fd, room, size, 0);

		if (count > 0) {
			*ret_count = (size_t)count;
			return true;
		}
		if (count == 0)
			return err_set(
			    err, E_CLOSED, "the peer closed the connection");
		if (connection_lost(errno))
			return err_set(
			    err, E_CLOSED, "the connection was lost");
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return err_set_errno(err, "recv");
		if (!wait_for(stream, POLLIN, deadline, err))
			return false;
	}
}

static void move_to_front(struct stream *stream)
{
	memmove(stream->in, stream->in + stream->in_start,
	    stream->in_end - stream->in_start);
	stream->in_end -= stream->in_start;
	stream->in_start = 0;
}

static void resize_input(struct stream *stream, unsigned int size)
{
	stream->in = memory_resize(stream->in, size, 1);
	stream->in_size = size;
}

static void make_room(struct stream *stream, unsigned int max)
{
	if (stream->in_size < max)
		resize_input(stream, max);
	if (stream->in_start == stream->in_end)
		stream->in_start = stream->in_end = 0;
	else if (stream->in_start && stream->in_end >= max / 2)
		move_to_front(stream);
}

/* At most max bytes are buffered then, most of them new. */
static bool fill(struct stream *stream, unsigned int max, size_t most,
    struct deadline deadline, struct err *err)
{
	size_t count = 0, size;
	char *room;

	make_room(stream, max);
	size = max > stream->in_end ? max - stream->in_end : 0;
	room = stream->in + stream->in_end;
	if (!size)
		return err_set(
		    err, E_LIMIT, "more than %u bytes without end", max);
	if (size > most)
		size = most;
	if (stream->ssl
		? !read_tls(stream, room, size, deadline, &count, err)
		: !read_plain(stream, room, size, deadline, &count, err))
		return false;
	stream->in_end += (unsigned int)count;
	stream->was_filled = count == size;
	return true;
}

bool stream_fill(
    struct stream *stream, struct deadline deadline, struct err *err)
{
	return fill(stream, STREAM_INPUT_MAX, STREAM_INPUT_MAX, deadline, err);
}

bool stream_fill_some(struct stream *stream, size_t most,
    struct deadline deadline, struct err *err)
{
	return fill(stream, STREAM_INPUT_MAX, most, deadline, err);
}

bool stream_fill_content(
    struct stream *stream, struct deadline deadline, struct err *err)
{
	bool large = stream->was_filled || stream->in_size > STREAM_INPUT_MAX;

	return fill(stream, large ? STREAM_CONTENT_MAX : STREAM_INPUT_MAX,
	    STREAM_CONTENT_MAX, deadline, err);
}

bool stream_is_over(struct stream *stream)
{
	static const struct deadline at_once = {0};
	struct err err;

	return !stream_has_input(stream) &&
	       !stream_fill(stream, at_once, &err) && err.kind != E_TIMEOUT;
}

bool stream_is_cut(const struct stream *stream)
{
	struct pollfd poller = {.fd = stream->fd};

	return poll(&poller, 1, 0) > 0;
}

bool stream_read_line(struct stream *stream, size_t max,
    struct deadline deadline, struct slice *ret, struct err *err)
{
	size_t searched = 0;

	for (;;) {
		struct slice have = stream_buffered(stream);
		size_t end = searched +
			     slice_find(slice_from_pos(have, searched), '\n');

		if (end < have.len && end < max) {
			*ret = slice_of(have.ptr, end + 1);
			stream_consume(stream, end + 1);
			return true;
		}
		if (have.len >= max)
			return err_set(
			    err, E_LIMIT, "a line of more than %zu bytes", max);
		searched = have.len;
		/* A peer that keeps sending must not outrun its deadline. */
		if (deadline_passed(deadline))
			return err_set(err, E_TIMEOUT, "timed out");
		if (!stream_fill(stream, deadline, err))
			return false;
	}
}

/* Takes from the front of *bytes what was sent. */
static bool write_tls(struct stream *stream, struct slice *bytes,
    struct deadline deadline, struct err *err)
{
	enum { RECORD = 16384 };

	while (bytes->len) {
		int size = bytes->len > RECORD ? RECORD : (int)bytes->len;
		int count;

		errno = 0;
		ERR_clear_error();
		count = SSL_write(stream->ssl, bytes->ptr, size);
		if (count > 0)
			*bytes = slice_from_pos(*bytes, (size_t)count);
		else if (!wait_for_tls(stream, count, deadline, err))
			return false;
	}
	return true;
}

static bool write_plain(struct stream *stream, struct slice *bytes,
    struct deadline deadline, struct err *err)
{
	while (bytes->len) {
		ssize_t count = send(
		    stream->fd, bytes->ptr, bytes->len, MSG_NOSIGNAL);

		if (count >= 0)
			*bytes = slice_from_pos(*bytes, (size_t)count);
		else if (errno == EINTR)
			continue;
		else if (connection_lost(errno))
			return err_set(
			    err, E_CLOSED, "the connection was lost");
		else if (errno != EAGAIN)
			return err_set_errno(err, "send");
		else if (!wait_for(stream, POLLOUT, deadline, err))
			return false;
	}
	return true;
}

static bool send_now(struct stream *stream, struct slice *bytes,
    struct deadline deadline, struct err *err)
{
	return stream->ssl ? write_tls(stream, bytes, deadline, err)
			   : write_plain(stream, bytes, deadline, err);
}

bool stream_flush(
    struct stream *stream, struct deadline deadline, struct err *err)
{
	struct slice rest = buf_slice(&stream->out);
	bool ok = send_now(stream, &rest, deadline, err);

	/* TLS wants to see the rest again, perhaps with more behind it. */
	buf_consume(&stream->out, stream->out.len - rest.len);
	return ok;
}

bool stream_put(struct stream *stream, struct slice bytes, struct err *err)
{
	return buf_add(&stream->out, bytes) ||
	       err_set(err, E_LIMIT, "output buffer");
}

size_t stream_unsent(const struct stream *stream)
{
	return stream->out.len;
}

bool stream_write(struct stream *stream, struct slice bytes,
    struct deadline deadline, struct err *err)
{
	if (bytes.len + stream->out.len > OUTPUT_SIZE &&
	    !stream_flush(stream, deadline, err))
		return false;
	if (bytes.len >= OUTPUT_SIZE)
		return send_now(stream, &bytes, deadline, err);
	return stream_put(stream, bytes, err);
}

bool stream_shake_hands(
    struct stream *stream, struct deadline deadline, struct err *err)
{
	for (;;) {
		int result;

		errno = 0;
		ERR_clear_error();
		result = SSL_do_handshake(stream->ssl);
		if (result == 1)
			return true;
		if (!wait_for_tls(stream, result, deadline, err))
			return false;
	}
}

bool stream_begin_tls(
    struct stream *stream, struct ssl_st *ssl, struct err *err)
{
	stream->in_start = stream->in_end = 0;
	stream->ssl = ssl;
	SSL_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS |
			      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
			      SSL_MODE_ENABLE_PARTIAL_WRITE);
	return SSL_set_fd(ssl, stream->fd) ||
	       err_set(err, E_IO, "TLS: no memory for a socket");
}

bool stream_start_tls(struct stream *stream, struct ssl_st *ssl,
    struct deadline deadline, struct err *err)
{
	if (!stream_flush(stream, deadline, err)) {
		SSL_free(ssl);
		return false;
	}
	return stream_begin_tls(stream, ssl, err) &&
	       stream_shake_hands(stream, deadline, err);
}

void stream_say_goodbye(struct stream *stream)
{
	if (stream->ssl && !stream->ended &&
	    SSL_is_init_finished(stream->ssl)) {
		ERR_clear_error();
		SSL_shutdown(stream->ssl);
		ERR_clear_error();
	}
}

void stream_end(struct stream *stream)
{
	stream_say_goodbye(stream);
	shutdown(stream->fd, SHUT_WR);
	stream->ended = true;
}

bool stream_drop_input(
    struct stream *stream, uint64_t *ret_count, struct err *err)
{
	static const struct deadline at_once = {0};
	char piece[DROP_SIZE];
	size_t count = 0;
	bool ok;

	stream->in_start = stream->in_end = 0;
	ok = read_plain(stream, piece, sizeof(piece), at_once, &count, err);
	if (ok)
		*ret_count = count;
	return ok;
}

void stream_shrink(struct stream *stream)
{
	if (stream->in_start == stream->in_end) {
		memory_free(stream->in);
		stream->in = NULL;
		stream->in_start = stream->in_end = stream->in_size = 0;
	} else if (stream->in_size > stream->in_end - stream->in_start) {
		move_to_front(stream);
		resize_input(stream, stream->in_end);
	}
	if (!stream->out.len)
		buf_release(&stream->out);
}
