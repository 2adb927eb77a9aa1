/* SPDX-License-Identifier: Apache-2.0 */
/* gatehouse status - is it well, and what does it do? */
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/commands.h"
#include "cli/dns_probe.h"
#include "cli/http_get.h"
#include "cli/samples.h"
#include "cli/show.h"
#include "cli/status.h"

/* The answer of /readyz comes late when the store is locked. */
enum { WAIT_MS = 20000 };
enum { ADMIN_PORT = 8025, SECONDS_MAX = 60 };

static const struct option_spec options_status[] = {
    {"seconds", 0, OPTION_TEXT, "N",
	"look so long for the rates (default 1; 0: tell none)"},
    {0},
};

void status_add_line(struct status_lines *lines, struct slice text)
{
	if (lines->count < STATUS_LINES_MAX)
		lines->items[lines->count++] = text;
}

bool status_number(
    const struct status *status, const char *series, uint64_t *ret)
{
	return samples_find(status->metrics, slice_from(series), ret);
}

/* Two pages, so that there is something to compare. */
static bool ask_metrics(struct status *status, const struct ip *ip,
    uint16_t port, struct http_answer *ret, struct err *err)
{
	if (status->seconds) {
		if (!http_get(status->arena, ip, port, "/metrics",
			deadline_in(WAIT_MS), ret, err))
			return false;
		status->earlier = ret->body;
		sleep((unsigned int)status->seconds);
	}
	return http_get(status->arena, ip, port, "/metrics",
	    deadline_in(WAIT_MS), ret, err);
}

static void look_at_dns(struct status *status)
{
	struct err err = {0};

	status->dns_ms = -1;
	if (!dns_probe(status->config, &status->dns_ms, &err))
		status_add_line(&status->problems,
		    arena_format_slice(status->arena, "dns: %s", err.text));
}

/* A trace is not forgotten.  That of the file has no end. */
static void look_at_log(struct status *status)
{
	const struct conf_text_list *topics = &status->config->log.trace;
	const char *names = "";

	for (size_t i = 0; i < topics->count; i++)
		names = arena_format(status->arena, "%s%s%.*s", names,
		    i ? ", " : "", SLICE_ARGS(topics->items[i]));
	if (topics->count)
		status_add_line(&status->warnings,
		    arena_format_slice(status->arena,
			"log.trace is on: %s, of every client", names));
}

static void look_at_traces(struct status *status)
{
	if (!trace_rules_read(status->config, &status->traces, NULL))
		return;
	for (size_t i = 0; i < status->traces.count; i++)
		status_add_line(&status->warnings,
		    arena_format_slice(status->arena,
			"clients %.*s are traced until %.*s",
			SLICE_ARGS(trace_network_text(
			    status->arena, &status->traces.items[i].network)),
			SLICE_ARGS(clock_format_rfc3339(status->arena,
			    status->traces.items[i].until_ms / 1000))));
}

static bool ask(struct status *status, struct err *err)
{
	struct deadline deadline = deadline_in(WAIT_MS);
	struct http_answer ready, metrics;
	struct slice line, rest;
	uint16_t port;
	struct ip ip;

	if (!ip_parse_with_port(
		status->config->admin_address, ADMIN_PORT, &ip, &port, err))
		return false;
	if (!http_get(
		status->arena, &ip, port, "/readyz", deadline, &ready, err) ||
	    !ask_metrics(status, &ip, port, &metrics, err))
		return false;
	if (metrics.status != 200 ||
	    (ready.status != 200 && ready.status != 503))
		return err_set(err, E_SYNTAX, "not Gatehouse's answers");
	status->reached = true;
	status->metrics = metrics.body;
	for (rest = ready.body; ready.status == 503 && rest.len;) {
		slice_split(rest, '\n', &line, &rest);
		if (line.len)
			status_add_line(&status->problems, line);
	}
	/* Unready without words is unready all the same. */
	if (ready.status == 503 && !slice_trim(ready.body).len)
		status_add_line(&status->problems, SLICE("not ready"));
	return true;
}

static const char *state_word(const struct status *status)
{
	if (!status->reached)
		return "unreachable";
	return status->problems.count ? "unhealthy" : "healthy";
}

static int exit_of(const struct status *status)
{
	if (!status->reached)
		return EXIT_TEMPORARY;
	return status->problems.count ? EXIT_FOUND : EXIT_DONE;
}

static void look_at_next_hops(struct status *status)
{
	uint64_t away;

	if (status_number(
		status, metric_specs[METRIC_NEXT_HOPS_AWAY].name, &away) &&
	    away > 0)
		status_add_line(&status->warnings,
		    arena_format_slice(status->arena,
			"next hops whose addresses cannot be reached: "
			"%llu; next-hop.away in the log names them",
			(unsigned long long)away));
}

/* What is nearly full takes small messages still. */
static const struct {
	const char *name, *series, *words;
} disks[] = {
    {"store", "gatehouse_room_bytes{disk=\"store\"}",
	"a larger message cannot be quarantined"},
    {"spool", "gatehouse_room_bytes{disk=\"spool\"}",
	"a larger message is deferred"},
};
enum { DISKS = sizeof(disks) / sizeof(disks[0]) };

static void look_at_room(struct status *status)
{
	uint64_t most = status->config->limits.message_size, room;

	for (size_t i = 0; i < DISKS; i++)
		if (status_number(status, disks[i].series, &room) &&
		    room < most)
			status_add_line(&status->warnings,
			    arena_format_slice(status->arena,
				"%s: %llu MiB are left: %s", disks[i].name,
				(unsigned long long)room >> 20,
				disks[i].words));
}

static void look_at_reload(struct status *status)
{
	uint64_t ok;

	if (status_number(
		status, metric_specs[METRIC_CONFIG_LAST_RELOAD].name, &ok) &&
	    !ok)
		status_add_line(&status->warnings,
		    SLICE("the last reload was not taken, or not by all: what "
			  "runs is not what the file says; supervisor.reload "
			  "and child.reload in the log say why"));
}

static void look_at_clock(struct status *status)
{
	uint64_t left;

	if (status_number(status,
		metric_specs[METRIC_STORE_EXPIRY_PUT_OFF].name, &left) &&
	    left > 0)
		status_add_line(&status->warnings,
		    arena_format_slice(status->arena,
			"the clock of the day was set ahead, or the service "
			"was off: nothing old is removed from the store for "
			"%llu hours more; store.clock in the log says by how "
			"much",
			(unsigned long long)(left + 3599) / 3600));
}

/* JSON. */

/* What happened between the two pages. */
static const struct {
	enum metric metric;
	const char *key, *words;
} rates[] = {
    {METRIC_CONNECTIONS_ACCEPTED, "connections_per_second", "connections"},
    {METRIC_MESSAGES, "messages_per_second", "messages"},
    {METRIC_DNS_QUERIES, "dns_queries_per_second", "DNS queries"},
};
enum { RATES = sizeof(rates) / sizeof(rates[0]) };

static double rate_of(const struct status *status, size_t i)
{
	uint64_t before = samples_sum(status->earlier, rates[i].metric);
	uint64_t after = samples_sum(status->metrics, rates[i].metric);

	/* Started anew in between. */
	if (after < before)
		before = 0;
	return (double)(after - before) / (double)status->seconds;
}

static json_t *json_number(const struct status *status, const char *series)
{
	uint64_t value;

	if (!status_number(status, series, &value))
		return json_null();
	return json_integer((json_int_t)value);
}

static json_t *json_by_label(const struct status *status, enum metric metric)
{
	const struct metric_spec *spec = &metric_specs[metric];
	json_t *counts = json_object();

	for (size_t i = 0; i < metric_value_count(spec); i++)
		json_object_set_new(counts, spec->values[i],
		    json_integer(
			(json_int_t)samples_value(status->metrics, metric, i)));
	return counts;
}

static json_t *json_certificates(const struct status *status)
{
	json_t *all = json_array();

	for (size_t i = 0; i < status->certificate_count; i++) {
		const struct status_certificate *one = &status->certificates[i];

		json_array_append_new(all,
		    json_pack("{s:o, s:o, s:o}", "listener",
			show_json_text(status->arena, one->listener), "file",
			show_json_text(status->arena, one->path), "expires",
			one->expires
			    ? show_json_time(status->arena, one->expires * 1000)
			    : json_null()));
	}
	return all;
}

static json_t *json_connectors(const struct status *status)
{
	json_t *all = json_array();

	for (size_t i = 0; i < status->config->connector_count; i++) {
		const struct conf_connector *one =
		    &status->config->connectors[i];

		if (one->expires == 0)
			continue;
		json_array_append_new(all,
		    json_pack("{s:o, s:o, s:s}", "name",
			show_json_text(status->arena, one->name), "expires",
			show_json_time(status->arena, one->expires * 1000),
			"state",
			status_connector_word(one->expires, status->now)));
	}
	return all;
}

static json_t *json_rates(const struct status *status)
{
	json_t *all = json_object();

	for (size_t i = 0; i < RATES; i++)
		json_object_set_new(
		    all, rates[i].key, json_real(rate_of(status, i)));
	return all;
}

static json_t *json_dns(const struct status *status)
{
	return json_pack("{s:b, s:I, s:I}", "answers", status->dns_ms >= 0,
	    "ms", (json_int_t)status->dns_ms, "queries",
	    (json_int_t)samples_sum(status->metrics, METRIC_DNS_QUERIES));
}

static json_t *json_room(const struct status *status)
{
	json_t *all = json_object();

	for (size_t i = 0; i < DISKS; i++)
		json_object_set_new(
		    all, disks[i].name, json_number(status, disks[i].series));
	return all;
}

static void add_json_numbers(const struct status *status, json_t *json)
{
	uint64_t started;

	json_object_set_new(json, "started",
	    status_number(status, "gatehouse_start_time_seconds", &started)
		? show_json_time(status->arena, (int64_t)started * 1000)
		: json_null());
	json_object_set_new(json, "connections",
	    json_number(status, metric_specs[METRIC_CONNECTIONS].name));
	json_object_set_new(json, "milter_connections",
	    json_number(status, metric_specs[METRIC_MILTER_CONNECTIONS].name));
	json_object_set_new(
	    json, "messages", json_by_label(status, METRIC_MESSAGES));
	json_object_set_new(json, "next_hop_replies",
	    json_by_label(status, METRIC_NEXT_HOP_REPLIES));
	json_object_set_new(json, "next_hop_failures",
	    json_by_label(status, METRIC_NEXT_HOP_FAILURES));
	json_object_set_new(json, "next_hops_away",
	    json_number(status, metric_specs[METRIC_NEXT_HOPS_AWAY].name));
	json_object_set_new(
	    json, "dns_failures", json_by_label(status, METRIC_DNS_FAILURES));
	json_object_set_new(json, "child_restarts",
	    json_by_label(status, METRIC_CHILD_RESTARTS));
	json_object_set_new(json, "version", json_string(GATEHOUSE_VERSION));
	if (status->seconds)
		json_object_set_new(json, "rates", json_rates(status));
	json_object_set_new(json, "dns", json_dns(status));
	json_object_set_new(json, "store_waiting",
	    json_number(status, metric_specs[METRIC_STORE_WAITING].name));
	json_object_set_new(json, "store_size_bytes",
	    json_number(status, "gatehouse_store_size_bytes"));
	json_object_set_new(json, "room_bytes", json_room(status));
}

static int print_json(const struct status *status)
{
	struct arena *arena = status->arena;
	json_t *json = json_pack("{s:s, s:o, s:o, s:o, s:o}", "state",
	    state_word(status), "problems",
	    show_json_texts(
		arena, status->problems.count, status->problems.items),
	    "warnings",
	    show_json_texts(
		arena, status->warnings.count, status->warnings.items),
	    "certificates", json_certificates(status), "connectors",
	    json_connectors(status));

	if (json && status->reached)
		add_json_numbers(status, json);
	return show_print_json(json);
}

/* For people. */

static void add_lines(
    const char *title, const struct status_lines *lines, struct buf *out)
{
	for (size_t i = 0; i < lines->count; i++) {
		buf_add_format(out, "  %-14s", title);
		show_text(out, lines->items[i]);
		buf_add_byte(out, '\n');
	}
}

/* "messages      accept 5, reject 2": what is zero is left out. */
static void add_counts(const struct status *status, const char *title,
    enum metric metric, struct buf *out)
{
	const struct metric_spec *spec = &metric_specs[metric];
	const char *separator = "";

	buf_add_format(out, "  %-14s", title);
	for (size_t i = 0; i < metric_value_count(spec); i++) {
		uint64_t count = samples_value(status->metrics, metric, i);

		if (count == 0)
			continue;
		buf_add_format(out, "%s%s %llu", separator, spec->values[i],
		    (unsigned long long)count);
		separator = ", ";
	}
	buf_add_text(out, *separator ? "\n" : "none\n");
}

static void add_rates(const struct status *status, struct buf *out)
{
	buf_add_format(out, "  %-14s", "rates");
	for (size_t i = 0; i < RATES; i++)
		buf_add_format(out, "%s%.1f %s/s", i ? ", " : "",
		    rate_of(status, i), rates[i].words);
	buf_add_byte(out, '\n');
}

static void add_dns(const struct status *status, struct buf *out)
{
	buf_add_format(out, "  %-14s", "DNS");
	if (status->dns_ms < 0)
		buf_add_text(out, "does not answer");
	else
		buf_add_format(
		    out, "answers (%lld ms)", (long long)status->dns_ms);
	buf_add_format(out, "; %llu queries of messages\n",
	    (unsigned long long)samples_sum(
		status->metrics, METRIC_DNS_QUERIES));
}

/* The processes that have ever shown life. */
static void add_processes(const struct status *status, struct buf *out)
{
	static const char *const names[] = {"smtp", "milter", "admin"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		uint64_t age;

		if (status_number(status,
			arena_format(status->arena,
			    "gatehouse_heartbeat_age_seconds{process=\"%s\"}",
			    names[i]),
			&age))
			buf_add_format(out, "  %-14ssign of life %llu s ago\n",
			    names[i], (unsigned long long)age);
	}
}

static void add_numbers(const struct status *status, struct buf *out)
{
	struct slice text = status->metrics;
	uint64_t value;

	if (status_number(status, "gatehouse_start_time_seconds", &value)) {
		buf_add_format(out, "  %-14s", "since");
		show_time(out, (int64_t)value * 1000);
		buf_add_byte(out, '\n');
	}
	add_processes(status, out);
	add_counts(status, "restarts", METRIC_CHILD_RESTARTS, out);
	buf_add_format(out, "  %-14s%llu now, %llu of mail servers\n",
	    "connections",
	    (unsigned long long)samples_sum(text, METRIC_CONNECTIONS),
	    (unsigned long long)samples_sum(text, METRIC_MILTER_CONNECTIONS));
	if (status->seconds)
		add_rates(status, out);
	add_counts(status, "messages", METRIC_MESSAGES, out);
	add_counts(status, "next hops", METRIC_NEXT_HOP_REPLIES, out);
	add_counts(status, "unreachable", METRIC_NEXT_HOP_FAILURES, out);
	add_dns(status, out);
	add_counts(status, "DNS failures", METRIC_DNS_FAILURES, out);
	if (status_number(status, "gatehouse_store_size_bytes", &value))
		buf_add_format(out, "  %-14s%llu bytes, %llu changes wait\n",
		    "store", (unsigned long long)value,
		    (unsigned long long)samples_sum(
			text, METRIC_STORE_WAITING));
	for (size_t i = 0; i < DISKS; i++)
		if (status_number(status, disks[i].series, &value))
			buf_add_format(out, "  %-14s%llu MiB, of the %s\n",
			    "room", (unsigned long long)value >> 20,
			    disks[i].name);
}

static int print_text(const struct status *status)
{
	struct buf *out = buf_in_arena(status->arena, SHOW_MAX);

	buf_add_format(out, "%s\n", state_word(status));
	add_lines("problem", &status->problems, out);
	add_lines("warning", &status->warnings, out);
	if (status->reached)
		add_numbers(status, out);
	for (size_t i = 0; i < status->certificate_count; i++) {
		const struct status_certificate *one = &status->certificates[i];

		if (one->expires == 0)
			continue;
		buf_add_format(out, "  %-14s", "certificate");
		show_text(out, one->listener);
		buf_add_text(out, ", until ");
		show_time(out, one->expires * 1000);
		buf_add_byte(out, '\n');
	}
	return show_print(out);
}

static void release_config(void *config)
{
	config_release(config);
}

static int run(struct arena *arena, const struct command_line *line)
{
	struct status *status = ARENA_NEW(arena, struct status);
	const char *path = COMMAND_CONFIG_DEFAULT;
	struct config *config;
	struct err err = {0};
	int code;

	status->seconds = 1;
	if (command_has(line, "seconds") &&
	    !slice_to_u64(
		command_text(line, "seconds"), SECONDS_MAX, &status->seconds)) {
		err_set(&err, E_USAGE, "--seconds is a number up to %d",
		    SECONDS_MAX);
		return command_fail(&err);
	}
	if (command_has(line, "config"))
		path = arena_text(arena, command_text(line, "config"));
	if (!config_load(arena, path, &config, NULL, &err))
		return command_fail(&err);
	arena_defer(arena, release_config, config);
	if (slice_empty(config->admin_address)) {
		err_set(&err, E_CONFIG,
		    "%s: admin.address is not set, so nothing can be asked; "
		    "write admin: {address: \"127.0.0.1:8025\"} and reload",
		    path);
		return command_fail(&err);
	}
	status->arena = arena;
	status->config = config;
	status->now = clock_now(NULL);
	if (!ask(status, &err))
		status_add_line(&status->problems,
		    arena_format_slice(arena, "no answer from %.*s: %s",
			SLICE_ARGS(config->admin_address), err.text));
	look_at_next_hops(status);
	look_at_room(status);
	look_at_reload(status);
	look_at_clock(status);
	status_look_at_certificates(status);
	status_compare_certificates(status);
	status_look_at_connectors(status);
	look_at_dns(status);
	look_at_log(status);
	look_at_traces(status);
	code = command_has(line, "json") ? print_json(status)
					 : print_text(status);
	return code == EXIT_DONE ? exit_of(status) : code;
}

const struct command command_status = {
    .name = "status",
    .arguments = "",
    .summary = "tell whether the running service is well",
    .description =
	"Asks the running service through its admin address, and tells what "
	"runs and since when, connections and their rate, messages by "
	"verdict, what next hops said and how often they could not be "
	"reached, DNS queries that failed, the size of the store, how many "
	"changes wait for it and what its disk and that of the spool still "
	"take; from the configuration's files, when "
	"certificates and connectors expire. It also asks DNS for the MX of "
	"the first accepted domain, as the configuration says.\n"
	"\n"
	"The exit code is 0 when it is healthy; 1 when it is not ready, DNS "
	"does not answer, or a listener's certificate has expired or cannot "
	"be used (each problem is told); 75 when nothing answers; 78 "
	"while the file is wrong, which says nothing about what runs. A "
	"certificate or connector that "
	"expires within 14 days, a connector that has expired, and a "
	"configured next hop that failed when it was last tried, is a "
	"warning; so is a disk on which the largest message has no room any "
	"more (one that is full is a problem), a reload that was not taken, "
	"a clock that was set ahead, on "
	"account of which "
	"nothing old is removed from the store for a day, and a key that is "
	"not the certificate's: the next start would fail. Numbers count since "
	"the start of the service.",
    .options = {options_status, options_config, options_json},
    .examples = "gatehouse status\n"
		"# rates of the next ten seconds\n"
		"gatehouse status --seconds 10\n"
		"# for a script\n"
		"gatehouse status -c gatehouse.yaml --json",
    .run = run,
};
