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

enum admin_disk { DISK_STORE, DISK_SPOOL, DISKS };
extern const char *const admin_disk_names[DISKS];

/* What the last probe found out. */
struct admin_probe {
	struct err err;	 /* E_NONE: it takes writes */
	bool knows_room; /* of: */
	uint64_t room;	 /* octets that it still takes */
};

/* The state that routes may look at. */
struct admin_state {
	const struct metrics *metrics;
	char *store_url, *spool_directory; /* empty: not looked at */
	bool is_private;		   /* only this host may ask */
	pthread_mutex_t lock; /* of these, and held over a probe: */
	struct store *store;  /* NULL: not opened yet */
	int64_t probed_at;    /* monotonic ms of the last probe; 0: never */
	struct admin_probe probes[DISKS];
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
	const struct admin_probe *probes; /* DISKS of them */
};

void exposition_render(const struct metrics *metrics,
    const struct exposition_extra *extra, struct buf *out);

/* The disks take writes, and have room for more than this probe: asked at most
 * every two seconds, however often this is called. */
bool readiness_disks(struct admin_state *state, struct admin_probe ret[DISKS]);

/* The same without waiting: what the last probe said, and another is made
 * meanwhile.  False if there was none yet. */
bool readiness_disks_known(struct admin_state *state, bool *ret_ok);

/* The thread for it.  False: the system gives none. */
bool readiness_start(struct admin_state *state);
void readiness_stop(struct admin_state *state);

/* What is known without waiting for a probe.  False: nothing at the moment. */
bool readiness_sizes(struct admin_state *state, uint64_t *ret_store_size,
    struct admin_probe ret[DISKS]);

#endif
