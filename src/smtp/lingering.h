/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/lingering.h - connections that were refused, until they are closed.
 *
 * Closing one whose client is sending resets it, and with that our words may be
 * lost: those to a client that talks first, or to a balancer with its header.
 * So its descriptor stays for two seconds, and nothing else of it: nobody
 * watches it, and what it sends meanwhile is thrown away at its end.  When many
 * come the oldest makes room.  One thread.
 */
#ifndef SMTP_LINGERING_H
#define SMTP_LINGERING_H

#include <stddef.h>
#include <stdint.h>

enum { LINGERING_MAX = 64 };

/* All zero at first. */
struct lingering {
	struct {
		int fd;
		int64_t until_ms; /* monotonic */
	} items[LINGERING_MAX];	  /* a ring, the oldest first */
	size_t first, count;
};

/* Ends our side of the connection, and takes fd over. */
void lingering_add(struct lingering *lingering, int fd, int64_t now_ms);

/* Now and then. */
void lingering_close_due(struct lingering *lingering, int64_t now_ms);

/* At the end. */
void lingering_close_all(struct lingering *lingering);

#endif
