/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/fuzz_smtp_hop.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/buf.h"
#include "base/fuzz_script.h"
#include "base/require.h"

enum {
	CONNECTIONS_MAX = 64,
	RECEIPTS_MAX = 256,
	INPUT_MAX = 1 << 20,
	PROXY_V2_HEADER = 16,
};

struct connection {
	int fd, peer; /* fd is -1 when closed */
	bool greeted, proxied, silent, lmtp, in_data, logging_in;
	bool in_tls; /* and has no idea of it */
	struct buf *input;
	bool sender;
	size_t recipients;
};

struct fuzz_hop {
	struct arena *arena;
	struct slice script;
	uint64_t proxy_protocol;
	bool dishonest, lmtp;
	size_t count, receipt_count;
	struct connection connections[CONNECTIONS_MAX];
	struct fuzz_receipt receipts[RECEIPTS_MAX];
};

struct fuzz_hop *fuzz_hop_new(
    struct arena *arena, struct slice script, uint64_t proxy_protocol)
{
	struct fuzz_hop *hop = ARENA_NEW(arena, struct fuzz_hop);

	hop->arena = arena;
	hop->script = script;
	hop->proxy_protocol = proxy_protocol;
	return hop;
}

/* The next line of the script for the hop, without its "@"; not consumed. */
static bool peek(
    struct fuzz_hop *hop, struct slice *ret, struct slice *ret_rest)
{
	struct slice rest = hop->script, line;

	while (rest.len) {
		slice_split(rest, '\n', &line, &rest);
		if (!slice_starts(line, SLICE("@")))
			continue;
		*ret = slice_from_pos(line, 1);
		*ret_rest = rest;
		return true;
	}
	return false;
}

static void close_connection(struct connection *connection)
{
	close(connection->fd);
	connection->fd = -1;
}

/* Something that nobody reads any more is lost. */
static void say(struct connection *connection, struct slice text)
{
	while (text.len) {
		ssize_t count = send(connection->fd, text.ptr, text.len,
		    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (count <= 0)
			return;
		text = slice_from_pos(text, (size_t)count);
	}
}

/* One reply, whole, of however many lines with the same code? */
static bool is_one_reply(struct slice text)
{
	struct slice code = slice_sub(text, 0, 3), line;
	bool more = true;

	while (more) {
		more = slice_split(text, '\n', &line, &text);
		if (!slice_starts(line, code) ||
		    (more && (line.len < 4 || line.ptr[3] != '-')))
			return false;
	}
	return true;
}

static void say_unasked(struct fuzz_hop *hop, struct connection *connection)
{
	struct slice step, rest;

	while (connection->fd >= 0 && peek(hop, &step, &rest) &&
	       slice_starts(step, SLICE("+"))) {
		hop->script = rest;
		hop->dishonest = true;
		step = slice_from_pos(step, 2);
		say(connection, fuzz_script_unescape(hop->arena, step));
		say(connection, SLICE("\r\n"));
	}
}

/* Says what the script has, or else proper.  What was said; empty: nothing
 * that counts. */
static struct slice answer(
    struct fuzz_hop *hop, struct connection *connection, struct slice proper)
{
	struct slice step = SLICE("."), rest = SLICE(""), text = proper;

	if (peek(hop, &step, &rest))
		hop->script = rest;
	switch (step.len ? step.ptr[0] : '.') {
	case 'x': close_connection(connection); return SLICE("");
	case 'h': connection->silent = true; return SLICE("");
	case '-':
		text = fuzz_script_unescape(
		    hop->arena, slice_from_pos(step, 2));
		hop->dishonest |= !is_one_reply(text);
		say(connection, text);
		close_connection(connection);
		/* Cut, it is no reply. */
		return slice_ends_nocase(text, SLICE("\n")) ? text : SLICE("");
	case ' ':
		text = fuzz_script_unescape(
		    hop->arena, slice_from_pos(step, 1));
		hop->dishonest |= !is_one_reply(text);
		break;
	default: break;
	}
	say(connection, text);
	say(connection, SLICE("\r\n"));
	say_unasked(hop, connection);
	return text;
}

static bool is_ok(struct slice said)
{
	return slice_starts(said, SLICE("2"));
}

static void forget(struct connection *connection)
{
	connection->sender = false;
	connection->recipients = 0;
}

static void take_mail(struct fuzz_hop *hop, struct connection *connection)
{
	forget(connection);
	connection->sender = is_ok(
	    answer(hop, connection, SLICE("250 2.1.0 ok")));
}

static void take_rcpt(struct fuzz_hop *hop, struct connection *connection)
{
	struct slice proper = connection->sender ? SLICE("250 2.1.5 ok")
						 : SLICE("503 5.5.1 no");

	connection->recipients += is_ok(answer(hop, connection, proper));
}

static void take_data(struct fuzz_hop *hop, struct connection *connection)
{
	struct slice proper = connection->recipients ? SLICE("354 go")
						     : SLICE("503 5.5.1 no");

	connection->in_data = slice_starts(
	    answer(hop, connection, proper), SLICE("354"));
}

static void take_login(struct fuzz_hop *hop, struct connection *connection)
{
	struct slice said = answer(hop, connection, SLICE("235 2.7.0 in"));

	connection->logging_in = slice_starts(said, SLICE("334"));
}

static void take_hello(struct fuzz_hop *hop, struct connection *connection)
{
	forget(connection);
	answer(hop, connection,
	    SLICE("250-hop.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
		  "250-SMTPUTF8\r\n250-DSN\r\n250-SIZE 500000\r\n"
		  "250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n250 XFORWARD NAME "
		  "ADDR PORT PROTO "
		  "HELO IDENT SOURCE"));
}

static void take_starttls(struct fuzz_hop *hop, struct connection *connection)
{
	connection->in_tls = slice_starts(
	    answer(hop, connection, SLICE("220 2.0.0 go")), SLICE("220"));
}

static void take_lmtp_hello(struct fuzz_hop *hop, struct connection *connection)
{
	hop->lmtp = connection->lmtp = true;
	take_hello(hop, connection);
}

static void take_reset(struct fuzz_hop *hop, struct connection *connection)
{
	forget(connection);
	answer(hop, connection, SLICE("250 2.0.0 ok"));
}

static void take_xforward(struct fuzz_hop *hop, struct connection *connection)
{
	answer(hop, connection, SLICE("250 2.0.0 ok"));
}

static void take_quit(struct fuzz_hop *hop, struct connection *connection)
{
	answer(hop, connection, SLICE("221 2.0.0 bye"));
	if (connection->fd >= 0)
		close_connection(connection);
}

/* clang-format off */
static const struct verb {
	struct slice name;
	void (*take)(struct fuzz_hop *hop, struct connection *connection);
} verbs[] = {
    {SLICE_INIT("EHLO"), take_hello},
    {SLICE_INIT("HELO"), take_hello},
    {SLICE_INIT("LHLO"), take_lmtp_hello},
    {SLICE_INIT("STARTTLS"), take_starttls},
    {SLICE_INIT("XFORWARD"), take_xforward},
    {SLICE_INIT("MAIL"), take_mail},
    {SLICE_INIT("RCPT"), take_rcpt},
    {SLICE_INIT("DATA"), take_data},
    {SLICE_INIT("RSET"), take_reset},
    {SLICE_INIT("AUTH"), take_login},
    {SLICE_INIT("QUIT"), take_quit},
};
/* clang-format on */

static bool is_clean(char c)
{
	return !ascii_is_control(c);
}

/* Nothing but our own commands ever comes here, whatever clients send. */
static void take_line(
    struct fuzz_hop *hop, struct connection *connection, struct slice line)
{
	struct slice name, rest;
	bool clean = slice_all(line, is_clean);

	slice_split(line, ' ', &name, &rest);
	if (connection->logging_in) {
		require(clean);
		take_login(hop, connection);
		return;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (clean && slice_eq(verbs[i].name, name)) {
			verbs[i].take(hop, connection);
			return;
		}
	require(hop->dishonest);
	answer(hop, connection, SLICE("500 5.5.1 what"));
}

static struct slice unstuffed(struct arena *arena, struct slice data)
{
	char *copy = arena_text(arena, data);
	size_t len = 0;

	for (size_t i = 0; i < data.len; i++)
		if (data.ptr[i] != '.' || (i && data.ptr[i - 1] != '\n'))
			copy[len++] = data.ptr[i];
		else if (i + 1 < data.len)
			copy[len++] = data.ptr[++i];
	return slice_of(copy, len);
}

static void note_receipt(
    struct fuzz_hop *hop, const struct fuzz_receipt *receipt)
{
	require(hop->receipt_count < RECEIPTS_MAX);
	hop->receipts[hop->receipt_count++] = *receipt;
}

static void take_message(
    struct fuzz_hop *hop, struct connection *connection, struct slice data)
{
	size_t replies = connection->lmtp ? connection->recipients : 1;
	struct fuzz_receipt receipt = {
	    .content = unstuffed(hop->arena, data),
	    .recipients = connection->recipients,
	};
	size_t yes = 0;

	for (size_t i = 0; i < replies && connection->fd >= 0; i++)
		yes += is_ok(answer(hop, connection, SLICE("250 2.0.0 kept")));
	receipt.accepted = yes == replies;
	receipt.kept = connection->lmtp ? yes : yes ? receipt.recipients : 0;
	note_receipt(hop, &receipt);
	forget(connection);
	connection->in_data = false;
}

/* The octets of the PROXY header at the front; SIZE_MAX: not all are there. */
static size_t proxy_header_size(const struct fuzz_hop *hop, struct slice have)
{
	size_t size;

	if (hop->proxy_protocol == 1) {
		size = slice_find(have, '\n');
		require(slice_starts(have, SLICE("PROXY ")));
		return size < have.len ? size + 1 : SIZE_MAX;
	}
	if (have.len < PROXY_V2_HEADER)
		return SIZE_MAX;
	require(slice_starts(have, SLICE("\r\n\r\n")));
	size = (size_t)(unsigned char)have.ptr[14] * 256 +
	       (unsigned char)have.ptr[15] + PROXY_V2_HEADER;
	return size <= have.len ? size : SIZE_MAX;
}

/* What is to be done first.  False: it has not all come. */
static bool begin(struct fuzz_hop *hop, struct connection *connection)
{
	if (hop->proxy_protocol && !connection->proxied) {
		size_t size = proxy_header_size(
		    hop, buf_slice(connection->input));

		if (size == SIZE_MAX)
			return false;
		buf_consume(connection->input, size);
		connection->proxied = true;
	}
	if (!connection->greeted) {
		connection->greeted = true;
		answer(hop, connection, SLICE("220 hop.example ESMTP"));
	}
	return true;
}

/* The next line, or message, if it is whole. */
static bool step(struct fuzz_hop *hop, struct connection *connection)
{
	struct slice have = buf_slice(connection->input);
	size_t end = slice_find_slice(have, SLICE("\r\n"));

	if (connection->in_tls && have.len) {
		say(connection, SLICE("500 5.5.1 that is no command"));
		close_connection(connection);
		return true;
	}
	if (connection->in_data) {
		end = slice_find_slice(have, SLICE("\r\n.\r\n"));
		if (slice_starts(have, SLICE(".\r\n"))) {
			take_message(hop, connection, SLICE(""));
			end = 3;
		} else if (end < have.len) {
			take_message(
			    hop, connection, slice_sub(have, 0, end + 2));
			end += 5;
		} else {
			return false;
		}
		buf_consume(connection->input, end);
		return true;
	}
	if (end == have.len)
		return false;
	take_line(hop, connection, slice_sub(have, 0, end));
	buf_consume(connection->input, end + 2);
	return true;
}

/* True: something came. */
static bool listen_to(struct connection *connection)
{
	bool some = false;
	char *room;
	ssize_t count;

	while ((room = buf_reserve(connection->input, 65536)) &&
	       (count = recv(connection->fd, room, 65536, MSG_DONTWAIT)) > 0) {
		buf_grown(connection->input, (size_t)count);
		some = true;
	}
	return some;
}

static struct connection *find(struct fuzz_hop *hop, int fd)
{
	for (size_t i = hop->count; i; i--)
		if (hop->connections[i - 1].peer == fd)
			return &hop->connections[i - 1];
	return NULL;
}

bool fuzz_hop_act(struct fuzz_hop *hop, int fd)
{
	struct connection *connection = find(hop, fd);
	bool did;

	if (!connection || connection->fd < 0 || connection->silent)
		return false;
	did = listen_to(connection) || !connection->greeted;
	if (!begin(hop, connection))
		return did;
	while (
	    connection->fd >= 0 && !connection->silent && step(hop, connection))
		did = true;
	return did;
}

int fuzz_hop_connect(struct fuzz_hop *hop)
{
	struct connection *connection = &hop->connections[hop->count];
	struct slice text, rest;
	int pair[2];

	if (peek(hop, &text, &rest) && slice_eq(text, SLICE("r"))) {
		hop->script = rest;
		return -1;
	}
	if (hop->count == CONNECTIONS_MAX ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		pair) < 0)
		return -1;
	hop->count++;
	*connection = (struct connection){.fd = pair[0],
	    .peer = pair[1],
	    .input = buf_in_arena(hop->arena, INPUT_MAX)};
	return pair[1];
}

bool fuzz_hop_keep(
    struct fuzz_hop *hop, struct slice content, size_t recipients)
{
	struct slice step = SLICE("."), rest = SLICE("");
	struct fuzz_receipt receipt = {
	    .content = arena_slice(hop->arena, content),
	    .recipients = recipients,
	    .kept = recipients,
	    .accepted = true};

	if (peek(hop, &step, &rest))
		hop->script = rest;
	if (!slice_eq(step, SLICE(".")))
		return false;
	note_receipt(hop, &receipt);
	return true;
}

void fuzz_hop_end(struct fuzz_hop *hop)
{
	for (size_t i = 0; i < hop->count; i++) {
		struct connection *connection = &hop->connections[i];
		char byte;

		if (connection->fd < 0)
			continue;
		listen_to(connection);
		/* The gateway has closed its end. */
		require(recv(connection->fd, &byte, 1, MSG_DONTWAIT) == 0 ||
			errno == ECONNRESET);
		close_connection(connection);
	}
}

bool fuzz_hop_was_honest(const struct fuzz_hop *hop)
{
	return !hop->dishonest;
}

bool fuzz_hop_was_lmtp(const struct fuzz_hop *hop)
{
	return hop->lmtp;
}

const struct fuzz_receipt *fuzz_hop_receipts(
    const struct fuzz_hop *hop, size_t *ret_count)
{
	*ret_count = hop->receipt_count;
	return hop->receipts;
}
