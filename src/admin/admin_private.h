/* SPDX-License-Identifier: Apache-2.0 */
/* admin/admin_private.h - what routes are made of. */
#ifndef ADMIN_ADMIN_PRIVATE_H
#define ADMIN_ADMIN_PRIVATE_H

#include <pthread.h>

#include "admin/admin_server.h"
#include "base/buf.h"
#include "store/store.h"

/* The thread that probes the store for scrapes, which do not wait. */
struct prober {
	pthread_t thread;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t asked;
	bool runs, is_asked, is_ending;
	int64_t since_ms; /* monotonic: it probes; 0: it does not */
	bool is_known, is_ok;
};

/* The state that routes may look at. */
struct admin_state {
	const struct metrics *metrics;
	char *store_url;
	bool is_private;      /* only this host may ask */
	pthread_mutex_t lock; /* of these, and held over a probe: */
	struct store *store;  /* NULL: not opened yet */
	int64_t probed_at;    /* monotonic ms of the last probe; 0: never */
	struct err probe;     /* what it said; E_NONE: it went well */
	struct prober prober;
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

/* What is only told if it is known: then it is not NULL. */
struct exposition_extra {
	const uint64_t *store_size;
	const bool *is_ready;
};

void exposition_render(const struct metrics *metrics,
    const struct exposition_extra *extra, struct buf *out);

/* The store takes writes: asked at most every two seconds, however often this
 * is called.  True also without a URL. */
bool readiness_store(struct admin_state *state, struct err *err);

/* The same without waiting: what the last probe said, and another is made
 * meanwhile.  False if there was none yet. */
bool readiness_store_known(struct admin_state *state, bool *ret_ok);

/* The thread for it.  False: the system gives none. */
bool readiness_start(struct admin_state *state);
void readiness_stop(struct admin_state *state);

/* False if the store is not open (yet). */
bool readiness_store_size(struct admin_state *state, uint64_t *ret);

#endif
