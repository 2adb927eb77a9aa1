/* SPDX-License-Identifier: Apache-2.0 */
/* gatehouse status - is it well, and what does it do? */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/commands.h"
#include "cli/dns_probe.h"
#include "cli/http_get.h"
#include "cli/samples.h"
#include "cli/store_options.h"
#include "cli/trace_rules.h"
#include "smtp/tls_certificate.h"
#include "smtp/tls_server.h"

/* The answer of /readyz comes late when the store is locked. */
enum { WARN_DAYS = 14, DAY = 86400, WAIT_MS = 20000, LINES_MAX = 200 };
enum { ADMIN_PORT = 8025, SECONDS_MAX = 60 };

static const struct option_spec options_status[] = {
    {"seconds", 0, OPTION_TEXT, "N",
	"look so long for the rates (default 1; 0: tell none)"},
    {0},
};

struct lines {
	size_t count;
	struct slice items[LINES_MAX];
};

struct certificate {
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
	struct lines problems; /* each makes it unhealthy */
	struct lines warnings; /* to look after */
	size_t certificate_count;
	struct certificate *certificates;
};

static void add_line(struct lines *lines, struct slice text)
{
	if (lines->count < LINES_MAX)
		lines->items[lines->count++] = text;
}

static void look_at_certificate(struct status *status, struct certificate *one)
{
	struct arena *arena = status->arena;
	struct err err = {0};
	struct lines *lines = &status->problems;
	const char *word = "has expired";

	if (!tls_certificate_expires(arena, one->path, &one->expires, &err)) {
		/* Another user may be allowed to read it. */
		add_line(err.kind == E_IO ? &status->warnings : lines,
		    arena_format_slice(arena,
			"certificate of listener %.*s: %s",
			SLICE_ARGS(one->listener), err.text));
		return;
	}
	if (one->expires > status->now + WARN_DAYS * DAY)
		return;
	if (one->expires > status->now) {
		lines = &status->warnings;
		word = "expires soon";
	}
	add_line(lines,
	    arena_format_slice(arena, "certificate of listener %.*s %s: %.*s",
		SLICE_ARGS(one->listener), word,
		SLICE_ARGS(clock_format_rfc3339(arena, one->expires))));
}

/* What runs goes on with what it has loaded.  A key that only the service may
 * read is not looked at. */
static void look_at_key(
    struct status *status, const struct conf_listener *listener)
{
	const struct conf_tls tls = {
	    .certificate = listener->tls.certificate,
	    .key = listener->tls.key,
	};
	struct ssl_ctx_st *context;
	struct err err = {0};

	if (access(arena_text(status->arena, tls.key), R_OK) < 0 &&
	    errno != ENOENT)
		return;
	if (tls_server_load(&tls, &context, &err)) {
		tls_server_free(context);
		return;
	}
	add_line(&status->warnings,
	    arena_format_slice(status->arena,
		"listener %.*s: %s: the next start will fail",
		SLICE_ARGS(listener->name), err.text));
}

static void look_at_certificates(struct status *status)
{
	const struct config *config = status->config;

	status->certificates = ARENA_ARRAY(
	    status->arena, config->listener_count, struct certificate);
	for (size_t i = 0; i < config->listener_count; i++) {
		const struct conf_listener *listener = &config->listeners[i];
		struct certificate *one =
		    &status->certificates[status->certificate_count];

		if (slice_empty(listener->tls.certificate))
			continue;
		one->listener = listener->name;
		one->path = listener->tls.certificate;
		status->certificate_count++;
		look_at_certificate(status, one);
		if (one->expires)
			look_at_key(status, listener);
	}
}

static const char *connector_word(int64_t expires, int64_t now)
{
	if (expires < now)
		return "expired";
	return expires < now + WARN_DAYS * DAY ? "expires soon" : "valid";
}

static void look_at_connectors(struct status *status)
{
	for (size_t i = 0; i < status->config->connector_count; i++) {
		const struct conf_connector *one =
		    &status->config->connectors[i];

		if (one->expires == 0 ||
		    one->expires >= status->now + WARN_DAYS * DAY)
			continue;
		add_line(&status->warnings,
		    arena_format_slice(status->arena,
			"connector %.*s: %s, %.*s", SLICE_ARGS(one->name),
			connector_word(one->expires, status->now),
			SLICE_ARGS(clock_format_rfc3339(
			    status->arena, one->expires))));
	}
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
		add_line(&status->problems,
		    arena_format_slice(status->arena, "dns: %s", err.text));
}

/* A trace is not forgotten. */
static void look_at_traces(struct status *status)
{
	if (!trace_rules_read(status->config, &status->traces, NULL))
		return;
	for (size_t i = 0; i < status->traces.count; i++)
		add_line(&status->warnings,
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
			add_line(&status->problems, line);
	}
	/* Unready without words is unready all the same. */
	if (ready.status == 503 && !slice_trim(ready.body).len)
		add_line(&status->problems, SLICE("not ready"));
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

static bool number(
    const struct status *status, const char *series, uint64_t *ret)
{
	return samples_find(status->metrics, slice_from(series), ret);
}

/* What is shown to clients and what stands in the files: not the same, if a
 * renewed file could not be used. */
static void compare_certificates(struct status *status)
{
	uint64_t in_use;
	int64_t earliest = 0;

	for (size_t i = 0; i < status->certificate_count; i++) {
		int64_t at = status->certificates[i].expires;

		if (at == 0)
			return;
		if (!earliest || at < earliest)
			earliest = at;
	}
	if (!number(status, metric_specs[METRIC_CERTIFICATE_NOT_AFTER].name,
		&in_use) ||
	    in_use == 0 || earliest == 0 || (int64_t)in_use == earliest)
		return;
	if ((int64_t)in_use <= status->now)
		add_line(&status->problems,
		    SLICE(
			"a certificate in use has expired; its file is newer"));
	add_line(&status->warnings,
	    SLICE("the certificates in use are not those of the files: "
		  "smtp.certificates in the log says why"));
}

static void look_at_next_hops(struct status *status)
{
	uint64_t away;

	if (number(status, metric_specs[METRIC_NEXT_HOPS_AWAY].name, &away) &&
	    away > 0)
		add_line(&status->warnings,
		    arena_format_slice(status->arena,
			"next hops whose addresses cannot be reached: "
			"%llu; next-hop.away in the log names them",
			(unsigned long long)away));
}

static void look_at_clock(struct status *status)
{
	uint64_t left;

	if (number(status, metric_specs[METRIC_STORE_EXPIRY_PUT_OFF].name,
		&left) &&
	    left > 0)
		add_line(&status->warnings,
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

	if (!number(status, series, &value))
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
		const struct certificate *one = &status->certificates[i];

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
			"state", connector_word(one->expires, status->now)));
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

static void add_json_numbers(const struct status *status, json_t *json)
{
	uint64_t started;

	json_object_set_new(json, "started",
	    number(status, "gatehouse_start_time_seconds", &started)
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
    const char *title, const struct lines *lines, struct buf *out)
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

		if (number(status,
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

	if (number(status, "gatehouse_start_time_seconds", &value)) {
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
	if (number(status, "gatehouse_store_size_bytes", &value))
		buf_add_format(out, "  %-14s%llu bytes, %llu changes wait\n",
		    "store", (unsigned long long)value,
		    (unsigned long long)samples_sum(
			text, METRIC_STORE_WAITING));
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
		const struct certificate *one = &status->certificates[i];

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

	if (command_has(line, "config"))
		path = arena_text(arena, command_text(line, "config"));
	if (!config_load(arena, path, &config, NULL, &err))
		return command_fail(&err);
	arena_defer(arena, release_config, config);
	if (slice_empty(config->admin_address)) {
		err_set(&err, E_CONFIG,
		    "%s: admin.address is not set, so nothing can be asked",
		    path);
		return command_fail(&err);
	}
	status->arena = arena;
	status->config = config;
	status->now = clock_now(NULL);
	status->seconds = 1;
	if (command_has(line, "seconds") &&
	    !slice_to_u64(
		command_text(line, "seconds"), SECONDS_MAX, &status->seconds)) {
		err_set(&err, E_USAGE, "--seconds is a number up to %d",
		    SECONDS_MAX);
		return command_fail(&err);
	}
	if (!ask(status, &err))
		add_line(&status->problems,
		    arena_format_slice(arena, "no answer from %.*s: %s",
			SLICE_ARGS(config->admin_address), err.text));
	look_at_next_hops(status);
	look_at_clock(status);
	look_at_certificates(status);
	compare_certificates(status);
	look_at_connectors(status);
	look_at_dns(status);
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
	"reached, DNS queries that failed, the size of the store and how many "
	"changes wait for it; from the configuration's files, when "
	"certificates and connectors expire. It also asks DNS for the MX of "
	"the first accepted domain, as the configuration says.\n"
	"\n"
	"The exit code is 0 when it is healthy; 1 when it is not ready, DNS "
	"does not answer, or a listener's certificate has expired or cannot "
	"be used (each problem is told); 75 when nothing answers. A "
	"certificate or connector that "
	"expires within 14 days, a connector that has expired, and a "
	"configured next hop that failed when it was last tried, is a "
	"warning; so is a clock that was set ahead, on account of which "
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
