/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of the day jumps; what is in quarantine does not go at once. */
#include "cli/expiry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/store_test.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

enum { MINUTE = 60, HOUR = 3600, DAY = 86400, KEEP = 30 * DAY };

/* A message is quarantined, and the clock looked at, at second 0.  Then so much
 * time passes, while the clock goes on by so much; RESTART is a service that
 * was off.  What is in quarantine afterwards. */
enum { STEPS = 6 };
struct step {
	int64_t passes, clock;
	unsigned int held;
	bool restart;
};
static const struct {
	const char *name;
	struct step steps[STEPS];
} rows[] = {
    /* clang-format off */
    {"as time goes by", {{29 * DAY, 29 * DAY, 1}, {DAY + HOUR, DAY + HOUR, 0}}},
    {"asleep", {{31 * DAY, 31 * DAY, 0}}},
    {"corrected a little", {{29 * DAY, 29 * DAY, 1}, {23 * HOUR, 23 * HOUR + 59 * MINUTE, 1}, {10 * MINUTE, 61 * MINUTE, 0}}},
    {"ahead and back", {{10 * MINUTE, 60 * DAY, 1}, {23 * HOUR, 23 * HOUR, 1}, {10 * MINUTE, -60 * DAY, 1}, {2 * DAY, 2 * DAY, 1}, {28 * DAY, 28 * DAY, 0}}},
    {"ahead for good", {{10 * MINUTE, 60 * DAY, 1}, {23 * HOUR, 23 * HOUR, 1}, {HOUR, HOUR, 0}}},
    {"ahead, and started anew", {{10 * MINUTE, 60 * DAY, 1}, {10 * MINUTE, 10 * MINUTE, 1, true}, {13 * HOUR, 13 * HOUR, 1}, {10 * MINUTE, 10 * MINUTE, 1, true}, {10 * HOUR, 10 * HOUR, 1}, {HOUR, HOUR, 0}}},
    {"off for a month", {{10 * MINUTE, 31 * DAY, 1, true}, {23 * HOUR, 23 * HOUR, 1}, {HOUR, HOUR, 0}}},
    {"off for a moment", {{29 * DAY, 29 * DAY, 1}, {10 * MINUTE, 30 * MINUTE, 1, true}, {DAY, DAY, 0}}},
    {"off for two days", {{10 * MINUTE, 2 * DAY, 1, true}, {27 * DAY, 27 * DAY, 1}, {DAY + HOUR, DAY + HOUR, 0}}},
    {"ahead by less than a tenth", {{27 * DAY, 27 * DAY, 1}, {10 * MINUTE, 3 * DAY + MINUTE, 0}}},
    {"ahead by more", {{27 * DAY, 27 * DAY, 1}, {10 * MINUTE, 3 * DAY + HOUR, 1}}},
    {"behind", {{10 * MINUTE, -60 * DAY, 1}, {29 * DAY, 29 * DAY, 1}, {10 * MINUTE, 60 * DAY, 1}, {DAY, DAY, 1}, {DAY, DAY, 0}}},
    /* clang-format on */
};

static void quarantine(struct store *store, int64_t time_ms)
{
	static const struct slice piece = SLICE_INIT("message");
	const struct store_trace trace = trace_new("A", time_ms);
	const struct store_quarantine held = {
	    .id = trace.id,
	    .reason = SLICE("dmarc"),
	    .route = SLICE("mx"),
	    .piece_count = 1,
	    .pieces = &piece,
	};

	assert_true(store_put(store, &trace, &held, deadline_in(20000), NULL));
}

static size_t held(struct store *store)
{
	struct arena *arena = arena_new(0);
	struct store_quarantined *list;
	size_t count;

	assert_true(store_list_quarantine(
	    store, arena, &(struct store_query){0}, true, &count, &list, NULL));
	arena_free(arena);
	return count;
}

/* The next look is due, whatever has passed since the last one. */
static void look(struct expiry *expiry, struct store *store,
    const struct config *config, const struct expiry_now *now)
{
	if (!expiry->next_at_ms)
		expiry->next_at_ms = now->boot_ms;
	expiry_go_on(expiry, store, config, now);
	assert_true(expiry->next_at_ms > now->boot_ms);
}

static void play(size_t row)
{
	struct place place = place_new("");
	struct store *store = open_place(&place);
	struct config *config = config_default();
	struct expiry_now now = {
	    .wall_ms = (int64_t)1800000000 * 1000, .boot_ms = 5000};
	struct expiry expiry = {0};

	config->keep_trace = config->keep_quarantine = KEEP;
	quarantine(store, now.wall_ms);
	look(&expiry, store, config, &now);
	for (size_t i = 0; i < STEPS && rows[row].steps[i].passes; i++) {
		const struct step *step = &rows[row].steps[i];

		now.wall_ms += step->clock * 1000;
		now.boot_ms += step->passes * 1000;
		if (step->restart)
			expiry = (struct expiry){0};
		look(&expiry, store, config, &now);
		if (held(store) != step->held)
			fail_msg("%s: %zu messages after step %zu",
			    rows[row].name, held(store), i);
	}
	config_release(config);
	store_close(store);
	place_remove(&place);
}

static void test_clock_of_the_day(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		play(i);
}

/* A start has ten minutes, in which a time server may set the clock. */
static void test_first_look(void **state)
{
	struct place place = place_new("");
	struct store *store = open_place(&place);
	struct config *config = config_default();
	struct expiry_now now = {.wall_ms = 1000, .boot_ms = 5000};
	struct expiry expiry = {0};
	struct store_clock clock;

	(void)state;
	expiry_go_on(&expiry, store, config, &now);
	assert_true(store_get_clock(store, &clock, NULL));
	assert_int_equal(clock.time_ms, 0);
	now.wall_ms = (int64_t)1800000000 * 1000;
	now.boot_ms += 10 * MINUTE * 1000;
	expiry_go_on(&expiry, store, config, &now);
	assert_true(store_get_clock(store, &clock, NULL));
	assert_int_equal(clock.time_ms, now.wall_ms);
	assert_int_equal(clock.doubted_ms, 0);
	config_release(config);
	store_close(store);
	place_remove(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_clock_of_the_day),
	    cmocka_unit_test(test_first_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
