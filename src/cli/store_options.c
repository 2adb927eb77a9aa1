/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/store_options.h"

#include <stdint.h>
#include <stdio.h>

#include "cli/identity.h"

const struct option_spec options_store[] = {
    {"config", 'c', OPTION_TEXT, "FILE",
	"configuration (default /etc/gatehouse/gatehouse.yaml)"},
    {"store", 0, OPTION_TEXT, "URL",
	"this store, as sqlite:/path/gatehouse.db[?max_size=20G], not the "
	"configuration's"},
    {0},
};

const struct option_spec options_query[] = {
    {"sender", 0, OPTION_TEXT, "ADDR",
	"envelope sender, or @domain; <> is that of bounces"},
    {"recipient", 0, OPTION_TEXT, "ADDR", "a recipient, or @domain"},
    {"since", 0, OPTION_TEXT, "TIME", "from then on: " STORE_OPTIONS_TIME},
    {"limit", 0, OPTION_TEXT, "N",
	"at most so many, the newest (default 100); standard error tells if "
	"there are more"},
    {0},
};

static void release_config(void *config)
{
	config_release(config);
}

static void close_store(void *store)
{
	store_close(store);
}

static bool load_config(struct arena *arena, const struct command_line *line,
    struct config **ret, struct err *err)
{
	const char *path = COMMAND_CONFIG_DEFAULT;

	if (command_has(line, "config"))
		path = arena_text(arena, command_text(line, "config"));
	else if (command_has(line, "store"))
		return true;
	if (!config_load(arena, path, ret, NULL, err))
		return false;
	arena_defer(arena, release_config, *ret);
	return true;
}

bool store_options_open(struct arena *arena, const struct command_line *line,
    struct store **ret, struct config **ret_config, struct err *err)
{
	struct slice url = command_text(line, "store");
	struct config *config = NULL;
	struct store *store;

	/* What root writes here, and where the mail is delivered, the service
	 * could not use; and who has a mailbox could lead root elsewhere. */
	if (!load_config(arena, line, &config, err) ||
	    (config && !identity_become(arena, config, err)))
		return false;
	if (config && !command_has(line, "store"))
		url = config->store;
	if (!store_open_existing(url, &store, err))
		return false;
	arena_defer(arena, close_store, store);
	if (ret_config)
		*ret_config = config;
	*ret = store;
	return true;
}

static bool duration_seconds(struct slice text, int64_t *ret)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {
	    {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 7 * 86400}};
	enum { NUMBER_MAX = 1000000 };
	uint64_t number;

	if (text.len < 2 || !slice_to_u64(slice_sub(text, 0, text.len - 1),
				NUMBER_MAX, &number))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (text.ptr[text.len - 1] != units[i].unit)
			continue;
		*ret = (int64_t)number * units[i].seconds;
		return true;
	}
	return false;
}

bool store_options_since(const struct command_line *line, const char *option,
    int64_t now, int64_t *ret_ms, struct err *err)
{
	struct slice text = command_text(line, option);
	int64_t seconds;

	if (!command_has(line, option)) {
		*ret_ms = 0;
		return true;
	}
	if (duration_seconds(text, &seconds)) {
		*ret_ms = (now - seconds) * 1000;
		return true;
	}
	if (clock_parse_rfc3339(text, &seconds, NULL)) {
		*ret_ms = seconds * 1000;
		return true;
	}
	return err_set(err, E_USAGE,
	    "--%s: \"%.*s\" is neither a time like 30d or 12h nor a date like "
	    "2027-01-31 or 2027-01-31T10:00:00+01:00",
	    option, SLICE_ARGS(slice_sub(text, 0, 40)));
}

/* One row more than is wanted tells whether there are more. */
static bool take_limit(
    const struct command_line *line, uint64_t *ret, struct err *err)
{
	struct slice text = command_text(line, "limit");
	uint64_t limit = STORE_OPTIONS_ROWS;

	if (command_has(line, "limit") &&
	    (!slice_to_u64(text, INT32_MAX, &limit) || limit == 0))
		return err_set(err, E_USAGE,
		    "--limit: \"%.*s\" is not a number from 1 to %d",
		    SLICE_ARGS(slice_sub(text, 0, 40)), INT32_MAX);
	*ret = limit + 1;
	return true;
}

/* As they are printed.  An address that has them itself begins with a quote. */
static struct slice without_brackets(struct slice text)
{
	if (text.len >= 2 && text.ptr[0] == '<' &&
	    text.ptr[text.len - 1] == '>')
		return slice_sub(text, 1, text.len - 2);
	return text;
}

/* Empty matches all: what nobody asks for by looking for an address. */
static bool take_address(const struct command_line *line, const char *option,
    struct slice *ret, struct err *err)
{
	struct slice text = without_brackets(command_text(line, option));

	if (command_has(line, option) &&
	    (!text.len || slice_eq(text, SLICE("@"))))
		return err_set(err, E_USAGE,
		    "--%s is empty; write an address, or @ and a domain",
		    option);
	*ret = text;
	return true;
}

bool store_options_query(
    const struct command_line *line, struct store_query *ret, struct err *err)
{
	*ret = (struct store_query){
	    .null_sender = slice_eq(command_text(line, "sender"), SLICE("<>"))};
	return (ret->null_sender ||
		   take_address(line, "sender", &ret->sender, err)) &&
	       take_address(line, "recipient", &ret->recipient, err) &&
	       store_options_since(
		   line, "since", clock_now(NULL), &ret->from_ms, err) &&
	       take_limit(line, &ret->limit, err);
}

size_t store_options_cut(const struct store_query *query, size_t count)
{
	unsigned long long limit = query->limit - 1;

	if (count <= limit)
		return count;
	fprintf(stderr,
	    "gatehouse: more than %llu message%s match; these are the newest: "
	    "a larger --limit shows more, --since, --sender or --recipient "
	    "fewer\n",
	    limit, limit == 1 ? "" : "s");
	return (size_t)limit;
}
