/* SPDX-License-Identifier: Apache-2.0 */
#include "message/envelope.h"

#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/require.h"

void envelope_add_recipient(struct arena *arena, struct envelope *envelope,
    const struct envelope_recipient *recipient)
{
	envelope->recipients = arena_grow(arena, envelope->recipients,
	    envelope->recipient_count, &envelope->recipient_room,
	    sizeof(*envelope->recipients));
	envelope->recipients[envelope->recipient_count++] = *recipient;
}

/* Eight digits of time in milliseconds (good until the year 8888), eight of
 * chance: in ASCII order, so that ids sort by time. */
struct slice envelope_new_id(struct arena *arena)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz";
	char id[16];
	uint64_t time = (uint64_t)clock_now_ms(NULL), chance;

	require(getrandom(&chance, sizeof(chance), 0) == sizeof(chance));
	for (size_t i = 8; i-- > 0; time /= 62)
		id[i] = digits[time % 62];
	for (size_t i = 8; i < sizeof(id); i++, chance /= 62)
		id[i] = digits[chance % 62];
	return arena_slice(arena, slice_of(id, sizeof(id)));
}
