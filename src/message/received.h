/* SPDX-License-Identifier: Apache-2.0 */
/* message/received.h - the trace field that every hop adds (RFC 5321, 4.4). */
#ifndef MESSAGE_RECEIVED_H
#define MESSAGE_RECEIVED_H

#include "base/arena.h"
#include "base/slice.h"
#include "message/envelope.h"

/* The whole field with its final CR LF.  What the client said of itself
 * cannot add lines or comments: bytes that do not belong become '?'. */
struct slice received_field(struct arena *arena, struct slice hostname,
    const struct envelope *envelope);

#endif
