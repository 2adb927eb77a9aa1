/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/resolver_config.h"

#include "cli/dns_options.h"

enum { DNS_PORT = 53 };

static bool take_servers(struct arena *arena, const struct conf_dns *dns,
    struct dns_settings *settings, struct err *err)
{
	size_t count = dns->servers.count;
	struct ip *servers = ARENA_ARRAY(arena, count, struct ip);
	uint16_t *ports = ARENA_ARRAY(arena, count, uint16_t);

	for (size_t i = 0; i < count; i++)
		if (!ip_parse_with_port(dns->servers.items[i], DNS_PORT,
			&servers[i], &ports[i], err))
			return false;
	settings->server_count = count;
	settings->servers = servers;
	settings->server_ports = ports;
	return true;
}

bool resolver_open_configured(struct arena *arena, const struct config *config,
    const struct command_line *line, struct dns_resolver **ret, struct err *err)
{
	const struct conf_dns *dns = &config->dns;
	struct dns_settings settings = {
	    .zone_file = dns->zone,
	    .trust_anchor = dns->trust_anchor,
	    .cache_bytes = dns->cache_size,
	    .cache_min_ttl = (uint32_t)dns->cache_min_ttl,
	    .cache_max_ttl = (uint32_t)dns->cache_max_ttl,
	    .cache_negative_ttl = (uint32_t)dns->cache_negative_ttl,
	    .query_timeout_ms = config->limits.dns_query_timeout,
	};

	if (!take_servers(arena, dns, &settings, err))
		return false;
	if (line && !dns_options_apply(arena, line, &settings, err))
		return false;
	return dns_resolver_open(&settings, ret, err);
}
