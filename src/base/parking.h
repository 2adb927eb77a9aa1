/* SPDX-License-Identifier: Apache-2.0 */
/* base/parking.h - work that waits for its descriptor or its time, without a
 * thread.
 *
 * One thread waits for events of the epoll descriptor, whose data.ptr is what
 * was parked; events fire once and disarm.  When it has handled them it calls
 * parking_wake_due.  The lock is its owner's, who may guard more with it.
 */
#ifndef BASE_PARKING_H
#define BASE_PARKING_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/wheel.h"
#include "base/workers.h"

/* The first member of what is parked. */
struct parked {
	struct work work;	  /* first */
	struct wheel_entry entry; /* while it is parked */
	int fd;
	bool watched; /* known to epoll */
};

struct parking {
	pthread_mutex_t *lock;
	int epoll;
	struct workers *workers; /* run what is woken by its time */
	struct wheel wheel;
};

/* With the lock.  events of epoll(7); 0: only its time wakes it. */
void parking_add(struct parking *parking, struct parked *parked,
    struct deadline wakes, uint32_t events);

/* With the lock.  After its event, or where it has none; the caller goes on
 * with it.  False: it is not parked. */
bool parking_take(struct parking *parking, struct parked *parked);

/* Without the lock: posts those whose time has come. */
void parking_wake_due(struct parking *parking);

/* Without the lock: posts each once.  Who parks again at once stays. */
void parking_wake_all(struct parking *parking);

/* Without the lock. */
size_t parking_count(struct parking *parking);

#endif
