/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/stream.h - a buffered connection, plain or TLS, with deadlines.
 *
 * Both sides of SMTP use it.  The descriptor is non-blocking; every call that
 * may wait takes an absolute deadline, so a peer that drips bytes gains
 * nothing.  With one that has passed, a call does what can be done at once.
 * After E_TIMEOUT, stream_fill, stream_flush and stream_shake_hands go on where
 * they stopped when they are called again.  Buffers exist only while they hold
 * something: a parked session costs the struct alone.  One thread at a time.
 *
 * Threads that write must have SIGPIPE blocked or ignored.
 */
#ifndef SMTP_STREAM_H
#define SMTP_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/slice.h"

struct stream;
struct ssl_st;

enum {
	STREAM_INPUT_MAX = 32768, /* the longest line of stream_read_line */
	STREAM_CONTENT_MAX = 128 * 1024,
	STREAM_OUTPUT_MAX = 256 << 20, /* what stream_put takes */
};

/* fd is non-blocking, as accept4 or socket made it.  Owns it from now on (it is
 * closed by stream_free), and switches TCP_NODELAY on. */
struct stream *stream_new(int fd);

/* Closes the connection without a word; NULL is nothing. */
void stream_free(struct stream *stream);

int stream_fd(const struct stream *stream);

/* NULL while the connection is plain. */
struct ssl_st *stream_ssl(const struct stream *stream);

/* What was read and not yet consumed; valid until the next read. */
struct slice stream_buffered(const struct stream *stream);
void stream_consume(struct stream *stream, size_t count);

/* Bytes can be had without waiting for the socket: buffered here, or inside
 * the TLS layer. */
bool stream_has_input(const struct stream *stream);

/* POLLIN or POLLOUT: what the last call that ended with E_TIMEOUT waited for.
 */
short stream_wants(const struct stream *stream);

/* Reads at least one more byte behind what is buffered.
 * False: E_TIMEOUT, E_CLOSED (end of file or reset), E_IO; E_LIMIT when
 * STREAM_INPUT_MAX bytes are buffered already. */
bool stream_fill(
    struct stream *stream, struct deadline deadline, struct err *err);

/* For content that comes in large pieces: the same, with room for
 * STREAM_CONTENT_MAX bytes once a read has filled the usual room.  Fewer reads
 * open the peer's window less often. */
bool stream_fill_content(
    struct stream *stream, struct deadline deadline, struct err *err);

/* As stream_fill, and not more than most bytes: what follows stays in the
 * socket, for a handshake to read. */
bool stream_fill_some(struct stream *stream, size_t most,
    struct deadline deadline, struct err *err);

/* The peer has gone, and nothing that it sent is left to read. */
bool stream_is_over(struct stream *stream);

/* The connection was reset (or is a Unix socket whose peer is closed): nobody
 * reads any more, whatever is left to read.  Reads nothing. */
bool stream_is_cut(const struct stream *stream);

/* A line with its LF; consumed, and valid until the next read.  The caller
 * judges what stands before the LF.  False: as stream_fill, and E_LIMIT when
 * max bytes hold no LF (nothing is consumed then). */
bool stream_read_line(struct stream *stream, size_t max,
    struct deadline deadline, struct slice *ret, struct err *err);

/* Buffers small pieces and sends large ones at once. */
bool stream_write(struct stream *stream, struct slice bytes,
    struct deadline deadline, struct err *err);

/* Buffers all of it, for a writer that must not wait; false: E_LIMIT, over
 * STREAM_OUTPUT_MAX. */
bool stream_put(struct stream *stream, struct slice bytes, struct err *err);

/* How much is buffered. */
size_t stream_unsent(const struct stream *stream);

/* Sends what is buffered. */
bool stream_flush(
    struct stream *stream, struct deadline deadline, struct err *err);

/* From now on it is TLS, as client or server (as ssl was prepared:
 * SSL_set_*_state).  Takes ssl in any case.  Flush before.  Input that was
 * buffered is thrown away: it was never protected (RFC 3207, section 6). */
bool stream_begin_tls(
    struct stream *stream, struct ssl_st *ssl, struct err *err);

/* The handshake, or the rest of it.
 * False: E_TIMEOUT, E_CLOSED, or E_IO with OpenSSL's reason. */
bool stream_shake_hands(
    struct stream *stream, struct deadline deadline, struct err *err);

/* All of that: flushes, begins, shakes hands. */
bool stream_start_tls(struct stream *stream, struct ssl_st *ssl,
    struct deadline deadline, struct err *err);

/* Tells a TLS peer that no more follows, if that needs no waiting. */
void stream_say_goodbye(struct stream *stream);

/* The peer sees the end behind what was sent; after that, nothing is written or
 * read any more, but stream_drop_input takes what comes. */
void stream_end(struct stream *stream);

/* Throws away what is buffered, and some of what has come, as it comes: with
 * TLS it stays encrypted.  Waits for nothing and keeps no memory.
 * False: E_TIMEOUT (nothing has come), E_CLOSED, E_IO. */
bool stream_drop_input(
    struct stream *stream, uint64_t *ret_count, struct err *err);

/* Gives memory back: empty buffers, and what is more than the input needs. */
void stream_shrink(struct stream *stream);

#endif
