/* SPDX-License-Identifier: Apache-2.0 */
#include "base/wheel.h"

void wheel_init(struct wheel *wheel, int64_t now_ms)
{
	*wheel = (struct wheel){.tick = now_ms / WHEEL_TICK_MS};
}

/* The tick that begins at the deadline or after it, as far as the wheel
 * reaches. */
static int64_t tick_of(const struct wheel *wheel, struct deadline deadline)
{
	int64_t tick = deadline.at_ms / WHEEL_TICK_MS + 1;

	if (tick < wheel->tick)
		return wheel->tick;
	if (tick >= wheel->tick + WHEEL_SLOTS)
		return wheel->tick + WHEEL_SLOTS - 1;
	return tick;
}

void wheel_add(
    struct wheel *wheel, struct wheel_entry *entry, struct deadline deadline)
{
	struct wheel_entry **slot =
	    &wheel->slots[tick_of(wheel, deadline) % WHEEL_SLOTS];

	entry->deadline = deadline;
	entry->next = *slot;
	entry->back = slot;
	if (*slot)
		(*slot)->back = &entry->next;
	*slot = entry;
	wheel->count++;
}

void wheel_remove(struct wheel *wheel, struct wheel_entry *entry)
{
	if (!entry->back)
		return;
	*entry->back = entry->next;
	if (entry->next)
		entry->next->back = entry->back;
	entry->next = NULL;
	entry->back = NULL;
	wheel->count--;
}

struct wheel_entry *wheel_expire(struct wheel *wheel, int64_t now_ms)
{
	int64_t now = now_ms / WHEEL_TICK_MS;

	while (wheel->tick <= now) {
		struct wheel_entry *entry =
		    wheel->slots[wheel->tick % WHEEL_SLOTS];

		if (!entry) {
			wheel->tick++;
			continue;
		}
		wheel_remove(wheel, entry);
		if (entry->deadline.at_ms <= now_ms)
			return entry;
		/* It was beyond the wheel's end: another turn.  Its tick
		 * cannot be the present one, which begins before it. */
		wheel_add(wheel, entry, entry->deadline);
	}
	return NULL;
}

struct wheel_entry *wheel_take_any(struct wheel *wheel)
{
	if (!wheel->count)
		return NULL;
	for (size_t i = 0; i < WHEEL_SLOTS; i++)
		if (wheel->slots[i]) {
			struct wheel_entry *entry = wheel->slots[i];

			wheel_remove(wheel, entry);
			return entry;
		}
	return NULL;
}
