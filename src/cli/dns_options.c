/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/dns_options.h"

#include <unistd.h>

#include "base/limits.h"

enum {
	DNS_PORT = 53,
	TIMEOUT_MAX_MS = 600 * 1000,
	CACHE_BYTES = 16 * 1024 * 1024,
	TTL_MAX = 24 * 60 * 60,
	TTL_NEGATIVE_MAX = 15 * 60,
};

static const char root_key[] = "/usr/share/dns/root.key";

bool dns_options_has_source(const struct command_line *line)
{
	return command_has(line, "dns-server") || command_has(line, "zone");
}

static bool apply_servers(struct arena *arena, const struct command_line *line,
    struct dns_settings *settings, struct err *err)
{
	const struct slice *servers;
	size_t count = command_list(line, "dns-server", &servers);
	struct ip *addresses = ARENA_ARRAY(arena, count, struct ip);
	uint16_t *ports = ARENA_ARRAY(arena, count, uint16_t);

	for (size_t i = 0; i < count; i++) {
		if (!ip_parse_with_port(
			servers[i], DNS_PORT, &addresses[i], &ports[i], err)) {
			err->kind = E_USAGE;
			return err_prefix(err, "--dns-server");
		}
	}
	settings->server_count = count;
	settings->servers = addresses;
	settings->server_ports = ports;
	settings->zone_file = (struct slice){NULL, 0};
	/* Nobody says that the server speaks of the signed root. */
	settings->trust_anchor = (struct slice){NULL, 0};
	return true;
}

/* NAME[/TYPE]=timeout|servfail.  The last "=" and "/" count: a name may have
 * both in it. */
static bool parse_failure(
    struct slice text, struct dns_failure *ret, struct err *err)
{
	struct dns_failure failure = {.any_type = true};
	size_t equals = text.len, slash;
	struct slice how;

	while (equals > 0 && text.ptr[equals - 1] != '=')
		equals--;
	how = slice_from_pos(text, equals);
	failure.timeout = slice_eq(how, SLICE("timeout"));
	if (equals < 2 ||
	    (!failure.timeout && !slice_eq(how, SLICE("servfail"))))
		return err_set(err, E_USAGE,
		    "--dns-fail \"%.*s\" is not NAME[/TYPE]=timeout|servfail",
		    SLICE_ARGS(slice_sub(text, 0, 80)));
	failure.name = slice_sub(text, 0, equals - 1);
	slash = failure.name.len;
	while (slash > 0 && failure.name.ptr[slash - 1] != '/')
		slash--;
	if (slash > 1) {
		if (!dns_type_from_name(
			slice_from_pos(failure.name, slash), &failure.type))
			return err_set(err, E_USAGE,
			    "--dns-fail \"%.*s\": unknown type of record",
			    SLICE_ARGS(slice_sub(text, 0, 80)));
		failure.any_type = false;
		failure.name.len = slash - 1;
	}
	*ret = failure;
	return true;
}

static bool apply_failures(struct arena *arena, const struct command_line *line,
    struct dns_settings *settings, struct err *err)
{
	const struct slice *texts;
	size_t count = command_list(line, "dns-fail", &texts);
	struct dns_failure *failures = ARENA_ARRAY(
	    arena, count, struct dns_failure);

	for (size_t i = 0; i < count; i++)
		if (!parse_failure(texts[i], &failures[i], err))
			return false;
	settings->failure_count = count;
	settings->failures = failures;
	return true;
}

bool dns_options_apply(struct arena *arena, const struct command_line *line,
    struct dns_settings *settings, struct err *err)
{
	bool has_servers = command_has(line, "dns-server");
	bool has_zone = command_has(line, "zone");

	if (has_servers && has_zone)
		return err_set(
		    err, E_USAGE, "--zone and --dns-server exclude each other");
	if (has_servers && !apply_servers(arena, line, settings, err))
		return false;
	if (has_zone)
		settings->zone_file = command_text(line, "zone");
	if (command_has(line, "dns-timeout") &&
	    !slice_to_u64(command_text(line, "dns-timeout"), TIMEOUT_MAX_MS,
		&settings->query_timeout_ms))
		return err_set(err, E_USAGE,
		    "--dns-timeout is not a number of milliseconds up to %d",
		    TIMEOUT_MAX_MS);
	return apply_failures(arena, line, settings, err);
}

static void release(void *object)
{
	dns_resolver_release(object);
}

bool dns_options_open(struct arena *arena, const struct command_line *line,
    struct dns_resolver **ret, struct err *err)
{
	struct dns_settings settings = {
	    .cache_bytes = CACHE_BYTES,
	    .cache_max_ttl = TTL_MAX,
	    .cache_negative_ttl = TTL_NEGATIVE_MAX,
	    .query_timeout_ms = limits_default.dns_query_timeout,
	};

	if (access(root_key, R_OK) == 0)
		settings.trust_anchor = slice_from(root_key);
	if (!dns_options_apply(arena, line, &settings, err) ||
	    !dns_resolver_open(&settings, ret, err))
		return false;
	arena_defer(arena, release, *ret);
	return true;
}

struct dns_session *dns_options_session(
    struct arena *arena, struct dns_resolver *resolver)
{
	return dns_session_new(arena, resolver, &limits_default,
	    deadline_in((int64_t)limits_default.dns_time));
}
