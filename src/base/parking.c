/* SPDX-License-Identifier: Apache-2.0 */
#include "base/parking.h"

#include <stddef.h>
#include <sys/epoll.h>

static struct parked *parked_of(struct wheel_entry *entry)
{
	return (
	    struct parked *)((char *)entry - offsetof(struct parked, entry));
}

/* If the kernel has no memory for it, the wheel still wakes it. */
static void watch(
    struct parking *parking, struct parked *parked, uint32_t events)
{
	struct epoll_event event = {
	    .events = events | EPOLLONESHOT, .data.ptr = parked};
	int operation = parked->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (epoll_ctl(parking->epoll, operation, parked->fd, &event) == 0)
		parked->watched = true;
}

static void unwatch(struct parking *parking, struct parked *parked)
{
	if (!parked->watched)
		return;
	epoll_ctl(parking->epoll, EPOLL_CTL_DEL, parked->fd, NULL);
	parked->watched = false;
}

void parking_add(struct parking *parking, struct parked *parked,
    struct deadline wakes, uint32_t events)
{
	wheel_add(&parking->wheel, &parked->entry, wakes);
	if (events)
		watch(parking, parked, events);
}

bool parking_take(struct parking *parking, struct parked *parked)
{
	if (!parked->entry.back)
		return false;
	wheel_remove(&parking->wheel, &parked->entry);
	return true;
}

void parking_wake_due(struct parking *parking)
{
	int64_t now = clock_monotonic_ms();

	for (;;) {
		struct wheel_entry *entry;

		pthread_mutex_lock(parking->lock);
		entry = wheel_expire(&parking->wheel, now);
		if (entry)
			unwatch(parking, parked_of(entry));
		pthread_mutex_unlock(parking->lock);
		if (!entry)
			return;
		workers_post(parking->workers, &parked_of(entry)->work);
	}
}

void parking_wake_all(struct parking *parking)
{
	struct work *all = NULL, *work;
	struct wheel_entry *entry;

	pthread_mutex_lock(parking->lock);
	while ((entry = wheel_take_any(&parking->wheel))) {
		unwatch(parking, parked_of(entry));
		work = &parked_of(entry)->work;
		work->next = all;
		all = work;
	}
	pthread_mutex_unlock(parking->lock);
	while ((work = all)) {
		all = work->next;
		workers_post(parking->workers, work);
	}
}

size_t parking_count(struct parking *parking)
{
	size_t count;

	pthread_mutex_lock(parking->lock);
	count = parking->wheel.count;
	pthread_mutex_unlock(parking->lock);
	return count;
}
