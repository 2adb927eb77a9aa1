/* SPDX-License-Identifier: Apache-2.0 */
/* cli/expiry.h - what is older than `keep` leaves the store.
 *
 * How old it is says the clock of the day, and that may be wrong: a bad time
 * server, a board without a battery.  One that is ahead by more than `keep`
 * would take the whole quarantine, mail that is nowhere else.  So it is
 * compared with the time that has passed.  When it is ahead by more than an
 * hour, and than a tenth of the shorter `keep`, nothing is removed until it is
 * back, or for 24 hours of this service: by then somebody has seen the warning,
 * or the service was off for so long.  The store keeps the reading, so that a
 * restart does not make it right.
 */
#ifndef CLI_EXPIRY_H
#define CLI_EXPIRY_H

#include "conf/config.h"
#include "store/store.h"

/* All zero at first; one in all for a store. */
struct expiry {
	int64_t next_at_ms;	  /* as expiry_now.boot_ms; 0: not begun */
	int64_t looked_at_ms;	  /* the same: at the clock of the day */
	struct store_clock clock; /* what time it should be */
	bool doubts;		  /* nothing is removed; it was told */
	uint64_t removed;	  /* rows, not yet told */
};

struct expiry_now {
	int64_t wall_ms; /* clock_now_ms */
	int64_t boot_ms; /* clock_boot_ms */
};

/* Now and then: every ten minutes it removes what is due, for a second at
 * most; what is left then, at the next call. */
void expiry_go_on(struct expiry *expiry, struct store *store,
    const struct config *config, const struct expiry_now *now);

#endif
