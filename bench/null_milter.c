/* SPDX-License-Identifier: Apache-2.0 */
/* A milter that reads everything and judges nothing: what the protocol itself
 * costs.
 *
 *	null_milter PORT
 *
 * It declines every reply that can be declined, as the gateway does.
 */
#include "server.h"

enum { HEAD = 5 };

struct client {
	size_t skip;	 /* octets of the packet that are still to come */
	size_t head_len; /* of head */
	char head[HEAD];
};

/* Version 6, no changes; no reply before the end, no DATA. */
static const struct slice agreement = SLICE_INIT("\0\0\0\15O"
						 "\0\0\0\6"
						 "\0\0\0\0"
						 "\0\35\362\200");
static const struct slice go_on = SLICE_INIT("\0\0\0\1c");

static size_t packet_length(const char *head)
{
	size_t len = 0;

	for (size_t i = 0; i < HEAD - 1; i++)
		len = len << 8 | (unsigned char)head[i];
	return len;
}

/* False: the MTA says goodbye. */
static bool take_packet(struct server *server, char command)
{
	switch (command) {
	case 'O': server_say(server, agreement); break;
	case 'E':
		server->messages++;
		server_say(server, go_on);
		break;
	case 'Q': return false;
	default: break;
	}
	return true;
}

static bool take(struct server *server, void *own, struct slice in)
{
	struct client *client = own;

	server->octets += in.len;
	while (in.len) {
		size_t skip = client->skip < in.len ? client->skip : in.len;
		struct slice part = slice_sub(
		    slice_from_pos(in, skip), 0, HEAD - client->head_len);

		client->skip -= skip;
		memcpy(client->head + client->head_len, part.ptr, part.len);
		client->head_len += part.len;
		in = slice_from_pos(in, skip + part.len);
		if (client->head_len < HEAD)
			continue;
		client->head_len = 0;
		client->skip = packet_length(client->head) - 1;
		if (!take_packet(server, client->head[HEAD - 1]))
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	static struct server server = {
	    .name = "null_milter",
	    .client_size = sizeof(struct client),
	    .take = take,
	};

	return server_main(&server, argc, argv);
}
