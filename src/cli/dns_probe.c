/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/dns_probe.h"

#include "cli/resolver_config.h"

static bool ask(struct arena *arena, const struct config *config,
    struct dns_resolver *resolver, struct err *err)
{
	struct slice name = config->accepted_domains.count
				? config->accepted_domains.items[0]
				: config->hostname;
	struct dns_session *session = dns_session_new(arena, resolver,
	    &config->limits, deadline_in((int64_t)config->limits.dns_time));
	const struct dns_answer *answer = dns_ask(session, name, DNS_MX);

	if (answer->status != DNS_TEMPORARY_FAILURE)
		return true;
	return err_set(err, E_TEMP, "%s for the MX of %.*s: %s", answer->rcode,
	    SLICE_ARGS(name), answer->problem);
}

bool dns_probe(
    const struct config *config, int64_t *ret_duration_ms, struct err *err)
{
	struct arena *arena = arena_new(0);
	int64_t started = clock_monotonic_ms();
	struct dns_resolver *resolver;
	bool ok = resolver_open_configured(arena, config, NULL, &resolver, err);

	if (ok) {
		ok = ask(arena, config, resolver, err);
		dns_resolver_release(resolver);
	}
	if (ok)
		*ret_duration_ms = clock_monotonic_ms() - started;
	arena_free(arena);
	return ok;
}
