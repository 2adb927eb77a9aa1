/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/fuzz_smtp_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fuzz_script.h"
#include "base/fuzz_time.h"
#include "base/require.h"
#include "smtp/fuzz_smtp_judge.h"

enum { SENT_MAX = 256 * 1024, HEARD_MAX = 4 * 1024 * 1024 };

struct fuzz_client {
	struct arena *arena;
	struct slice script;
	int fd; /* -1: closed */
	atomic_bool *draining;
	bool finished, cut, deaf;
	bool over; /* the session: a deaf client reads, too */
	int64_t silent_until;
	struct buf *waiting, *sent, *heard;
};

struct fuzz_client *fuzz_client_new(
    struct arena *arena, struct slice script, int fd, atomic_bool *draining)
{
	struct fuzz_client *client = ARENA_NEW(arena, struct fuzz_client);

	client->arena = arena;
	client->script = script;
	client->fd = fd;
	client->draining = draining;
	client->waiting = buf_in_arena(arena, SENT_MAX);
	client->sent = buf_in_arena(arena, SENT_MAX);
	client->heard = buf_in_arena(arena, HEARD_MAX);
	return client;
}

bool fuzz_client_hear(struct fuzz_client *client)
{
	bool some = false;
	char *room;
	ssize_t count;

	while (client->fd >= 0 && (!client->deaf || client->over) &&
	       (room = buf_reserve(client->heard, 4096)) &&
	       (count = recv(client->fd, room, 4096, MSG_DONTWAIT)) > 0) {
		buf_grown(client->heard, (size_t)count);
		some = true;
	}
	return some;
}

/* As much as the connection and the limit take. */
static bool send_waiting(struct fuzz_client *client)
{
	struct slice text = slice_sub(
	    buf_slice(client->waiting), 0, SENT_MAX - client->sent->len);
	ssize_t count;

	if (!text.len)
		return false;
	count = send(
	    client->fd, text.ptr, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (count <= 0)
		return false;
	require(buf_add(client->sent, slice_sub(text, 0, (size_t)count)));
	buf_consume(client->waiting, (size_t)count);
	return true;
}

static void repeat(struct fuzz_client *client, struct slice text)
{
	struct slice number;
	uint64_t times;

	slice_split(text, ' ', &number, &text);
	if (!slice_to_u64(number, 10000, &times))
		return;
	for (uint64_t i = 0; i < times; i++)
		if (!buf_add(client->waiting, text) ||
		    !buf_add(client->waiting, SLICE("\r\n")))
			return;
}

static void finish(struct fuzz_client *client)
{
	client->finished = true;
	if (client->cut) {
		close(client->fd);
		client->fd = -1;
	} else {
		shutdown(client->fd, SHUT_WR);
	}
}

/* One line of the script.  False: what waits is to be sent first. */
static bool take_line(
    struct fuzz_client *client, struct slice word, struct slice text)
{
	uint64_t ms;

	if (slice_eq(word, SLICE(">"))) {
		buf_add(client->waiting, text);
		buf_add(client->waiting, SLICE("\r\n"));
	} else if (slice_eq(word, SLICE(">>"))) {
		buf_add(
		    client->waiting, fuzz_script_unescape(client->arena, text));
	} else if (slice_eq(word, SLICE("x"))) {
		repeat(client, text);
	} else if (client->waiting->len) {
		return !slice_eq(word, SLICE("<")) &&
		       !slice_eq(word, SLICE("t")) &&
		       !slice_eq(word, SLICE("c")) &&
		       !slice_eq(word, SLICE("q")) &&
		       !slice_eq(word, SLICE("d"));
	} else if (slice_eq(word, SLICE("t"))) {
		if (slice_to_u64(text, 100 * 1000 * 1000, &ms))
			client->silent_until = fuzz_time_now() + (int64_t)ms;
	} else if (slice_eq(word, SLICE("q"))) {
		client->deaf = true;
	} else if (slice_eq(word, SLICE("d"))) {
		atomic_store(client->draining, true);
	} else if (slice_eq(word, SLICE("c"))) {
		client->cut = true;
		client->script = SLICE("");
	}
	return true;
}

static void collect(struct fuzz_client *client)
{
	while (client->script.len && client->silent_until <= fuzz_time_now()) {
		struct slice line, rest, word, text;

		slice_split(client->script, '\n', &line, &rest);
		slice_split(line, ' ', &word, &text);
		if (!take_line(client, word, text))
			return;
		if (client->script.len)
			client->script = rest;
	}
}

int64_t fuzz_client_act(struct fuzz_client *client)
{
	int64_t now = fuzz_time_now();

	if (fuzz_client_hear(client))
		return 0;
	if (client->finished)
		return FUZZ_TIME_NEVER;
	if (client->silent_until > now)
		return client->silent_until - now;
	collect(client);
	if (client->waiting->len && client->sent->len < SENT_MAX)
		return send_waiting(client) ? 0 : FUZZ_TIME_NEVER;
	if (client->silent_until > now)
		return client->silent_until - now;
	finish(client);
	return 0;
}

void fuzz_client_end(struct fuzz_client *client)
{
	/* What it would have heard: all, or less if the session gave up. */
	client->over = true;
	fuzz_client_hear(client);
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

/* FUZZ_SHOW=1: for whoever looks at one input. */
static void show(const char *what, const struct buf *text)
{
	fprintf(stderr, "--- %s\n%.*s\n", what, (int)text->len, text->ptr);
}

void fuzz_client_judge(const struct fuzz_client *client,
    const struct limits *limits, bool proxied, const struct fuzz_hop *hop)
{
	struct judge_case given = {
	    .sent = buf_slice(client->sent),
	    .heard = buf_slice(client->heard),
	    .command_length = limits->command_length,
	    .proxied = proxied,
	    .cut = client->cut,
	    .deaf = client->deaf,
	};
	struct judge *judge = judge_new(client->arena, &given);

	if (getenv("FUZZ_SHOW")) {
		show("sent", client->sent);
		show("heard", client->heard);
	}
	judge_replies(judge);
	judge_dialogue(judge);
	judge_messages(judge, hop);
}
