/* SPDX-License-Identifier: Apache-2.0 */
/* milter/milter_stream.h - the octets of a connection: what came, and what is
 * to be said.
 */
#ifndef MILTER_MILTER_STREAM_H
#define MILTER_MILTER_STREAM_H

#include "base/buf.h"
#include "base/err.h"

struct milter_stream {
	int fd; /* non-blocking */
	struct buf input, output;
	size_t read_size; /* of the next read; a body comes in large ones */
};

/* The descriptor is closed by release. */
void milter_stream_init(struct milter_stream *stream, int fd);
void milter_stream_release(struct milter_stream *stream);

/* Reads once.  False: nothing is there (E_TIMEOUT), it is the end (E_CLOSED),
 * or E_IO. */
bool milter_stream_read(struct milter_stream *stream, struct err *err);

/* Sends all of the output; an MTA that does not read has a minute.  Some: as
 * much as can be sent at once.  False: E_IO or E_TIMEOUT, and the output is
 * forgotten. */
bool milter_stream_flush(struct milter_stream *stream, struct err *err);
bool milter_stream_flush_some(struct milter_stream *stream, struct err *err);

/* For one that waits: gives large empty buffers back. */
void milter_stream_shrink(struct milter_stream *stream);

#endif
