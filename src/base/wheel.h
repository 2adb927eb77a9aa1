/* SPDX-License-Identifier: Apache-2.0 */
/* base/wheel.h - many deadlines, cheaply: a timer wheel.
 *
 * Adding and removing cost the same whatever the number; expiry looks only at
 * what is due (and, once a turn, at what is further away than the wheel is
 * long).  Granularity is WHEEL_TICK_MS; nothing expires early.
 */
#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"

enum { WHEEL_TICK_MS = 100, WHEEL_SLOTS = 1024 };

/* Embedded in what waits. */
struct wheel_entry {
	struct wheel_entry *next, **back; /* back NULL: not in a wheel */
	struct deadline deadline;
};

struct wheel {
	struct wheel_entry *slots[WHEEL_SLOTS];
	int64_t tick; /* the next one to look at */
	size_t count;
};

void wheel_init(struct wheel *wheel, int64_t now_ms);
void wheel_add(
    struct wheel *wheel, struct wheel_entry *entry, struct deadline deadline);

/* Harmless for one that is in none. */
void wheel_remove(struct wheel *wheel, struct wheel_entry *entry);

/* Removes and returns one that is due at now_ms; NULL: no more. */
struct wheel_entry *wheel_expire(struct wheel *wheel, int64_t now_ms);

/* Removes and returns any; NULL: it is empty. */
struct wheel_entry *wheel_take_any(struct wheel *wheel);

#endif
