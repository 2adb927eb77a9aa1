/* SPDX-License-Identifier: Apache-2.0 */
/* Is the store there?  A probe is a commit, so it is not repeated for each
 * request; the process may be started before the database is made. */
#include "admin/admin_private.h"
#include "base/clock.h"

enum { PROBE_INTERVAL_MS = 2000 };

static bool open_store(struct admin_state *state, struct err *err)
{
	return state->store || store_open_existing(slice_from(state->store_url),
				   &state->store, err);
}

static void probe(struct admin_state *state)
{
	struct err err = {.kind = E_NONE};

	if (open_store(state, &err))
		store_probe(state->store, &err);
	state->probe = err;
	state->probed_at = clock_monotonic_ms();
}

bool readiness_store(struct admin_state *state, struct err *err)
{
	bool ok;

	if (!*state->store_url)
		return true;
	/* Held over the probe: those who wait get its answer. */
	pthread_mutex_lock(&state->lock);
	if (state->probed_at == 0 ||
	    clock_monotonic_ms() - state->probed_at >= PROBE_INTERVAL_MS)
		probe(state);
	ok = state->probe.kind == E_NONE;
	if (!ok)
		*err = state->probe;
	pthread_mutex_unlock(&state->lock);
	return ok;
}

bool readiness_store_size(struct admin_state *state, uint64_t *ret)
{
	bool ok;

	/* A scrape does not wait for a probe of a locked store. */
	if (!*state->store_url || pthread_mutex_trylock(&state->lock) != 0)
		return false;
	ok = open_store(state, NULL);
	if (ok)
		*ret = store_statistics(state->store).size_bytes;
	pthread_mutex_unlock(&state->lock);
	return ok;
}
