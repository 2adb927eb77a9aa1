/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/refusal.h - connections that are refused before their first command, at
 * once (server.c) or behind a PROXY header (session_start.c).  Any thread.
 */
#ifndef SMTP_REFUSAL_H
#define SMTP_REFUSAL_H

#include "base/ip.h"
#include "base/slice.h"

struct session_shared;

/* A limit, and what its 421 says before the setting. */
struct refusal {
	const char *setting;
	const char *enhanced, *text;
};

/* setting: limits.connections, or what rate_connect returned. */
const struct refusal *refusal_find(const char *setting);

/* Counts it, and writes its line. */
void refusal_note(struct session_shared *shared, const struct refusal *refusal,
    const struct ip *ip, struct slice listener);

/* For a reason that is no limit: only counts. */
void refusal_count(struct session_shared *shared, struct slice reason);

#endif
