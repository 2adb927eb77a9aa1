/* SPDX-License-Identifier: Apache-2.0 */
/* cli/trace_rules.h - which clients are traced now: a file between
 * `gatehouse trace` and the children.
 *
 * STATE_DIRECTORY/trace has a line for each rule,
 *
 *	UNTIL NETWORK TOPIC[,TOPIC...]
 *
 * UNTIL in milliseconds since 1970.  It is replaced as a whole, and read by
 * the children with every tick (CHILD_ALIVE_MS); a child that is started anew
 * goes on tracing.  Who may write to the state directory may trace.
 */
#ifndef CLI_TRACE_RULES_H
#define CLI_TRACE_RULES_H

#include "base/arena.h"
#include "base/log_client.h"
#include "conf/config.h"

struct trace_rules {
	size_t count;
	struct log_client_rule items[LOG_CLIENT_RULES_MAX];
};

/* Rules that have not ended.  No file: none.  False: E_SYNTAX, E_LIMIT (too
 * many), E_IO. */
bool trace_rules_read(
    const struct config *config, struct trace_rules *ret, struct err *err);

/* The file is replaced; without rules it is removed.  False: E_IO. */
bool trace_rules_write(const struct config *config,
    const struct trace_rules *rules, struct err *err);

/* For a child, with every tick: takes rules into use and logs what began and
 * what ended.  A file that cannot be read changes nothing; it is told once. */
struct trace_follower {
	const char *child; /* its name, for the log */
	struct trace_rules active;
	bool failed;
};
void trace_rules_follow(
    struct trace_follower *follower, const struct config *config);

/* "smtp,auth"; for one topic less than all. */
struct slice trace_topics_text(struct arena *arena, unsigned int topics);

/* "192.0.2.0/24". */
struct slice trace_network_text(
    struct arena *arena, const struct ip_network *network);

#endif
