/* SPDX-License-Identifier: Apache-2.0 */
/* cli/store_options.h - what the commands that look into the store share. */
#ifndef CLI_STORE_OPTIONS_H
#define CLI_STORE_OPTIONS_H

#include "cli/command.h"
#include "conf/config.h"
#include "store/store.h"

/* -c FILE and --store URL; ends with a zeroed row. */
extern const struct option_spec options_store[];

/* The store that --store names, or the configuration's (-c, or the default
 * file).  The arena closes it.  ret_config may be NULL; *ret_config is NULL
 * when --store was given without -c, else the arena releases it.
 *
 * Root becomes the configuration's user first, so that nothing is left behind
 * that the service cannot use.  Without a configuration it stays root: SQLite
 * gives its files to the owner of the database. */
bool store_options_open(struct arena *arena, const struct command_line *line,
    struct store **ret, struct config **ret_config, struct err *err);

/* --sender, --recipient, --since and --limit: what they ask for, and one row
 * more, see store_options_cut; all else of *ret is empty.  False: E_USAGE. */
enum { STORE_OPTIONS_ROWS = 100 }; /* without --limit */
extern const struct option_spec options_query[];
bool store_options_query(
    const struct command_line *line, struct store_query *ret, struct err *err);

/* What store_options_since takes, for the help. */
#define STORE_OPTIONS_TIME                                                     \
	"30d or 12h (before now), a date (its midnight in UTC), or "           \
	"2027-01-31T10:00:00+01:00"

/* So many of the count rows that were found with this query are to be shown;
 * says on standard error that there are more. */
size_t store_options_cut(const struct store_query *query, size_t count);

/* "30d", "12h", "45m", "3600s" before now, or what clock_parse_rfc3339 takes, a
 * date alone being its midnight in UTC: milliseconds since 1970.
 * 0 when the option was not given.  False: E_USAGE. */
bool store_options_since(const struct command_line *line, const char *option,
    int64_t now, int64_t *ret_ms, struct err *err);

#endif
