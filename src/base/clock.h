/* SPDX-License-Identifier: Apache-2.0 */
/* base/clock.h - wall time that can be fixed, and deadlines that cannot jump.
 *
 * Wall time (expiry of signatures, dates in headers) comes from a struct clock
 * so that --now and tests can fix it.  Deadlines use the monotonic clock.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

struct clock {
	bool fixed;
	int64_t fixed_at; /* seconds since 1970 UTC, when fixed */
};

/* Seconds since 1970 UTC.  clock may be NULL: the system's clock. */
int64_t clock_now(const struct clock *clock);

/* Milliseconds since 1970 UTC, for records of events. */
int64_t clock_now_ms(const struct clock *clock);

/* Milliseconds of the monotonic clock. */
int64_t clock_monotonic_ms(void);

/* Milliseconds since the machine was started, its sleep included. */
int64_t clock_boot_ms(void);

/* A moment of the monotonic clock; absolute, so that a peer that drips bytes
 * cannot extend it. */
struct deadline {
	int64_t at_ms;
};

static const struct deadline DEADLINE_NEVER = {INT64_MAX};

/* In so many milliseconds from now. */
struct deadline deadline_in(int64_t ms);

/* The earlier one. */
struct deadline deadline_min(struct deadline a, struct deadline b);

bool deadline_passed(struct deadline deadline);

/* Milliseconds left, 0 if passed, for poll(2); -1 for DEADLINE_NEVER. */
int deadline_poll_ms(struct deadline deadline);

/* "2027-01-31T10:00:00Z" (also with an offset, or a date alone, which is
 * midnight UTC): RFC 3339.  False: E_SYNTAX. */
bool clock_parse_rfc3339(struct slice text, int64_t *ret, struct err *err);

/* "2027-01-31T10:00:00Z". */
struct slice clock_format_rfc3339(struct arena *arena, int64_t seconds);

/* "Sun, 31 Jan 2027 10:00:00 +0000": RFC 5322 date-time, in UTC. */
struct slice clock_format_rfc5322(struct arena *arena, int64_t seconds);

#endif
