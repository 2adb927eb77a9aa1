/* SPDX-License-Identifier: Apache-2.0 */
#include "milter/milter_snapshot.h"

#include "base/memory.h"

struct milter_snapshot *milter_snapshot_new(const struct gate_context *gate)
{
	struct milter_snapshot *snapshot = MEMORY_NEW(struct milter_snapshot);

	snapshot->references = 1;
	snapshot->gate = *gate;
	config_hold(gate->config);
	if (gate->resolver)
		dns_resolver_hold(gate->resolver);
	return snapshot;
}

struct milter_snapshot *milter_snapshot_hold(struct milter_snapshot *snapshot)
{
	atomic_fetch_add_explicit(
	    &snapshot->references, 1, memory_order_relaxed);
	return snapshot;
}

void milter_snapshot_release(struct milter_snapshot *snapshot)
{
	if (!snapshot || atomic_fetch_sub(&snapshot->references, 1) != 1)
		return;
	if (snapshot->gate.resolver)
		dns_resolver_release(snapshot->gate.resolver);
	config_release(snapshot->gate.config);
	memory_free(snapshot);
}
