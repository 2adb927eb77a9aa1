/* SPDX-License-Identifier: Apache-2.0 */
/* base/workers.h - threads that come with the work and go without it.
 *
 * Work is taken in the order it was posted.  For what waits a few threads are
 * woken, or started, up to a maximum; each calls the next when it is there.  So
 * work that waits for something does not keep other work waiting, and a burst
 * of short work is done by few.  One that was idle for a while ends, but
 * not the last.  Where the system gives no further thread, those that there are
 * do all, and the log tells.  Signals are blocked in all of them.
 */
#ifndef BASE_WORKERS_H
#define BASE_WORKERS_H

#include <stddef.h>
#include <stdint.h>

/* The first member of what is worked on. */
struct work {
	struct work *next;
};

struct workers;

enum { WORKERS_IDLE_MS = 10 * 1000 };

/* With one thread at first.  idle_ms: WORKERS_IDLE_MS, or less in a test.
 * NULL: the system gives no thread; errno says why. */
struct workers *workers_new(size_t max, int64_t idle_ms,
    void (*run)(void *context, struct work *work), void *context);

/* Any thread.  The work belongs to run from now on. */
void workers_post(struct workers *workers, struct work *work);

/* Another maximum, for what is posted from now on. */
void workers_set_max(struct workers *workers, size_t max);

size_t workers_threads(struct workers *workers);

/* Waits until all that was posted is done and every thread has ended. */
void workers_free(struct workers *workers);

#endif
