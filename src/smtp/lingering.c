/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/lingering.h"

#include <sys/socket.h>
#include <unistd.h>

enum {
	LINGER_MS = 2000, /* some round trips, or one and a lost packet */
	/* More than a client can send that nobody reads. */
	PIECE_SIZE = 4096,
	PIECES = 64,
};

static void drop_input(int fd)
{
	char piece[PIECE_SIZE];

	for (int i = 0; i < PIECES; i++)
		if (recv(fd, piece, sizeof(piece), MSG_DONTWAIT) <= 0)
			return;
}

static void close_first(struct lingering *lingering)
{
	int fd = lingering->items[lingering->first].fd;

	drop_input(fd);
	close(fd);
	lingering->first = (lingering->first + 1) % LINGERING_MAX;
	lingering->count--;
}

void lingering_add(struct lingering *lingering, int fd, int64_t now_ms)
{
	size_t at;

	shutdown(fd, SHUT_WR);
	if (lingering->count == LINGERING_MAX)
		close_first(lingering);
	at = (lingering->first + lingering->count++) % LINGERING_MAX;
	lingering->items[at].fd = fd;
	lingering->items[at].until_ms = now_ms + LINGER_MS;
}

void lingering_close_due(struct lingering *lingering, int64_t now_ms)
{
	while (lingering->count &&
	       lingering->items[lingering->first].until_ms <= now_ms)
		close_first(lingering);
}

void lingering_close_all(struct lingering *lingering)
{
	while (lingering->count)
		close_first(lingering);
}
