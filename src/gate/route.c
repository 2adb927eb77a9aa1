/* SPDX-License-Identifier: Apache-2.0 */
/* Which recipients are ours, and where mail for a domain goes. */
#include "dns/name.h"
#include "gate/gate_private.h"
#include "message/address.h"

bool route_is_accepted_domain(const struct config *config, struct slice domain)
{
	for (size_t i = 0; i < config->accepted_domains.count; i++)
		if (slice_eq_nocase(config->accepted_domains.items[i], domain))
			return true;
	return false;
}

/* How well a route's pattern fits: longer is better, 0 is not at all. */
static size_t fitness(struct slice pattern, struct slice domain)
{
	if (slice_eq(pattern, SLICE("*")))
		return 1;
	if (pattern.len && pattern.ptr[0] == '.')
		return slice_ends_nocase(domain, pattern) ? pattern.len + 1 : 0;
	return slice_eq_nocase(pattern, domain) ? SIZE_MAX : 0;
}

const struct conf_route *route_find(
    const struct config *config, struct slice domain)
{
	const struct conf_route *best = NULL;
	size_t best_fitness = 0;

	for (size_t i = 0; i < config->route_count; i++) {
		const struct conf_route *route = &config->routes[i];

		for (size_t j = 0; j < route->domains.count; j++) {
			size_t fits = fitness(route->domains.items[j], domain);

			if (fits > best_fitness) {
				best_fitness = fits;
				best = route;
			}
		}
	}
	return best;
}

/* The domain of a recipient as routes and accepted domains are written. */
static bool recipient_domain(struct arena *arena, const struct config *config,
    struct slice address, struct slice *ret)
{
	struct slice domain = address_domain(address);

	/* "postmaster" alone is ours (RFC 5321 section 4.5.1). */
	if (domain.len == 0 && slice_eq_nocase(address, SLICE("postmaster"))) {
		if (config->accepted_domains.count == 0)
			return false;
		*ret = config->accepted_domains.items[0];
		return true;
	}
	return name_normalize(arena, domain, ret, NULL);
}

/* "%", "!" and "@" say that mail goes on to elsewhere: "x%b.example@ours",
 * "b.example!x@ours", "\"x@b.example\"@ours" (RFC 5321, 2.3.11 and appendix
 * F.2).  Quoting hides none of them. */
static bool routes_nowhere(char c)
{
	return c != '%' && c != '!' && c != '@';
}

static bool is_routed(struct slice address)
{
	size_t domain = address_domain(address).len;

	return domain &&
	       !slice_all(slice_sub(address, 0, address.len - domain - 1),
		   routes_nowhere);
}

static struct smtp_reply_text refuse(
    int code, struct slice enhanced, struct slice text)
{
	return (struct smtp_reply_text){code, enhanced, text};
}

bool gate_recipient(struct gate_message *message, struct slice address,
    struct smtp_reply_text *ret)
{
	const struct config *config = message->context->config;
	struct slice domain;

	if (!recipient_domain(message->arena, config, address, &domain)) {
		*ret = refuse(550, SLICE("5.1.2"),
		    SLICE("the recipient's domain is not a domain name"));
		return false;
	}
	if (!message->internal && !route_is_accepted_domain(config, domain)) {
		*ret = refuse(550, SLICE("5.7.1"),
		    SLICE("relaying denied: this is not a domain that we "
			  "receive mail for"));
		return false;
	}
	/* A next hop that trusts us would relay it for whoever asks. */
	if (!message->internal && is_routed(address)) {
		*ret = refuse(550, SLICE("5.7.1"),
		    SLICE("relaying denied: %, ! or @ before the domain asks "
			  "us to pass mail on"));
		return false;
	}
	if (!route_find(config, domain)) {
		*ret = refuse(451, SLICE("4.3.5"),
		    SLICE("no route is configured for this domain; the "
			  "administrator must add one to routes"));
		return false;
	}
	return true;
}

const struct conf_route *gate_route(
    const struct gate_message *message, struct slice address)
{
	return gate_find_route(
	    message->arena, message->context->config, address);
}

const struct conf_route *gate_find_route(
    struct arena *arena, const struct config *config, struct slice address)
{
	struct slice domain;

	if (!recipient_domain(arena, config, address, &domain))
		return NULL;
	return route_find(config, domain);
}
