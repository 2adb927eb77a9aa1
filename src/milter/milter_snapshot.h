/* SPDX-License-Identifier: Apache-2.0 */
/* milter/milter_snapshot.h - configuration and resolver, held while a message
 * is judged with them.
 *
 * Immutable and reference-counted.  A reload makes a new one; messages that
 * have begun keep theirs.
 */
#ifndef MILTER_MILTER_SNAPSHOT_H
#define MILTER_MILTER_SNAPSHOT_H

#include <stdatomic.h>

#include "gate/gate.h"

struct milter_snapshot {
	atomic_uint references;
	struct gate_context gate; /* config and resolver are held */
};

/* The store must outlive it. */
struct milter_snapshot *milter_snapshot_new(const struct gate_context *gate);

/* Any thread. */
struct milter_snapshot *milter_snapshot_hold(struct milter_snapshot *snapshot);
void milter_snapshot_release(struct milter_snapshot *snapshot);

#endif
