/* SPDX-License-Identifier: Apache-2.0 */
/* admin/admin_private.h - what routes are made of. */
#ifndef ADMIN_ADMIN_PRIVATE_H
#define ADMIN_ADMIN_PRIVATE_H

#include <pthread.h>

#include "admin/admin_server.h"
#include "base/buf.h"
#include "store/store.h"

/* The state that routes may look at. */
struct admin_state {
	const struct metrics *metrics;
	char *store_url;
	pthread_mutex_t lock; /* of all below */
	struct store *store;  /* NULL: not opened yet */
	int64_t probed_at;    /* monotonic ms of the last probe; 0: never */
	struct err probe;     /* what it said; E_NONE: it went well */
};

struct api_route {
	const char *path;
	const char *content_type;
	const char *summary;
	/* Fills the body and returns the status. */
	unsigned int (*answer)(struct admin_state *state, struct buf *body);
};

extern const struct api_route api_routes[];
extern const size_t api_route_count;

/* All metrics; with the store's size if size is not NULL. */
void exposition_render(
    const struct metrics *metrics, const uint64_t *store_size, struct buf *out);

/* The store takes writes: asked at most every two seconds, however often this
 * is called.  True also without a URL. */
bool readiness_store(struct admin_state *state, struct err *err);

/* False if the store is not open (yet). */
bool readiness_store_size(struct admin_state *state, uint64_t *ret);

#endif
