/* SPDX-License-Identifier: Apache-2.0 */
/* gatehouse report own-domain - who sends as us. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/show.h"
#include "cli/store_options.h"

static const struct option_spec options_report[] = {
    {"since", 0, OPTION_TEXT, "TIME",
	"from then on: " STORE_OPTIONS_TIME " (default 30d)"},
    {0},
};

enum { DEFAULT_DAYS = 30, WARN_DAYS = 14, DAY = 86400 };

struct report {
	struct arena *arena;
	const struct config *config; /* or NULL */
	int64_t now;
	size_t count;
	const struct store_own_domain_row *rows;
};

/* NULL: nothing to say about its expiry. */
static const char *expiry_word(
    const struct conf_connector *connector, int64_t now)
{
	if (connector->may_send_as.count == 0 || connector->expires == 0)
		return NULL;
	if (connector->expires < now)
		return "expired";
	return connector->expires < now + WARN_DAYS * DAY ? "expires soon"
							  : NULL;
}

static json_t *row_json(
    struct arena *arena, const struct store_own_domain_row *row)
{
	return json_pack("{s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o}",
	    "domain", show_json_text(arena, row->domain), "client_ip",
	    show_json_text(arena, row->client_ip), "client_name",
	    show_json_text(arena, row->client_name), "count",
	    (json_int_t)row->count, "spf",
	    show_json_text(arena, row->spf_result), "dkim",
	    show_json_text(arena, row->dkim_result), "result",
	    show_json_text(arena, row->result), "first",
	    show_json_time(arena, row->first_ms), "last",
	    show_json_time(arena, row->last_ms));
}

static json_t *connector_json(
    const struct report *report, const struct conf_connector *connector)
{
	struct arena *arena = report->arena;
	const char *word = expiry_word(connector, report->now);

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:s}", "name",
	    show_json_text(arena, connector->name), "may_send_as",
	    show_json_texts(arena, connector->may_send_as.count,
		connector->may_send_as.items),
	    "owner", show_json_text(arena, connector->owner), "reason",
	    show_json_text(arena, connector->reason), "expires",
	    connector->expires
		? show_json_time(arena, connector->expires * 1000)
		: json_null(),
	    "state", word ? word : "valid");
}

static int print_json(const struct report *report)
{
	json_t *senders = json_array(), *exceptions = json_array();

	for (size_t i = 0; i < report->count; i++)
		json_array_append_new(
		    senders, row_json(report->arena, &report->rows[i]));
	for (size_t i = 0;
	     report->config && i < report->config->connector_count; i++)
		if (report->config->connectors[i].may_send_as.count)
			json_array_append_new(
			    exceptions, connector_json(report,
					    &report->config->connectors[i]));
	return show_print_json(json_pack(
	    "{s:o, s:o}", "senders", senders, "exceptions", exceptions));
}

/* Widths: a long name pushes its line, not the table. */
static void add_cell(struct buf *out, struct slice text, size_t width)
{
	size_t before = out->len;

	show_text(out, slice_empty(text) ? SLICE("-") : text);
	do
		buf_add_byte(out, ' ');
	while (out->len - before < width && !buf_overflowed(out));
}

static void add_row(struct arena *arena, const struct store_own_domain_row *row,
    struct buf *out)
{
	add_cell(out,
	    arena_format_slice(arena, "%llu", (unsigned long long)row->count),
	    8);
	add_cell(out, row->domain, 24);
	add_cell(out, row->result, 8);
	add_cell(out, row->spf_result, 10);
	add_cell(out, row->dkim_result, 10);
	show_time(out, row->first_ms);
	buf_add_text(out, "  ");
	show_time(out, row->last_ms);
	buf_add_text(out, "  ");
	add_cell(out, row->client_ip, 16);
	show_text(out, row->client_name);
	buf_add_byte(out, '\n');
}

static void add_exceptions(const struct report *report, struct buf *out)
{
	bool any = false;

	for (size_t i = 0;
	     report->config && i < report->config->connector_count; i++) {
		const struct conf_connector *connector =
		    &report->config->connectors[i];
		const char *word = expiry_word(connector, report->now);

		if (!word)
			continue;
		if (!any)
			buf_add_text(out, "\nExceptions to look after\n");
		any = true;
		buf_add_text(out, "  ");
		show_text(out, connector->name);
		buf_add_format(out, ": %s, ", word);
		show_time(out, connector->expires * 1000);
		buf_add_text(out, "; owner ");
		show_text(out, connector->owner);
		buf_add_text(out, "; ");
		show_text(out, connector->reason);
		buf_add_byte(out, '\n');
	}
}

static int print_text(const struct report *report)
{
	struct buf *out = buf_in_arena(report->arena, SHOW_MAX);

	if (report->count == 0) {
		buf_add_text(out,
		    "Nobody outside has used one of our domains in this "
		    "time.\n");
	} else {
		add_cell(out, SLICE("COUNT"), 8);
		add_cell(out, SLICE("DOMAIN"), 24);
		add_cell(out, SLICE("RESULT"), 8);
		add_cell(out, SLICE("SPF"), 10);
		add_cell(out, SLICE("DKIM"), 10);
		add_cell(out, SLICE("FIRST"), 22);
		add_cell(out, SLICE("LAST"), 22);
		buf_add_text(out, "HOST\n");
	}
	for (size_t i = 0; i < report->count; i++)
		add_row(report->arena, &report->rows[i], out);
	add_exceptions(report, out);
	return show_print(out);
}

static int run(struct arena *arena, const struct command_line *line)
{
	struct report report = {.arena = arena, .now = clock_now(NULL)};
	struct store_own_domain_row *rows;
	struct config *config = NULL;
	int64_t from_ms = 0;
	struct store *store;
	struct err err;

	if (!store_options_since(line, "since", report.now, &from_ms, &err))
		return command_fail(&err);
	if (!command_has(line, "since"))
		from_ms = (report.now - DEFAULT_DAYS * DAY) * 1000;
	if (!store_options_open(arena, line, &store, &config, &err) ||
	    !store_report_own_domains(
		store, arena, from_ms, &report.count, &rows, &err))
		return command_fail(&err);
	if (report.count == STORE_REPORT_MAX)
		fprintf(stderr,
		    "gatehouse: these are the %d most frequent, there may be "
		    "more; a later --since shows fewer\n",
		    STORE_REPORT_MAX);
	report.config = config;
	report.rows = rows;
	if (command_has(line, "json"))
		return print_json(&report);
	return print_text(&report);
}

const struct command command_report_own_domain = {
    .name = "report own-domain",
    .arguments = "",
    .summary = "list the hosts that send mail with our domains",
    .description =
	"Lists which hosts outside have used one of our domains in the "
	"envelope or in From:, how often, what SPF and DKIM said, and what "
	"own-domain control made of it; the most frequent first. Before "
	"own_domains is set to enforce, the legitimate ones among those that "
	"fail need DKIM, SPF or a connector with may_send_as.\n"
	"\n"
	"With a configuration (-c, or the default file) also lists the "
	"connectors' exceptions that have expired or expire within 14 days; "
	"with --json all of them.",
    .options = {options_report, options_store, options_json},
    .examples = "# The last 30 days\n"
		"gatehouse report own-domain\n"
		"# Since a date, for a script\n"
		"gatehouse report own-domain --since 2027-01-01 --json",
    .run = run,
};
