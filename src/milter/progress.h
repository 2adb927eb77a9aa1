/* SPDX-License-Identifier: Apache-2.0 */
/* milter/progress.h - "still at it", for MTAs that wait for an answer.
 *
 * At the end of a message an MTA waits for the next packet for as long as its
 * administrator says (Sendmail: 10 seconds if nothing is said), and DNS may
 * take longer.  Until the answer is there SMFIR_PROGRESS makes it wait anew.
 *
 * Whoever runs the event loop calls progress_tell now and then.
 */
#ifndef MILTER_PROGRESS_H
#define MILTER_PROGRESS_H

#include <pthread.h>
#include <stdint.h>

enum { PROGRESS_INTERVAL_MS = 3000 };

/* One session that works on an answer; a part of it. */
struct progress_wait {
	struct progress_wait *next, **back;
	int fd;
	int64_t due_ms;
};

/* Waits stand in the order in which they are due: all have one interval. */
struct progress_list {
	int64_t interval_ms;
	pthread_mutex_t lock; /* of all below */
	struct progress_wait *first, **last;
};

void progress_init(struct progress_list *progress, int64_t interval_ms);

/* Nobody waits any more. */
void progress_destroy(struct progress_list *progress);

/* Between the two, only progress_tell writes to the (non-blocking) descriptor.
 * progress may be NULL: nothing is sent. */
void progress_begin(
    struct progress_list *progress, struct progress_wait *wait, int fd);
void progress_end(struct progress_list *progress, struct progress_wait *wait);

/* Writes to those that are due; never waits. */
void progress_tell(struct progress_list *progress);

#endif
