/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/named_check.h"

#include "base/clock.h"
#include "cli/folder_check.h"
#include "cli/identity.h"
#include "cli/read_check.h"
#include "cli/resolver_config.h"
#include "smtp/client_tls.h"
#include "smtp/targets.h"
#include "smtp/tls_certificate.h"
#include "smtp/tls_server.h"

enum { WARN_DAYS = 14, DAY = 86400 };

static void check_validity(struct arena *arena, const struct checker *checker,
    const char *path, struct slice file)
{
	int64_t now = clock_now(NULL), expires;

	if (!tls_certificate_expires(arena, file, &expires, NULL) ||
	    expires > now + WARN_DAYS * DAY)
		return;
	check_warning(checker, path, "%.*s %s: %.*s", SLICE_ARGS(file),
	    expires > now ? "expires soon" : "has expired",
	    SLICE_ARGS(clock_format_rfc3339(arena, expires)));
}

static void check_tls(struct arena *arena, const struct checker *checker,
    const struct config *config, size_t i)
{
	const struct conf_listener *listener = &config->listeners[i];
	const char *path = arena_format(arena, "listeners[%zu].tls", i);
	struct ssl_ctx_st *context;
	struct err err = {0};

	if (slice_empty(listener->tls.certificate) ||
	    !check_is_sound(checker, path))
		return;
	if (!tls_server_load(&listener->tls, &context, &err)) {
		check_error(checker, path, "%s", err.text);
		return;
	}
	/* Clients of the others know them by names of their own. */
	if (listener->role == ROLE_MX && check_is_sound(checker, "hostname") &&
	    !tls_server_is_for(context, config->hostname))
		check_warning(checker,
		    arena_format(arena, "%s.certificate", path),
		    "%.*s is not for %.*s: who verifies it (MTA-STS) sends "
		    "nothing, unless the MX record has a name that is in it",
		    SLICE_ARGS(listener->tls.certificate),
		    SLICE_ARGS(config->hostname));
	tls_server_free(context);
	check_validity(arena, checker,
	    arena_format(arena, "%s.certificate", path),
	    listener->tls.certificate);
}

/* Opened as the service does it; nothing is asked. */
static void check_dns(struct arena *arena, const struct checker *checker,
    const struct config *config)
{
	struct dns_resolver *resolver;
	struct err err = {0};

	if (!check_is_sound(checker, "dns"))
		return;
	if (resolver_open_configured(arena, config, NULL, &resolver, &err))
		dns_resolver_release(resolver);
	else
		check_error(checker,
		    config->dns.zone.len ? "dns.zone" : "dns.trust_anchor",
		    "%s", err.text);
}

/* A route that cannot verify its next hop sends nothing. */
static void check_authorities(struct arena *arena,
    const struct checker *checker, const struct config *config)
{
	struct client_tls *tls = client_tls_new();

	for (size_t i = 0; i < config->route_count; i++) {
		const char *path = arena_format(arena, "routes[%zu].tls_ca", i);
		struct err err = {0};

		if (check_is_sound(checker, path) &&
		    !client_tls_prepare(tls, &config->routes[i], &err))
			check_error(checker, path, "%s", err.text);
	}
	client_tls_free(tls);
}

/* What is known without asking DNS. */
static void check_next_hops(struct arena *arena, const struct checker *checker,
    const struct config *config)
{
	for (size_t i = 0; i < config->route_count; i++) {
		const struct conf_route *route = &config->routes[i];
		const char *path = arena_format(
		    arena, "routes[%zu].next_hop", i);

		for (size_t j = 0; j < route->target_count; j++) {
			const struct conf_listener *listener = targets_lead_to(
			    config, route, &route->targets[j]);

			if (listener && check_is_sound(checker, path))
				check_warning(checker, path,
				    "%.*s port %u is listener %.*s of this "
				    "gateway itself: write where the mailboxes "
				    "are",
				    SLICE_ARGS(route->targets[j].host),
				    targets_port(&route->targets[j]),
				    SLICE_ARGS(listener->name));
		}
	}
}

/* Only root changes to it, and it may be made before the start. */
static void check_user(struct arena *arena, const struct checker *checker,
    const struct config *config)
{
	struct err err = {0};
	uid_t uid;
	gid_t gid;

	struct slice key, text;

	if (!config->user.len || identity_find(arena, config, &uid, &gid, &err))
		return;
	/* "user: there is no ..." */
	slice_split(slice_from(err.text), ':', &key, &text);
	check_warning(checker, arena_text(arena, key), "%.*s",
	    SLICE_ARGS(slice_trim(text)));
}

void named_check(const struct config *config, const struct checker *checker)
{
	struct arena *arena = arena_new(0);

	for (size_t i = 0; i < config->listener_count; i++)
		check_tls(arena, checker, config, i);
	if (!config->listener_count && check_is_sound(checker, "listeners"))
		check_error(checker, "listeners",
		    "there are none: the start would have nothing to serve");
	folder_check(config, checker);
	check_dns(arena, checker, config);
	check_authorities(arena, checker, config);
	check_next_hops(arena, checker, config);
	check_user(arena, checker, config);
	read_check(config, checker);
	arena_free(arena);
}
