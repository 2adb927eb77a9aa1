/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/reply.h - replies of a next hop: RFC 5321 section 4.2, RFC 2034.
 *
 * A next hop is believed as little as a client: lines and their number are
 * bounded, what is not printable US-ASCII becomes '?', so a reply that is
 * passed on can neither forge a second reply nor a log line.
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "message/decision.h"

enum {
	REPLY_LINE_MAX = 2048, /* RFC 5321 section 4.5.3.1.5 says 512 */
	REPLY_LINES_MAX = 100,
	REPLY_TEXT_MAX = 400,	/* of the one-line form */
	REPLY_ENHANCED_MAX = 9, /* "5.123.123" */
};

struct smtp_reply {
	int code;	       /* 200 to 599; 0: nothing yet */
	struct slice enhanced; /* "5.1.1" of the first line that has one, of
				* the same class as code; or empty */
	size_t line_count, line_room;
	struct slice *lines; /* texts, without code and enhanced code */
};

/* Adds a line (its line end may be there) to a reply that began zeroed;
 * *ret_complete tells whether it was the last one.  Text lives in arena.
 * False: E_SYNTAX or E_LIMIT: nothing more of that peer can be understood. */
bool reply_add_line(struct arena *arena, struct smtp_reply *reply,
    struct slice line, bool *ret_complete, struct err *err);

static inline bool reply_is_ok(const struct smtp_reply *reply)
{
	return reply->code / 100 == 2;
}

/* 421 (RFC 5321 section 3.8): the peer closes, whatever was asked. */
static inline bool reply_is_closing(const struct smtp_reply *reply)
{
	return reply->code == 421;
}

/* What our client is told when a next hop said this to MAIL, RCPT, DATA or
 * the end of data: one line, with an enhanced code.  421 becomes 451; what
 * only concerns the two of us (login or TLS wanted) is 451 4.3.5, a mistake
 * in our configuration that must not cost a message; what is no answer to the
 * question (1xx, 3xx) is 451 4.5.0. */
struct smtp_reply_text reply_pass_on(
    struct arena *arena, const struct smtp_reply *reply);

/* Of several recipients' replies, at least one, what a client hears that takes
 * one: 4xx before 5xx before 2xx, so that nobody's copy gets lost. */
struct smtp_reply_text reply_strongest(
    const struct smtp_reply_text *replies, size_t count);

#endif
