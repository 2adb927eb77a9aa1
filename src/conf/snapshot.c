/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/snapshot.h"

#include <stdatomic.h>

#include "base/require.h"

/* The holders are counted behind the part that everybody sees. */
struct snapshot {
	struct config config;
	atomic_uint holders;
};

static struct snapshot *snapshot_of(struct config *config)
{
	return (struct snapshot *)config;
}

struct config *snapshot_new(void)
{
	struct arena *arena = arena_new(0);
	struct snapshot *snapshot = ARENA_NEW(arena, struct snapshot);

	snapshot->config.arena = arena;
	atomic_init(&snapshot->holders, 1);
	return &snapshot->config;
}

struct config *config_hold(struct config *config)
{
	unsigned int before = atomic_fetch_add_explicit(
	    &snapshot_of(config)->holders, 1, memory_order_relaxed);

	require(before > 0 && before < UINT32_MAX);
	return config;
}

/* The last one must see what the others did before they let go. */
void config_release(struct config *config)
{
	unsigned int before;

	if (!config)
		return;
	before = atomic_fetch_sub_explicit(
	    &snapshot_of(config)->holders, 1, memory_order_acq_rel);
	require(before > 0);
	if (before == 1)
		arena_free(config->arena);
}
