/* SPDX-License-Identifier: Apache-2.0 */
/* Do the disks take writes?  A probe of the store is a commit, so it is not
 * repeated for each request; the process may be started before the database is
 * made.  One of a locked store, or of a disk that hangs, takes long: a scrape
 * does not wait for it, since all metrics would be missing then. */
#include "admin/admin_private.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/disk_room.h"

enum { PROBE_INTERVAL_MS = 2000, PROBE_MAX_MS = 10 * 1000 };

/* With less some mail is deferred: the traces of a hundred messages that are
 * committed together, a message that memory does not keep. */
enum { ROOM_MIN = 4 << 20 };

const char *const admin_disk_names[DISKS] = {
    [DISK_STORE] = "store",
    [DISK_SPOOL] = "spool",
};

static bool open_store(struct admin_state *state, struct err *err)
{
	return state->store || store_open_existing(slice_from(state->store_url),
				   &state->store, err);
}

static void demand_room(struct admin_probe *probe, const char *of)
{
	if (probe->knows_room && probe->room < ROOM_MIN)
		err_set(&probe->err, E_FULL, "%llu KiB are left of %s",
		    (unsigned long long)probe->room >> 10, of);
}

static void probe_store(struct admin_state *state, struct admin_probe *probe)
{
	if (!*state->store_url)
		return;
	probe->knows_room = open_store(state, &probe->err) &&
			    store_probe(
				state->store, &probe->room, &probe->err);
	demand_room(probe, "its disk or its max_size");
}

static void probe_spool(
    const struct admin_state *state, struct admin_probe *probe)
{
	if (!*state->spool_directory)
		return;
	probe->knows_room = disk_room_to_spare(
	    state->spool_directory, &probe->room, &probe->err);
	demand_room(probe, "its disk, without what has to stay free");
}

static void probe(struct admin_state *state)
{
	memset(state->probes, 0, sizeof(state->probes));
	probe_store(state, &state->probes[DISK_STORE]);
	probe_spool(state, &state->probes[DISK_SPOOL]);
	state->probed_at = clock_monotonic_ms();
}

bool readiness_disks(struct admin_state *state, struct admin_probe ret[DISKS])
{
	bool ok = true;

	/* Held over the probe: those who wait get its answer. */
	pthread_mutex_lock(&state->lock);
	if (state->probed_at == 0 ||
	    clock_monotonic_ms() - state->probed_at >= PROBE_INTERVAL_MS)
		probe(state);
	memcpy(ret, state->probes, sizeof(state->probes));
	pthread_mutex_unlock(&state->lock);
	for (size_t i = 0; i < DISKS; i++)
		ok &= ret[i].err.kind == E_NONE;
	return ok;
}

/* With the lock.  Until it has gone well once nobody needs to ask: the file has
 * to be the one that the other processes have opened, not one that is put in
 * its place later.  False: it is time. */
static bool wait_to_be_asked(struct prober *prober, bool was_ok)
{
	struct timespec until;

	if (was_ok)
		return pthread_cond_wait(&prober->asked, &prober->lock) == 0;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PROBE_INTERVAL_MS / 1000;
	return pthread_cond_timedwait(&prober->asked, &prober->lock, &until) ==
	       0;
}

static void *probe_for_scrapes(void *object)
{
	struct admin_state *state = object;
	struct prober *prober = &state->prober;
	bool was_ok = false;

	pthread_mutex_lock(&prober->lock);
	while (!prober->is_ending) {
		struct admin_probe probes[DISKS];
		bool ok;

		if (!prober->is_asked && wait_to_be_asked(prober, was_ok))
			continue;
		prober->is_asked = false;
		prober->since_ms = clock_monotonic_ms();
		pthread_mutex_unlock(&prober->lock);
		ok = readiness_disks(state, probes);
		was_ok |= ok;
		pthread_mutex_lock(&prober->lock);
		prober->since_ms = 0;
		prober->is_known = true;
		prober->is_ok = ok;
	}
	pthread_mutex_unlock(&prober->lock);
	return NULL;
}

bool readiness_disks_known(struct admin_state *state, bool *ret_ok)
{
	struct prober *prober = &state->prober;
	bool is_known, hangs;

	pthread_mutex_lock(&prober->lock);
	hangs = prober->since_ms &&
		clock_monotonic_ms() - prober->since_ms > PROBE_MAX_MS;
	is_known = prober->is_known || hangs;
	if (is_known)
		*ret_ok = prober->is_ok && !hangs;
	prober->is_asked = true;
	pthread_cond_signal(&prober->asked);
	pthread_mutex_unlock(&prober->lock);
	return is_known;
}

bool readiness_start(struct admin_state *state)
{
	struct prober *prober = &state->prober;
	pthread_condattr_t attributes;

	pthread_mutex_init(&prober->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&prober->asked, &attributes);
	pthread_condattr_destroy(&attributes);
	prober->runs = pthread_create(&prober->thread, NULL, probe_for_scrapes,
			   state) == 0;
	return prober->runs;
}

void readiness_stop(struct admin_state *state)
{
	struct prober *prober = &state->prober;

	pthread_mutex_lock(&prober->lock);
	prober->is_ending = true;
	pthread_cond_signal(&prober->asked);
	pthread_mutex_unlock(&prober->lock);
	if (prober->runs)
		pthread_join(prober->thread, NULL);
	pthread_cond_destroy(&prober->asked);
	pthread_mutex_destroy(&prober->lock);
}

bool readiness_sizes(struct admin_state *state, uint64_t *ret_store_size,
    struct admin_probe ret[DISKS])
{
	/* A scrape does not wait for a probe of a locked store. */
	if (pthread_mutex_trylock(&state->lock) != 0)
		return false;
	if (*state->store_url && open_store(state, NULL))
		*ret_store_size = store_statistics(state->store).size_bytes;
	memcpy(ret, state->probes, sizeof(state->probes));
	pthread_mutex_unlock(&state->lock);
	return true;
}
