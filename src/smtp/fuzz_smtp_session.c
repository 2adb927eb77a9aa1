/* SPDX-License-Identifier: Apache-2.0 */
/* A whole session between a client and a next hop, both in the script and on
 * this thread (fuzz_smtp_client.h, fuzz_smtp_hop.h), with a gate whose verdict
 * stands in the message.  Settings come as in tests/dialogues:
 *	= NAME N	a limit
 *	= role R	relay or submission
 *	= tls yes	as if the client had started TLS
 *	= route WORD	lmtp, two, xforward, proxy1, proxy2, tls_may, tls_must,
 *			maildir
 *	= release a@b	no session: the lines of the client are a message that
 *			leaves the quarantine, to that address
 * No time passes, and the same script does the same again.
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/ascii.h"
#include "base/buf.h"
#include "base/fuzz_script.h"
#include "base/fuzz_time.h"
#include "base/io.h"
#include "base/log.h"
#include "base/require.h"
#include "base/text.h"
#include "message/content_memory.h"
#include "smtp/connect.h"
#include "smtp/delivery.h"
#include "smtp/fuzz_smtp_client.h"
#include "smtp/fuzz_smtp_hop.h"
#include "smtp/maildir.h"
#include "smtp/next_hop_pool.h"
#include "smtp/session_fixture.h"
#include "smtp/session_private.h"

enum {
	RUNS_MAX = 100 * 1000,
	LIMIT_MIN = 2,
	LIMIT_MAX = 1 << 30,
	SEND_BUFFER = 4096,
};

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

const char *const fuzz_script_lines[] = {
    "<",
    "> EHLO client.example",
    "> HELO client.example",
    "> MAIL FROM:<a@b.example>",
    "> MAIL FROM:<>",
    "> MAIL FROM:<a@b.example> SIZE=1000 BODY=8BITMIME RET=HDRS ENVID=x+2By",
    "> MAIL FROM:<a@b.example> SMTPUTF8 PRDR AUTH=<>",
    "> RCPT TO:<c@agency.example>",
    "> RCPT TO:<d@agency.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x",
    "> RCPT TO:<e@stranger.example>",
    "> RCPT TO:<@a.example,@b.example:c@agency.example>",
    "> RCPT TO:<postmaster>",
    "> RCPT TO:<unknown@agency.example>",
    "> RCPT TO:<j\xc3\xbcrgen@agency.example>",
    "> MAIL FROM:<j\xc3\xbcrgen@b.example> SMTPUTF8 BODY=8BITMIME",
    "> MAIL FROM:<a@b.example> SIZE=400000",
    "> MAIL FROM:<a@b.example> BODY=BINARYMIME",
    "> Gr\xc3\xbc\xc3\x9f: e",
    "> DATA",
    "> Subject: x",
    "> Message-ID: <x@b.example>",
    "> X-Verdict: reject",
    "> X-Verdict: quarantine",
    "> X-Verdict: discard",
    "> X-Verdict: defer",
    "> X-Verdict: redirect",
    "> X-Add: new@agency.example",
    "> X-Remove: postmaster",
    "> X-Body: 3 line",
    "> X-Reply: 90 words",
    "> X-Reply: 1000 5%",
    "> X-Commit: fail",
    "> X-Stalled: yes",
    "> X-Decide: waits",
    "> X-Header: too-many",
    "> ",
    "> body",
    "> ..stuffed",
    "> .",
    ">> .\\r\\n",
    ">> \\r\\n.\\r\\n",
    ">> \\n.\\r\\n",
    ">> \\r\\n.\\r",
    ">> BDAT 12\\r\\nSubject: x\\r\\n",
    ">> BDAT 2\\r\\n\\r\\n",
    ">> BDAT 0 LAST\\r\\n",
    ">> BDAT 5 LAST\\r\\n.\\r\\nx",
    "> BDAT 100000000 LAST",
    "> RSET",
    "> NOOP",
    "> HELP",
    "> VRFY x",
    "> QUIT",
    "> STARTTLS",
    "> AUTH PLAIN AGFubgBzZWNyZXQ=",
    "> AUTH LOGIN",
    "> YW5u",
    "> *",
    "> AUTH PLAIN =",
    "> XCLIENT PORT=25 PROTO=ESMTP ADDR=IPV6:2001:db8::1 NAME=[TEMPUNAVAIL]",
    "> XCLIENT NAME=mail.example ADDR=192.0.2.9 HELO=mail.example LOGIN=x",
    ">> PROXY TCP4 192.0.2.1 192.0.2.2 1000 25\\r\\n",
    "x 500 > MAIL FROM:<a@b.example>",
    "x 2000 0123456789012345678901234567890123456789012345678901234567890123",
    "x 200 NOOP",
    "t 1000",
    "t 400000",
    "c",
    "d",
    "q",
    "@.",
    "@x",
    "@h",
    "@r",
    "@ 250-2.0.0 a\\r\\n250 2.0.0 b",
    "@ 250-hop.example\\r\\n250 AUTH LOGIN",
    "@ 250 hop.example",
    "@ 250-hop.example\\r\\n250 SIZE 100",
    "@ 250-hop.example\\r\\n250-XFORWARD NAME ADDR\\r\\n250 STARTTLS",
    "@ 221 2.0.0 odd",
    "@ 200",
    "@ 550 0123456789012345678901234567890123456789 012345678901234567890123"
    "4567890123456789012345678901234567890123456789012345678901234567890123",
    "@ 334 VXNlcm5hbWU6",
    "@ 354 go",
    "@ 421 4.3.2 bye",
    "@ 451 4.7.1 later",
    "@ 502 what",
    "@ 550 5.1.1 no",
    "@ 552-5.2.2 no\\r\\n552 5.2.2 room",
    "@- 250 2.0.0 kep",
    "@- 250 2.0.0 kept\\r\\n",
    "@+ 250 2.0.0 ok",
    "= route lmtp",
    "= route two",
    "= route xforward",
    "= route tls_may",
    "= route tls_must",
    "= route maildir",
    "= release c@agency.example",
    "= release j\xc3\xbcrgen@agency.example",
    "= route proxy1",
    "= route proxy2",
    "= role relay",
    "= role submission",
    "= internal yes",
    "= tls yes",
    "= tls_required yes",
    "= xclient yes",
    "= proxy_protocol yes",
    "= message_size 1000",
    "= header_size 100",
    "= line_length 100",
    "= next_hop_waiting 0",
    "= command_length 100",
    "= content_memory 5000",
    "= spool_memory 4096",
    "= recipients 2",
    "= refused_recipients 2",
    "= bad_commands 3",
    "= transactions 2",
    "= message_rate 2",
    "= data_rate 1000",
    "= tarpit_delay 1000",
    "= session_timeout 100000",
    NULL,
};

struct world {
	struct arena *arena;
	struct session_fixture fixture;
	struct conf_target targets[2];
	bool tls;
	struct slice released_to; /* or empty */
	struct fuzz_client *client;
	int session_fd;
};

/* connect.c is not linked: this is where the next hop listens. */
static struct fuzz_hop *hop;

bool connect_tcp(const struct ip *ip, uint16_t port, struct deadline deadline,
    int *ret_fd, struct err *err)
{
	int fd = fuzz_hop_connect(hop);

	(void)ip;
	(void)port;
	(void)deadline;
	if (fd < 0)
		return err_set(err, E_IO, "refused");
	*ret_fd = fd;
	return true;
}

bool connect_unix(
    struct slice path, struct deadline deadline, int *ret_fd, struct err *err)
{
	(void)path;
	return connect_tcp(NULL, 0, deadline, ret_fd, err);
}

/* Nor is maildir.c: the hop keeps what would be there. */
bool maildir_folder(struct arena *arena, struct slice pattern,
    struct slice address, struct maildir_recipient *ret,
    struct smtp_reply_text *ret_reply)
{
	(void)pattern;
	*ret_reply = (struct smtp_reply_text){
	    550, SLICE("5.1.1"), SLICE("no such mailbox")};
	*ret = (struct maildir_recipient){
	    .address = address, .folder = arena_lower(arena, address)};
	return !slice_starts(ret->folder, SLICE("unknown@"));
}

struct smtp_reply_text maildir_deliver(struct arena *arena,
    struct slice hostname, struct slice sender, size_t count,
    const struct maildir_recipient *recipients,
    const struct message_pieces *pieces)
{
	struct buf *whole = buf_in_arena(arena, pieces->size + 2);

	(void)hostname;
	(void)sender;
	for (size_t i = 0; i < count; i++)
		require(!slice_empty(recipients[i].folder));
	for (size_t i = 0; i < pieces->count; i++)
		require(buf_add(whole, pieces->pieces[i]));
	if (!whole->len || whole->ptr[whole->len - 1] != '\n')
		buf_add_text(whole, "\r\n");
	if (!fuzz_hop_keep(hop, buf_slice(whole), count))
		return (struct smtp_reply_text){
		    451, SLICE("4.3.0"), SLICE("not kept")};
	return (struct smtp_reply_text){250, SLICE("2.0.0"), SLICE("kept")};
}

static void set_route(struct world *world, struct slice word)
{
	struct conf_route *route = &world->fixture.route;

	if (slice_eq(word, SLICE("lmtp")))
		route->kind = NEXT_HOP_LMTP;
	else if (slice_eq(word, SLICE("two")))
		route->target_count = 2;
	else if (slice_eq(word, SLICE("xforward")))
		route->xforward = true;
	else if (slice_eq(word, SLICE("tls_may")))
		route->tls = NEXT_HOP_TLS_MAY;
	else if (slice_eq(word, SLICE("tls_must")))
		route->tls = NEXT_HOP_TLS_MUST;
	else if (slice_eq(word, SLICE("proxy1")))
		route->proxy_protocol = 1;
	else if (slice_eq(word, SLICE("proxy2")))
		route->proxy_protocol = 2;
	else if (slice_eq(word, SLICE("maildir")))
		route->kind = NEXT_HOP_MAILDIR;
}

static bool is_address_byte(char c)
{
	return (ascii_is_visible(c) || ascii_is_8bit(c)) && c != '<' &&
	       c != '>';
}

static void set(struct world *world, struct slice name, struct slice value)
{
	if (slice_eq(name, SLICE("tls")))
		world->tls = true;
	else if (slice_eq(name, SLICE("release")))
		world->released_to = text_is_utf8(value) &&
					     slice_all(value, is_address_byte)
					 ? value
					 : SLICE("");
	else if (slice_eq(name, SLICE("route")))
		set_route(world, value);
	else
		session_fixture_set(&world->fixture, name, value,
		    slice_eq(name, SLICE("next_hop_waiting")) ? 0 : LIMIT_MIN,
		    LIMIT_MAX);
}

static void set_up(struct world *world, struct slice script)
{
	session_fixture_begin(&world->fixture);
	world->targets[0] = (struct conf_target){
	    .host = SLICE("127.0.0.1"), .port = 2500};
	world->targets[1] = (struct conf_target){
	    .host = SLICE("127.0.0.2"), .port = 2500};
	world->fixture.route = (struct conf_route){.kind = NEXT_HOP_SMTP,
	    .text = SLICE("smtp:test"),
	    .targets = world->targets,
	    .target_count = 1};
	while (script.len) {
		struct slice line, word, name, value;

		slice_split(script, '\n', &line, &script);
		slice_split(line, ' ', &word, &line);
		slice_split(line, ' ', &name, &value);
		if (slice_eq(word, SLICE("=")))
			set(world, name, value);
	}
}

static struct session *open_session(struct world *world, struct slice script)
{
	int peer;
	struct session *session = session_fixture_open(&world->fixture, &peer);

	world->session_fd = session_fd(session);
	/* A client that does not read is soon one whose replies wait. */
	require(setsockopt(world->session_fd, SOL_SOCKET, SO_SNDBUF,
		    &(int){SEND_BUFFER}, sizeof(int)) == 0);
	world->client = fuzz_client_new(
	    world->arena, script, peer, &world->fixture.draining);
	session->client.tls = world->tls;
	return session;
}

static int64_t act(void *context, int fd)
{
	struct world *world = context;

	if (fd == world->session_fd)
		return fuzz_client_act(world->client);
	return fuzz_hop_act(hop, fd) ? 0 : FUZZ_TIME_NEVER;
}

/* The server's part: parks and wakes the session.  While that sleeps its client
 * goes on reading. */
static void serve(struct world *world, struct session *session)
{
	enum session_next next = session_glance(session);
	bool ready = false;
	int runs = 0;

	while (next != SESSION_OVER) {
		struct deadline wakes = session_wakes_at(session);

		require(++runs < RUNS_MAX);
		ready = false;
		if (next == SESSION_SLEEPS) {
			fuzz_client_hear(world->client);
			fuzz_time_pass(deadline_poll_ms(wakes));
		} else if (next == SESSION_WAITS) {
			ready = io_wait(session_fd(session),
			    session_wants(session), wakes, NULL);
		}
		next = ready ? session_glance(session) : session_run(session);
	}
}

static bool is_text(char c)
{
	return c == '\t' || !ascii_is_control(c);
}

/* What the store has: lines that end in CR LF, nothing bare. */
static struct slice stored_message(struct arena *arena, struct slice script)
{
	struct buf *message = buf_in_arena(arena, 2 * script.len + 2);

	while (script.len) {
		struct slice line;

		slice_split(script, '\n', &line, &script);
		if (!slice_starts(line, SLICE("> ")) ||
		    !slice_all(line, is_text))
			continue;
		buf_add(message, slice_from_pos(line, 2));
		buf_add_text(message, "\r\n");
	}
	/* Nobody could send one without a line. */
	if (!message->len)
		buf_add_text(message, "\r\n");
	return buf_slice(message);
}

/* It is there if and only if that is what is said. */
static void judge_release(struct slice message, bool ok)
{
	size_t count, kept = 0;
	const struct fuzz_receipt *receipts = fuzz_hop_receipts(hop, &count);

	if (!fuzz_hop_was_honest(hop))
		return;
	for (size_t i = 0; i < count; i++) {
		require(slice_eq(receipts[i].content, message));
		kept += receipts[i].accepted;
	}
	require(kept == (ok ? 1 : 0));
}

static void release(struct world *world, struct slice script)
{
	struct slice message = stored_message(world->arena, script);
	struct arena *arena = arena_new(0);
	struct next_hop_pool *pool = next_hop_pool_new(
	    world->fixture.config, NULL);
	struct smtp_reply_text reply;
	bool ok;

	world->session_fd = -1;
	ok = delivery_send_message(arena, pool, &world->fixture.route,
	    SLICE("a@b.example"), world->released_to, message, &reply);
	require(reply.code / 100 == 2 ? ok : reply.code >= 400);
	arena_free(arena);
	next_hop_pool_release(pool);
	fuzz_hop_end(hop);
	fuzz_time_stop();
	judge_release(message, ok);
}

static void play(struct world *world, struct slice script)
{
	const struct limits limits = world->fixture.config->limits;
	struct session *session = open_session(world, script);

	serve(world, session);
	session_free(session);
	fuzz_client_end(world->client);
	fuzz_hop_end(hop);
	fuzz_time_stop();
	require(content_memory_hold(&(uint64_t){0}, 0) == 0);
	fuzz_client_judge(world->client, &limits,
	    world->fixture.listener.proxy_protocol.count > 0, hop);
}

/* Nobody's certificate is verified here, and to read the system's authorities
 * for each session took two thirds of the time. */
int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	(void)count;
	(void)arguments;
	return setenv("SSL_CERT_FILE", "/dev/null", 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice script = slice_of((const char *)data, size);
	struct world world = {.arena = arena_new(0)};

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
	fuzz_time_start(act, &world);
	set_up(&world, script);
	hop = fuzz_hop_new(
	    world.arena, script, world.fixture.route.proxy_protocol);
	if (world.released_to.len)
		release(&world, script);
	else
		play(&world, script);
	session_fixture_end(&world.fixture);
	arena_free(world.arena);
	return 0;
}
