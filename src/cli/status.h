/* SPDX-License-Identifier: Apache-2.0 */
/* cli/status.h - what "gatehouse status" has found out. */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

#include "cli/command.h"
#include "cli/trace_rules.h"

enum { STATUS_WARN_DAYS = 14, STATUS_LINES_MAX = 200, DAY = 86400 };

struct status_lines {
	size_t count;
	struct slice items[STATUS_LINES_MAX];
};

struct status_certificate {
	struct slice listener, path;
	int64_t expires; /* 0: unknown */
};

struct status {
	struct arena *arena;
	const struct config *config;
	int64_t now;
	bool reached;
	struct slice metrics; /* the page's text */
	uint64_t seconds;     /* between it and an earlier one; or 0 */
	struct slice earlier;
	int64_t dns_ms; /* that an answer took; -1: there was none */
	struct trace_rules traces;
	struct status_lines problems; /* each makes it unhealthy */
	struct status_lines warnings; /* to look after */
	size_t certificate_count;
	struct status_certificate *certificates;
};

/* More than STATUS_LINES_MAX are left out. */
void status_add_line(struct status_lines *lines, struct slice text);

/* A value of the metrics' page. */
bool status_number(
    const struct status *status, const char *series, uint64_t *ret);

/* Those of the files: when they expire, and whether the key is theirs. */
void status_look_at_certificates(struct status *status);

/* What is shown to clients and what stands in the files: not the same, if a
 * renewed file could not be used. */
void status_compare_certificates(struct status *status);

void status_look_at_connectors(struct status *status);

/* "valid", "expires soon", "expired". */
const char *status_connector_word(int64_t expires, int64_t now);

#endif
