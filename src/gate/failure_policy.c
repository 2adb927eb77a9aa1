/* SPDX-License-Identifier: Apache-2.0 */
/* What a failure means to the client: the one place where kinds of errors
 * become SMTP replies.  Nothing here says yes: a failure never passes mail. */
#include "base/require.h"
#include "gate/gate.h"

static const struct {
	int code;
	struct slice enhanced, text;
	bool tells; /* the error's own words are for the client */
} replies[] = {
    /* clang-format off */
    [E_NONE] = {451, SLICE_INIT("4.3.0"), SLICE_INIT("internal error"), false},
    [E_SYNTAX] = {550, SLICE_INIT("5.6.0"), SLICE_INIT("malformed message"),
	true},
    [E_LIMIT] = {552, SLICE_INIT("5.3.4"), SLICE_INIT("over a limit"), true},
    [E_NOT_FOUND] = {451, SLICE_INIT("4.3.0"), SLICE_INIT("internal error"),
	false},
    [E_TEMP] = {451, SLICE_INIT("4.3.0"),
	SLICE_INIT("temporary failure, try again later"), false},
    [E_TIMEOUT] = {451, SLICE_INIT("4.4.2"),
	SLICE_INIT("timed out, try again later"), false},
    [E_CLOSED] = {451, SLICE_INIT("4.4.2"),
	SLICE_INIT("connection lost, try again later"), false},
    [E_IO] = {451, SLICE_INIT("4.3.0"),
	SLICE_INIT("temporary failure, try again later"), false},
    [E_FULL] = {452, SLICE_INIT("4.3.1"),
	SLICE_INIT("insufficient storage, try again later"), false},
    [E_CONFIG] = {451, SLICE_INIT("4.3.5"),
	SLICE_INIT("configuration error, try again later"), false},
    [E_USAGE] = {451, SLICE_INIT("4.3.0"), SLICE_INIT("internal error"),
	false},
    /* clang-format on */
};

struct smtp_reply_text gate_reply_for_error(
    struct arena *arena, const struct err *err)
{
	struct smtp_reply_text reply;

	require((size_t)err->kind < sizeof(replies) / sizeof(replies[0]));
	reply = (struct smtp_reply_text){replies[err->kind].code,
	    replies[err->kind].enhanced, replies[err->kind].text};
	if (replies[err->kind].tells)
		reply.text = arena_format_slice(
		    arena, "%.*s: %s", SLICE_ARGS(reply.text), err->text);
	return reply;
}
