/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/expiry.h"

#include "base/log.h"
#include "base/metrics.h"

enum {
	EVERY_MS = 600 * 1000,
	FOR_MS = 1000,
	AHEAD_MS = 3600 * 1000, /* more than a time server corrects at once,
				 * and than a backup stops a machine */
	SHARE = 10,		/* of `keep`, that a night's rest may take */
	DOUBT_MS = 24 * 3600 * 1000,
};

static void tell_put_off(int64_t left_ms)
{
	metrics_set(METRIC_STORE_EXPIRY_PUT_OFF, left_ms / 1000);
}

static void doubt(struct expiry *expiry, int64_t ahead_ms)
{
	int64_t left_ms = DOUBT_MS - expiry->clock.doubted_ms;

	if (!expiry->doubts)
		log_warning("store.clock", LOG_T("result", "ahead"),
		    LOG_I("ahead_seconds", ahead_ms / 1000),
		    LOG_I("put_off_seconds", left_ms / 1000));
	expiry->doubts = true;
	tell_put_off(left_ms);
}

static void believe(struct expiry *expiry, int64_t wall_ms, bool ahead)
{
	if (expiry->doubts)
		log_notice("store.clock",
		    LOG_T("result", ahead ? "believed" : "back"));
	expiry->doubts = false;
	expiry->clock = (struct store_clock){.time_ms = wall_ms};
	tell_put_off(0);
}

static uint64_t shorter(uint64_t one, uint64_t other)
{
	if (!one || !other)
		return one + other;
	return one < other ? one : other;
}

/* Ahead by so much, it takes little too early. */
static int64_t harmless_ms(const struct config *config)
{
	uint64_t keep = shorter(config->keep_trace, config->keep_quarantine);
	int64_t share_ms = (int64_t)keep * 1000 / SHARE;

	if (!keep)
		return INT64_MAX;
	return share_ms > AHEAD_MS ? share_ms : AHEAD_MS;
}

/* Time passes while the machine sleeps; a clock that is behind removes nothing
 * too early.  One that was never looked at has nothing to be compared with. */
static bool look_at_clock(struct expiry *expiry, struct store *store,
    const struct config *config, const struct expiry_now *now, struct err *err)
{
	struct store_clock *clock = &expiry->clock;
	int64_t passed_ms = 0, ahead_ms = 0;

	if (expiry->looked_at_ms)
		passed_ms = now->boot_ms - expiry->looked_at_ms;
	else if (!store_get_clock(store, clock, err))
		return false;
	expiry->looked_at_ms = now->boot_ms;
	if (clock->time_ms) {
		clock->time_ms += passed_ms;
		ahead_ms = now->wall_ms - clock->time_ms;
	}
	if (expiry->doubts)
		clock->doubted_ms += passed_ms;
	if (ahead_ms > harmless_ms(config) && clock->doubted_ms < DOUBT_MS)
		doubt(expiry, ahead_ms);
	else
		believe(expiry, now->wall_ms, ahead_ms > harmless_ms(config));
	return store_put_clock(store, clock, err);
}

/* What was deleted by hand is cleared away in any case. */
static int64_t before(
    const struct expiry *expiry, const struct expiry_now *now, uint64_t keep)
{
	if (keep == 0 || expiry->doubts)
		return 0;
	return now->wall_ms - (int64_t)keep * 1000;
}

/* True: there is more to remove. */
static bool run(struct expiry *expiry, struct store *store,
    const struct config *config, const struct expiry_now *now)
{
	uint64_t removed = 0;
	bool more = false;
	struct err err = {0};

	if (!look_at_clock(expiry, store, config, now, &err) ||
	    !store_expire(store, before(expiry, now, config->keep_trace),
		before(expiry, now, config->keep_quarantine),
		deadline_in(FOR_MS), &removed, &more, &err))
		log_warning("store.expire", LOG_ERR(&err));
	expiry->removed += removed;
	return more;
}

void expiry_go_on(struct expiry *expiry, struct store *store,
    const struct config *config, const struct expiry_now *now)
{
	if (!expiry->next_at_ms)
		expiry->next_at_ms = now->boot_ms + EVERY_MS;
	if (now->boot_ms < expiry->next_at_ms ||
	    run(expiry, store, config, now))
		return;
	if (expiry->removed)
		log_info(
		    "store.expire", LOG_I("removed", (int64_t)expiry->removed));
	expiry->removed = 0;
	expiry->next_at_ms = now->boot_ms + EVERY_MS;
}
