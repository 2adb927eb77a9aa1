/* SPDX-License-Identifier: Apache-2.0 */
/* store/store_queue.h - jobs of the writer in a row, each in one queue at most.
 *
 * They stay their owners'.  The caller locks.
 */
#ifndef STORE_STORE_QUEUE_H
#define STORE_STORE_QUEUE_H

#include "store/store_private.h"

/* All zero at first. */
struct store_queue {
	struct store_job *first, *last;
	size_t count;
};

void store_queue_push_back(struct store_queue *queue, struct store_job *job);
void store_queue_push_front(struct store_queue *queue, struct store_job *job);

/* One that is in it. */
void store_queue_take_out(struct store_queue *queue, struct store_job *job);

#endif
