/* SPDX-License-Identifier: Apache-2.0 */
/* A next hop that takes everything and keeps nothing.
 *
 *	sink PORT
 */
#include "server.h"

enum { LINE_MAX_LEN = 4096, KEEP = 4 };

struct client {
	bool in_data;
	size_t len; /* of line, or of the last octets of content */
	char line[LINE_MAX_LEN];
};

static const struct {
	struct slice verb;
	struct slice reply;
} replies[] = {
    {SLICE_INIT("EHLO"),
	SLICE_INIT("250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
		   "250-SIZE\r\n250 SMTPUTF8\r\n")},
    {SLICE_INIT("LHLO"), SLICE_INIT("250-sink.example\r\n250 PIPELINING\r\n")},
    {SLICE_INIT("DATA"), SLICE_INIT("354 go on\r\n")},
    {SLICE_INIT("QUIT"), SLICE_INIT("221 bye\r\n")},
};

/* False: the client says goodbye. */
static bool take_command(
    struct server *server, struct client *client, struct slice line)
{
	for (size_t i = 0; i < sizeof(replies) / sizeof(*replies); i++)
		if (slice_starts_nocase(line, replies[i].verb)) {
			server_say(server, replies[i].reply);
			client->in_data = slice_starts_nocase(
			    line, SLICE("DATA"));
			return !slice_starts_nocase(line, SLICE("QUIT"));
		}
	server_say(server, SLICE("250 2.0.0 ok\r\n"));
	return true;
}

static void remember(struct client *client, struct slice octets)
{
	octets = slice_sub(octets, 0, LINE_MAX_LEN - client->len);
	memcpy(client->line + client->len, octets.ptr, octets.len);
	client->len += octets.len;
}

/* Content ends with CR LF . CR LF; client->line has the octets before. */
static struct slice take_content(
    struct server *server, struct client *client, struct slice in)
{
	static const struct slice end = SLICE_INIT("\r\n.\r\n");
	char joint[2 * KEEP];
	size_t before = client->len, head = in.len < KEEP ? in.len : KEEP, at;

	memcpy(joint, client->line, before);
	memcpy(joint + before, in.ptr, head);
	at = slice_find_slice(slice_of(joint, before + head), end);
	if (at < before + head) {
		at = at + end.len - before;
	} else {
		at = slice_find_slice(in, end);
		at = at < in.len ? at + end.len : 0;
	}
	if (at) {
		server->messages++;
		server->octets += at;
		client->in_data = false;
		client->len = 0;
		server_say(server, SLICE("250 2.0.0 taken\r\n"));
		return slice_from_pos(in, at);
	}
	server->octets += in.len;
	client->len = before + head < KEEP ? before + head : KEEP;
	if (in.len >= KEEP)
		memcpy(client->line, in.ptr + in.len - KEEP, KEEP);
	else
		memcpy(client->line, joint + before + head - client->len,
		    client->len);
	return slice_of(NULL, 0);
}

/* False: over. */
static bool take(struct server *server, void *own, struct slice in)
{
	struct client *client = own;

	while (in.len) {
		size_t end;

		if (client->in_data) {
			in = take_content(server, client, in);
			continue;
		}
		end = slice_find(in, '\n');
		remember(client, slice_sub(in, 0, end));
		if (end == in.len)
			return true;
		in = slice_from_pos(in, end + 1);
		if (!take_command(
			server, client, slice_of(client->line, client->len)))
			return false;
		client->len = 0;
		/* The empty line counts: content may be a dot alone. */
		if (client->in_data) {
			memcpy(client->line, "\r\n", 2);
			client->len = 2;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	static struct server server = {
	    .name = "sink",
	    .client_size = sizeof(struct client),
	    .greeting = "220 sink.example ESMTP\r\n",
	    .take = take,
	};

	return server_main(&server, argc, argv);
}
