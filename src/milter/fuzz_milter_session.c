/* SPDX-License-Identifier: Apache-2.0 */
/* A whole session with an MTA that follows the script, on this thread, and a
 * gate whose verdict stands in the message.  A line is
 *	>TEXT		a packet: the command letter and its data
 *	O V A S		the options: version, actions, steps (hexadecimal)
 *	B N		a packet of N octets of body
 *	>>TEXT		octets, in place of a packet
 *	<		waits for answers; all between is sent at once
 *	t MS		says nothing for so long
 *	d		the gateway shuts down
 *	= NAME N	a limit; "= holds 1": the MTA quarantines
 * In TEXT '|' is NUL, '~' is CR LF, and "\hh" an octet.  No time passes.
 */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fuzz_script.h"
#include "base/fuzz_time.h"
#include "base/io.h"
#include "base/log.h"
#include "base/require.h"
#include "milter/fuzz_milter_judge.h"
#include "milter/milter_session.h"
#include "milter/packet.h"
#include "milter/protocol.h"
#include "milter/test_config.h"

enum {
	SENT_MAX = 512 * 1024,
	HEARD_MAX = 8 * 1024 * 1024,
	BODY_MAX = 65535,
	LINE_OCTETS = 70, /* of it */
	RUNS_MAX = 100 * 1000,
	LIMIT_MAX = 1 << 30,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

const char *const fuzz_script_lines[] = {
    "<",
    "O 6 1ff 1fffff",
    "O 6 3f 1fffff",
    "O 6 1ff fffff",
    "O 6 1ff 1f7fff",
    "O 4 7f 3ff",
    "O 3 3f 1ff",
    "O 2 1f 7f",
    "O 1 1f 0",
    ">Cmail.example|4\\00\\19192.0.2.1|",
    ">C[2001:db8::1]|6\\00\\19IPv6:2001:db8::1|",
    ">Clocalhost|L\\00\\00/run/x|",
    ">Clocalhost|U",
    ">Hmail.example|",
    ">M<a@b.example>|",
    ">M<>|",
    ">M<director>|",
    ">M<director@(x)agency.example>|",
    ">M<@x.example:a@b.example>|",
    ">M<a%agency.example@b.example>|",
    ">M<a@b.example>|SIZE=10|BODY=8BITMIME|SMTPUTF8|",
    ">R<user@agency.example>|",
    ">R<u@x.example>|NOTIFY=NEVER|ORCPT=rfc822;u|",
    ">T",
    ">LFrom| a@b.example|",
    ">LSubject|x|",
    ">LX-Long| a~\\09b~ c|",
    ">LX-Edit| yes|",
    ">LX-Verdict| reject|",
    ">LX-Verdict| quarantine|",
    ">LX-Verdict| discard|",
    ">LX-Verdict| defer|",
    ">LX-Verdict| redirect|",
    ">LX-Add| new@x.example|",
    ">LX-Add| new@x.example NOTIFY=NEVER|",
    ">LX-Remove| a@b.example|",
    ">LX-Body| 3 line|",
    ">LX-Body| 70000 l|",
    ">LX-Reply| 90 words|",
    ">LX-Reply| 700 50%|",
    ">LX-Commit| fail|",
    ">LX-Commit| at once|",
    ">LX-Commit| never|",
    ">LX-Commit| late|",
    ">LX-Header| too-many|",
    ">LX| a\\0ab|",
    ">N",
    ">Bbody~",
    ">Ba bare\\0a and \\0d~",
    "B 5000",
    "B 65535",
    ">E",
    ">Elast~",
    ">A",
    ">K",
    ">Q",
    ">UXYZ|",
    ">DC{client_resolve}|OK|j|mx|",
    ">DMi|4ABC|{auth_authen}|ann|{auth_type}|plain|",
    ">DM{mail_addr}|director@agency.example|",
    ">DR{rcpt_addr}|user@agency.example|",
    ">DH{tls_version}|TLSv1.3|{cipher}|x|{verify}|OK|",
    ">DEi|4ABC|",
    ">D",
    ">>\\00\\00\\00\\05",
    ">>\\00\\00\\00\\00",
    ">>\\ff\\ff\\ff\\ff",
    "t 1000",
    "t 8000000",
    "d",
    "= header_size 100",
    "= message_size 4096",
    "= line_length 50",
    "= recipients 1",
    "= spool_memory 4096",
    "= data_timeout 1000",
    "= holds 1",
    NULL,
};

struct mta {
	struct arena *arena;
	struct slice script;
	int fd;
	bool finished, committed;
	int64_t silent_until;
	atomic_bool draining;
	struct config *config;
	struct milter_snapshot *snapshot;
	struct buf *waiting, *sent, *heard;
};

static struct milter_snapshot *hold(void *context)
{
	struct mta *mta = context;

	return milter_snapshot_hold(mta->snapshot);
}

static struct slice octets_of(struct arena *arena, struct slice text)
{
	struct buf *escaped = buf_in_arena(arena, 6 * text.len + 1);

	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] == '|')
			buf_add_text(escaped, "\\00");
		else if (text.ptr[i] == '~')
			buf_add_text(escaped, "\\0d\\0a");
		else
			buf_add_byte(escaped, text.ptr[i]);
	return fuzz_script_unescape(arena, buf_slice(escaped));
}

static uint32_t take_hex(struct slice *text)
{
	struct slice word;
	uint32_t number = 0;

	slice_split(*text, ' ', &word, text);
	for (size_t i = 0; i < word.len && i < 8; i++) {
		char c = word.ptr[i];
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
						   : 0;

		number = number * 16 + (uint32_t)digit;
	}
	return number;
}

static void send_options(struct mta *mta, struct slice text)
{
	unsigned char octets[12];

	for (size_t i = 0; i < sizeof(octets); i += 4)
		packet_put_u32(octets + i, take_hex(&text));
	packet_write(mta->waiting, SMFIC_OPTNEG,
	    slice_of((const char *)octets, sizeof(octets)));
}

static void send_body(struct mta *mta, struct slice text)
{
	uint64_t size;
	char *body;

	if (!slice_to_u64(text, BODY_MAX, &size))
		return;
	body = arena_alloc(mta->arena, size);
	memset(body, 'x', size);
	for (size_t i = LINE_OCTETS; i <= size; i += LINE_OCTETS)
		memcpy(body + i - 2, "\r\n", 2);
	packet_write(mta->waiting, SMFIC_BODY, slice_of(body, size));
}

static void send_packet(struct mta *mta, struct slice text)
{
	struct slice octets = octets_of(mta->arena, text);

	if (slice_starts(text, SLICE(">")))
		buf_add(mta->waiting, slice_from_pos(octets, 1));
	else if (octets.len)
		packet_write(
		    mta->waiting, octets.ptr[0], slice_from_pos(octets, 1));
}

static void fall_silent(struct mta *mta, struct slice text)
{
	uint64_t ms;

	if (slice_to_u64(text, 100 * 1000 * 1000, &ms))
		mta->silent_until = fuzz_time_now() + (int64_t)ms;
}

/* One line.  False: what waits is to be sent first. */
static bool take_line(struct mta *mta, struct slice line)
{
	struct slice text = slice_from_pos(line, 2);

	switch (line.len ? line.ptr[0] : '#') {
	case '>': send_packet(mta, slice_from_pos(line, 1)); return true;
	case 'O': send_options(mta, text); return true;
	case 'B': send_body(mta, text); return true;
	case '<': return mta->waiting->len == 0;
	case 't':
		if (mta->waiting->len)
			return false;
		fall_silent(mta, text);
		return true;
	case 'd':
		if (mta->waiting->len)
			return false;
		atomic_store(&mta->draining, true);
		return true;
	default: return true;
	}
}

static bool hear(struct mta *mta)
{
	bool some = false;
	char *room;
	ssize_t count;

	while ((room = buf_reserve(mta->heard, 4096)) &&
	       (count = recv(mta->fd, room, 4096, MSG_DONTWAIT)) > 0) {
		buf_grown(mta->heard, (size_t)count);
		some = true;
	}
	return some;
}

/* As much as the connection and the limit take. */
static bool send_waiting(struct mta *mta)
{
	struct slice text = slice_sub(
	    buf_slice(mta->waiting), 0, SENT_MAX - mta->sent->len);
	ssize_t count = send(
	    mta->fd, text.ptr, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (count <= 0)
		return false;
	require(buf_add(mta->sent, slice_sub(text, 0, (size_t)count)));
	buf_consume(mta->waiting, (size_t)count);
	return true;
}

/* As fuzz_time_peer. */
static int64_t act(void *context, int fd)
{
	struct mta *mta = context;
	int64_t now = fuzz_time_now();

	(void)fd;
	if (hear(mta))
		return 0;
	while (mta->silent_until <= now && mta->script.len) {
		struct slice line, rest;

		slice_split(mta->script, '\n', &line, &rest);
		if (!take_line(mta, line))
			break;
		mta->script = rest;
	}
	if (mta->waiting->len && mta->sent->len < SENT_MAX)
		return send_waiting(mta) ? 0 : FUZZ_TIME_NEVER;
	if (mta->silent_until > now)
		return mta->silent_until - now;
	if (mta->finished)
		return FUZZ_TIME_NEVER;
	mta->finished = true;
	shutdown(mta->fd, SHUT_WR);
	return 0;
}

static void set_limit(struct mta *mta, struct slice name, struct slice value)
{
	struct limits *limits = &mta->config->limits;
	const struct {
		const char *name;
		uint64_t *number;
	} numbers[] = {
	    {"header_size", &limits->header_size},
	    {"message_size", &limits->message_size},
	    {"line_length", &limits->line_length},
	    {"recipients", &limits->recipients},
	    {"spool_memory", &limits->spool_memory},
	    {"data_timeout", &limits->data_timeout},
	};
	uint64_t number;

	if (slice_eq(name, SLICE("holds")))
		mta->config->milter_quarantine = MILTER_QUARANTINE_MTA;
	if (!slice_to_u64(value, LIMIT_MAX, &number) || number == 0)
		return;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (slice_eq(slice_from(numbers[i].name), name))
			*numbers[i].number = number;
}

static void set_up(struct mta *mta)
{
	struct gate_context gate = {.config = test_config()};
	struct slice script = mta->script;

	mta->config = gate.config;
	gate.clock = (struct clock){true, 1800000000};
	while (script.len) {
		struct slice line, name, value;

		slice_split(script, '\n', &line, &script);
		slice_split(slice_from_pos(line, 2), ' ', &name, &value);
		if (slice_starts(line, SLICE("= ")))
			set_limit(mta, name, value);
	}
	mta->snapshot = milter_snapshot_new(&gate);
	mta->waiting = buf_in_arena(mta->arena, SENT_MAX);
	mta->sent = buf_in_arena(mta->arena, SENT_MAX);
	mta->heard = buf_in_arena(mta->arena, HEARD_MAX);
}

static int64_t data_timeout_of(void *context)
{
	const struct mta *mta = context;

	return (int64_t)mta->config->limits.data_timeout;
}

static void take_notice(void *context)
{
	((struct mta *)context)->committed = true;
}

static enum milter_session_result wait_for_commit(
    struct mta *mta, struct milter_session *session)
{
	int64_t until = milter_session_wakes_at(session).at_ms;

	if (!mta->committed) {
		require(until != DEADLINE_NEVER.at_ms);
		fuzz_time_pass(until - fuzz_time_now());
		return milter_session_run(session);
	}
	mta->committed = false;
	milter_session_committed(session);
	return milter_session_glance(session);
}

/* The server's part. */
static void serve(struct mta *mta, struct milter_session *session)
{
	int fd = milter_session_fd(session), runs = 0;
	enum milter_session_result result = milter_session_glance(session);

	while (result != MILTER_SESSION_OVER) {
		require(++runs < RUNS_MAX);
		if (result == MILTER_SESSION_WORKS)
			result = milter_session_run(session);
		else if (result == MILTER_SESSION_COMMITS)
			result = wait_for_commit(mta, session);
		else if (io_wait(fd, POLLIN, milter_session_wakes_at(session),
			     NULL))
			result = milter_session_glance(session);
		else
			result = milter_session_run(session);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mta mta = {.arena = arena_new(0),
	    .script = slice_of((const char *)data, size)};
	struct milter_session_settings settings = {.listener = SLICE("mta"),
	    .snapshot = hold,
	    .data_timeout = data_timeout_of,
	    .context = &mta,
	    .draining = &mta.draining,
	    .committed = {take_notice, &mta}};
	struct milter_session *session;
	bool alive;
	int pair[2];

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
	require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	mta.fd = pair[0];
	settings.fd = pair[1];
	fuzz_time_start(act, &mta);
	set_up(&mta);
	session = milter_session_new(&settings);
	serve(&mta, session);
	alive = mta.finished;
	milter_session_free(session);
	hear(&mta);
	fuzz_time_stop();
	milter_judge(mta.arena, buf_slice(mta.sent), buf_slice(mta.heard),
	    mta.config->milter_quarantine == MILTER_QUARANTINE_MTA, alive);
	milter_snapshot_release(mta.snapshot);
	config_release(mta.config);
	close(mta.fd);
	arena_free(mta.arena);
	return 0;
}
