/* SPDX-License-Identifier: Apache-2.0 */
/* cli/listeners.h - the listening sockets, bound before privileges go.
 *
 * From systemd (socket activation: matched by FileDescriptorName= to the
 * listener's name, else by address) or bound here.  They belong to the
 * supervisor and are inherited by the smtp and the milter child, so a restarted
 * child misses no connection.
 */
#ifndef CLI_LISTENERS_H
#define CLI_LISTENERS_H

#include "base/err.h"
#include "conf/config.h"

enum { LISTENERS_MAX = 64 };

struct listener_socket {
	struct slice name; /* of the configuration */
	bool is_milter;	   /* which child it is for */
	bool is_kept;	   /* systemd holds it, too: it outlives us */
	int fd;
};

struct listener_sockets {
	size_t count;
	struct listener_socket sockets[LISTENERS_MAX];
};

/* False: E_IO, E_CONFIG, with the way out in words; what was opened is
 * closed. */
bool listeners_open(
    const struct config *config, struct listener_sockets *ret, struct err *err);

void listeners_close(struct listener_sockets *sockets);

/* "5=mx\n6+=relay\n" (+: is_kept): handed to the milter's or to the other child
 * in its environment. */
struct slice listeners_to_text(
    struct arena *arena, const struct listener_sockets *sockets, bool milter);

/* False: E_USAGE.  Names live in arena. */
bool listeners_from_text(struct arena *arena, struct slice text,
    struct listener_sockets *ret, struct err *err);

/* The index of a listener in the configuration, or listener_count. */
size_t listeners_index(const struct config *config, struct slice name);

#endif
