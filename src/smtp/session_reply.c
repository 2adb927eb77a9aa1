/* SPDX-License-Identifier: Apache-2.0 */
/* What is said to the client, and how it leaves. */
#include <stdarg.h>
#include <stdio.h>

#include "base/ascii.h"
#include "base/metrics.h"
#include "smtp/session_private.h"

enum {
	TEXT_MAX = 2048,
	REPLY_WIDTH = 480, /* RFC 5321, 4.5.3.1.5: 512 with the code */
};

static void note_lost(struct session *session, const struct err *err)
{
	session_hang_up(session,
	    err->kind == E_TIMEOUT ? "client does not read" : "client lost");
	session->lost = true;
}

void session_send(struct session *session, struct slice text)
{
	struct err err;

	log_trace(
	    LOG_TOPIC_SMTP, "smtp.reply", LOG_S("text", slice_trim(text)));
	if (!stream_put(session->stream, text, &err))
		note_lost(session, &err);
}

bool session_write_out(struct session *session)
{
	static const struct deadline at_once = {0};
	struct err err;

	if (session->lost)
		return false;
	if (stream_flush(session->stream, at_once, &err)) {
		session->output_until.at_ms = 0;
		return true;
	}
	if (err.kind == E_TIMEOUT && !session->output_until.at_ms)
		session->output_until = deadline_in(
		    (int64_t)session->limits->command_timeout);
	else if (err.kind != E_TIMEOUT ||
		 deadline_passed(session->output_until))
		note_lost(session, &err);
	return false;
}

void session_flush(struct session *session)
{
	if (!session->sleeps_until.at_ms)
		session_write_out(session);
}

/* A refusal costs the client time, but no thread.  Our own systems' outgoing
 * mail is not slowed down for one bad address. */
static void hold_back(struct session *session, int code)
{
	int64_t delay = (int64_t)session->limits->tarpit_delay;

	if (code >= 400 && delay && !session_is_own_system(session))
		session->sleeps_until = deadline_in(delay);
}

/* As many words as a line holds, and the rest. */
static struct slice take_reply_line(struct slice *text)
{
	struct slice line = slice_sub(*text, 0, REPLY_WIDTH);

	if (line.len < text->len)
		for (size_t i = line.len; i > REPLY_WIDTH / 2; i--)
			if (line.ptr[i - 1] == ' ') {
				line.len = i;
				break;
			}
	*text = slice_from_pos(*text, line.len);
	return line;
}

static void send_reply(
    struct session *session, int code, struct slice enhanced, struct slice text)
{
	char line[REPLY_WIDTH + 64];

	metrics_count_reply(METRIC_SMTP_REPLIES, code);
	do {
		struct slice part = take_reply_line(&text);
		int len = snprintf(line, sizeof(line), "%d%c%.*s%s%.*s\r\n",
		    code, text.len ? '-' : ' ', SLICE_ARGS(enhanced),
		    enhanced.len ? " " : "", SLICE_ARGS(part));

		session_send(session, slice_of(line, (size_t)len));
	} while (text.len);
	if (code == 421)
		session_dismiss(session, "421");
	else
		hold_back(session, code);
}

void session_reply(struct session *session, int code, const char *enhanced,
    const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (char *c = text; *c; c++)
		if (ascii_is_control(*c) || ascii_is_8bit(*c))
			*c = '?';
	send_reply(session, code, slice_from(enhanced), slice_from(text));
}

void session_reply_text(
    struct session *session, const struct smtp_reply_text *reply)
{
	char enhanced[16];

	snprintf(
	    enhanced, sizeof(enhanced), "%.*s", SLICE_ARGS(reply->enhanced));
	session_reply(
	    session, reply->code, enhanced, "%.*s", SLICE_ARGS(reply->text));
}
